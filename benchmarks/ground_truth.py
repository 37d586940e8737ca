"""A ground truth for estimators: many rollouts from every edge that targeted rollouts would be launched from.

It uses the first questions of `tiny-heldout` that have correct and incorrect rollouts and are short enough to compute
the truth (`LONGEST`). Paths and pairs are chosen as in a run of the preset `paper`. Edges are the chosen pairs and, at
the same nodes, all tokens with P_theta > tau. The same number of rollouts is drawn from each edge and from the root,
with common uniform numbers for siblings. The file keeps each rollout's launch edge, the deepest edge it passed, its
outcome and its token count, which is all that estimators use. The truth itself does not come from these rollouts: see
`benchmarks.split_sampling`.

    python -m benchmarks.ground_truth [--questions 8] [--rollouts 2000] [--out benchmarks/ground_truth.npz]
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from rich.progress import track

from benchmarks.split_sampling import repeated, success_by_splitting
from odd.analysis.path_rows import children_along, read_path_rows
from odd.analysis.planning import choose_paths, plan_targets
from odd.config import ModelConfig, QuestionsConfig, SamplingConfig, TargetingConfig, load_config
from odd.method.objectives.reverse_kl import ReverseKL
from odd.method.tree import build_tree
from odd.models.transformers.language_model import TransformersModel
from odd.models.transformers.language_model import load as load_model
from odd.questions.base import Question
from odd.questions.sources import load_questions
from odd.questions.verifiers import is_correct, read_answer
from odd.rollouts.sampling import Rollout, derived_seed, opens_thinking, sample_chunk

FILE = Path(__file__).parent / "ground_truth.npz"
TEACHERS = ("tiny-l", "tiny-m")
SHORT = 30
SPLIT = {True: (20_000, 3), False: (2000, 6)}
"""Samples and repetitions for the truth of questions whose rollouts average up to `SHORT` tokens, and of longer ones:
20,000 samples all but enumerate short responses."""
LONGEST = 60
"""Largest mean length of initial rollouts, in tokens."""
Prefix = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Bank:
    """One question.

    Edge 0 is the root; every edge comes after its parent.

    Attributes:
        parent: nearest edge above each edge, (E,); -1 for the root.
        length: response tokens up to and including an edge, (E,).
        node: number of the node that an edge leaves, (E,); -1 for the root.
        p: P_theta, (E,).
        teachers: reverse KL gradient of each teacher at the edge, (M, E).
        deepest: deepest edge that each rollout passes, by launch edge, (E, R).
        correct: outcomes of the rollouts, (E, R).
        tokens: tokens drawn in each rollout, (E, R).
        success: true success of each edge, (E,).
        error: standard error of the true success, (E,).
    """

    parent: np.ndarray
    length: np.ndarray
    node: np.ndarray
    p: np.ndarray
    teachers: np.ndarray
    deepest: np.ndarray
    correct: np.ndarray
    tokens: np.ndarray
    success: np.ndarray
    error: np.ndarray


FIELDS = tuple(field.name for field in fields(Bank))


def load(path: Path = FILE) -> list[Bank]:
    """Read a file written by `save`."""
    with np.load(path) as stored:
        count = len({name.split(".")[0] for name in stored.files})
        return [Bank(*(stored[f"{q}.{field}"] for field in FIELDS)) for q in range(count)]


def save(banks: Sequence[Bank], path: Path) -> None:
    """Write a compressed file."""
    np.savez_compressed(path, **{f"{q}.{f}": getattr(bank, f) for q, bank in enumerate(banks) for f in FIELDS})


class Studied:
    """The edges of a question, with the student's probabilities and the teachers' gradients."""

    def __init__(self, models: Mapping[str, TransformersModel], question: Question) -> None:
        """Choose paths and pairs from 200 initial rollouts."""
        self.student, self.question = models["tiny-s"], question
        self.prompt = self.student.tokenizer.encode_chat(question.messages())
        targeting, sampling = TargetingConfig(), SamplingConfig()
        initial = self.drawn((), sampling.initial_rollouts, 0)
        self.length = float(np.mean([len(rollout.token_ids) for rollout in initial]))
        self.paths = choose_paths(question.id, initial, targeting, 0)
        responses = [tuple(initial[i].token_ids.tolist()) for i in self.paths]
        teachers = {name: models[name].scorer.read(self.prompt, responses) for name in TEACHERS}
        wanted = children_along(build_tree([rollout.token_ids for rollout in initial]), self.paths)
        student = self.student.scorer.read(self.prompt, responses)
        rows = read_path_rows(responses, student, teachers, wanted, [ReverseKL()], targeting.tau)
        plan = plan_targets(initial, self.paths, rows, TEACHERS, targeting)
        self.edges: dict[Prefix, tuple[float, list[float]]] = {}
        for row in plan.rows:
            path, position = row["path"], row["position"]
            at = rows.at(path, position)
            p = np.exp(at[1.0].log_p.astype(np.float64))
            tokens = np.union1d(at[1.0].tokens[p > targeting.tau], [row["token"]])
            gradients = ReverseKL().at(at, tokens, None)
            for token, likelihood, of_teachers in zip(
                tokens.tolist(), np.exp(at[1.0].at(tokens)[0]).tolist(), gradients.T.tolist(), strict=True
            ):
                self.edges.setdefault((*responses[path][:position], token), (likelihood, of_teachers))

    def drawn(self, prefix: Prefix, count: int, chunk: int) -> list[Rollout]:
        """Sample rollouts from a prefix; the same chunk uses the same uniform numbers for any prefix."""
        return sample_chunk(
            self.student, self.question, self.prompt, [prefix] * count, SamplingConfig(), "targeted", chunk
        )

    def truth(self, edge: Prefix) -> tuple[float, float]:
        """Return the true success of an edge and its standard error."""
        limit = self.limit(edge)
        if limit <= 0 or (edge and self.student.tokenizer.is_end(edge[-1])):
            return float(self.correct(edge)), 0.0
        generator = torch.Generator().manual_seed(derived_seed(self.question.id, "truth", *edge))
        prefix = (*self.prompt, *edge)
        samples, repetitions = SPLIT[self.length <= SHORT]

        def correct(rest: Prefix) -> bool:
            return self.correct((*edge, *rest))

        def estimate() -> float:
            return success_by_splitting(self.student, prefix, limit, samples, correct, generator).success

        return repeated(estimate, repetitions)

    @staticmethod
    def limit(edge: Prefix) -> int:
        """Tokens that may follow an edge."""
        return SamplingConfig().max_new_tokens - len(edge)

    def correct(self, response: Prefix) -> bool:
        """Whether a response is correct; a response without an end token is wrong."""
        if not self.student.tokenizer.is_end(response[-1]):
            return False
        inside = opens_thinking(self.student, self.prompt)
        return is_correct(self.question, read_answer(self.question, self.student.tokenizer.decode(response), inside))

    @property
    def order(self) -> list[Prefix]:
        """All edges, the root first, each after those above it."""
        return [(), *sorted(self.edges)]

    def bank(self, rollouts: int) -> Bank:
        """Sample `rollouts` from every edge and compute the truth."""
        edges = self.order
        number = {edge: i for i, edge in enumerate(edges)}
        nodes = {node: i for i, node in enumerate(dict.fromkeys(edge[:-1] for edge in edges[1:]))}
        parts = []
        for edge in edges:
            drawn = self.drawn(edge, rollouts, 1 + (nodes[edge[:-1]] if edge else len(nodes)))
            deepest = [_deepest(tuple(rollout.token_ids.tolist()), number) for rollout in drawn]
            tokens = [len(rollout.token_ids) - rollout.launch for rollout in drawn]
            parts.append((deepest, [rollout.correct for rollout in drawn], tokens))
        success, error = zip(*map(self.truth, edges), strict=True)
        return Bank(
            parent=np.array([-1, *(_deepest(edge[:-1], number) for edge in edges[1:])], np.int16),
            length=np.array([len(edge) for edge in edges], np.int16),
            node=np.array([-1, *(nodes[edge[:-1]] for edge in edges[1:])], np.int16),
            p=np.array([1.0, *(self.edges[edge][0] for edge in edges[1:])]),
            teachers=np.array([[0.0] * len(TEACHERS), *(self.edges[edge][1] for edge in edges[1:])]).T,
            deepest=np.array([part[0] for part in parts], np.int16),
            correct=np.array([part[1] for part in parts], bool),
            tokens=np.array([part[2] for part in parts], np.uint8),
            success=np.array(success),
            error=np.array(error),
        )


def _deepest(tokens: Prefix, number: Mapping[Prefix, int]) -> int:
    """Return the deepest edge that a response passes."""
    return next(number[tokens[:length]] for length in range(len(tokens), -1, -1) if tokens[:length] in number)


def studied_questions() -> Iterator[Studied]:
    """Yield the questions that meet the criteria, in order."""
    cache, targeting = load_config().cache, TargetingConfig()
    models = {name: load_model(ModelConfig(name=name), cache) for name in ("tiny-s", *TEACHERS)}
    wanted = targeting.correct_paths + targeting.incorrect_paths
    every = (Studied(models, question) for question in load_questions(QuestionsConfig(source="tiny-heldout")))
    return (one for one in every if len(one.paths) == wanted and one.length <= LONGEST)


def main() -> None:
    """Generate the file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ground_truth")
    parser.add_argument("--questions", type=int, default=8)
    parser.add_argument("--rollouts", type=int, default=2000)
    parser.add_argument("--out", type=Path, default=FILE)
    chosen, banks = parser.parse_args(), []
    for studied in track(studied_questions(), "questions", total=chosen.questions):
        banks.append(studied.bank(chosen.rollouts))
        if len(banks) == chosen.questions:
            break
    save(banks, chosen.out)
    edges = sum(len(bank.p) for bank in banks)
    print(f"{chosen.out}: {len(banks)} questions, {edges} edges, {edges * chosen.rollouts:,} rollouts")


if __name__ == "__main__":
    main()
