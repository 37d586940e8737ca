"""The order of the work on questions: one after the other, or in waves if models take turns in memory."""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

from odd.models.residency import Residency
from odd.pipeline.events import Event, Events, Use

WAVE = 16
"""Questions per wave: more load each model less often, but leave more work unfinished if a run is killed."""


def in_turns(works: Iterable[Events[None]], residency: Residency | None) -> Iterator[Event]:
    """Yield the events of all questions; None: all models are in memory.

    In a wave, the work on every question goes on until it needs a model that is not in memory. Then the model that most
    questions wait for is loaded.
    """
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
