"""A module of ours in a Python process of its own, which answers one line of JSON with another.

The module confines itself (`odd.questions.sandbox`) before it handles what is not trusted. The process serves all
threads of this one, one request at a time. The first request starts it; if it dies or is too slow, the next request
starts a new one. It exits with this process, however that ends.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from typing import Any

KEPT = "PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TMPDIR", "TZ", "VIRTUAL_ENV"
"""Environment variables that the process gets; others may hold secrets."""
SETTINGS = {
    # BLAS threads would reserve more address space than the process is allowed
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MPLBACKEND": "agg",
    "PYTHONHASHSEED": "0",  # some generators iterate over sets: the same seed gives the same questions
    "PYTHONPATH": str(Path(__file__).parents[2]),
}
PATIENCE = 120.0
"""Wall-clock seconds for loading libraries on a busy machine."""
LONGEST = 1 << 30
"""Bytes of a reply beyond which it is not read."""


class Unanswered(Exception):
    """No reply: the request took too long, or the process died."""


class Late(Unanswered):
    """No reply in time."""


class IsolatedProcess:
    """A process that answers requests.

    Args:
        module: the module to run; it reads requests from stdin and writes replies to stdout.
    """

    def __init__(self, module: str) -> None:
        self.module = module
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    @property
    def is_running(self) -> bool:
        """Whether the process has been started and is alive."""
        return self._process is not None and self._process.poll() is None

    def exchange(self, request: Mapping[str, Any], seconds: float, longest: int = LONGEST) -> Any:
        """Send a request and return the reply.

        Args:
            request: the request, JSON-serialisable.
            seconds: wall-clock limit.
            longest: bytes of the reply beyond which the process is ended.

        Raises:
            Late: the request exceeded the limit; the process is ended.
            Unanswered: the process died, or its reply is too long or not JSON; it is ended.
        """
        line = json.dumps(request).encode() + b"\n"
        with self._lock:
            process = self._running()
            try:
                assert process.stdin is not None
                process.stdin.write(line)
                process.stdin.flush()
                return json.loads(_line(process, seconds, longest))
            except Late:
                self.end()
                raise
            except (OSError, ValueError, RecursionError, Unanswered) as error:
                self.end()
                raise Unanswered(self.module) from error
            except BaseException:
                self.end()  # Ctrl-C: the reply still to come must not be taken for that to the next request
                raise

    def _running(self) -> subprocess.Popen[bytes]:
        """Return the process; start it if none is running."""
        if self._process is not None and self.is_running:
            return self._process
        self.end()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", self.module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in KEPT if name in os.environ} | SETTINGS,
        )
        return self._process

    def end(self) -> None:
        """End the process, if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def _line(process: subprocess.Popen[bytes], seconds: float, longest: int) -> bytes:
    """Read one line of a process's output."""
    assert process.stdout is not None
    end, parts, read = time.monotonic() + seconds, [b""], 0
    with DefaultSelector() as selector:
        selector.register(process.stdout, EVENT_READ)
        while not parts[-1].endswith(b"\n"):
            if not selector.select(max(0.0, end - time.monotonic())):
                raise Late("late")
            parts.append(os.read(process.stdout.fileno(), 1 << 20))
            read += len(parts[-1])
            if not parts[-1] or read > longest:
                raise Unanswered("gone")
    return b"".join(parts)
