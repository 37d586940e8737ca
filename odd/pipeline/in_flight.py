"""Work on several questions at a time, each in a thread, so that servers always have requests to batch.

The threads compute in turns (`odd.models.waiting`); this thread alone takes their events, which it yields in the order
they arrive. Those of one question stay in order.
"""

import queue
import threading
from collections.abc import Callable, Generator, Iterable

from odd.models.waiting import taking_turns
from odd.pipeline.events import Event, Events

MOST_EVENTS = 64
"""Events that wait to be written; beyond it, the work waits."""
LOOK = 0.1
"""Seconds after which a thread that waits looks whether the run stops."""


class _Ended:
    """The end of the work on a question, with the error that ended it, if any."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def in_flight(works: Iterable[Events[None]], most: int, cancel: Callable[[], None]) -> Generator[Event]:
    """Yield the events of all questions; at most `most` are worked on at a time.

    Args:
        works: work on each question.
        most: number of questions at a time.
        cancel: ends what threads wait for, when the run stops.

    Raises:
        Exception: what the work on a question raises; that on the others ends.
    """
    turn, stop = threading.Lock(), threading.Event()
    events: queue.Queue[Event | _Ended] = queue.Queue(MOST_EVENTS)
    threads: list[threading.Thread] = []
    rest, running = iter(works), 0
    try:
        while True:
            while running < most:
                with taking_turns(turn):
                    work = next(rest, None)
                if work is None:
                    break
                threads.append(threading.Thread(target=_work, args=(work, turn, stop, events), daemon=True))
                threads[-1].start()
                running += 1
            if not running:
                return
            event = events.get()
            if not isinstance(event, _Ended):
                yield event
                continue
            running -= 1
            if event.error is not None:
                raise event.error
    finally:
        stop.set()
        while any(thread.is_alive() for thread in threads):
            cancel()
            for thread in threads:
                thread.join(LOOK)


def _work(
    work: Events[None], turn: threading.Lock, stop: threading.Event, events: "queue.Queue[Event | _Ended]"
) -> None:
    """Do the work on a question and pass its events on."""
    error: BaseException | None = None
    try:
        while not stop.is_set():
            with taking_turns(turn):
                event = next(work, None)
            if event is None:
                break
            _put(events, event, stop)
    except BaseException as raised:  # raised again by the thread that takes the events
        error = raised
    _put(events, _Ended(error), stop)


def _put(events: "queue.Queue[Event | _Ended]", event: Event | _Ended, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            return events.put(event, timeout=LOOK)
        except queue.Full:
            continue
