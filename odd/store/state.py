"""Stored state of the questions of a run file, from which the work on a question starts."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from odd.analysis.planning import Plan
from odd.questions.contexts import Attempt
from odd.rollouts.sampling import Rollout, Stage
from odd.store import RunWriter
from odd.store.question_stage import QuestionStage
from odd.store.rows import LogProbs


@dataclass(frozen=True)
class Summary:
    """A summary, and the number of tries it took; `text` is None if no try was usable."""

    text: str | None
    tries: int


@dataclass(frozen=True)
class Screened:
    """Stored screening of one context: the prompt, empty if it could not be built, and the sampled chunks."""

    prompt: tuple[int, ...]
    chunks: frozenset[int]


@dataclass(frozen=True)
class QuestionState:
    """Stored state of one question: plain data that can be sent to another process.

    Attributes:
        number: number of the question.
        stage: its stage.
        prompt: token ids of the student's prompt; empty if unknown.
        initial: initial rollouts, in sampling order.
        targeted: targeted rollouts, in sampling order.
        unscored_chunks: chunks of imported rollouts without log-probabilities.
        paths: indices of the rollouts that are paths.
        pairs: rows of the table `pairs`.
        teachers: teachers with scores, or with a reason why there are none.
        attempts: demonstration tries by label of their source, in sampling order.
        summaries: summaries by label of the summarizer, and request.
        log_probs: log-probabilities of the rollouts by teacher (None: the student).
        screened: stored screening by context.
        has_components: whether the question has been scored with any teacher.
    """

    number: int
    stage: QuestionStage = QuestionStage.NEW
    prompt: tuple[int, ...] = ()
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
        """Return the stored plan.

        It is not recomputed: on another machine, or with a changed teacher, the result could differ.
        """
        responses = [self.initial[rollout].token_ids.tolist() for rollout in self.paths]
        forced: list[tuple[int, ...]] = []
        for pair in self.pairs:
            forced += [(*responses[pair["path"]][: pair["position"]], pair["token"])] * pair["launched"]
        return Plan(forced, list(self.pairs))


UNSCORED = """
    SELECT DISTINCT chunk FROM rollouts WHERE question = ? AND stage = 'initial' AND log_probs IS NULL"""


def load_question_state(writer: RunWriter, question: int, screening: bool = False) -> QuestionState:
    """Load the stored state of a question; of a new one only what precedes its first stage.

    Args:
        writer: writer of the run file.
        question: number of the question.
        screening: skip the large data that a screening does not need: targeted rollouts and teachers'
            log-probabilities.
    """
    row = _rows(writer, "SELECT stage, prompt_ids FROM questions WHERE question = ?", question)[0]
    stage = QuestionStage(row["stage"])
    new = stage is QuestionStage.NEW
    initial = _rollouts(writer, question, "initial")
    targeted = [] if screening or new else _rollouts(writer, question, "targeted")
    pairs = [] if new else _rows(writer, "SELECT * FROM pairs WHERE question = ? ORDER BY pair", question)
    paths = [] if new else _column(writer, "SELECT rollout FROM paths WHERE question = ? ORDER BY path", question)
    teachers = [] if new else _column(writer, "SELECT teacher FROM contexts WHERE question = ?", question)
    components = [] if new else _rows(writer, "SELECT node FROM components WHERE question = ? LIMIT 1", question)
    return QuestionState(
        number=question,
        stage=stage,
        prompt=tuple(row["prompt_ids"]),
        initial=tuple(initial),
        targeted=tuple(targeted),
        unscored_chunks=frozenset(_column(writer, UNSCORED, question) if initial else ()),
        paths=tuple(paths),
        pairs=tuple({str(name): value for name, value in row.items()} for row in pairs),
        teachers=frozenset(teachers),
        attempts=_attempts(writer, question),
        summaries=_summaries(writer, question),
        log_probs={} if screening or new else _log_probs(writer, question),
        screened=_screened(writer, question),
        has_components=bool(components),
    )


def _rows(writer: RunWriter, sql: str, question: int) -> list[dict[Hashable, Any]]:
    return writer.query(sql, [question]).to_dict("records")


def _column(writer: RunWriter, sql: str, question: int) -> list[Any]:
    return writer.query(sql, [question]).iloc[:, 0].tolist()


def _rollouts(writer: RunWriter, question: int, stage: Stage) -> list[Rollout]:
    """Return the rollouts of a stage in sampling order; missing log-probabilities become NaN."""
    sql = """
        SELECT stage, chunk, launch, token_ids, log_probs, coalesce(text, '') AS text, answer, correct, truncated,
            length - len(token_ids) AS missing
        FROM rollouts WHERE question = ? AND stage = ? ORDER BY rollout"""
    columns = writer.columns(sql, [question, stage])
    numbers = zip(columns["token_ids"], columns["log_probs"], strict=True)
    columns["log_probs"] = [
        np.full(len(tokens), np.nan, np.float32) if known is None else known for tokens, known in numbers
    ]
    return [Rollout(**dict(zip(columns, cells, strict=True))) for cells in zip(*columns.values(), strict=True)]


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
    columns = writer.columns(
        "SELECT teacher, rollout, temperature, log_probs FROM rollout_log_probs WHERE question = ?", [question]
    )
    for teacher, rollout, temperature, log_probs in zip(*columns.values(), strict=True):
        found.setdefault(teacher, {})[rollout, temperature] = log_probs
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


def prompt_texts(writer: RunWriter) -> list[str]:
    """Return the student's prompts of a run, in the order of its questions."""
    return writer.query("SELECT prompt_text FROM questions ORDER BY question")["prompt_text"].tolist()


def first_rollouts(
    writer: RunWriter, questions: int, rollouts: int
) -> list[tuple[list[int], list[tuple[list[int], np.ndarray]]]]:
    """Return the prompts of the first questions, each with token ids and log-probabilities of its first rollouts."""
    sql = """
        SELECT question, prompt_ids, token_ids, log_probs FROM rollouts JOIN questions USING (question)
        WHERE question < $questions AND rollout < $rollouts AND rollouts.stage = 'initial' AND log_probs IS NOT NULL
        ORDER BY question, rollout"""
    found = writer.query(sql, {"questions": questions, "rollouts": rollouts})
    return [
        (
            list(map(int, part["prompt_ids"].iloc[0])),
            [
                (list(map(int, tokens)), np.array(log_probs, dtype=np.float32))
                for tokens, log_probs in zip(part["token_ids"], part["log_probs"], strict=True)
            ],
        )
        for _, part in found.groupby("question")
    ]


@dataclass(frozen=True, eq=False)
class Taught:
    """A scored question with teachers.

    Attributes:
        number: number of the question.
        id: its id.
        prompt: token ids of the student's prompt.
        responses: token ids of the initial rollouts.
        correct: their outcomes, bool (R,).
        teachers: token ids of the prompts of the teachers that have one, by name.
    """

    number: int
    id: str
    prompt: list[int]
    responses: list[list[int]]
    correct: np.ndarray
    teachers: dict[str, tuple[int, ...]]


def taught_questions(writer: RunWriter) -> list[Taught]:
    """Return the scored questions for which a teacher has a prompt."""
    scored = writer.query("SELECT question, id, prompt_ids FROM questions WHERE stage = 'scored' ORDER BY question")
    found = [_taught(writer, row) for row in scored.to_dict("records")]
    return [one for one in found if one.teachers]


def _taught(writer: RunWriter, row: Mapping[Hashable, Any]) -> Taught:
    drawn = "SELECT token_ids, correct FROM rollouts WHERE question = ? AND stage = 'initial' ORDER BY rollout"
    rollouts = writer.columns(drawn, [row["question"]])
    teachers = _rows(
        writer, "SELECT teacher, prompt_ids FROM contexts WHERE question = ? AND available", row["question"]
    )
    return Taught(
        number=int(row["question"]),
        id=row["id"],
        prompt=row["prompt_ids"].tolist(),
        responses=[tokens.tolist() for tokens in rollouts["token_ids"]],
        correct=np.array(rollouts["correct"], dtype=bool),
        teachers={one["teacher"]: tuple(one["prompt_ids"].tolist()) for one in teachers},
    )


def is_to_be_rescored(writer: RunWriter) -> bool:
    """Whether a question has all its rollouts and no scores of this version."""
    return bool(writer.query("SELECT 1 FROM questions WHERE stage = 'targeted' LIMIT 1").size)


def shares_below(writer: RunWriter, gap: float) -> dict[str, float]:
    """Return for each teacher the share of path tokens at which it differs from the student by less than `gap` nats.

    A teacher that is the student itself differs by exactly 0, and does not count.
    """
    sql = """
        SELECT t.teacher, avg((abs(t.log_q - n.log_p) < $gap)::DOUBLE) AS share
        FROM path_tokens AS p JOIN teacher_tokens AS t ON t.question = p.question AND t.node = p.child
        JOIN nodes AS n ON n.question = p.question AND n.node = p.child
        WHERE n.log_p IS NOT NULL AND t.log_q IS NOT NULL AND t.log_q <> n.log_p
        GROUP BY t.teacher ORDER BY t.teacher"""
    found = writer.query(sql, {"gap": gap})
    return dict(zip(found["teacher"], map(float, found["share"]), strict=True))


def unfinished_questions(writer: RunWriter, teachers: Sequence[str]) -> list[int]:
    """Return the questions that are not scored, or have neither scores of a teacher nor a reason for their absence."""
    known = "SELECT count(DISTINCT teacher) FROM contexts AS c WHERE c.question = q.question AND teacher IN $teachers"
    sql = f"SELECT question FROM questions AS q WHERE stage <> $scored OR ({known}) < $wanted ORDER BY question"
    params = {"teachers": list(teachers), "scored": QuestionStage.SCORED.value, "wanted": len(teachers)}
    return writer.query(sql, params)["question"].tolist()


def is_sampled(writer: RunWriter) -> bool:
    """Whether all rollouts of all questions are sampled."""
    stages = set(writer.query("SELECT DISTINCT stage FROM questions")["stage"])
    return bool(stages) and stages <= {stage for stage in QuestionStage if stage.reached(QuestionStage.TARGETED)}


def guiding_teachers(writer: RunWriter) -> frozenset[str]:
    """Return the teachers that determine the forced tokens: those of the original run."""
    return frozenset(writer.query("SELECT teacher FROM teachers WHERE guided_targeting")["teacher"])


def teachers_in_use(writer: RunWriter) -> set[str]:
    """Return the teachers with scores, or a reason for their absence, for at least one question."""
    return set(writer.query("SELECT DISTINCT teacher FROM contexts")["teacher"])


def screened_contexts(writer: RunWriter) -> set[str]:
    """Return the contexts with a screening, or a reason for its absence, for at least one question."""
    return set(writer.query("SELECT DISTINCT context FROM screening")["context"])


def known_tokens(writer: RunWriter) -> set[int]:
    """Return the tokens in the vocabulary of the run file."""
    return set(writer.query("SELECT token FROM vocabulary")["token"].tolist())
