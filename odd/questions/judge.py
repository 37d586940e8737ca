"""A separate process for verifiers that may hang, exhaust memory or execute model output.

math-verify and the scorers of reasoning-gym pass answers to SymPy, which evaluates Python and may never return on a
short text such as `9^{9^{9}}`. So they run here: `odd.questions.isolated` starts this module, writes one JSON request
per line and reads one JSON reply per line. This process only imports libraries. For each request it forks a child,
which is confined (`odd.questions.sandbox`) before it sees the request, replies, and ends; what an answer does to it
reaches neither the files nor the network, nor the verdict on another answer. Its limit is in CPU seconds: a wall-clock
limit would make verdicts depend on the load of the machine.
"""

import json
import os
import re
import signal
import sys
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from typing import Any

from odd.questions.guarded import replace_eval
from odd.questions.sandbox import confine, preload

LONGEST_VERDICT, LONGEST_REPLY = 1 << 12, 1 << 28
"""Bytes of a verdict and of any other reply beyond which it is dropped; generated questions are the longest."""
ARITHMETIC = "countdown", "puzzle24"
"""Generators that ask for sums of given numbers; SymPy's parser would accept constants and functions, too."""
OTHER = r"\frac{17}{13}"
"""An answer to compare gold answers with."""
BARE_BOX = re.compile(r"\\boxed(?!\s?\{)")
DIGITS = 6
"""Significant digits to which decimals are compared."""
SIGNS = frozenset("0123456789+-*/() \t\n")


def equal(gold: str, answer: str) -> bool:
    """Whether math-verify considers two answers equal; an answer it cannot parse equals nothing."""
    return _verified(_parsed(gold), _parsed(answer))


def evaluated(*golds: str) -> bool:
    """Whether math-verify can parse gold answers and compare each with another answer."""
    other = _parsed(OTHER)
    for gold in map(_parsed, golds):
        _verified(gold, other)
        if not _verified(gold, gold):
            return False
    return True


# math-verify's time limits rely on signals; the client sets its own limit
def _parsed(text: str) -> list[Any]:
    """Parse all of an expression; math-verify's fallback would take the first number in what it cannot parse."""
    from math_verify import LatexExtractionConfig, parse

    return parse(_as_latex(text), [LatexExtractionConfig()], fallback_mode="no_fallback", parsing_timeout=0)


def _verified(gold: list[Any], answer: list[Any]) -> bool:
    """Whether two parsed expressions are equal, small numbers to `DIGITS` digits, too."""
    from math_verify import verify

    equal = bool(gold and answer and verify(gold, answer, timeout_seconds=0))
    return equal and not _differ(gold[0], answer[0]) and not (_is_equation(answer[0]) and not _is_equation(gold[0]))


def _is_equation(parsed: Any) -> bool:
    """Whether something is an equation such as `x^2 = 7`, of which math-verify compares the right side only."""
    import sympy

    if not isinstance(parsed, sympy.Eq):
        return False
    left = parsed.lhs
    return bool(left.free_symbols) and not left.is_Function and bool(left.atoms(sympy.Number))


def _differ(gold: Any, answer: Any) -> bool:
    """Whether two numbers, or numbers of two tuples or matrices, differ; math-verify compares decimal places only."""
    import sympy

    if all(isinstance(one, (sympy.Tuple, sympy.MatrixBase, tuple, list)) for one in (gold, answer)):
        pairs = list(zip(gold, answer, strict=False))
        return len(list(gold)) != len(list(answer)) or any(_differ(*pair) for pair in pairs)
    if not all(isinstance(one, sympy.Expr) and one.is_number for one in (gold, answer)):
        return False
    values = [sympy.N(one.doit(), 2 * DIGITS) for one in (gold, answer)]
    if not all(value.is_finite for value in values):
        return False
    if abs(values[0] - values[1]) <= 10**-DIGITS * max(map(abs, values)):
        return False
    return not all(value.is_real for value in values) or len({str(sympy.N(one, DIGITS)) for one in values}) > 1


def _as_latex(text: str) -> str:
    r"""Wrap an answer in TeX delimiters, which math-verify needs, unless it has some already."""
    text = BARE_BOX.sub("", text.replace(r"\$", ""))
    if text.count("$") % 2:
        text = text.replace("$", "")
    marked = "$" in text or any(mark in text for mark in (r"\boxed", r"\(", r"\["))
    return text if marked else f"${text.strip().removeprefix('=')}$"


def entries(generator: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all entries of a reasoning-gym data set."""
    data = _data_set(generator, parameters)
    return [_packed(dict(data[i])) for i in range(len(data))]


def score(generator: str, parameters: dict[str, Any], entry: dict[str, Any], answer: str) -> float:
    """Score an answer, 0 to 1, with the generator's scorer; some scorers also use the parameters."""
    if generator in ARITHMETIC and not (set(answer) <= SIGNS and "**" not in answer and "//" not in answer):
        return 0.0
    return float(_data_set(generator, parameters).score_answer(answer, _unpacked(entry)))


def generators() -> list[str]:
    """Return the names of reasoning-gym's generators."""
    import reasoning_gym.factory

    return sorted(reasoning_gym.factory.DATASETS)


def _data_set(generator: str, parameters: dict[str, Any]) -> Any:
    import reasoning_gym
    from reasoning_gym.composite import DatasetSpec

    if generator == "composite":
        parts = [DatasetSpec(**{"config": {}} | part) for part in parameters.get("datasets", [])]
        parameters = parameters | {"datasets": parts}
    return reasoning_gym.create_dataset(generator, **parameters)


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


CALLS: dict[str, Callable[..., Any]] = {
    "equal": equal,
    "evaluated": evaluated,
    "entries": entries,
    "score": score,
    "generators": generators,
}
VERDICTS = "equal", "evaluated", "score"
"""Calls that judge what a stranger wrote; their reply is a number from 0 to 1."""
LIBRARY = {"equal": "math_verify", "evaluated": "math_verify"}
"""Library that a call imports, if not reasoning_gym."""


@lru_cache
def _prepare(call: str) -> None:
    """Import the library of a call, and fill its caches with a harmless request; children inherit both.

    Raises:
        ImportError: the library is not installed.
    """
    import_module(LIBRARY.get(call, "reasoning_gym"))
    if call in LIBRARY:
        equal(r"\frac{1}{2} + \sqrt{x}", "x^2 = 3")


def _answered(request: dict[str, Any]) -> dict[str, Any]:
    """Return the reply to one request."""
    try:
        if request["call"] in VERDICTS:
            replace_eval()  # generators evaluate nothing that a stranger wrote
        return {"reply": CALLS[request["call"]](*request["arguments"])}
    except Exception as error:  # on model output, libraries may raise anything
        return {"error": type(error).__name__, "message": (str(error).splitlines() or [""])[0][:200]}


def _child(request: dict[str, Any], replies: int) -> None:
    """Answer one request in this process, which ends here."""
    try:
        confine(request["seconds"], replies)
    except Exception as error:
        reply = json.dumps({"broken": f"{type(error).__name__}: {error}"}).encode()
    else:
        reply = json.dumps(_answered(request)).encode()
    while reply:
        reply = reply[os.write(replies, reply) :]


def _forked(request: dict[str, Any]) -> dict[str, Any]:
    """Answer one request in a child process; `lost` if it died or exceeded its limits, `broken` if it is not confined.

    Raises:
        OSError: there can be no further process.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        status = 1
        try:
            os.close(reading)
            _child(request, writing)
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        reply = file.read(LONGEST_VERDICT if request["call"] in VERDICTS else LONGEST_REPLY)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    try:
        return _checked(json.loads(reply), request["call"])
    except (ValueError, RecursionError, MemoryError):
        return {"lost": status}


def _checked(reply: Any, call: str) -> dict[str, Any]:
    """Return the reply of a child, which code in an answer may have written, if it has the form of one.

    Raises:
        ValueError: it has not.
    """
    if not isinstance(reply, dict) or set(reply) not in ({"reply"}, {"error", "message"}, {"broken"}):
        raise ValueError("not a reply")
    if "reply" not in reply and not all(isinstance(part, str) for part in reply.values()):
        raise ValueError("not an error")
    if reply.get("error") in ("ModuleNotFoundError", "ImportError"):
        raise ValueError("only the process that imports libraries can miss one")
    if (
        "reply" in reply
        and call in VERDICTS
        and not (type(reply["reply"]) in (bool, int, float) and 0 <= reply["reply"] <= 1)
    ):
        raise ValueError("not a verdict")
    return reply


def main() -> None:
    """Answer requests until stdin closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the client handles Ctrl-C; its exit closes our stdin
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # keep what libraries print out of the replies
    preload()
    for line in sys.stdin.buffer:
        request = json.loads(line)
        try:
            _prepare(request["call"])
            reply = _forked(request)
        except ImportError as error:
            reply = {"error": "ModuleNotFoundError", "message": str(error)}
        except OSError as error:
            reply = {"broken": str(error)}
        replies.write(json.dumps(reply).encode() + b"\n")
        replies.flush()


if __name__ == "__main__":
    main()
