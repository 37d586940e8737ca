"""The event loop in which all requests to servers are made, in a thread of its own."""

import asyncio
import threading
from collections.abc import Coroutine
from functools import cache
from typing import Any, TypeVar

Result = TypeVar("Result")


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="servers", daemon=True).start()
    return loop


def wait_for(work: Coroutine[Any, Any, Result]) -> Result:
    """Do work in the loop and return its result; an interrupt of the waiting thread cancels the work.

    Cancelled requests close their connections, which tells a server to stop generating.
    """
    future = asyncio.run_coroutine_threadsafe(work, _loop())
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise
