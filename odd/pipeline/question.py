"""The stages of one question, each committed when it is done (method §5)."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from odd.analysis import QuestionTree, score_teachers
from odd.analysis.adaptive import Allotment
from odd.analysis.planning import Plan, choose_paths, plan_targets
from odd.config import TeacherConfig
from odd.models.base import LanguageModel
from odd.pipeline.base import Drawing, QuestionBase, why_never
from odd.pipeline.frame import Frame
from odd.pipeline.imported import scored_import
from odd.pipeline.reading import RolloutReading
from odd.pipeline.teachers import TeacherContext, teacher_context
from odd.rollouts.sampling import Rollout, chunks
from odd.store import state

# what is computed from rollouts, and made anew when the analysis changes
SCORED_TABLES = (
    "nodes", "success", "node_values", "path_tokens", "teacher_tokens", "node_teachers", "scores", "half_scores",
    "components", "gradients", "contexts",
)  # fmt: skip


@dataclass(frozen=True)
class Paths:
    """The representative paths, and every model's distributions along them, float32 (T, V) a path."""

    rollouts: list[int]
    contexts: list[TeacherContext]
    log_p: list[np.ndarray]
    log_q: dict[str, list[np.ndarray]]


class QuestionWork(QuestionBase):
    """One question of a run."""

    def __init__(self, frame: Frame, number: int, guides: Collection[str]) -> None:
        """Encode its prompt; `guides` are the teachers that choose what is forced."""
        super().__init__(frame, number)
        self.guides = guides

    def work(self) -> None:
        """Do what is left."""
        stage = self.stage
        done = state.teachers_with_context(self.writer, self.number)
        missing = [teacher for teacher in self.config.teachers if teacher.name not in done]
        if stage == "scored" and not missing:
            return
        initial = self._initial()
        self._reach("new", "sampled")
        if not any(rollout.correct for rollout in initial):
            return self._exclude(initial, missing)
        paths = self._paths(initial, self.config.teachers if stage != "scored" else missing)
        if stage in ("new", "sampled", "planned"):
            plan = self._plan(initial, paths)
            targeted = self._targeted(initial, paths, plan)
        else:
            targeted = state.stored_rollouts(self.writer, self.number, "targeted")
        self._score([*initial, *targeted], initial, paths, fresh=stage != "scored")

    def _initial(self) -> list[Rollout]:
        """The initial rollouts: drawn, or imported."""
        if self.config.imported is None:
            return self.draw("initial", self.initial_chunks())
        temperature = self.config.sampling.temperature
        return scored_import(self.writer, self.number, self.student, self.prompt, temperature, self._imported)

    def _imported(self, done: int, total: int, tokens: int, seconds: float) -> None:
        self.frame.report("initial", self.number, done, total, tokens, seconds)
        self.writer.publish_meanwhile()

    def _reach(self, before: str, after: str) -> None:
        """Move the question on, if it is at the stage before."""
        if self.stage == before:
            self.writer.update("questions", {"stage": after}, question=self.number)

    def _exclude(self, initial: Sequence[Rollout], missing: Sequence[TeacherConfig]) -> None:
        """A question that the student never answers has no success to distribute: it is kept, and marked."""
        note = why_never(initial)
        contexts = [TeacherContext(teacher.name, (), "", (), note) for teacher in missing]
        with self.writer.transaction():
            self.insert("contexts", [context.row() for context in contexts])
            self.describe(initial, stage="scored", note=note)
        self.writer.publish_meanwhile(interval=0.0)

    def _paths(self, initial: Sequence[Rollout], teachers: Sequence[TeacherConfig]) -> Paths:
        """Choose the paths, build the teachers' prompts, and let student and teachers score the paths."""
        chosen = state.stored_paths(self.writer, self.number)
        if self.stage in ("new", "sampled"):
            chosen = choose_paths(self.question.id, initial, self.config.targeting, self.config.sampling.seed)
        responses = [initial[i].token_ids for i in chosen]
        temperature = self.config.sampling.temperature
        started = time.perf_counter()
        log_p = self.student.paths_log_probs(self.prompt, responses, temperature)
        self._scored("student", started, responses)
        scored, longest = [initial[i].text for i in chosen], max(map(len, responses), default=0)
        contexts, log_q = [], {}
        for done, teacher in enumerate(teachers, start=1):
            model = self.frame.models.teacher(teacher)
            window = model.capabilities.max_context
            context = teacher_context(teacher, self.demonstrations, window, longest, scored)
            contexts.append(context)
            if context.reason is None:
                started = time.perf_counter()
                # a self-teacher is the sampled student with another prompt, so its distribution is tempered alike
                heat = temperature if teacher.model is None else 1.0
                log_q[teacher.name] = model.paths_log_probs(context.prompt, responses, heat)
                self._scored(teacher.name, started, responses)
            self.frame.report("plan", self.number, done, len(teachers))
        return Paths(chosen, contexts, log_p, log_q)

    def _scored(self, teacher: str, started: float, responses: Sequence[Sequence[int]]) -> None:
        with self.writer.transaction():
            seconds = time.perf_counter() - started
            self.time("plan", teacher, seconds, len(responses), sum(len(response) for response in responses))

    def _plan(self, initial: Sequence[Rollout], paths: Paths) -> Plan:
        """Choose what to force and keep it; a plan that is kept already is taken from the run file."""
        if self.stage == "planned":
            return state.stored_plan(self.writer, self.number, [initial[i].token_ids for i in paths.rollouts])
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
        with self.writer.transaction():
            self.insert("paths", rows)
            self.insert("pairs", plan.rows)
            self.writer.update("questions", {"stage": "planned"}, question=self.number)
        return plan

    def _targeted(self, initial: Sequence[Rollout], paths: Paths, plan: Plan) -> list[Rollout]:
        """Draw the targeted rollouts: all that were planned, or chunk by chunk what is still needed."""
        if self.config.targeting.allocation == "uniform":
            targeted = self.draw("targeted", chunks(plan.forced, self.config.sampling.chunk_size))
            self._reach("planned", "targeted")
            return targeted
        sampling, targeting = self.config.sampling, self.config.targeting
        guides = {name: rows for name, rows in paths.log_q.items() if name in self.guides}
        responses = [initial[i].token_ids for i in paths.rollouts]
        allotment = Allotment(self.question.id, initial, plan.rows, responses, paths.log_p, guides, targeting, sampling)
        drawing = Drawing(self, "targeted", allotment.budget)
        while forced := allotment.chunk(len(drawing.chunks), drawing.rollouts):
            drawing.add(len(drawing.chunks), forced)
        with self.writer.transaction():
            for pair, launched in enumerate(allotment.launched(drawing.rollouts)):
                self.writer.update("pairs", {"launched": launched}, question=self.number, pair=pair)
            self._reach("planned", "targeted")
        return drawing.rollouts

    def _score(self, rollouts: Sequence[Rollout], initial: Sequence[Rollout], paths: Paths, fresh: bool) -> None:
        """Build the tree and write all that is computed from it; `fresh` unless only teachers are added."""
        reading = RolloutReading(self.frame, self.number, rollouts).read(self.prompt, paths.contexts)
        started = time.perf_counter()
        tree = QuestionTree(self.question.id, rollouts, paths.rollouts, paths.log_p, self.config.analysis)
        tables = score_teachers(tree, paths.log_q, reading)
        if fresh:
            tables |= tree.rows()
        elif state.has_components(self.writer, self.number):
            tables.pop("components", None)  # those of the teachers before are the same
        seconds = time.perf_counter() - started
        with self.writer.transaction():
            if fresh:
                for table in SCORED_TABLES:  # of an earlier analysis
                    self.writer.delete(table, question=self.number)
            for table, frame in tables.items():
                self.writer.insert(table, frame.assign(question=self.number))
            self.insert("contexts", [context.row() for context in paths.contexts])
            self._vocabulary(rollouts)
            note = self._note([initial[i].correct for i in paths.rollouts], initial)
            self.describe(initial, stage="scored", note=note)
            self.time("score", None, seconds, len(tree.places) * max(1, len(paths.log_q)), 0)
        self.frame.report("score", self.number, 1, 1, 0, seconds)
        self.writer.publish_meanwhile(interval=0.0)

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

    def _vocabulary(self, rollouts: Sequence[Rollout]) -> None:
        """Spell out the tokens that the run uses, so that reading it needs no tokenizer."""
        known = state.known_tokens(self.writer)
        new = sorted({token for rollout in rollouts for token in rollout.token_ids} - known)
        if new:
            self.writer.insert("vocabulary", vocabulary_rows(self.student, new))


def vocabulary_rows(model: LanguageModel, tokens: Sequence[int]) -> pd.DataFrame:
    """Text and bytes of tokens; text shows bytes that are no valid UTF-8 as replacement characters."""
    spelled = [model.token_bytes(int(token)) for token in tokens]
    text = [piece.decode("utf-8", errors="replace") for piece in spelled]
    return pd.DataFrame({"token": list(tokens), "text": text, "bytes": spelled})
