"""What a worker asks of its run file: how far each question is, and what was drawn for it."""

from collections.abc import Sequence

import numpy as np

from odd.pipeline.planning import Plan
from odd.rollouts import Rollout, Stage
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


def stored_rollouts(writer: RunWriter, question: int, stage: Stage) -> list[Rollout]:
    """The rollouts of a stage, in the order they were drawn."""
    frame = writer.query("SELECT * FROM rollouts WHERE question = ? AND stage = ? ORDER BY rollout", [question, stage])
    return [
        Rollout(
            stage=stage,
            chunk=row["chunk"],
            launch=row["launch"],
            token_ids=tuple(row["token_ids"].tolist()),
            log_probs=np.asarray(row["log_probs"], dtype=np.float32),
            text=row["text"],
            answer=row["answer"] if isinstance(row["answer"], str) else None,
            correct=bool(row["correct"]),
            truncated=bool(row["truncated"]),
        )
        for row in frame.to_dict("records")
    ]


def stored_paths(writer: RunWriter, question: int) -> list[int]:
    """The rollouts that were chosen as paths."""
    return writer.query("SELECT rollout FROM paths WHERE question = ? ORDER BY path", [question])["rollout"].tolist()


def stored_plan(writer: RunWriter, question: int, responses: Sequence[tuple[int, ...]]) -> Plan:
    """The plan that was made for a question; `responses` are the tokens of its paths.

    Read back rather than made again: a plan made on another machine, or with a teacher that has changed, could differ.
    """
    pairs = writer.query("SELECT * FROM pairs WHERE question = ? ORDER BY pair", [question]).to_dict("records")
    forced = [
        (*responses[pair["path"]][: pair["position"]], pair["token"]) for pair in pairs for _ in range(pair["launched"])
    ]
    return Plan(forced, [])


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
    """Append rollouts, numbered from `first`."""
    rows = [
        {
            "question": question,
            "rollout": first + i,
            "stage": rollout.stage,
            "chunk": rollout.chunk,
            "launch": rollout.launch,
            "token_ids": rollout.token_ids,
            "log_probs": rollout.log_probs,
            "text": rollout.text,
            "answer": rollout.answer,
            "correct": rollout.correct,
            "truncated": rollout.truncated,
        }
        for i, rollout in enumerate(rollouts)
    ]
    writer.insert("rollouts", rows)


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
