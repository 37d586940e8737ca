"""Work on one question of a run, stage by stage, as a stream of events (method §5)."""

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from odd.analysis.adaptive import Allotment
from odd.analysis.path_rows import KEEP_ALL, PathRows, children_along, reading_path_rows
from odd.analysis.planning import Plan, choose_paths, plan_targets
from odd.analysis.question_tree import QuestionTree, rollout_tree
from odd.analysis.teacher_scores import score_teachers
from odd.config import RunConfig, TeacherConfig
from odd.models.base import Recording
from odd.pipeline.base import Drawing, QuestionBase, why_never
from odd.pipeline.contexts import TeacherContext, teacher_context
from odd.pipeline.events import Change, Commit, Delete, Events, Insert, SpellTokens, Step, Update, Use, timing, timings
from odd.pipeline.imported import score_import
from odd.pipeline.reading import Reader, RolloutReading, readers
from odd.pipeline.stages import Stage
from odd.pipeline.teachers import Models
from odd.questions.base import Question
from odd.rollouts.cutting import cut, drawn_whole
from odd.rollouts.sampling import Rollout, chunks
from odd.store.question_stage import QuestionStage
from odd.store.rows import rollout_rows
from odd.store.state import QuestionState

# computed from rollouts, and recomputed when the analysis settings change
SCORED_TABLES = (
    "nodes", "success", "node_values", "path_tokens", "teacher_tokens", "node_teachers", "scores", "half_scores",
    "components", "gradients", "contexts",
)  # fmt: skip


@dataclass(frozen=True)
class Paths:
    """Indices of the representative rollouts, prompts of the teachers, and distributions along the paths."""

    rollouts: list[int]
    contexts: list[TeacherContext]
    rows: PathRows


class Timed:
    """Iterable that measures the time spent in its source."""

    def __init__(self, source: Iterator[np.ndarray], seconds: float = 0.0) -> None:
        self.source, self.seconds = source, seconds

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield the items of the source."""
        while True:
            started = time.perf_counter()
            item = next(self.source, None)
            self.seconds += time.perf_counter() - started
            if item is None:
                return
            yield item


class QuestionWork(QuestionBase):
    """Work on one question of a run."""

    def __init__(
        self, config: RunConfig, models: Models, question: Question, state: QuestionState, guides: Collection[str]
    ) -> None:
        """Encode the prompt; `guides` are the teachers that determine the forced tokens."""
        super().__init__(config, models, question, state)
        self.stage, self.guides = state.stage, guides
        self._recorded: dict[str | None, Recording] = {}

    def work(self) -> Events[None]:
        """Do the remaining work of the question, if any."""
        begun_at = self.stage
        missing = [teacher for teacher in self.config.teachers if teacher.name not in self.state.teachers]
        if begun_at is QuestionStage.SCORED and not missing:
            return
        initial = yield from self._initial()
        if self.stage is QuestionStage.NEW:
            yield Commit((self._reach(QuestionStage.SAMPLED),))
        if not any(rollout.correct for rollout in initial):
            yield from self._exclude(initial, missing)
            return
        fresh = begun_at is not QuestionStage.SCORED
        targeted = list(self.state.targeted) if begun_at.reached(QuestionStage.TARGETED) else []
        paths = yield from self._paths(initial, targeted, self.config.teachers if fresh else missing)
        if not begun_at.reached(QuestionStage.TARGETED):
            plan = yield from self._plan(initial, paths)
            targeted = yield from self._targeted(initial, paths, plan)
        yield from self._score([*initial, *targeted], initial, paths, fresh)

    def _initial(self) -> Events[list[Rollout]]:
        """Sample the initial rollouts, or score imported ones."""
        if self.config.imported is None:
            return (yield from self.draw("initial", self.initial_chunks()))
        temperature = self.config.sampling.temperature
        return (yield from score_import(self.state, self.student, self.config.student.label, self.prompt, temperature))

    def _reach(self, stage: QuestionStage) -> Update:
        """Advance the question to a stage."""
        self.stage = stage
        return self.update(stage=stage.value)

    def _exclude(self, initial: Sequence[Rollout], missing: Sequence[TeacherConfig]) -> Events[None]:
        """Mark a question without a correct rollout; it cannot be analysed."""
        note = why_never(initial)
        contexts = [TeacherContext(teacher.name, (), "", (), note) for teacher in missing]
        rows = self.insert("contexts", [context.row() for context in contexts])
        yield Commit((rows, self.describe(initial, stage=QuestionStage.SCORED.value, note=note)), publish="now")

    def _paths(
        self, initial: Sequence[Rollout], targeted: Sequence[Rollout], teachers: Sequence[TeacherConfig]
    ) -> Events[Paths]:
        """Choose the paths, build the teachers' prompts, and score the paths with student and teachers.

        The rows keep the tokens of known targeted rollouts, so the paths need not be read again.
        """
        chosen = list(self.state.paths)
        if not self.stage.reached(QuestionStage.PLANNED):
            chosen = choose_paths(self.question.id, initial, self.config.targeting, self.config.sampling.seed)
        scored, contexts = [initial[i].text for i in chosen], []
        longest = max((len(initial[i].token_ids) for i in chosen), default=0)
        for teacher in teachers:
            model = self.models.teacher(teacher)
            window, known = model.scorer.max_context, model.known_tokens
            contexts.append((yield from teacher_context(teacher, self.demonstrations, window, longest, scored, known)))
        return Paths(chosen, contexts, (yield from self._read([*initial, *targeted], chosen, contexts)))

    def _read(
        self, rollouts: Sequence[Rollout], paths: Sequence[int], contexts: Sequence[TeacherContext]
    ) -> Events[PathRows]:
        """Score the paths in parallel with the student and the teachers that have a prompt.

        Args:
            rollouts: rollouts whose tokens at path nodes the rows keep.
            paths: indices of the rollouts that are paths.
            contexts: prompts of the teachers.
        """
        responses = [rollouts[i].token_ids.tolist() for i in paths]

        own, others = readers(self.config, self.models, self.prompt, contexts)
        student = yield from self._slices(own, responses)
        teachers: dict[str, Timed] = {}
        for name, reader in others.items():
            teachers[name] = yield from self._slices(reader, responses)
        wanted, tau = children_along(rollout_tree(rollouts, paths), paths), self.config.targeting.tau
        steps = reading_path_rows(responses, student, teachers, wanted, self.config.analysis.objectives, tau)
        while True:
            try:
                done, total = next(steps)
            except StopIteration as end:
                rows: PathRows = end.value
                break
            yield Step(self.number, Stage.PLAN, done, total)
        read = len(responses), sum(map(len, responses))
        read_by: dict[str | None, Timed] = {"student": student, **teachers}
        seconds = {name: timed.seconds for name, timed in read_by.items()}
        yield Commit((timings(self.number, Stage.PLAN, seconds, *read),))
        return rows

    def _slices(self, reader: Reader, responses: Sequence[tuple[int, ...]]) -> Events[Timed]:
        """Return the distributions of a reader along the paths.

        They are recorded if its model may have to make room, or if rows will be read again, because they do not keep
        all tokens.
        """
        scorer, asked = reader.model.scorer, (reader.prompt, responses, reader.temperature)
        if self.models.residency is None and scorer.vocabulary_size <= KEEP_ALL:
            return Timed(scorer.read(*asked))
        started = time.perf_counter()
        if reader.teacher not in self._recorded:
            yield Use(reader.label)
            started = time.perf_counter()
            self._recorded[reader.teacher] = scorer.record(*asked)
        return Timed(self._recorded[reader.teacher].read(), time.perf_counter() - started)

    def _plan(self, initial: Sequence[Rollout], paths: Paths) -> Events[Plan]:
        """Choose the forced prefixes; a stored plan is kept."""
        if self.stage is QuestionStage.PLANNED:
            return self.state.plan()
        plan = plan_targets(initial, paths.rollouts, paths.rows, self.guides, self.config.targeting)
        rows = [
            {
                "path": path,
                "rollout": rollout,
                "correct": initial[rollout].correct,
                "truncated": initial[rollout].truncated,
                "length": len(initial[rollout].token_ids),
            }
            for path, rollout in enumerate(paths.rollouts)
        ]
        planned = self._reach(QuestionStage.PLANNED)
        yield Commit((self.insert("paths", rows), self.insert("pairs", plan.rows), planned))
        return plan

    def _targeted(self, initial: Sequence[Rollout], paths: Paths, plan: Plan) -> Events[list[Rollout]]:
        """Sample the targeted rollouts: the planned ones, or adaptively chunk by chunk."""
        sampling, targeting = self.config.sampling, self.config.targeting
        if targeting.allocation == "uniform":
            targeted = yield from self.draw("targeted", chunks(plan.forced, sampling.chunk_size))
            targeted, changes = self._cut(initial, paths, targeted)
            yield Commit((*changes, self._reach(QuestionStage.TARGETED)))
            return targeted
        responses = [tuple(initial[i].token_ids.tolist()) for i in paths.rollouts]
        allotment = Allotment(
            self.question.id, initial, plan.rows, responses, paths.rows, self.guides, targeting, sampling
        )
        drawing = Drawing(self, "targeted", allotment.budget)
        while forced := allotment.chunk(len(drawing.chunks), drawing.rollouts):
            yield from drawing.add(len(drawing.chunks), forced)
        launched = [
            Update("pairs", {"launched": count}, {"question": self.number, "pair": pair})
            for pair, count in enumerate(allotment.launched(drawing.rollouts))
        ]
        targeted, changes = self._cut(initial, paths, drawing.rollouts)
        yield Commit((*launched, *changes, self._reach(QuestionStage.TARGETED)))
        return targeted

    def _cut(
        self, initial: Sequence[Rollout], paths: Paths, targeted: Sequence[Rollout]
    ) -> tuple[list[Rollout], list[Change]]:
        """Cut targeted rollouts if the settings say so; return them, and the changes that replace the stored ones."""
        storage, tokens = self.config.storage, sum(len(rollout.token_ids) - rollout.launch for rollout in targeted)
        if not storage.cuts(tokens, self.config.analysis.objectives):
            return list(targeted), []
        kept = rollout_tree([*initial, *targeted], paths.rollouts).kept[len(initial) :]
        whole = drawn_whole(self.question.id, targeted, self.config.sampling.seed, storage.whole)
        made = cut(targeted, kept, whole)
        stored = rollout_rows(self.number, self.config.sampling.initial_rollouts, made)
        return made, [Delete("rollouts", {"question": self.number, "stage": "targeted"}), Insert("rollouts", stored)]

    def _score(
        self, rollouts: Sequence[Rollout], initial: Sequence[Rollout], paths: Paths, fresh: bool
    ) -> Events[None]:
        """Build the tree and compute scores; `fresh` is False if only teachers are added."""
        log_probs = yield from RolloutReading(self.config, self.models, self.state, rollouts).read(
            self.prompt, paths.contexts
        )
        rows = paths.rows
        if not rows.keep(children_along(rollout_tree(rollouts, paths.rollouts), paths.rollouts)):
            rows = yield from self._read(rollouts, paths.rollouts, paths.contexts)
        started = time.perf_counter()
        tree = QuestionTree(self.question.id, rollouts, paths.rollouts, rows, self.config.analysis)
        tables = score_teachers(tree, log_probs)
        if fresh:
            tables |= tree.tables()
        elif self.state.has_components:
            tables.pop("components", None)  # stored already; they do not depend on the teachers
        seconds = time.perf_counter() - started
        note = self._note([initial[i].correct for i in paths.rollouts], initial)
        earlier = SCORED_TABLES if fresh else ()
        changes: list[Change] = [Delete(table, {"question": self.number}) for table in earlier]
        changes += [Insert(table, frame.assign(question=self.number)) for table, frame in tables.items()]
        changes += [
            self.insert("contexts", [context.row() for context in paths.contexts]),
            self._spelled(rollouts),
            self.describe(initial, stage=QuestionStage.SCORED.value, note=note),
            timing(self.number, Stage.SCORE, seconds, len(tree.places) * max(1, len(rows.teachers)), 0),
        ]
        yield Commit(tuple(changes), publish="now")
        yield Step(self.number, Stage.SCORE, 1, 1, 0, seconds)

    def _spelled(self, rollouts: Sequence[Rollout]) -> SpellTokens:
        """Return the tokens of the question; with their bytes stored, reading the run needs no tokenizer."""
        used = np.zeros(self.student.scorer.vocabulary_size, dtype=bool)
        for rollout in rollouts:
            used[rollout.token_ids] = True
        tokens = np.flatnonzero(used).tolist()
        return SpellTokens({token: self.student.tokenizer.token_bytes(token) for token in tokens})

    def _note(self, outcomes: Sequence[bool], initial: Sequence[Rollout]) -> str | None:
        """Return the note of the question: a missing outcome, or fewer paths than wanted."""
        if all(rollout.correct for rollout in initial):
            return "no incorrect rollout"
        targeting = self.config.targeting
        found = {"correct": sum(outcomes), "incorrect": len(outcomes) - sum(outcomes)}
        wanted = {"correct": targeting.correct_paths, "incorrect": targeting.incorrect_paths}
        short = [f"{found[kind]} of {wanted[kind]} {kind} paths" for kind in found if found[kind] < wanted[kind]]
        more = "raise sampling.initial_rollouts" if self.config.imported is None else "import more rollouts"
        return f"only {' and '.join(short)}: {more}" if short else None
