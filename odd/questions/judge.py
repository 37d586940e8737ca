"""A process of its own that decides what may hang, exhaust memory, or run what a model wrote.

math-verify and reasoning-gym's scorers hand answers to SymPy, which evaluates Python and can take for ever on a short
text such as `9^{9^{9}}`. So they run here: `odd.questions.isolated` starts this module, sends one JSON request a line
and reads one JSON reply a line. A request that takes more processor time than it may ends the process; time of the
clock would make verdicts depend on what else the machine does. While a request is at work, writing files, starting
programs and the network are closed. That is a hurdle, no prison: it keeps honest mistakes and crude attacks of model
output in.

    odd.questions.judge
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
"""Audit events, or how their names begin, that are refused."""
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def equal(gold: str, answer: str) -> bool:
    """Whether math-verify takes two answers for the same; what it cannot read equals nothing."""
    from math_verify import parse, verify

    # no time limits: theirs are signals, and whoever asks has its own
    read = [parse(_as_latex(text), parsing_timeout=0) for text in (gold, answer)]
    return bool(verify(read[0], read[1], timeout_seconds=0))


def _as_latex(text: str) -> str:
    r"""An answer as TeX, which math-verify reads best; delimiters that are there stay."""
    text = text.replace(r"\$", "")
    marked = "$" in text or any(mark in text for mark in (r"\boxed", r"\(", r"\["))
    return text if marked else f"${text}$"


def entries(generator: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    """All entries of a reasoning-gym data set."""
    data = _data_set(generator, json.dumps(parameters))
    return [_packed(dict(data[i])) for i in range(len(data))]


def score(generator: str, parameters: dict[str, Any], entry: dict[str, Any], answer: str) -> float:
    """What the generator's own scorer gives an answer, 0 to 1; some scorers look at the parameters, too."""
    return float(_data_set(generator, json.dumps(parameters)).score_answer(answer, _unpacked(entry)))


def generators() -> list[str]:
    """Names of reasoning-gym's generators."""
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
    """Something as JSON that loses neither tuples nor keys that are not text, as scorers compare with both."""
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
"""What a call loads; all others reasoning_gym."""


class Doors:
    """An audit hook: what leads out of the process is shut while a call is at work, and open while libraries load."""

    shut = False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Refuse what is shut.

        Raises:
            PermissionError: it is.
        """
        if self.shut:
            _refuse(event, arguments)


DOORS = Doors()


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open":
        _, mode, flags = arguments
        if (isinstance(mode, str) and set(mode) & set("wax+")) or (isinstance(flags, int) and flags & WRITES):
            raise PermissionError("files cannot be written here")
    elif event.startswith(CLOSED):
        raise PermissionError(f"{event} is closed here")


def _limit() -> None:
    """Give up what deciding about answers does not need."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever asks; its end closes our input
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    sys.addaudithook(DOORS)


def _answered(line: bytes) -> dict[str, Any]:
    """The reply to one request."""
    request = json.loads(line)
    call = request["call"]
    try:
        import_module(LIBRARY.get(call, "reasoning_gym"))
        spent = resource.getrusage(resource.RUSAGE_SELF)
        resource.setrlimit(resource.RLIMIT_CPU, (ceil(spent.ru_utime + spent.ru_stime + request["seconds"]), -1))
        DOORS.shut = True
        return {"reply": CALLS[call](*request["arguments"])}
    except Exception as error:  # libraries raise all kinds over what a model wrote
        return {"error": type(error).__name__, "message": (str(error).splitlines() or [""])[0][:200]}
    finally:
        DOORS.shut = False
        resource.setrlimit(resource.RLIMIT_CPU, (-1, -1))


def main() -> None:
    """Answer requests until nobody asks any more."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not get between the replies
    _limit()
    for line in sys.stdin.buffer:
        replies.write(json.dumps(_answered(line)).encode() + b"\n")
        replies.flush()


if __name__ == "__main__":
    main()
