"""What a worker asks of its run file: how far each question is, and what was drawn for it."""

from collections.abc import Sequence

import numpy as np

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
