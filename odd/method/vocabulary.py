"""What the gradients at a node's children need of the whole vocabulary: a few sums, from one reading of it (method §3).

Every gradient has the shape g_j = P_j (f_j - mean f), so at the children of a node the other tokens count only through
the mean of f, and through the mass outside the children or outside the k most probable tokens. The mean of f is a
divergence, for `reverse_kl` KL(P_theta || P_te), for `jsd` a multiple of KL(P_theta || M): the sums that
`odd.method.alignment.divergences` reports are those that the gradients need.

The vocabulary is read in slices that fit a processor's cache, so that nothing of its size is ever made. Sums are in
float64, of differences taken token by token, and a sum over what is left is summed anew rather than subtracted: nothing
cancels. Dimension letters as in `odd.method.logspace`; G groups of tokens.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64, Integer

from odd.method.divergences import Divergences
from odd.method.logspace import first_largest
from odd.method.objectives import Support

SLICE = 8192
"""Tokens that are read together; dot products of so many do not wake the threads of BLAS."""
WIDTH = 512
"""Groups a slice: each holds every 512th token of it. Masses and maxima by group serve any set of tokens."""
SUMS = ("p_log_p", "q_log_q", "pp", "pq", "qq", "square", "p_above", "q_above", "p_ratio", "q_ratio")
NOTHING = {np.add: 0.0, np.maximum: -np.inf}
SMALLEST = -700.0
"""A log-probability whose exponential is a normal float64."""


class Kept(NamedTuple):
    """The top tokens one by one, all others as one more, the last."""

    tokens: Int64[np.ndarray, " T"]
    chosen: Bool[np.ndarray, "M _"]
    """Which each teacher's loss keeps."""
    log_p: Float64[np.ndarray, " _"]
    log_q: Float64[np.ndarray, "M _"]


class Vocabulary:
    """One student and M teachers over the V tokens that may follow a node, none of which has probability 0.

    Args:
        log_p: student log-probabilities.
        log_q: teacher log-probabilities, one row a teacher.
    """

    def __init__(self, log_p: Float[np.ndarray, " V"], log_q: Float[np.ndarray, "M V"]) -> None:
        """Read all slices."""
        self.log_p, self.log_q = log_p, log_q
        self._sums = {name: np.zeros(1) for name in SUMS}
        self._tops: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._kept: dict[tuple[int, Support], Kept] = {}
        self._outside: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}
        room = np.empty((3, 1 + len(log_q), min(SLICE, len(log_p))))
        masses, peaks = zip(*(self._read(*part, room) for part in self._slices()), strict=True)
        self._masses, self._peaks = np.concatenate(masses, axis=-1), np.concatenate(peaks, axis=-1)

    @staticmethod
    def serves(log_p: Float[np.ndarray, " V"], log_q: Float[np.ndarray, "M V"]) -> bool:
        """Whether all probabilities are known and no exponential underflows."""
        return bool(min(log_p.min(), log_q.min()) > SMALLEST)

    def _slices(self) -> Iterator[tuple[Float[np.ndarray, " S"], Float[np.ndarray, "M S"]]]:
        for start in range(0, len(self.log_p), SLICE):
            part = slice(start, start + SLICE)
            yield self.log_p[part], self.log_q[:, part]

    def _read(
        self, own: Float[np.ndarray, " S"], theirs: Float[np.ndarray, "M S"], room: Float64[np.ndarray, "3 _ _"]
    ) -> tuple[Float64[np.ndarray, "_ G"], Float64[np.ndarray, "_ G"]]:
        """Add up a slice; masses and maxima of its groups, of the student and then of each teacher."""
        logs, probabilities, other = room[:, :, : len(own)]
        logs[0], logs[1:] = own, theirs
        np.exp(logs, out=probabilities)
        (log_p, log_q), (p, q), x = (logs[0], logs[1:]), (probabilities[0], probabilities[1:]), other[1:]
        self._add(p_log_p=(p, log_p), q_log_q=(q, log_q), pp=(p, p), pq=(p, q), qq=(q, q))
        difference = np.subtract(p, q, out=x)
        self._add(square=(difference, difference))
        ratio = np.subtract(log_p, log_q, out=x)
        self._add(p_ratio=(p, ratio), q_ratio=(q, ratio))
        above = _above_mixture(log_p, p, q, 0.5, out=x)
        self._add(p_above=(p, above), q_above=(q, above))
        return _grouped(np.add, probabilities), _grouped(np.maximum, logs)

    def _add(self, **pairs: tuple[np.ndarray, np.ndarray]) -> None:
        """Add to each sum that of the products of two vectors."""
        for name, (x, y) in pairs.items():
            self._sums[name] = self._sums[name] + np.vecdot(x, y)

    @property
    def kl_student_teacher(self) -> Float64[np.ndarray, " M"]:
        """KL(P_theta || P_te), the mean of l = log P_theta - log P_te."""
        return self._sums["p_ratio"]

    def kl_student_mixture(self, beta: float) -> Float64[np.ndarray, " M"]:
        """KL(P_theta || M), M = beta P_te + (1 - beta) P_theta."""
        if beta == 0.5:
            return self._sums["p_above"]
        return sum(
            (
                np.vecdot(p := np.exp(log_p), _above_mixture(log_p, p, np.exp(log_q), beta))
                for log_p, log_q in ([part.astype(np.float64) for part in parts] for parts in self._slices())
            ),
            start=np.zeros(len(self.log_q)),
        )

    def divergences(self) -> Divergences:
        """How far each teacher is from the student."""
        sums = self._sums
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

    def outside(self, tokens: Integer[np.ndarray, " K"]) -> tuple[Float64[np.ndarray, ""], Float64[np.ndarray, " M"]]:
        """Mass of all tokens but these, of the student and of each teacher; kept, as many objectives ask for it."""
        key = tokens.tobytes()
        if key not in self._outside:
            self._outside[key] = self._sum_outside(tokens)
        return self._outside[key]

    def _sum_outside(self, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        apart = np.ones(self._masses.shape[-1], dtype=bool)
        apart[_group_of(tokens)] = False
        beside = self._members(np.flatnonzero(~apart))
        others = np.delete(beside, np.searchsorted(beside, tokens))
        left = self._masses.compress(apart, axis=1).sum(-1)
        own = np.exp(self.log_p[others].astype(np.float64)).sum() + left[0]
        # taken, not indexed: an index puts the teachers next to each other in memory, and sums over tokens are then
        # added up in an order that depends on their number
        theirs = np.exp(self.log_q.take(others, axis=1).astype(np.float64)).sum(-1)
        return np.asarray(own), theirs + left[1:]

    def top(self, k: int) -> tuple[Int64[np.ndarray, " k"], Int64[np.ndarray, "M k"]]:
        """The k most probable tokens of the student and of each teacher, or all; ties go to the lower id."""
        if k not in self._tops:
            own, *theirs = (self._top(*row, k) for row in zip((self.log_p, *self.log_q), self._peaks, strict=True))
            self._tops[k] = own, np.stack(theirs)
        return self._tops[k]

    def _top(self, log_p: np.ndarray, peaks: np.ndarray, k: int) -> np.ndarray:
        """The k largest entries lie in groups whose largest is at least the k-th largest of all groups'."""
        if k >= len(peaks):
            return first_largest(log_p, k)
        candidates = self._members(np.flatnonzero(peaks >= np.partition(peaks, -k)[-k]))
        return candidates[first_largest(log_p[candidates], k)]

    def kept(self, k: int, support: Support) -> Kept:
        """What a loss sees that keeps the top tokens of those whom the support names; several losses do."""
        if (k, support) not in self._kept:
            self._kept[k, support] = self._keep(k, support)
        return self._kept[k, support]

    def _keep(self, k: int, support: Support) -> Kept:
        own, theirs = self.top(k)
        if support == "student":
            theirs = theirs[:, :0]
        if support == "teacher":
            own = own[:0]
        tokens = np.sort(np.append(own, theirs))
        tokens = tokens[np.diff(tokens, prepend=-1) > 0]
        chosen = (tokens[:, None] == own).any(axis=-1) | (tokens[:, None] == theirs[:, None, :]).any(axis=-1)
        log_p, log_q = (log.take(tokens, axis=-1).astype(np.float64) for log in (self.log_p, self.log_q))
        if len(tokens) == len(self.log_p):
            return Kept(tokens, chosen, log_p, log_q)
        mass_p, mass_q = self.outside(tokens)
        return Kept(
            tokens,
            np.append(chosen, np.zeros((len(chosen), 1), dtype=bool), axis=1),
            np.append(log_p, np.log(mass_p)),
            np.append(log_q, np.log(mass_q)[:, None], axis=1),
        )

    def compare_top(self, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of the k most probable tokens: share in common, P_te of the student's, P_theta of the teachers'; (M,)."""
        own, theirs = self.top(k)
        common = (theirs[:, :, None] == own).any(axis=-1).sum(axis=-1) / len(own)
        on_own = np.exp(self.log_q.take(own, axis=1).astype(np.float64)).sum(axis=-1)
        return common, on_own, np.exp(self.log_p[theirs].astype(np.float64)).sum(axis=-1)

    def _members(self, groups: np.ndarray) -> np.ndarray:
        """Tokens of some groups, ascending."""
        starts = groups // WIDTH * SLICE + groups % WIDTH
        tokens = (starts[:, None] + np.arange(0, SLICE, WIDTH)).ravel()
        return np.sort(tokens[tokens < len(self.log_p)])


def _above_mixture(
    log_p: np.ndarray, p: np.ndarray, q: np.ndarray, beta: float, out: np.ndarray | None = None
) -> np.ndarray:
    """The log ratio log(P_theta / M), M = beta P_te + (1 - beta) P_theta."""
    scaled = np.add(q, p * ((1 - beta) / beta), out=out)
    np.log(scaled, out=scaled)
    return np.subtract(log_p - np.log(beta), scaled, out=scaled)


def _group_of(tokens: np.ndarray) -> np.ndarray:
    return tokens // SLICE * WIDTH + tokens % WIDTH


def _grouped(reduce: np.ufunc, x: np.ndarray) -> np.ndarray:
    """Sums or maxima of the groups of a slice, of shape (..., WIDTH)."""
    whole = x.shape[-1] // WIDTH * WIDTH
    groups = reduce.reduce(x[..., :whole].reshape(*x.shape[:-1], -1, WIDTH), axis=-2, initial=NOTHING[reduce])
    if left := x.shape[-1] - whole:
        groups[..., :left] = reduce(groups[..., :left], x[..., whole:])
    return groups
