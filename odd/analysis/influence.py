"""Influence of every token of a question's initial rollouts (method §9): derivatives in, values out.

The student's derivatives and the teachers' distributions are read side by side and reduced while they pass, so no
array of all tokens by vocabulary exists. Dimension letters as in `odd.method.influence`; M teachers.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from odd.analysis.path_rows import prefix_numbers
from odd.method.influence import QUARTERS, inner_products, judges_of, outcome_weights, quarter_of
from odd.method.objectives import Objective
from odd.models.base import Derivatives

Slices = Iterable[np.ndarray]


@dataclass(frozen=True, eq=False)
class Answers:
    """The initial rollouts of a question.

    Attributes:
        prompt: token ids of the student's prompt.
        responses: token ids of each rollout.
        correct: outcome of each, (R,).
    """

    prompt: Sequence[int]
    responses: Sequence[Sequence[int]]
    correct: np.ndarray


@dataclass(frozen=True, eq=False)
class HalfInfluence:
    """Influence of the tokens of half of a question's rollouts.

    Attributes:
        rollouts: indices of these rollouts.
        prefixes: for each of them, the index of the distinct prefix before each token.
        values: influence by direction, pair and distinct prefix, (K, P, N).
        gradients: gradient in the weights per rollout, the mean over the rollouts of sums over their tokens, (P, W).
    """

    rollouts: np.ndarray
    prefixes: list[np.ndarray]
    values: np.ndarray
    gradients: np.ndarray


class Stream:
    """Distributions that arrive in slices of any length, taken in slices of another one."""

    def __init__(self, slices: Slices) -> None:
        self._slices, self._left = iter(slices), np.empty((0, 0), np.float32)

    def take(self, count: int) -> np.ndarray:
        """Return the next distributions, (count, V).

        Raises:
            ValueError: there are fewer.
        """
        parts, missing = [], count
        while missing:
            if not len(self._left):
                following = next(self._slices, None)
                if following is None:
                    raise ValueError("a model gave fewer distributions than there are prefixes")
                self._left = following
            parts.append(self._left[:missing])
            self._left = self._left[len(parts[-1]) :]
            missing -= len(parts[-1])
        return np.concatenate(parts)

    def close(self) -> None:
        """Check that nothing is left.

        Raises:
            ValueError: there are more distributions.
        """
        if len(self._left) or next(self._slices, None) is not None:
            raise ValueError("a model gave more distributions than there are prefixes")


def success_gradients(student: Derivatives, answers: Answers, temperature: float) -> np.ndarray:
    """Estimate the gradient of success from each quarter of the rollouts, by the score function; float32 (4, W).

    Raises:
        ValueError: a quarter has fewer than two rollouts.
    """
    weights = outcome_weights(answers.correct)
    numbers = prefix_numbers(answers.responses)
    place = np.concatenate(numbers)
    token = np.concatenate([np.asarray(response, dtype=np.int64) for response in answers.responses])
    rollout = np.repeat(np.arange(len(numbers)), [len(own) for own in numbers])
    order = np.argsort(place, kind="stable")
    place, token, rollout = place[order], token[order], rollout[order]
    quarter = quarter_of(len(numbers))[rollout]
    weight = weights[quarter, rollout]
    total, first = np.zeros((QUARTERS, student.size), dtype=np.float32), 0
    for one in student.passes(answers.prompt, answers.responses, temperature, pairs=QUARTERS):
        for part in one.slices():
            begin, end = np.searchsorted(place, [first + part.at.start, first + part.at.stop])
            row, own = place[begin:end] - first - part.at.start, slice(begin, end)
            sums = np.zeros((QUARTERS, len(part.log_p)))
            np.add.at(sums, (quarter[own], row), weight[own])
            pulled = -sums[:, :, None] * np.exp(part.log_p)
            np.add.at(pulled, (quarter[own], row, token[own]), weight[own])
            one.pull(part.at, pulled)
        total += one.gradients()
        first += len(one.places)
    return total


def half_influence(
    student: Derivatives,
    answers: Answers,
    half: int,
    read: Slices,
    teachers: Mapping[str, Slices],
    objectives: Sequence[Objective],
    directions: Sequence[np.ndarray],
    temperature: float,
) -> HalfInfluence:
    """Judge the tokens of a half of the rollouts.

    Args:
        student: derivatives of the student.
        answers: all initial rollouts.
        half: the half, 0 or 1.
        read: distributions of the student along the responses of the half, as `Scorer.read` yields them. They are read
            like those of teachers, so a teacher that equals the student has influence 0.
        teachers: distributions of each teacher, likewise.
        objectives: objectives that need nothing but the distributions; pairs list them within each teacher.
        directions: directions in the space of the weights, (W,) each.
        temperature: temperature of the student.
    """
    rollouts = half_of(len(answers.responses), half)
    responses = [answers.responses[i] for i in rollouts]
    prefixes = prefix_numbers(responses)
    count = np.bincount(np.concatenate(prefixes)) / len(responses)
    own, *streams = (Stream(slices) for slices in (read, *teachers.values()))
    pairs = len(streams) * len(objectives)
    values = np.empty((len(directions), pairs, len(count)))
    total, first = np.zeros((pairs, student.size), dtype=np.float32), 0
    for one in student.passes(answers.prompt, responses, temperature, directions, pairs):
        for part in one.slices():
            log_p = own.take(len(part.log_p))
            log_q = np.stack([stream.take(len(part.log_p)) for stream in streams])
            gradients = np.stack([each.gradient(log_p[None], log_q) for each in objectives], axis=1)
            gradients = gradients.reshape(pairs, *part.log_p.shape)
            at = slice(first + part.at.start, first + part.at.stop)
            values[..., at] = inner_products(part.moves, gradients)
            one.pull(part.at, gradients * count[at, None])
        total += one.gradients()
        first += len(one.places)
    for stream in (own, *streams):
        stream.close()
    return HalfInfluence(rollouts, prefixes, values, total)


def half_of(rollouts: int, half: int) -> np.ndarray:
    """Return the indices of the rollouts of a half: those of the quarters that do not judge it."""
    return np.flatnonzero(~np.isin(quarter_of(rollouts), judges_of(half)))
