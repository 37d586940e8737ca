"""Influence of the tokens of a finished run, computed from its stored rollouts and added to its file (method §9).

First the gradient of success on every question, from each quarter of its initial rollouts; then, question by question,
the influence of every token of these rollouts, and the gradient of the distillation loss in the parameters. Targets:
`same` is success on all questions of the run, `other` on all but the question of the token. Nothing is sampled.
"""

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from odd.analysis.influence import Answers, HalfInfluence, Slices, half_influence, half_of, success_gradients
from odd.config import InfluenceConfig, RunConfig, parse_config
from odd.errors import OddError
from odd.method.influence import QUARTERS, judges_of
from odd.method.objectives import Objective
from odd.models.base import Derivatives
from odd.pipeline.contexts import TeacherContext
from odd.pipeline.digests import Digests
from odd.pipeline.events import Step, timing
from odd.pipeline.progress import Listener, Progress
from odd.pipeline.reading import Reader, readers
from odd.pipeline.stages import Stage
from odd.pipeline.teachers import Models
from odd.store import RunWriter, published_path, state
from odd.store.influence_tables import INFLUENCE_TABLES
from odd.store.run_status import RunStatus
from odd.text import rough

LEAST = 2 * QUARTERS
"""Initial rollouts that a question needs: a leave-one-out baseline in each quarter."""


def compute_influence(
    cache: Path, run_id: str, wanted: InfluenceConfig, listen: Listener, tell: Callable[[str], None]
) -> Path:
    """Compute the influence of the tokens of a finished run, replacing an earlier one; return its published file.

    Args:
        cache: folder of the run.
        run_id: id of the run.
        wanted: which parameters and objectives.
        listen: called with each progress step.
        tell: called with the cost, before the start, and with what is left out.

    Raises:
        OddError: the run is not finished or has too few rollouts, or a model has changed or cannot differentiate.
    """
    if not published_path(cache, run_id).exists():
        raise OddError(f"run {run_id!r} is not in {cache}: check the folder, or pass --cache")
    with RunWriter(cache, run_id) as writer:
        work = InfluenceWork(writer, cache, wanted, listen)
        for line in work.plan():
            tell(line)
        with writer.transaction():
            work.compute()
        writer.finish()
        work.report(Stage.DONE, len(work.questions) - 1, 1)
        return writer.published


@dataclass(frozen=True, eq=False)
class Studied:
    """A question of the run: its number, rollouts, and teachers with their prompts."""

    number: int
    answers: Answers
    contexts: Sequence[TeacherContext]


class InfluenceWork:
    """Computation of the influence of the tokens of one run."""

    def __init__(self, writer: RunWriter, cache: Path, wanted: InfluenceConfig, listen: Listener) -> None:
        """Load the models, and check that they are those of the run.

        Raises:
            OddError: the run is not finished, or a model has changed.
        """
        meta = writer.meta()
        if meta.get("status") != RunStatus.FINISHED or "config" not in meta:
            raise OddError(f"run {writer.run_id!r} is not finished: finish it with odd run first")
        self.writer, self.wanted, self.listen = writer, wanted, listen
        self.config: RunConfig = parse_config(json.loads(meta["config"]))
        if state.is_to_be_rescored(writer):
            raise OddError(
                f"run {writer.run_id!r} has the scores of an earlier version: continue it with odd run first, which "
                "makes them anew"
            )
        self.objectives = self._objectives()
        self.models = Models(self.config, cache)
        digests = Digests(writer.run_id, json.loads(meta["digests"]))
        digests.check("", self.models.student.name, self.models.student.digest)
        for teacher in self.config.teachers:
            digests.check(teacher.name, self.models.teacher(teacher).name, self.models.teacher(teacher).digest)
        self.student: Derivatives = self.models.derivatives(wanted.parameters)
        self.questions = [self._studied(one) for one in state.taught_questions(writer)]
        if not self.questions:
            raise OddError(f"run {writer.run_id!r} has no question with a teacher: add one with odd add-teacher")
        self.gradients: dict[tuple[str, str], np.ndarray] = {}
        self.counts: dict[str, int] = {}

    def _objectives(self) -> list[Objective]:
        """Return the objectives of the run that need nothing but the distributions at a token."""
        known = self.config.analysis.objectives
        able = [one for one in known if one.has_teacher and not one.needs]
        chosen = [one for one in able if not self.wanted.objectives or one.label in self.wanted.objectives]
        if not chosen or {*self.wanted.objectives} - {one.label for one in able}:
            labels = ", ".join(one.label for one in able) or "none of this run"
            raise OddError(f"influence needs objectives of the run that are functions of two distributions: {labels}")
        return chosen

    def _studied(self, one: state.Taught) -> Studied:
        if len(one.responses) < LEAST:
            raise OddError(
                f"question {one.id!r} has {len(one.responses)} initial rollouts, and influence needs {LEAST}: start a "
                "run with more sampling.initial_rollouts"
            )
        answers = Answers(one.prompt, one.responses, one.correct)
        contexts = [TeacherContext(teacher, prompt, "", ()) for teacher, prompt in one.teachers.items()]
        return Studied(one.number, answers, contexts)

    def plan(self) -> Iterator[str]:
        """Yield what will be computed and what it costs, measured on one response, in a sentence or two each."""
        skipped = [one.label for one in self.config.analysis.objectives if one not in self.objectives]
        if skipped:
            yield f"without {', '.join(skipped)}: influence is computed for objectives of two distributions"
        tokens = sum(sum(map(len, one.answers.responses)) for one in self.questions)
        rollouts = sum(len(one.answers.responses) for one in self.questions)
        kept = 4 * QUARTERS * (len(self.questions) + 1) * self.student.size
        pairs = max(len(one.contexts) for one in self.questions) * len(self.objectives)
        yield (
            f"influence of {tokens:,} tokens of {rollouts:,} rollouts in {self.student.size:,} parameters: "
            f"{rough(tokens * self._pace(pairs))}, {kept / 1e6:,.0f} MB of temporary file, "
            f"{4 * (2 * pairs + 6) * self.student.size / 1e6:,.0f} MB of gradients in memory"
        )

    def _pace(self, pairs: int) -> float:
        """Return seconds per token, from reading a few responses of the first question as all will be read."""
        answers = self.questions[0].answers
        few = answers.responses[: 4 * LEAST]
        started = time.perf_counter()
        direction = np.ones(self.student.size, dtype=np.float32)
        for number, directions in ((QUARTERS, []), (pairs, [direction] * 4)):
            for one in self.student.passes(answers.prompt, few, 1.0, directions, number):
                for part in one.slices():
                    one.pull(part.at, np.zeros((number, *part.log_p.shape)))
                one.gradients()
        return (time.perf_counter() - started) / sum(map(len, few))

    def compute(self) -> None:
        """Compute and insert all rows."""
        for table in INFLUENCE_TABLES:
            self.writer.delete(table)
        self.writer.delete("timings", stage=Stage.SUCCESS_GRADIENT.value)
        self.writer.delete("timings", stage=Stage.INFLUENCE.value)
        count, size = len(self.questions), self.student.size
        with tempfile.TemporaryFile() as file:
            shape = count, QUARTERS, size
            # vectors of all questions may be larger than the memory
            vectors = np.memmap(file, dtype=np.float32, mode="w+", shape=shape)
            total = np.zeros((QUARTERS, size), dtype=np.float32)
            for place, one in enumerate(self.questions):
                started = time.perf_counter()
                vectors[place] = success_gradients(self.student, one.answers, self.config.sampling.temperature)
                total += vectors[place] / count
                self._step(Stage.SUCCESS_GRADIENT, place, started)
            for place, one in enumerate(self.questions):
                started = time.perf_counter()
                self._judge(one, place, vectors, total)
                self._step(Stage.INFLUENCE, place, started)
        self._insert_norms()
        about = self.wanted.model_dump(mode="json") | {"weights": size}
        self.writer.set_meta("influence", json.dumps(about))

    def _step(self, stage: Stage, place: int, started: float) -> None:
        """Record the time of a question's stage, and report it."""
        one, seconds = self.questions[place], time.perf_counter() - started
        tokens, rollouts = sum(map(len, one.answers.responses)), len(one.answers.responses)
        cost = timing(one.number, stage, seconds, rollouts, tokens)
        self.writer.insert(cost.table, cost.rows)
        self.report(stage, place, rollouts, tokens, seconds)

    def report(self, stage: Stage, place: int, done: int, tokens: int = 0, seconds: float = 0.0) -> None:
        """Report that a stage of a question is done."""
        step = Step(place, stage, done, done, tokens, seconds)
        self.listen(Progress(run_id=self.writer.run_id, questions=len(self.questions), **asdict(step)))

    def _judge(self, one: Studied, place: int, vectors: np.ndarray, total: np.ndarray) -> None:
        """Insert the rows of a question."""
        names = [context.teacher for context in one.contexts]
        pairs = [(name, objective.label) for name in names for objective in self.objectives]
        halves = [self._half(one, half, vectors[place], total) for half in (0, 1)]
        rows = [row for half in halves for row in self._token_rows(one.number, pairs, half)]
        self.writer.insert("influence", rows)
        products = np.stack([self._products(half, number, vectors) for number, half in enumerate(halves)]).mean(axis=0)
        self.writer.insert("influence_matrix", [
            {"question": one.number, "target": other.number, "teacher": teacher, "objective": objective,
             "first": products[0, pair, column], "second": products[1, pair, column]}
            for pair, (teacher, objective) in enumerate(pairs) for column, other in enumerate(self.questions)
        ])  # fmt: skip
        for pair, key in enumerate(pairs):
            gradient = (halves[0].gradients[pair] + halves[1].gradients[pair]) / 2
            self.gradients[key] = self.gradients[key] + gradient if key in self.gradients else gradient
        for name in names:
            self.counts[name] = self.counts.get(name, 0) + 1

    def _half(self, one: Studied, half: int, own: np.ndarray, total: np.ndarray) -> HalfInfluence:
        """Judge half of a question's rollouts: on all questions (directions 0 and 1), and on its own (2 and 3)."""
        judges = list(judges_of(half))
        responses = [one.answers.responses[i] for i in half_of(len(one.answers.responses), half)]
        student, teachers = readers(self.config, self.models, one.answers.prompt, one.contexts)
        read = {name: self._slices(reader, responses) for name, reader in teachers.items()}
        return half_influence(
            self.student,
            one.answers,
            half,
            self._slices(student, responses),
            read,
            self.objectives,
            [*total[judges], *np.asarray(own[judges])],
            self.config.sampling.temperature,
        )

    def _slices(self, reader: Reader, responses: Sequence[Sequence[int]]) -> Slices:
        """Return the distributions of a reader; they are recorded if its model may have to make room."""
        asked = reader.prompt, responses, reader.temperature
        if self.models.residency is None:
            return reader.model.scorer.read(*asked)
        return reader.model.scorer.record(*asked).read()

    def _token_rows(
        self, question: int, pairs: Sequence[tuple[str, str]], half: HalfInfluence
    ) -> Iterator[dict[str, Any]]:
        """Yield the rows of the table `influence`; success on other questions is all but the share of the own one."""
        count = len(self.questions)
        by_target = {"same": half.values[:2]}
        if count > 1:
            by_target["other"] = (count * half.values[:2] - half.values[2:]) / (count - 1)
        for target, values in by_target.items():
            rounded = values.astype(np.float32)
            for rollout, prefixes in zip(half.rollouts.tolist(), half.prefixes, strict=True):
                for pair, (teacher, objective) in enumerate(pairs):
                    first, second = rounded[:, pair, prefixes]
                    yield {"question": question, "rollout": rollout, "teacher": teacher, "objective": objective,
                           "target": target, "first": first, "second": second}  # fmt: skip

    def _products(self, half: HalfInfluence, number: int, vectors: np.ndarray) -> np.ndarray:
        """Return the influence of a half on success on each question by each of its judges, (2, pairs, questions)."""
        gradients = half.gradients.astype(np.float64)
        return np.stack([
            np.stack([gradients @ np.asarray(vectors[other, judge], np.float64) for other in range(len(vectors))], -1)
            for judge in judges_of(number)
        ])  # fmt: skip

    def _insert_norms(self) -> None:
        """Insert the norm of the mean gradient of each pair over the questions."""
        rows = [
            {"teacher": teacher, "objective": objective, "questions": self.counts[teacher],
             "norm": float(np.linalg.norm(gradient.astype(np.float64) / self.counts[teacher]))}
            for (teacher, objective), gradient in self.gradients.items()
        ]  # fmt: skip
        self.writer.insert("influence_norms", rows)
