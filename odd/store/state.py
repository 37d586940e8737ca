"""What a worker asks of its run file: how far each question is, and what was drawn for it."""

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from odd.analysis.planning import Plan
from odd.questions.contexts import Attempt
from odd.rollouts.sampling import Rollout, Stage
from odd.store import RunWriter


def question_stage(writer: RunWriter, question: int) -> str:
    """How far a question is: new, sampled, planned, targeted or scored."""
    return writer.query("SELECT stage FROM questions WHERE question = ?", [question])["stage"].item()


def teachers_with_context(writer: RunWriter, question: int) -> set[str]:
    """Teachers that a question has been scored with, or that it has a reason not to be."""
    return set(writer.query("SELECT teacher FROM contexts WHERE question = ?", [question])["teacher"])


def guiding_teachers(writer: RunWriter) -> set[str]:
    """Teachers whose gradients choose what is forced: those the run was made with."""
    return set(writer.query("SELECT teacher FROM teachers WHERE guided_targeting")["teacher"])


def known_tokens(writer: RunWriter) -> set[int]:
    """Tokens that the run file spells out already."""
    return set(writer.query("SELECT token FROM vocabulary")["token"].tolist())


def has_components(writer: RunWriter, question: int) -> bool:
    """Whether a question has been scored with any teacher."""
    return not writer.query("SELECT node FROM components WHERE question = ? LIMIT 1", [question]).empty


def stored_rollouts(writer: RunWriter, question: int, stage: Stage) -> list[Rollout]:
    """The rollouts of a stage, in the order they were drawn."""
    frame = writer.query("SELECT * FROM rollouts WHERE question = ? AND stage = ? ORDER BY rollout", [question, stage])
    return [
        Rollout(
            stage=stage,
            chunk=row["chunk"],
            launch=row["launch"],
            token_ids=tuple(row["token_ids"].tolist()),
            log_probs=_log_probs(row),
            text=row["text"],
            answer=row["answer"] if isinstance(row["answer"], str) else None,
            correct=bool(row["correct"]),
            truncated=bool(row["truncated"]),
        )
        for row in frame.to_dict("records")
    ]


def _log_probs(row: dict[Hashable, Any]) -> np.ndarray:
    """Log-probabilities of a rollout; NaN where they are not known yet."""
    known = row["log_probs"]
    return np.full(len(row["token_ids"]), np.nan, np.float32) if known is None else np.asarray(known, dtype=np.float32)


def _unknown(log_probs: np.ndarray) -> bool:
    return len(log_probs) > 0 and bool(np.isnan(log_probs).all())


def unscored_chunks(writer: RunWriter, question: int) -> set[int]:
    """Chunks of imported rollouts whose log-probabilities are not known yet."""
    missing = "SELECT DISTINCT chunk FROM rollouts WHERE question = ? AND stage = 'initial' AND log_probs IS NULL"
    return set(writer.query(missing, [question])["chunk"].tolist())


def stored_paths(writer: RunWriter, question: int) -> list[int]:
    """The rollouts that were chosen as paths."""
    return writer.query("SELECT rollout FROM paths WHERE question = ? ORDER BY path", [question])["rollout"].tolist()


def stored_plan(writer: RunWriter, question: int, responses: Sequence[tuple[int, ...]]) -> Plan:
    """The plan that was made for a question; `responses` are the tokens of its paths.

    Read back rather than made again: a plan made on another machine, or with a teacher that has changed, could differ.
    """
    pairs: list[dict] = writer.query("SELECT * FROM pairs WHERE question = ? ORDER BY pair", [question]).to_dict(
        "records"
    )
    forced = [
        (*responses[pair["path"]][: pair["position"]], pair["token"]) for pair in pairs for _ in range(pair["launched"])
    ]
    return Plan(forced, pairs)


def teachers_in_use(writer: RunWriter) -> set[str]:
    """Teachers that at least one question has been scored with, or has a reason not to be."""
    return set(writer.query("SELECT DISTINCT teacher FROM contexts")["teacher"])


def is_scored(writer: RunWriter, teacher: str) -> bool:
    """Whether every question has been scored with a teacher, or has a reason not to be."""
    left = "stage <> 'scored' OR question NOT IN (SELECT question FROM contexts WHERE teacher = ?)"
    return writer.query(f"SELECT question FROM questions WHERE {left}", [teacher]).empty


def is_sampled(writer: RunWriter) -> bool:
    """Whether no question needs another rollout."""
    stages = set(writer.query("SELECT DISTINCT stage FROM questions")["stage"])
    return bool(stages) and stages <= {"targeted", "scored"}


def insert_rollouts(writer: RunWriter, question: int, first: int, rollouts: Sequence[Rollout]) -> None:
    """Append rollouts, numbered from `first`. Where nothing is known of the log-probabilities, there are none."""
    rows = [
        {
            "question": question,
            "rollout": first + i,
            "stage": rollout.stage,
            "chunk": rollout.chunk,
            "launch": rollout.launch,
            "token_ids": rollout.token_ids,
            "log_probs": None if rollout.launch == 0 and _unknown(rollout.log_probs) else rollout.log_probs,
            "text": rollout.text,
            "answer": rollout.answer,
            "correct": rollout.correct,
            "truncated": rollout.truncated,
        }
        for i, rollout in enumerate(rollouts)
    ]
    writer.insert("rollouts", rows)


def insert_timing(
    writer: RunWriter, question: int, stage: str, teacher: str | None, seconds: float, items: int, tokens: int
) -> None:
    """Note what a piece of work cost."""
    row = {"question": question, "stage": stage, "teacher": teacher}
    writer.insert("timings", [row | {"seconds": seconds, "items": items, "tokens": tokens}])


def stored_attempts(writer: RunWriter, question: int, source: str) -> list[Attempt]:
    """Tries of a model at a question, in the order they were drawn."""
    sql = "SELECT text, correct, truncated FROM demonstrations WHERE question = ? AND source = ? ORDER BY attempt"
    rows = writer.query(sql, [question, source]).to_dict("records")
    return [Attempt(row["text"], bool(row["correct"]), bool(row["truncated"])) for row in rows]


def insert_attempts(
    writer: RunWriter, question: int, source: str, first: int, temperature: float, made: Sequence[Rollout]
) -> None:
    """Append tries, numbered from `first`."""
    rows = [
        {
            "question": question,
            "source": source,
            "attempt": first + i,
            "chunk": rollout.chunk,
            "temperature": temperature,
            "text": rollout.text,
            "answer": rollout.answer,
            "correct": rollout.correct,
            "truncated": rollout.truncated,
        }
        for i, rollout in enumerate(made)
    ]
    writer.insert("demonstrations", rows)


def stored_summary(writer: RunWriter, question: int, summarizer: str, request: str) -> tuple[str | None, int]:
    """A summary and how many tries it took; (None, 0) before it was asked for."""
    sql = "SELECT text, tries FROM summaries WHERE question = ? AND summarizer = ? AND request = ?"
    rows = writer.query(sql, [question, summarizer, request]).to_dict("records")
    if not rows:
        return None, 0
    return (rows[0]["text"] if isinstance(rows[0]["text"], str) else None), int(rows[0]["tries"])


def screened_contexts(writer: RunWriter, question: int | None = None) -> set[str]:
    """Contexts that a question, or any question, has been screened with, or has a reason not to be."""
    sql = "SELECT DISTINCT context FROM screening WHERE question = coalesce(?, question)"
    return set(writer.query(sql, [question])["context"])


def screened_prompt(writer: RunWriter, question: int, context: str) -> tuple[int, ...] | None:
    """The prompt of a context, empty where it could not be made; None before that was tried."""
    sql = "SELECT available, prompt_ids FROM screening WHERE question = ? AND context = ?"
    rows = writer.query(sql, [question, context]).to_dict("records")
    if not rows:
        return None
    return tuple(rows[0]["prompt_ids"].tolist()) if rows[0]["available"] else ()


def screened_chunks(writer: RunWriter, question: int, context: str) -> set[int]:
    """Chunks of rollouts behind a context that were drawn."""
    sql = "SELECT DISTINCT chunk FROM screening_rollouts WHERE question = ? AND context = ?"
    return set(writer.query(sql, [question, context])["chunk"].tolist())


LogProbs = dict[tuple[int, float], np.ndarray]
"""Log-probabilities of the tokens of rollouts, float32 (T,), by rollout and loss temperature."""


def stored_log_probs(writer: RunWriter, question: int, teacher: str | None) -> LogProbs:
    """What a teacher (None: the student) made of rollouts."""
    rows = writer.query(
        "SELECT rollout, temperature, log_probs FROM rollout_log_probs "
        "WHERE question = ? AND teacher IS NOT DISTINCT FROM ?",
        [question, teacher],
    )
    keys = zip(rows["rollout"].tolist(), rows["temperature"].tolist(), strict=True)
    return dict(zip(keys, rows["log_probs"], strict=True))


def insert_log_probs(writer: RunWriter, question: int, teacher: str | None, log_probs: LogProbs) -> None:
    """Keep what a teacher (None: the student) made of some rollouts."""
    same = {"question": question, "teacher": teacher}
    rows = [
        same | {"rollout": rollout, "temperature": temperature, "log_probs": read}
        for (rollout, temperature), read in log_probs.items()
    ]
    writer.insert("rollout_log_probs", rows)
