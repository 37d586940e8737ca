"""Turns of threads that work on questions: one computes, while others wait for servers.

Nothing that computes (tokenizers, verifiers, local models) need be safe for threads: a thread gives up its turn only
where it waits for an answer.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_own = threading.local()


@contextmanager
def taking_turns(turn: threading.Lock) -> Iterator[None]:
    """Compute in turn with the other threads that share the lock."""
    with turn:
        _own.turn = turn
        try:
            yield
        finally:
            _own.turn = None


@contextmanager
def waiting() -> Iterator[None]:
    """Wait for something that another thread or machine does; others compute meanwhile."""
    turn: threading.Lock | None = getattr(_own, "turn", None)
    if turn is None:
        yield
        return
    turn.release()
    try:
        yield
    finally:
        turn.acquire()
