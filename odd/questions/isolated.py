"""Asking `odd.questions.judge`, a process of its own, with a time limit.

One such process serves all threads of a program, one request at a time. It is started by the first request, and anew
by the next one if a request was too much for it; it ends when the program does, however that ends.
"""

import json
import os
import subprocess
import sys
import threading
import time
from functools import lru_cache
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from typing import Any

from odd.errors import OddError

SECONDS = 5.0
"""Processor time that an answer may take to be judged."""
MAKING = 600.0
"""Processor time that a set of questions may take to be made."""
PATIENCE = 120.0
"""What may pass besides on the clock, on a busy machine, while libraries are loaded."""


class Unanswered(Exception):
    """No reply came: it took too long, or the process died over it."""


class JudgeError(Exception):
    """The request failed; `kind` is the name of the exception."""

    def __init__(self, kind: str, message: str) -> None:
        """Keep what went wrong."""
        super().__init__(message)
        self.kind = kind


class Judge:
    """A process that answers requests."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def ask(self, call: str, *arguments: Any, seconds: float = SECONDS) -> Any:
        """The reply to a request.

        Args:
            call: a name of `odd.questions.judge.CALLS`.
            arguments: what it takes, as JSON.
            seconds: processor time that it may take.

        Raises:
            Unanswered: it took more, or the process died.
            JudgeError: it failed.
        """
        request = json.dumps({"call": call, "arguments": arguments, "seconds": seconds}).encode() + b"\n"
        with self._lock:
            process = self._running()
            try:
                assert process.stdin is not None
                process.stdin.write(request)
                process.stdin.flush()
                reply = json.loads(self._line(process, seconds + PATIENCE))
            except (OSError, ValueError, Unanswered) as error:
                self._end()
                raise Unanswered(call) from error
        if "error" in reply:
            raise JudgeError(reply["error"], reply["message"])
        return reply["reply"]

    def _running(self) -> subprocess.Popen[bytes]:
        """The process, started if there is none."""
        if self._process is not None and self._process.poll() is None:
            return self._process
        root = str(Path(__file__).parents[2])
        # threads of BLAS reserve more address space than the process may have
        settings = {"PYTHONPATH": root, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "agg"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "odd.questions.judge"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **settings},
        )
        return self._process

    def _line(self, process: subprocess.Popen[bytes], seconds: float) -> bytes:
        """One line of the process's output."""
        assert process.stdout is not None
        end, parts = time.monotonic() + seconds, [b""]
        with DefaultSelector() as selector:
            selector.register(process.stdout, EVENT_READ)
            while not parts[-1].endswith(b"\n"):
                if not selector.select(max(0.0, end - time.monotonic())):
                    raise Unanswered("late")
                parts.append(os.read(process.stdout.fileno(), 1 << 20))
                if not parts[-1]:
                    raise Unanswered("gone")
        return b"".join(parts)

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


JUDGE = Judge()


@lru_cache(maxsize=1 << 16)
def equal_expressions(gold: str, answer: str) -> bool:
    """Whether math-verify takes an answer for equal to the gold one; what it cannot decide in time is not."""
    try:
        return bool(JUDGE.ask("equal", gold, answer))
    except (Unanswered, JudgeError):
        return False


@lru_cache(maxsize=1 << 14)
def gym_score(metadata: str, answer: str) -> float:
    """What a reasoning-gym generator's own scorer gives an answer; 0 for what it fails on.

    Args:
        metadata: generator, parameters and entry, as JSON.
        answer: of a response.

    Raises:
        OddError: reasoning-gym is not installed.
    """
    given = json.loads(metadata)
    try:
        arguments = (given[name] for name in ("generator", "parameters", "entry"))
        return float(JUDGE.ask("score", *arguments, answer))
    except JudgeError as error:
        check_installed(error, f"questions of gym:{given['generator']} are judged")
        return 0.0
    except Unanswered:
        return 0.0


def gym_entries(generator: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    """The entries that a reasoning-gym generator makes.

    Raises:
        OddError: reasoning-gym is not installed, has no such generator, or refuses the parameters.
    """
    source = f"questions gym:{generator}"
    try:
        return JUDGE.ask("entries", generator, parameters, seconds=MAKING)
    except JudgeError as error:
        check_installed(error, f"{source} are made")
        known = JUDGE.ask("generators")
        if generator not in known:
            raise OddError(f"{source}: reasoning-gym has no such generator; it has {', '.join(known)}") from error
        given = ", ".join(f"{key}={value}" for key, value in parameters.items())
        raise OddError(f"{source}: reasoning-gym refuses {given} ({error}): change the parameters") from error
    except Unanswered as error:
        raise OddError(f"{source}: not made within {MAKING:.0f} s: ask for fewer (size=) or easier ones") from error


def check_installed(error: JudgeError, what: str) -> None:
    """Say which command installs reasoning-gym, if its absence is the error.

    Raises:
        OddError: it is.
    """
    if error.kind == "ModuleNotFoundError":
        raise OddError(
            f"{what} by the package reasoning-gym, which is not installed: pip install reasoning-gym"
        ) from error
