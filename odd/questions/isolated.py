"""Client of `odd.questions.judge`, which runs in a separate process with a time limit."""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from odd.errors import OddError
from odd.questions.process import PATIENCE, IsolatedProcess, Unanswered

SECONDS = 2.0
"""CPU seconds for judging one answer; 56 answers of the forms in MATH-500 took at most 0.2 s each."""
UNJUDGED = f"is not evaluated within {SECONDS:.0f} s, or cannot be read"
"""What is said of a gold answer that cannot be judged."""
MAKING = 600.0
"""CPU seconds for generating one set of questions."""
LONGEST_EXPRESSION, LONGEST_ANSWER = 10_000, 200_000
"""Characters of an expression, and of an answer to reasoning-gym, beyond which it is wrong without being judged."""
TOGETHER = 20
"""Gold answers that are evaluated in one process, which takes a fifth of the time that one process each would take."""
MISSING = "ModuleNotFoundError"
"""Kind of the error for a library that is not installed."""


class JudgeError(Exception):
    """The request failed; `kind` is the name of the exception."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Judge(IsolatedProcess):
    """The process that runs `odd.questions.judge`."""

    def __init__(self) -> None:
        super().__init__("odd.questions.judge")

    def ask(self, call: str, *arguments: Any, seconds: float = SECONDS) -> Any:
        """Send a request and return the reply.

        Args:
            call: a key of `odd.questions.judge.CALLS`.
            arguments: its arguments, JSON-serialisable.
            seconds: limit in CPU seconds.

        Raises:
            Unanswered: the request exceeded the limit, or the process died.
            JudgeError: the request failed.
            OddError: a process cannot be confined here.
        """
        reply = self.exchange({"call": call, "arguments": arguments, "seconds": seconds}, seconds + PATIENCE)
        if "broken" in reply:
            raise OddError(f"answers cannot be judged on this machine: {reply['broken']}")
        if "lost" in reply:
            raise Unanswered(call)
        if "error" in reply:
            raise JudgeError(reply["error"], reply["message"])
        return reply["reply"]


JUDGE = Judge()


def equal_expressions(gold: str, answer: str) -> bool:
    """Whether math-verify considers an answer equal to the gold answer; False if it cannot decide in time.

    Raises:
        OddError: answers cannot be judged on this machine.
    """
    return len(answer) <= LONGEST_EXPRESSION and _asked("equal", gold, answer)


def unevaluated(golds: Sequence[str]) -> str | None:
    """Return the first gold answer that math-verify cannot parse or compare with another in time; None if it can all.

    Raises:
        OddError: answers cannot be judged on this machine.
    """
    for start in range(0, len(golds), TOGETHER):
        together = golds[start : start + TOGETHER]
        if not _asked("evaluated", *together):
            for gold in together:
                if not _asked("evaluated", gold):
                    return gold
    return None


@lru_cache(maxsize=1 << 13)
def _asked(call: str, *expressions: str) -> bool:
    try:
        return bool(JUDGE.ask(call, *expressions))
    except JudgeError as error:
        check_installed(error, "expressions are judged", "math-verify")
        return False
    except Unanswered:
        return False


@lru_cache(maxsize=1 << 10)
def gym_score(metadata: str, answer: str) -> float:
    """Score an answer with the scorer of its reasoning-gym generator; 0 if the scorer fails.

    Args:
        metadata: generator, parameters and entry, as JSON.
        answer: the answer extracted from a response.

    Raises:
        OddError: reasoning-gym is not installed.
    """
    if len(answer) > LONGEST_ANSWER:
        return 0.0
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
    """Generate the entries of a reasoning-gym generator.

    Raises:
        OddError: reasoning-gym is not installed, has no such generator, or rejects the parameters.
    """
    source = f"questions gym:{generator}"
    try:
        return JUDGE.ask("entries", generator, parameters, seconds=MAKING)
    except JudgeError as error:
        check_installed(error, f"{source} are generated")
        known = JUDGE.ask("generators")
        if generator not in known:
            raise OddError(f"{source}: unknown reasoning-gym generator: give one of {', '.join(known)}") from error
        given = ", ".join(f"{key}={value}" for key, value in parameters.items())
        raise OddError(f"{source}: reasoning-gym rejects {given} ({error}): change the parameters") from error
    except Unanswered as error:
        raise OddError(
            f"{source}: not generated within {MAKING:.0f} s: request fewer (size=) or easier ones"
        ) from error


def check_installed(error: JudgeError, what: str, package: str = "reasoning-gym") -> None:
    """Raise with the install command if the error is that a package is missing.

    Raises:
        OddError: the package is not installed.
    """
    if error.kind == MISSING:
        raise OddError(f"{what} with the package {package}, which is not installed: pip install {package}") from error
