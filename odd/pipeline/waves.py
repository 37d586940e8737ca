"""The order of the work on questions.

One after the other; several at a time, which keeps servers busy; or in waves if models take turns in memory.
"""

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from itertools import islice

from odd.models.residency import Residency
from odd.models.server.loop import cancel_all
from odd.pipeline.events import Event, Events, Use
from odd.pipeline.in_flight import in_flight

WAVE = 16
"""Questions per wave: more load each model less often, but leave more work unfinished if a run is killed."""


def in_turns(works: Iterable[Events[None]], residency: Residency | None, at_a_time: int = 1) -> Generator[Event]:
    """Yield the events of all questions; None: all models are in memory, and `at_a_time` questions are worked on.

    In a wave, the work on every question goes on until it needs a model that is not in memory. Then the model that most
    questions wait for is loaded.
    """
    if residency is None and at_a_time > 1:
        yield from in_flight(works, at_a_time, cancel_all)
        return
    if residency is None:
        for work in works:
            yield from work
        return
    rest = iter(works)
    while wave := list(islice(rest, WAVE)):
        yield from _wave(wave, residency)


def _wave(wave: Iterable[Events[None]], residency: Residency) -> Iterator[Event]:
    ready, waiting = deque(wave), dict[str, list[Events[None]]]()
    while ready or waiting:
        if not ready:
            label = max(waiting, key=lambda one: len(waiting[one]))
            residency.get(label)
            ready.extend(waiting.pop(label))
        work = ready.popleft()
        for event in work:
            if isinstance(event, Use) and not residency.is_loaded(event.label):
                waiting.setdefault(event.label, []).append(work)
                break
            yield event
