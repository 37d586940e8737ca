"""The event loop in which all requests to servers are made, in a thread of its own."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from functools import cache
from typing import Any, TypeVar

from odd.models.waiting import waiting

Result = TypeVar("Result")
_awaited: set[Future[Any]] = set()


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="servers", daemon=True).start()
    return loop


def wait_for(work: Coroutine[Any, Any, Result]) -> Result:
    """Do work in the loop and return its result; an interrupt of the waiting thread cancels the work.

    Cancelled requests close their connections, which tells a server to stop generating.
    """
    loop, future = _loop(), None
    try:
        future = asyncio.run_coroutine_threadsafe(work, loop)
        _awaited.add(future)
        with waiting():
            return future.result()
    except BaseException:
        if future is not None:
            future.cancel()
        raise
    finally:
        if future is not None:
            _awaited.discard(future)


def cancel_all() -> None:
    """Cancel all work that threads wait for."""
    for future in list(_awaited):
        future.cancel()
