"""What a run file knows of its questions: the stored state that the work on a question starts from."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from odd.analysis.planning import Plan
from odd.questions.contexts import Attempt
from odd.rollouts.sampling import Rollout
from odd.store import RunWriter
from odd.store.question_stage import QuestionStage
from odd.store.rows import LogProbs


@dataclass(frozen=True)
class Summary:
    """A summary, and how many tries it took; `text` is None where no try was usable."""

    text: str | None
    tries: int


@dataclass(frozen=True)
class Screened:
    """What a screening has of one context: its prompt, empty where it could not be made, and the chunks drawn."""

    prompt: tuple[int, ...]
    chunks: frozenset[int]


@dataclass(frozen=True)
class QuestionState:
    """What is stored of one question: plain data, which can be sent to another process.

    Attributes:
        number: of the question.
        stage: how far it is.
        initial: its initial rollouts, in the order they were drawn.
        targeted: its targeted rollouts, likewise.
        unscored_chunks: chunks of imported rollouts whose log-probabilities are not known yet.
        paths: the rollouts that were chosen as paths.
        pairs: rows of the table `pairs`.
        teachers: those it has been scored with, or has a reason not to be.
        attempts: tries at demonstrations by label of their source, in the order they were drawn.
        summaries: by label of the summarizer, and request.
        log_probs: what each teacher (None: the student) made of the rollouts.
        screened: what a screening has, by context.
        has_components: whether it has been scored with any teacher.
    """

    number: int
    stage: QuestionStage = QuestionStage.NEW
    initial: tuple[Rollout, ...] = ()
    targeted: tuple[Rollout, ...] = ()
    unscored_chunks: frozenset[int] = frozenset()
    paths: tuple[int, ...] = ()
    pairs: tuple[dict[str, Any], ...] = ()
    teachers: frozenset[str] = frozenset()
    attempts: Mapping[str, tuple[Attempt, ...]] = field(default_factory=dict)
    summaries: Mapping[tuple[str, str], Summary] = field(default_factory=dict)
    log_probs: Mapping[str | None, LogProbs] = field(default_factory=dict)
    screened: Mapping[str, Screened] = field(default_factory=dict)
    has_components: bool = False

    def plan(self) -> Plan:
        """The plan that was made.

        Read back rather than made again: a plan made on another machine, or with a teacher that has changed, could
        differ.
        """
        responses = [self.initial[rollout].token_ids for rollout in self.paths]
        forced = [
            (*responses[pair["path"]][: pair["position"]], pair["token"])
            for pair in self.pairs
            for _ in range(pair["launched"])
        ]
        return Plan(forced, list(self.pairs))


def load_question_state(writer: RunWriter, question: int, screening: bool = False) -> QuestionState:
    """What a run file holds of a question.

    Args:
        writer: of the run file.
        question: its number.
        screening: leave out what a screening does not need and a finished run has much of: targeted rollouts and
            log-probabilities under teachers.
    """
    drawn = "SELECT * FROM rollouts WHERE question = ? AND stage = '{}' ORDER BY rollout"
    initial = _rows(writer, drawn.format("initial"), question)
    targeted = [] if screening else _rows(writer, drawn.format("targeted"), question)
    pairs = _rows(writer, "SELECT * FROM pairs WHERE question = ? ORDER BY pair", question)
    return QuestionState(
        number=question,
        stage=QuestionStage(_column(writer, "SELECT stage FROM questions WHERE question = ?", question)[0]),
        initial=tuple(map(_rollout, initial)),
        targeted=tuple(map(_rollout, targeted)),
        unscored_chunks=frozenset(row["chunk"] for row in initial if row["log_probs"] is None),
        paths=tuple(_column(writer, "SELECT rollout FROM paths WHERE question = ? ORDER BY path", question)),
        pairs=tuple({str(name): value for name, value in row.items()} for row in pairs),
        teachers=frozenset(_column(writer, "SELECT teacher FROM contexts WHERE question = ?", question)),
        attempts=_attempts(writer, question),
        summaries=_summaries(writer, question),
        log_probs={} if screening else _log_probs(writer, question),
        screened=_screened(writer, question),
        has_components=bool(_rows(writer, "SELECT node FROM components WHERE question = ? LIMIT 1", question)),
    )


def _rows(writer: RunWriter, sql: str, question: int) -> list[dict[Hashable, Any]]:
    return writer.query(sql, [question]).to_dict("records")


def _column(writer: RunWriter, sql: str, question: int) -> list[Any]:
    return writer.query(sql, [question]).iloc[:, 0].tolist()


def _rollout(row: Mapping[Hashable, Any]) -> Rollout:
    """A row of `rollouts`; log-probabilities that are not known yet are NaN."""
    known = row["log_probs"]
    unknown = np.full(len(row["token_ids"]), np.nan, np.float32)
    return Rollout(
        stage=row["stage"],
        chunk=row["chunk"],
        launch=row["launch"],
        token_ids=tuple(row["token_ids"].tolist()),
        log_probs=unknown if known is None else np.asarray(known, dtype=np.float32),
        text=row["text"],
        answer=_text(row["answer"]),
        correct=bool(row["correct"]),
        truncated=bool(row["truncated"]),
    )


def _text(cell: Any) -> str | None:
    return cell if isinstance(cell, str) else None


def _attempts(writer: RunWriter, question: int) -> dict[str, tuple[Attempt, ...]]:
    found: dict[str, list[Attempt]] = {}
    sql = "SELECT source, text, correct, truncated FROM demonstrations WHERE question = ? ORDER BY source, attempt"
    for row in _rows(writer, sql, question):
        attempt = Attempt(row["text"], bool(row["correct"]), bool(row["truncated"]))
        found.setdefault(row["source"], []).append(attempt)
    return {source: tuple(attempts) for source, attempts in found.items()}


def _summaries(writer: RunWriter, question: int) -> dict[tuple[str, str], Summary]:
    rows = _rows(writer, "SELECT * FROM summaries WHERE question = ?", question)
    return {(row["summarizer"], row["request"]): Summary(_text(row["text"]), int(row["tries"])) for row in rows}


def _log_probs(writer: RunWriter, question: int) -> dict[str | None, LogProbs]:
    found: dict[str | None, LogProbs] = {}
    for row in _rows(writer, "SELECT * FROM rollout_log_probs WHERE question = ?", question):
        found.setdefault(_text(row["teacher"]), {})[row["rollout"], row["temperature"]] = row["log_probs"]
    return found


def _screened(writer: RunWriter, question: int) -> dict[str, Screened]:
    drawn: dict[str, set[int]] = {}
    sql = "SELECT DISTINCT context, chunk FROM screening_rollouts WHERE question = ?"
    for row in _rows(writer, sql, question):
        drawn.setdefault(row["context"], set()).add(row["chunk"])
    return {
        row["context"]: Screened(
            tuple(row["prompt_ids"].tolist()) if row["available"] else (), frozenset(drawn.get(row["context"], ()))
        )
        for row in _rows(writer, "SELECT * FROM screening WHERE question = ?", question)
    }


def unfinished_questions(writer: RunWriter, teachers: Sequence[str]) -> list[int]:
    """Questions that are not scored, or neither scored with one of the teachers nor given a reason not to be."""
    known = "SELECT count(DISTINCT teacher) FROM contexts AS c WHERE c.question = q.question AND teacher IN $teachers"
    sql = f"SELECT question FROM questions AS q WHERE stage <> $scored OR ({known}) < $wanted ORDER BY question"
    params = {"teachers": list(teachers), "scored": QuestionStage.SCORED.value, "wanted": len(teachers)}
    return writer.query(sql, params)["question"].tolist()


def is_sampled(writer: RunWriter) -> bool:
    """Whether no question needs another rollout."""
    stages = set(writer.query("SELECT DISTINCT stage FROM questions")["stage"])
    return bool(stages) and stages <= {stage for stage in QuestionStage if stage.reached(QuestionStage.TARGETED)}


def guiding_teachers(writer: RunWriter) -> frozenset[str]:
    """Teachers whose gradients choose what is forced: those the run was made with."""
    return frozenset(writer.query("SELECT teacher FROM teachers WHERE guided_targeting")["teacher"])


def teachers_in_use(writer: RunWriter) -> set[str]:
    """Teachers that at least one question has been scored with, or has a reason not to be."""
    return set(writer.query("SELECT DISTINCT teacher FROM contexts")["teacher"])


def screened_contexts(writer: RunWriter) -> set[str]:
    """Contexts that at least one question has been screened with, or has a reason not to be."""
    return set(writer.query("SELECT DISTINCT context FROM screening")["context"])


def known_tokens(writer: RunWriter) -> set[int]:
    """Tokens that the run file spells out already."""
    return set(writer.query("SELECT token FROM vocabulary")["token"].tolist())
