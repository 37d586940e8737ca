"""A random language for sampling millions of rollouts: hashing gives a next-token distribution for every prefix.

Most prefixes have one likely token; some are decisions between a few. Every prefix has a small remaining mass over the
full vocabulary, so trees have few branches at each decision and many that are seen once. Each token taken at a
decision changes the odds of a correct response. Everything is a function of the prefix hash, so any number of rollouts
can be drawn in parallel without a table of prefixes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

VOCABULARY = 1024
END = 0
CANDIDATES = 8
"""Candidate tokens of a prefix, which exclude the remaining mass."""
RARE = 0.01
"""The remaining mass, spread over the vocabulary."""
DECISIONS = 0.18
"""Share of prefixes that are decisions, unless a language says otherwise."""
THINK, ANSWER = VOCABULARY - 2, VOCABULARY - 1
"""Tokens that open and close the thinking part."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def _mixed(value: np.ndarray, salt: int = 0) -> np.ndarray:
    """The splitmix64 hash of each number."""
    mixed = (value + np.uint64(salt)) * _GOLDEN
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _FIRST
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _SECOND
    return mixed ^ (mixed >> np.uint64(31))


def _unit(value: np.ndarray) -> np.ndarray:
    """Map a hash to a number in (0, 1)."""
    return ((value >> np.uint64(40)).astype(np.float64) + 0.5) / 2**24


def _after(prefix: np.ndarray, token: np.ndarray) -> np.ndarray:
    """Hash of each prefix with one more token."""
    return _mixed(prefix ^ (token.astype(np.uint64) + np.uint64(1)), 1)


@dataclass(frozen=True, eq=False)
class Drawn:
    """A batch of responses.

    Attributes:
        tokens: int32 (R, T), padded with -1.
        log_probs: float32 (R, T), NaN for forced tokens and padding.
        lengths: number of tokens of each response.
        correct: outcome of each response.
        truncated: whether each response reached the limit.
    """

    tokens: np.ndarray
    log_probs: np.ndarray
    lengths: np.ndarray
    correct: np.ndarray
    truncated: np.ndarray


class Language:
    """The language of one question.

    Args:
        seed: seed of the language.
        length: typical number of tokens per response; the limit is 25% higher.
        ease: log odds of a correct response before its first decision.
        decisions: share of prefixes that are decisions.
        thinking: whether every response thinks for 5/8 of the typical length before its answer.
    """

    def __init__(
        self, seed: int, length: int, ease: float, decisions: float = DECISIONS, thinking: bool = False
    ) -> None:
        """Hash the seed; nothing else is stored."""
        self.root = _mixed(np.array([seed], np.uint64), 2)
        self.length, self.limit, self.ease = length, length * 5 // 4, ease
        self.decisions = decisions
        self.marks = {0: THINK, length * 5 // 8: ANSWER} if thinking else {}

    def places(self, prefix: np.ndarray, depth: int) -> tuple[np.ndarray, np.ndarray]:
        """Candidate tokens and their probabilities at each prefix, (R, CANDIDATES); all other tokens share `RARE`."""
        base = _mixed(prefix, 3)
        rank = np.arange(CANDIDATES)
        stride = 2 * (base >> np.uint64(20)).astype(np.int64) + 1
        tokens = ((base & np.uint64(0xFFFF)).astype(np.int64)[:, None] + rank * stride[:, None]) % (THINK - 1) + 1
        open_ = _unit(_mixed(prefix, 4)) < self.decisions
        slope = np.where(open_, 0.3 + 1.4 * _unit(_mixed(prefix, 5)), 3.5 + 2 * _unit(_mixed(prefix, 6)))
        weights = np.exp(-slope[:, None] * rank)
        if depth >= self.length * 3 // 4:
            ends = _unit(_mixed(prefix, 7)) < 4 / self.length
            tokens[ends, 0] = END
        if depth in self.marks:
            tokens[:, 0] = self.marks[depth]
            weights = np.broadcast_to(np.where(rank == 0, 1.0, 1e-6), weights.shape)
        return tokens, (1 - RARE) * weights / weights.sum(axis=1, keepdims=True)

    def effects(self, prefix: np.ndarray, token: np.ndarray) -> np.ndarray:
        """Change in the log odds of success due to a token."""
        open_ = _unit(_mixed(prefix, 4)) < self.decisions
        return np.where(open_, 2.4 * (_unit(_mixed(_after(prefix, token), 8)) - 0.5), 0.0)

    def draw(self, forced: Sequence[Sequence[int]], rng: np.random.Generator, tail: int | None = None) -> Drawn:
        """Draw one response for each forced prefix.

        Args:
            forced: forced prefixes.
            rng: random generator.
            tail: tokens after which a response ends that starts from a forced prefix; None: it may use up the limit.
        """
        size, launch = len(forced), np.array([len(prefix) for prefix in forced])
        last = np.minimum(self.limit, launch + tail) - 1 if tail else np.full(size, self.limit)
        # a response that ends early thinks for less long, too
        close = launch + tail * 5 // 8 if tail and self.marks else np.full(size, -1)
        close[launch > max(self.marks, default=0)] = -1
        tokens = np.full((size, self.limit), -1, np.int32)
        for row, prefix in enumerate(forced):
            tokens[row, : len(prefix)] = prefix
        log_probs = np.full((size, self.limit), np.nan, np.float32)
        prefix, odds = np.repeat(self.root, size), np.full(size, self.ease)
        alive = np.arange(size)
        for depth in range(self.limit):
            free = alive[depth >= launch[alive]]
            token, log_probs[free, depth] = self._next(prefix[free], depth, rng)
            tokens[free, depth] = np.where(close[free] == depth, ANSWER, np.where(last[free] == depth, END, token))
            token = tokens[alive, depth]
            odds[alive] += self.effects(prefix[alive], token)
            prefix[alive] = _after(prefix[alive], token)
            alive = alive[token != END]
        truncated = np.zeros(size, bool)
        truncated[alive] = True
        correct = (rng.random(size) < 1 / (1 + np.exp(-odds))) & ~truncated
        return Drawn(tokens, log_probs, (tokens >= 0).sum(axis=1), correct, truncated)

    def _next(self, prefix: np.ndarray, depth: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw a token for each prefix, and return it with its log-probability."""
        candidates, p = self.places(prefix, depth)
        rank = (rng.random((len(prefix), 1)) > p.cumsum(axis=1)).sum(axis=1)
        rest = rng.integers(1, THINK, len(prefix))
        listed = np.minimum(rank, CANDIDATES - 1)[:, None]
        inside = rank < CANDIDATES
        token = np.where(inside, np.take_along_axis(candidates, listed, 1)[:, 0], rest)
        chosen = np.where(candidates == token[:, None], p, 0).sum(axis=1) + RARE / (VOCABULARY - 1)
        return token, np.log(chosen)

    def log_probs(self, response: Sequence[int], sight: float = 0.0, noise: float = 0.0, salt: int = 0) -> np.ndarray:
        """Log-probabilities over the vocabulary before each token of a response, float32 (T, VOCABULARY).

        Args:
            response: token ids.
            sight: how much a teacher favours tokens that raise the odds of success; 0 for the student.
            noise: how much it favours random tokens.
            salt: distinguishes the noise of different teachers.
        """
        prefix, rows = self.root, np.full((len(response), VOCABULARY), RARE / (VOCABULARY - 1))
        for depth, token in enumerate(response):
            candidates, p = self.places(prefix, depth)
            tilt = sight * self.effects(np.repeat(prefix, CANDIDATES), candidates[0])
            tilt = tilt + noise * (
                _unit(_mixed(_after(np.repeat(prefix, CANDIDATES), candidates[0]), 100 + salt)) - 0.5
            )
            p = p[0] * np.exp(tilt)
            rows[depth, candidates[0]] += (1 - RARE) * p / p.sum()
            rows[depth, END] = max(rows[depth, END], 1e-6)
            prefix = _after(prefix, np.array([token]))
        return np.log(rows / rows.sum(axis=1, keepdims=True)).astype(np.float32)


def spellings() -> list[str]:
    """Text of every token: short words, most with a leading space."""
    starts, middles = ("b", "d", "f", "k", "l", "m", "n", "r", "s", "t", "v", "st", "tr", "gr", "sh", "th"), "aeiou"
    ends = ("", "n", "r", "s", "l", "t", "ck", "ng", "m", "lo", "ra", "ti", "ne")
    words = [f"{start}{middle}{end}" for end in ends for middle in middles for start in starts]
    words = [word for word in words if word not in ("fuck", "shit", "dick")]
    signs = ["<end>", "\n", ".", ",", ":", "=", "+", "-", "(", ")", *map(str, range(10))]
    listed = signs + [f" {word}" if i % 4 else word for i, word in enumerate(words)]
    return [*listed[:THINK], "<think>", "</think>"]
