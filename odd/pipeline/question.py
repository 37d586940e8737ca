"""The work on one question of a run, stage by stage (method §5): yields all that it does as events."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from odd.analysis import QuestionTree, half_rows, score_teachers
from odd.analysis.adaptive import Allotment
from odd.analysis.planning import Plan, choose_paths, plan_targets
from odd.config import RunConfig, TeacherConfig
from odd.pipeline.base import Drawing, QuestionBase, why_never
from odd.pipeline.contexts import TeacherContext, teacher_context, teacher_temperature
from odd.pipeline.events import Change, Commit, Delete, Events, Insert, SpellTokens, Step, Update, timing
from odd.pipeline.imported import score_import
from odd.pipeline.reading import RolloutReading
from odd.pipeline.stages import Stage
from odd.pipeline.teachers import Models
from odd.questions.base import Question
from odd.rollouts.sampling import Rollout, chunks
from odd.store.question_stage import QuestionStage
from odd.store.state import QuestionState

# what is computed from rollouts, and made anew when the analysis changes
SCORED_TABLES = ("nodes", "halves", "path_tokens", "teacher_tokens", "node_teachers", "scores", "gradients", "contexts")


@dataclass(frozen=True)
class Paths:
    """The representative paths, and every model's distributions along them, float32 (T, V) per path."""

    rollouts: list[int]
    contexts: list[TeacherContext]
    log_p: list[np.ndarray]
    log_q: dict[str, list[np.ndarray]]


class QuestionWork(QuestionBase):
    """The work on one question of a run."""

    def __init__(
        self, config: RunConfig, models: Models, question: Question, state: QuestionState, guides: Collection[str]
    ) -> None:
        """Encode the prompt; `guides` are the teachers that choose what is forced."""
        super().__init__(config, models, question, state)
        self.stage, self.guides = state.stage, guides

    def work(self) -> Events[None]:
        """Do what is left; nothing where all is done."""
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
        paths = yield from self._paths(initial, self.config.teachers if fresh else missing)
        if begun_at.reached(QuestionStage.TARGETED):
            targeted = list(self.state.targeted)
        else:
            plan = yield from self._plan(initial, paths)
            targeted = yield from self._targeted(initial, paths, plan)
        yield from self._score([*initial, *targeted], initial, paths, fresh)

    def _initial(self) -> Events[list[Rollout]]:
        """The initial rollouts: drawn, or imported."""
        if self.config.imported is None:
            return (yield from self.draw("initial", self.initial_chunks()))
        return (yield from score_import(self.state, self.student, self.prompt, self.config.sampling.temperature))

    def _reach(self, stage: QuestionStage) -> Update:
        """Move the question on."""
        self.stage = stage
        return self.update(stage=stage.value)

    def _exclude(self, initial: Sequence[Rollout], missing: Sequence[TeacherConfig]) -> Events[None]:
        """A question that the student never answers has no success to distribute: it is kept, and marked."""
        note = why_never(initial)
        contexts = [TeacherContext(teacher.name, (), "", (), note) for teacher in missing]
        rows = self.insert("contexts", [context.row() for context in contexts])
        yield Commit((rows, self.describe(initial, stage=QuestionStage.SCORED.value, note=note)), publish="now")

    def _paths(self, initial: Sequence[Rollout], teachers: Sequence[TeacherConfig]) -> Events[Paths]:
        """Choose the paths, build the teachers' prompts, and let student and teachers score the paths."""
        chosen = list(self.state.paths)
        if not self.stage.reached(QuestionStage.PLANNED):
            chosen = choose_paths(self.question.id, initial, self.config.targeting, self.config.sampling.seed)
        responses = [initial[i].token_ids for i in chosen]
        started = time.perf_counter()
        log_p = self.student.paths_log_probs(self.prompt, responses, self.config.sampling.temperature)
        yield self._timed("student", started, responses)
        scored, longest = [initial[i].text for i in chosen], max(map(len, responses), default=0)
        contexts, log_q = [], {}
        for done, teacher in enumerate(teachers, start=1):
            model = self.models.teacher(teacher)
            window = model.capabilities.max_context
            context = yield from teacher_context(teacher, self.demonstrations, window, longest, scored)
            contexts.append(context)
            if context.reason is None:
                started = time.perf_counter()
                temperature = teacher_temperature(teacher, self.config.sampling)
                log_q[teacher.name] = model.paths_log_probs(context.prompt, responses, temperature)
                yield self._timed(teacher.name, started, responses)
            yield Step(self.number, Stage.PLAN, done, len(teachers))
        return Paths(chosen, contexts, log_p, log_q)

    def _timed(self, teacher: str, started: float, responses: Sequence[Sequence[int]]) -> Commit:
        seconds = time.perf_counter() - started
        return Commit((timing(self.number, Stage.PLAN, seconds, len(responses), sum(map(len, responses)), teacher),))

    def _plan(self, initial: Sequence[Rollout], paths: Paths) -> Events[Plan]:
        """Choose what to force; a plan that is stored is kept."""
        if self.stage is QuestionStage.PLANNED:
            return self.state.plan()
        guides = {name: rows for name, rows in paths.log_q.items() if name in self.guides}
        plan = plan_targets(initial, paths.rollouts, paths.log_p, guides, self.config.targeting)
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
        """Draw the targeted rollouts: all that were planned, or chunk by chunk what is still needed."""
        sampling, targeting = self.config.sampling, self.config.targeting
        if targeting.allocation == "uniform":
            targeted = yield from self.draw("targeted", chunks(plan.forced, sampling.chunk_size))
            yield Commit((self._reach(QuestionStage.TARGETED),))
            return targeted
        guides = {name: rows for name, rows in paths.log_q.items() if name in self.guides}
        responses = [initial[i].token_ids for i in paths.rollouts]
        allotment = Allotment(self.question.id, initial, plan.rows, responses, paths.log_p, guides, targeting, sampling)
        drawing = Drawing(self, "targeted", allotment.budget)
        while forced := allotment.chunk(len(drawing.chunks), drawing.rollouts):
            yield from drawing.add(len(drawing.chunks), forced)
        launched = [
            Update("pairs", {"launched": count}, {"question": self.number, "pair": pair})
            for pair, count in enumerate(allotment.launched(drawing.rollouts))
        ]
        yield Commit((*launched, self._reach(QuestionStage.TARGETED)))
        return drawing.rollouts

    def _score(
        self, rollouts: Sequence[Rollout], initial: Sequence[Rollout], paths: Paths, fresh: bool
    ) -> Events[None]:
        """Build the tree and compute all that follows from it; `fresh` unless only teachers are added."""
        log_probs = yield from RolloutReading(self.config, self.models, self.state, rollouts).read(
            self.prompt, paths.contexts
        )
        started = time.perf_counter()
        tree = QuestionTree(self.question.id, rollouts, paths.rollouts, paths.log_p, self.config.analysis)
        tables = score_teachers(tree, paths.log_q, log_probs)
        if fresh:
            tables |= {"nodes": tree.node_rows(), "halves": half_rows(tree), "path_tokens": tree.path_token_rows()}
        seconds = time.perf_counter() - started
        note = self._note([initial[i].correct for i in paths.rollouts], initial)
        earlier = SCORED_TABLES if fresh else ()
        changes: list[Change] = [Delete(table, {"question": self.number}) for table in earlier]
        changes += [Insert(table, frame.assign(question=self.number)) for table, frame in tables.items()]
        changes += [
            self.insert("contexts", [context.row() for context in paths.contexts]),
            self._spelled(rollouts),
            self.describe(initial, stage=QuestionStage.SCORED.value, note=note),
            timing(self.number, Stage.SCORE, seconds, len(tree.places) * max(1, len(paths.log_q)), 0),
        ]
        yield Commit(tuple(changes), publish="now")
        yield Step(self.number, Stage.SCORE, 1, 1, 0, seconds)

    def _spelled(self, rollouts: Sequence[Rollout]) -> SpellTokens:
        """The tokens that the question uses, so that reading the run needs no tokenizer."""
        used = {token for rollout in rollouts for token in rollout.token_ids}
        return SpellTokens({token: self.student.token_bytes(token) for token in sorted(used)})

    def _note(self, outcomes: Sequence[bool], initial: Sequence[Rollout]) -> str | None:
        """What a reader should know: a missing outcome, or fewer paths than wanted."""
        if all(rollout.correct for rollout in initial):
            return "no incorrect rollout"
        targeting = self.config.targeting
        found = {"correct": sum(outcomes), "incorrect": len(outcomes) - sum(outcomes)}
        wanted = {"correct": targeting.correct_paths, "incorrect": targeting.incorrect_paths}
        short = [f"{found[kind]} of {wanted[kind]} {kind} paths" for kind in found if found[kind] < wanted[kind]]
        more = "raise sampling.initial_rollouts" if self.config.imported is None else "import more rollouts"
        return f"only {' and '.join(short)}: {more}" if short else None
