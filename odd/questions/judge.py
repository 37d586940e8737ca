"""A separate process for verifiers that may hang, exhaust memory or execute model output.

math-verify and the scorers of reasoning-gym pass answers to SymPy, which evaluates Python and may never return on a
short text such as `9^{9^{9}}`. So they run here: `odd.questions.isolated` starts this module, writes one JSON request
per line and reads one JSON reply per line. A request that exceeds its CPU time limit ends the process; a wall-clock
limit would make verdicts depend on the load of the machine. While a request runs, writing files, starting programs and
network access are blocked. This is not a sandbox: it stops mistakes and crude attacks in model output, no more.
"""

import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from math import ceil
from typing import Any

MEMORY = 4 << 30
"""Bytes of address space; large libraries reserve much more than they use."""
CLOSED = (
    "socket.",
    "subprocess.",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.spawn",
    "os.system",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.mkdir",
    "os.link",
    "os.symlink",
    "os.chmod",
    "os.chown",
    "os.truncate",
    "os.kill",
    "shutil.",
    "ctypes.",
    "pty.",
)
"""Prefixes of the audit events that are blocked."""
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def equal(gold: str, answer: str) -> bool:
    """Whether math-verify considers two answers equal; an answer it cannot parse equals nothing."""
    from math_verify import parse, verify

    # math-verify's time limits rely on signals; the client sets its own limit
    read = [parse(_as_latex(text), parsing_timeout=0) for text in (gold, answer)]
    return bool(verify(read[0], read[1], timeout_seconds=0))


def _as_latex(text: str) -> str:
    r"""Wrap an answer in TeX delimiters, which math-verify parses best, unless it has some already."""
    text = text.replace(r"\$", "")
    marked = "$" in text or any(mark in text for mark in (r"\boxed", r"\(", r"\["))
    return text if marked else f"${text}$"


def entries(generator: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all entries of a reasoning-gym data set."""
    data = _data_set(generator, json.dumps(parameters))
    return [_packed(dict(data[i])) for i in range(len(data))]


def score(generator: str, parameters: dict[str, Any], entry: dict[str, Any], answer: str) -> float:
    """Score an answer, 0 to 1, with the generator's scorer; some scorers also use the parameters."""
    return float(_data_set(generator, json.dumps(parameters)).score_answer(answer, _unpacked(entry)))


def generators() -> list[str]:
    """Return the names of reasoning-gym's generators."""
    import reasoning_gym.factory

    return sorted(reasoning_gym.factory.DATASETS)


@lru_cache(maxsize=64)
def _data_set(generator: str, parameters: str) -> Any:
    import reasoning_gym
    from reasoning_gym.composite import DatasetSpec

    settings = json.loads(parameters)
    if generator == "composite":
        settings["datasets"] = [DatasetSpec(**{"config": {}} | part) for part in settings.get("datasets", [])]
    return reasoning_gym.create_dataset(generator, **settings)


def _packed(value: Any) -> Any:
    """Encode a value as JSON, keeping tuples and non-string keys, which some scorers compare with."""
    if isinstance(value, tuple):
        return {"$tuple": [_packed(part) for part in value]}
    if isinstance(value, list):
        return [_packed(part) for part in value]
    if isinstance(value, dict):
        if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return {key: _packed(part) for key, part in value.items()}
        return {"$dict": [[_packed(key), _packed(part)] for key, part in value.items()]}
    return value


def _unpacked(value: Any) -> Any:
    """The inverse of `_packed`."""
    if isinstance(value, list):
        return [_unpacked(part) for part in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"$tuple"}:
        return tuple(_unpacked(value["$tuple"]))
    if value.keys() == {"$dict"}:
        return {_unpacked(key): _unpacked(part) for key, part in value["$dict"]}
    return {key: _unpacked(part) for key, part in value.items()}


CALLS: dict[str, Callable[..., Any]] = {"equal": equal, "entries": entries, "score": score, "generators": generators}
LIBRARY = {"equal": "math_verify"}
"""Library that a call imports, if not reasoning_gym."""


class Doors:
    """Audit hook that blocks the events of `CLOSED` and writes while a call runs, but not while libraries load."""

    shut = False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Block the event if a call is running.

        Raises:
            PermissionError: the event is blocked.
        """
        if self.shut:
            _refuse(event, arguments)


DOORS = Doors()


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open":
        _, mode, flags = arguments
        if (isinstance(mode, str) and set(mode) & set("wax+")) or (isinstance(flags, int) and flags & WRITES):
            raise PermissionError("writing files is blocked here")
    elif event.startswith(CLOSED):
        raise PermissionError(f"{event} is blocked here")


def _limit() -> None:
    """Limit memory and file size, and install the audit hook."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the client handles Ctrl-C; its exit closes our stdin
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    sys.addaudithook(DOORS)


def _answered(line: bytes) -> dict[str, Any]:
    """Return the reply to one request."""
    request = json.loads(line)
    call = request["call"]
    try:
        import_module(LIBRARY.get(call, "reasoning_gym"))
        spent = resource.getrusage(resource.RUSAGE_SELF)
        resource.setrlimit(resource.RLIMIT_CPU, (ceil(spent.ru_utime + spent.ru_stime + request["seconds"]), -1))
        DOORS.shut = True
        return {"reply": CALLS[call](*request["arguments"])}
    except Exception as error:  # on model output, libraries may raise anything
        return {"error": type(error).__name__, "message": (str(error).splitlines() or [""])[0][:200]}
    finally:
        DOORS.shut = False
        resource.setrlimit(resource.RLIMIT_CPU, (-1, -1))


def main() -> None:
    """Answer requests until stdin closes."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # keep what libraries print out of the replies
    _limit()
    for line in sys.stdin.buffer:
        replies.write(json.dumps(_answered(line)).encode() + b"\n")
        replies.flush()


if __name__ == "__main__":
    main()
