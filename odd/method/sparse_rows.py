"""Sparse rows: everything that later steps need from the distributions at a node, read in one pass (method §8).

A path of 4,096 tokens over 151,936 entries is 2.5 GB in float32 per model. Every gradient has the shape
g_j = P_j (f_j - mean f), so at the children of a node the other tokens matter only through the mean of f and through
the mass outside the children or outside the k most probable tokens. The mean of f is a divergence: KL(P_theta || P_te)
for `reverse_kl`, a multiple of KL(P_theta || M) for `jsd`. A row therefore contains the log-probabilities of the tokens
that matter and a few exact sums over the vocabulary.

Distributions are read in slices that fit the processor's cache, so no array of vocabulary size is created. Sums are in
float64, over differences per token, and the mass of the remaining tokens is summed rather than subtracted, to avoid
cancellation. If a probability is 0, unknown or so small that its exponential underflows, the row contains the whole
vocabulary and no sums. Dimension letters as in `odd.method.logspace`; G groups of tokens.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64, Integer

from odd.method.divergences import Divergences, divergences, mass_on_top_k, top_k_overlap
from odd.method.logspace import Support, first_largest, soften

SLICE = 8192
"""Tokens per slice; dot products of this size do not wake BLAS threads."""
WIDTH = 512
"""Groups per slice, each of every 512th token. Masses and maxima per group work for any set of tokens."""
SUMS = ("p_log_p", "q_log_q", "pp", "pq", "qq", "square", "p_above", "q_above", "p_ratio", "q_ratio")
NOTHING = {np.add: 0.0, np.maximum: -np.inf}
SMALLEST = -700.0
"""Log-probability with an exponential that is still a normal float64."""


class Part(NamedTuple):
    """A slice of S vocabulary tokens: log-probabilities and probabilities of student and teachers, float64."""

    log_p: Float64[np.ndarray, " S"]
    log_q: Float64[np.ndarray, "M S"]
    p: Float64[np.ndarray, " S"]
    q: Float64[np.ndarray, "M S"]


@runtime_checkable
class Reducible(Protocol):
    """Interface that `read_rows` needs from an objective, see `odd.method.objectives.base.Objective`."""

    @property
    def temperature(self) -> float:
        """Loss temperature, which softens the distributions."""
        ...

    def reduces(self) -> bool:
        """Return whether it needs only sums rather than the whole vocabulary."""
        ...

    def partial_sum(self, part: Part) -> Float64[np.ndarray, " M"] | None:
        """Return a sum over a slice that it needs in addition to those of every row."""
        ...


class Kept(NamedTuple):
    """The top tokens one by one; the last entry merges all others."""

    tokens: Int64[np.ndarray, " T"]
    chosen: Bool[np.ndarray, "M _"]
    """Tokens that the loss keeps for each teacher."""
    log_p: Float64[np.ndarray, " _"]
    log_q: Float64[np.ndarray, "M _"]


@dataclass(frozen=True, eq=False)
class SparseRow:
    """The distributions of the student and of M teachers at one node.

    Attributes:
        tokens: kept tokens, ascending, (N,).
        log_p: student log-probabilities of these, (N,).
        log_q: teacher log-probabilities of these, (M, N).
        outside_p: mass of all other tokens under the student.
        outside_q: the same under each teacher, (M,).
        whole: whether the row keeps the whole vocabulary.
        top: the most probable tokens of the student, (k,), and of each teacher, (M, k), in descending order.
        sums: exact sums over the vocabulary by name, (1,) or (M,); None if a probability is 0 or unknown.
        extra: additional sums that objectives need, (M,) each.
    """

    tokens: Int64[np.ndarray, " N"]
    log_p: Float[np.ndarray, " N"]
    log_q: Float[np.ndarray, "M N"]
    outside_p: Float64[np.ndarray, ""]
    outside_q: Float64[np.ndarray, " M"]
    whole: bool
    top: tuple[Int64[np.ndarray, " k"], Int64[np.ndarray, "M k"]] | None = None
    sums: Mapping[str, Float64[np.ndarray, " _"]] | None = None
    extra: Mapping[Any, Float64[np.ndarray, " M"]] = field(default_factory=dict)

    def index(self, tokens: Integer[np.ndarray, " K"]) -> Int64[np.ndarray, " K"]:
        """Return the indices of tokens in the row.

        Raises:
            ValueError: the row does not keep one of them.
        """
        at = np.minimum(np.searchsorted(self.tokens, tokens), max(0, len(self.tokens) - 1))
        if len(tokens) and (not len(self.tokens) or (self.tokens[at] != tokens).any()):
            raise ValueError("the sparse row does not keep this token: pass it to read_rows")
        return at

    def keeps(self, tokens: Integer[np.ndarray, " K"]) -> bool:
        """Return whether the row keeps all of these tokens."""
        return bool(np.isin(tokens, self.tokens).all())

    def at(self, tokens: Integer[np.ndarray, " K"]) -> tuple[Float64[np.ndarray, " K"], Float64[np.ndarray, "M K"]]:
        """Return log-probabilities of tokens under the student and the teachers."""
        index = self.index(tokens)
        return self.log_p.take(index).astype(np.float64), self.log_q.take(index, axis=1).astype(np.float64)

    @property
    def kl_student_teacher(self) -> Float64[np.ndarray, " M"]:
        """KL(P_theta || P_te), the mean of l = log P_theta - log P_te."""
        return self._sum("p_ratio")

    @property
    def kl_student_mixture(self) -> Float64[np.ndarray, " M"]:
        """KL(P_theta || M), M = (P_te + P_theta) / 2."""
        return self._sum("p_above")

    def _sum(self, name: str) -> Float64[np.ndarray, " _"]:
        if self.sums is None:
            raise ValueError("the sparse row has no sums, as a probability is 0 or unknown: use its log-probabilities")
        return self.sums[name]

    def outside(self, tokens: Integer[np.ndarray, " K"]) -> tuple[Float64[np.ndarray, ""], Float64[np.ndarray, " M"]]:
        """Return the mass of all tokens except these, of the student and of each teacher."""
        others = np.delete(np.arange(len(self.tokens)), self.index(tokens))
        own = np.exp(self.log_p.take(others).astype(np.float64)).sum() + self.outside_p
        # take() instead of indexing: indexing puts the teachers next to each other in memory, so that the order of
        # summation over tokens depends on their number
        theirs = np.exp(self.log_q.take(others, axis=1).astype(np.float64)).sum(-1) + self.outside_q
        return np.asarray(own), np.asarray(theirs)

    def mass_outside(
        self, tokens: Integer[np.ndarray, " K"], chosen: Bool[np.ndarray, "M K"]
    ) -> Float64[np.ndarray, "M 1"]:
        """Return the student's mass outside those of these tokens that are chosen for each teacher."""
        left = np.where(chosen, 0.0, np.exp(self.at(tokens)[0])).sum(axis=1)
        return (self.outside(tokens)[0] + left)[:, None]

    def kept(self, k: int, support: Support) -> Kept:
        """Return the distributions as seen by a loss truncated to the top k tokens of the support."""
        assert self.top is not None
        own, theirs = self.top[0][:k], self.top[1][:, :k]
        if support == "student":
            theirs = theirs[:, :0]
        if support == "teacher":
            own = own[:0]
        tokens = np.unique(np.append(own, theirs))
        chosen = (tokens[:, None] == own).any(axis=-1) | (tokens[:, None] == theirs[:, None, :]).any(axis=-1)
        log_p, log_q = self.at(tokens)
        if self.whole and len(tokens) == len(self.tokens):
            return Kept(tokens, chosen, log_p, log_q)
        mass_p, mass_q = self.outside(tokens)
        return Kept(
            tokens,
            np.append(chosen, np.zeros((len(chosen), 1), dtype=bool), axis=1),
            np.append(log_p, np.log(mass_p)),
            np.append(log_q, np.log(mass_q)[:, None], axis=1),
        )

    def divergences(self) -> Divergences:
        """Compute the divergences between each teacher and the student."""
        if self.sums is None:
            return divergences(self.log_p[None].astype(np.float64), self.log_q.astype(np.float64))
        sums = self.sums
        return Divergences(
            kl_student_teacher=sums["p_ratio"],
            kl_teacher_student=-sums["q_ratio"],
            # log P_te - log M = (log P_theta - log M) - l
            js=(sums["p_above"] + sums["q_above"] - sums["q_ratio"]) / 2,
            l2=np.sqrt(sums["square"]),
            probability_cosine=sums["pq"] / np.sqrt(sums["pp"] * sums["qq"]),
            entropy_student=-sums["p_log_p"],
            entropy_teacher=-sums["q_log_q"],
        )

    def compare_top(self, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Compare the top k tokens: share in common, P_te of the student's, P_theta of the teacher's, (M,) each."""
        if self.sums is None or self.top is None:
            p, q = self.log_p[None].astype(np.float64), self.log_q.astype(np.float64)
            return top_k_overlap(p, q, k), mass_on_top_k(p, q, k), mass_on_top_k(q, p, k)
        own, theirs = self.top[0][:k], self.top[1][:, :k]
        common = (theirs[:, :, None] == own).any(axis=-1).sum(axis=-1) / len(own)
        on_own = np.exp(self.at(own)[1]).sum(axis=-1)
        on_theirs = np.exp(self.log_p[self.index(theirs.ravel())].astype(np.float64)).reshape(theirs.shape)
        return common, on_own, on_theirs.sum(axis=-1)


def read_rows(
    log_p: Float[np.ndarray, " V"],
    log_q: Float[np.ndarray, "M V"],
    tokens: Integer[np.ndarray, " N"] | None = None,
    objectives: Sequence[Reducible] = (),
    top: int = 16,
) -> dict[float, SparseRow]:
    """Reduce the distributions at a node to sparse rows.

    Args:
        log_p: student log-probabilities over the whole vocabulary.
        log_q: teacher log-probabilities, one row per teacher; -inf is unknown.
        tokens: distinct tokens that must be kept; the most probable ones are kept as well. None: all.
        objectives: objectives whose gradients will be computed.
        top: number of most probable tokens that divergences compare.

    Returns:
        Rows by softening temperature: 1 and the temperature of each objective. Only the row of temperature 1, with the
        whole vocabulary, if a probability is 0 or unknown.
    """
    temperatures = sorted({1.0, *(one.temperature for one in objectives)})
    softened = {
        temperature: (log_p, log_q) if temperature == 1 else (soften(log_p, temperature), soften(log_q, temperature))
        for temperature in temperatures
    }
    if not all(_serves(*rows) for rows in softened.values()):
        every = np.arange(len(log_p))
        return {1.0: SparseRow(every, log_p, log_q, np.zeros(()), np.zeros(len(log_q)), whole=True)}
    if not all(one.reduces() for one in objectives):
        tokens = None
    most = max([top, *(getattr(one, "k", 0) for one in objectives)])
    rows: dict[float, SparseRow] = {}
    for temperature, (own, theirs) in sorted(softened.items(), key=lambda item: item[0] != 1):
        asked = [one for one in objectives if one.temperature == temperature]
        # softening preserves the order of tokens, so rows of all temperatures keep the same ones
        kept = rows[1.0].tokens if rows else tokens
        rows[temperature] = _Reader(own, theirs, asked).row(kept, most)
    return rows


def _serves(log_p: Float[np.ndarray, " V"], log_q: Float[np.ndarray, "M V"]) -> bool:
    """Return whether all probabilities are known and no exponential underflows."""
    return bool(min(log_p.min(), log_q.min(initial=0.0)) > SMALLEST)


class _Reader:
    """Reads the next-token distributions at a node slice by slice; no token may have probability 0."""

    def __init__(
        self, log_p: Float[np.ndarray, " V"], log_q: Float[np.ndarray, "M V"], objectives: Sequence[Reducible]
    ) -> None:
        self.log_p, self.log_q, self.objectives = log_p, log_q, objectives
        self._sums = {name: np.zeros(1) for name in SUMS}
        self._extra: dict[Any, np.ndarray] = {}
        room = np.empty((3, 1 + len(log_q), min(SLICE, len(log_p))))
        masses, peaks = zip(*(self._read(*part, room) for part in self._slices()), strict=True)
        self._masses, self._peaks = np.concatenate(masses, axis=-1), np.concatenate(peaks, axis=-1)

    def row(self, tokens: Integer[np.ndarray, " N"] | None, most: int) -> SparseRow:
        """Return the row of the given tokens and the `most` most probable ones."""
        top = self._top(most)
        if tokens is None or len(tokens) >= len(self.log_p):
            kept = np.arange(len(self.log_p))
            outside = np.zeros(()), np.zeros(len(self.log_q))
        else:
            kept = np.unique(np.concatenate([tokens.astype(np.int64), top[0], top[1].ravel()]))
            outside = self._outside(kept)
        log_p, log_q = self.log_p.take(kept), self.log_q.take(kept, axis=1)
        whole = len(kept) == len(self.log_p)
        return SparseRow(kept, log_p, log_q, *outside, whole, top, self._sums, self._extra)

    def _slices(self) -> Iterator[tuple[Float[np.ndarray, " S"], Float[np.ndarray, "M S"]]]:
        for start in range(0, len(self.log_p), SLICE):
            part = slice(start, start + SLICE)
            yield self.log_p[part], self.log_q[:, part]

    def _read(
        self, own: Float[np.ndarray, " S"], theirs: Float[np.ndarray, "M S"], room: Float64[np.ndarray, "3 _ _"]
    ) -> tuple[Float64[np.ndarray, "_ G"], Float64[np.ndarray, "_ G"]]:
        """Add a slice to the sums; return masses and maxima of its groups, first the student's, then each teacher's."""
        logs, probabilities, other = room[:, :, : len(own)]
        logs[0], logs[1:] = own, theirs
        np.exp(logs, out=probabilities)
        (log_p, log_q), (p, q), x = (logs[0], logs[1:]), (probabilities[0], probabilities[1:]), other[1:]
        self._add(p_log_p=(p, log_p), q_log_q=(q, log_q), pp=(p, p), pq=(p, q), qq=(q, q))
        difference = np.subtract(p, q, out=x)
        self._add(square=(difference, difference))
        ratio = np.subtract(log_p, log_q, out=x)
        self._add(p_ratio=(p, ratio), q_ratio=(q, ratio))
        above = log_over_mixture(log_p, p, q, 0.5, out=x)
        self._add(p_above=(p, above), q_above=(q, above))
        for objective in self.objectives:
            found = objective.partial_sum(Part(log_p, log_q, p, q))
            if found is not None:
                self._extra[objective] = self._extra.get(objective, 0.0) + found
        return _grouped(np.add, probabilities), _grouped(np.maximum, logs)

    def _add(self, **pairs: tuple[np.ndarray, np.ndarray]) -> None:
        """Add the dot product of two vectors to each named sum."""
        for name, (x, y) in pairs.items():
            self._sums[name] = self._sums[name] + np.vecdot(x, y)

    def _outside(self, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the mass of all tokens except these: groups without them, plus the others in groups with them."""
        apart = np.ones(self._masses.shape[-1], dtype=bool)
        apart[_group_of(tokens)] = False
        beside = self._members(np.flatnonzero(~apart))
        others = np.delete(beside, np.searchsorted(beside, tokens))
        left = self._masses.compress(apart, axis=1).sum(-1)
        own = np.exp(self.log_p[others].astype(np.float64)).sum() + left[0]
        theirs = np.exp(self.log_q.take(others, axis=1).astype(np.float64)).sum(-1)
        return np.asarray(own), theirs + left[1:]

    def _top(self, k: int) -> tuple[Int64[np.ndarray, " k"], Int64[np.ndarray, "M k"]]:
        """Return the k most probable tokens, or all, of the student and each teacher; ties go to the lower id."""
        own, *theirs = (self._largest(*row, k) for row in zip((self.log_p, *self.log_q), self._peaks, strict=True))
        return own, np.stack(theirs) if theirs else np.empty((0, len(own)), dtype=np.int64)

    def _largest(self, log_p: np.ndarray, peaks: np.ndarray, k: int) -> np.ndarray:
        """Return the tokens of the k largest entries, which are in groups with one of the k largest maxima."""
        if k == 0:
            return np.empty(0, dtype=np.int64)
        if k >= len(peaks):
            return first_largest(log_p, k)
        candidates = self._members(np.flatnonzero(peaks >= np.partition(peaks, -k)[-k]))
        return candidates[first_largest(log_p[candidates], k)]

    def _members(self, groups: np.ndarray) -> np.ndarray:
        """Return the tokens of some groups, ascending."""
        starts = groups // WIDTH * SLICE + groups % WIDTH
        tokens = (starts[:, None] + np.arange(0, SLICE, WIDTH)).ravel()
        return np.sort(tokens[tokens < len(self.log_p)])


def log_over_mixture(
    log_p: np.ndarray, p: np.ndarray, q: np.ndarray, beta: float, out: np.ndarray | None = None
) -> np.ndarray:
    """Compute the log ratio log(P_theta / M), M = beta P_te + (1 - beta) P_theta."""
    scaled = np.add(q, p * ((1 - beta) / beta), out=out)
    np.log(scaled, out=scaled)
    return np.subtract(log_p - np.log(beta), scaled, out=scaled)


def _group_of(tokens: np.ndarray) -> np.ndarray:
    return tokens // SLICE * WIDTH + tokens % WIDTH


def _grouped(reduce: np.ufunc, x: np.ndarray) -> np.ndarray:
    """Return sums or maxima of the groups of a slice, of shape (..., WIDTH)."""
    whole = x.shape[-1] // WIDTH * WIDTH
    groups = reduce.reduce(x[..., :whole].reshape(*x.shape[:-1], -1, WIDTH), axis=-2, initial=NOTHING[reduce])
    if left := x.shape[-1] - whole:
        groups[..., :left] = reduce(groups[..., :left], x[..., whole:])
    return groups
