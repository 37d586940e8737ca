"""What is asked of a server, and what its answer may hold: what does not fit is refused before it is used."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from odd.models.base import Generation
from odd.models.server.wire import MEGABYTE, Server, Unusable

LOWEST = -9000.0
"""Log-probabilities at or below it stand for "unknown": vLLM writes -9999 for minus infinity."""
ABOVE = 1e-3
"""By how much rounding lets a log-probability exceed 0."""
MASS_ABOVE = 0.01
"""The same for the probabilities of a distribution."""
TOKEN_BYTES, ENTRY_BYTES = 512, 256
"""Generous bounds of the JSON of a sampled token, and of a token's entry in a distribution."""


WHOLE = {
    "top_p": 1.0,
    "top_k": -1,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "skip_special_tokens": False,
}
"""Sampling parameters of the whole distribution. What a request leaves out, servers take from the model's
generation_config.json."""


@dataclass(frozen=True)
class Sampling:
    """A request for `count` continuations of one prefix.

    Attributes:
        prefix: token ids of prompt and forced response.
        count: number of continuations.
        limit: their maximum length in tokens.
        temperature: temperature of the sampled distribution.
        seed: seed; continuation i may use seed + i.
        ends: tokens that end a response.
        vocabulary: V, number of tokens.
    """

    prefix: tuple[int, ...]
    count: int
    limit: int
    temperature: float
    seed: int
    ends: frozenset[int]
    vocabulary: int

    @property
    def most_bytes(self) -> int:
        """Largest answer."""
        return MEGABYTE + TOKEN_BYTES * (len(self.prefix) + self.count * self.limit)

    def generation(self, token_ids: Any, log_probs: Any) -> Generation:
        """Check a continuation and return it.

        Raises:
            Unusable: it is not a continuation of this request.
        """
        if not isinstance(token_ids, list) or not isinstance(log_probs, list):
            raise Unusable("a continuation has no token ids or no log-probabilities")
        if len(log_probs) != len(token_ids):
            raise Unusable(f"{len(token_ids)} tokens have {len(log_probs)} log-probabilities")
        if not 1 <= len(token_ids) <= self.limit:
            raise Unusable(f"a continuation has {len(token_ids)} tokens, not 1 to {self.limit}")
        if set(map(type, token_ids)) != {int} or min(token_ids) < 0 or max(token_ids) >= self.vocabulary:
            raise Unusable(f"a token id is not a number below {self.vocabulary}")
        checked = checked_log_probs(log_probs)
        ended = token_ids[-1] in self.ends
        if not self.ends.isdisjoint(token_ids[:-1]):
            raise Unusable("a continuation goes on after an end token")
        if not ended and len(token_ids) < self.limit:
            raise Unusable(f"a continuation of {len(token_ids)} tokens stops without an end token")
        return Generation(tuple(token_ids), checked, not ended)


@dataclass(frozen=True)
class Scoring:
    """A request for distributions before each token of a response.

    Attributes:
        prompt: token ids of the prompt.
        response: token ids of the response, (T,).
        top: tokens wanted per distribution in addition to the one that follows; 0: none.
        vocabulary: V, number of tokens.
    """

    prompt: tuple[int, ...]
    response: tuple[int, ...]
    top: int
    vocabulary: int

    @property
    def token_ids(self) -> list[int]:
        """Prompt and response."""
        return [*self.prompt, *self.response]

    @property
    def most_bytes(self) -> int:
        """Largest answer."""
        return MEGABYTE + (len(self.prompt) + len(self.response)) * (self.top + 2) * ENTRY_BYTES

    def scores(self, rows: Sequence[dict[int, float]]) -> "Scores":
        """Check the distributions before each response token, as log-probabilities by token id.

        Raises:
            Unusable: they are not what was asked for.
        """
        if len(rows) != len(self.response):
            raise Unusable(f"{len(self.response)} positions have {len(rows)} distributions")
        taken, tokens, log_probs = [], [], []
        for token, row in zip(self.response, rows, strict=True):
            if token not in row:
                raise Unusable(
                    "a distribution lacks the token that follows: it is at another position, or not asked for"
                )
            taken.append(row[token])
            known = [(one, value) for one, value in row.items() if 0 <= one < self.vocabulary and _known(value)]
            tokens.append(np.array([one for one, _ in known], dtype=np.int64))
            log_probs.append(np.array([value for _, value in known], dtype=np.float32))
            if (mass := float(np.exp(log_probs[-1], dtype=np.float64).sum())) > 1 + MASS_ABOVE:
                raise Unusable(f"the probabilities of a distribution sum to {mass:.3g}")
        return Scores(checked_log_probs(taken), tokens, log_probs)


@dataclass(frozen=True, eq=False)
class Scores:
    """What a server says about the positions of a response.

    Attributes:
        taken: log-probability of each response token, float32 (T,).
        tokens: tokens with known log-probabilities at each position, (n,) each.
        log_probs: their log-probabilities, float32 (n,) each.
    """

    taken: np.ndarray
    tokens: list[np.ndarray]
    log_probs: list[np.ndarray]


def checked_log_probs(values: Sequence[Any]) -> np.ndarray:
    """Return log-probabilities of tokens that occurred, float32.

    Raises:
        Unusable: one is missing, not a number, above 0 or a placeholder.
    """
    if not set(map(type, values)) <= {float, int}:
        raise Unusable(f"a log-probability is {_first(values, lambda value: type(value) not in (float, int))}")
    try:
        found = np.array(values, dtype=np.float64)
    except OverflowError as error:
        raise Unusable("a log-probability is beyond any number") from error
    if not ((found > LOWEST) & (found <= ABOVE)).all():
        raise Unusable(f"a log-probability is {_first(values, lambda value: not LOWEST < value <= ABOVE)}")
    return found.astype(np.float32)


def _first(values: Sequence[Any], wrong: Callable[[Any], bool]) -> str:
    return str(next(filter(wrong, values)))[:20]


def _known(value: Any) -> bool:
    """Whether an entry of a distribution is known; minus infinity and its placeholders are not.

    Raises:
        Unusable: it is not a log-probability.
    """
    if not isinstance(value, float | int) or value != value or value > ABOVE:
        raise Unusable(f"a log-probability is {str(value)[:20]}")
    return value > LOWEST


async def encoded(server: Server, model: str, text: str) -> list[int]:
    """Return the token ids that a server gives a text; errors as for `Server.post`."""
    body = {"model": model, "prompt": text, "add_special_tokens": False}
    return listed(await server.post("/tokenize", body), "tokens")


async def encoded_chat(server: Server, model: str, messages: list[dict[str, str]]) -> list[int]:
    """Return the token ids that a server's chat template gives messages; errors as for `Server.post`."""
    body = {"model": model, "messages": messages, "add_generation_prompt": True}
    return listed(await server.post("/tokenize", body), "tokens")


def listed(answer: Any, *names: str | int) -> Any:
    """Return a part of nested JSON by keys and indices.

    Raises:
        Unusable: there is no such part.
    """
    for name in names:
        fits = isinstance(answer, dict) if isinstance(name, str) else isinstance(answer, list)
        try:
            answer = answer[name] if fits else None
        except (KeyError, IndexError):
            answer = None
        if answer is None:
            raise Unusable(f"its answer has no {'.'.join(map(str, names))}")
    return answer
