"""Signals that arrive while DuckDB works.

Python runs the handler of a signal, which usually raises, between any two of its instructions. If DuckDB is calling
Python at that moment, as it does to read rows that are inserted, it turns what the handler raises into an error of its
own, such as of the input.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import duckdb

STOPPING = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def deferred(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Defer Ctrl-C and SIGTERM to the end of a block of statements; the statement that runs is interrupted.

    Handlers that are not functions stay as they are, and other threads than the main one receive no signals.

    Args:
        connection: connection of the statements.

    Raises:
        BaseException: what the handler of the first signal raises, instead of an error that it has caused.
    """
    arrived: list[Callable[[], object]] = []

    def defer(handler: Callable[..., object]) -> Callable[..., None]:
        def note(number: int, frame: object) -> None:
            arrived.append(lambda: handler(number, frame))
            connection.interrupt()

        return note

    try:
        with ExitStack() as restored:
            for number in STOPPING if threading.current_thread() is threading.main_thread() else ():
                handler = signal.getsignal(number)
                if callable(handler):
                    restored.callback(signal.signal, number, handler)
                    signal.signal(number, defer(handler))
            yield
    finally:
        if arrived:
            arrived[0]()


@contextmanager
def stoppable() -> Iterator[None]:
    """Convert the error of an interrupted statement to KeyboardInterrupt, so that it is not taken for damage.

    Raises:
        KeyboardInterrupt: a handler raised during a statement, whatever it raised; or the statement was interrupted.
    """
    try:
        yield
    except duckdb.InterruptException as error:
        raise KeyboardInterrupt from error
    except RuntimeError as error:
        if str(error) != "Query interrupted":
            raise
        raise KeyboardInterrupt from error
