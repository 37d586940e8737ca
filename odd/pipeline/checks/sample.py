"""Rollouts of the check: two of each of the first questions, and the prompts of the teachers for these questions."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from odd.config import RunConfig, TeacherConfig
from odd.models.base import LanguageModel, encode_prompt
from odd.pipeline.checks.finding import Finding, judged
from odd.questions.base import Question
from odd.questions.contexts import ContextUnavailable, Demonstration, given_by, teacher_block
from odd.rollouts.sampling import Rollout, sample_chunk
from odd.text import shortened

ROLLOUTS, QUESTIONS = 8, 4
"""Rollouts, and questions that they are divided among."""


@dataclass(frozen=True)
class Sample:
    """Rollouts of a question.

    Attributes:
        question: the question.
        prompt: token ids of the student's prompt.
        rollouts: rollouts of the student.
    """

    question: Question
    prompt: tuple[int, ...]
    rollouts: Sequence[Rollout]


def sampled(config: RunConfig, questions: Sequence[Question], student: LanguageModel) -> tuple[list[Sample], float]:
    """Sample the rollouts of the check; return them and the seconds it took."""
    asked = questions[:QUESTIONS]
    count = -(-ROLLOUTS // len(asked))
    samples, started = [], time.perf_counter()
    for question in asked:
        prompt = tuple(encode_prompt(student, question.messages(templates=config.templates)))
        made = sample_chunk(student, question, prompt, [()] * count, config.sampling, "initial", 0, "check")
        samples.append(Sample(question, prompt, made))
    return samples, time.perf_counter() - started


def messages_of(
    teacher: TeacherConfig, sample: Sample, config: RunConfig, others: Sequence[Rollout]
) -> list[dict[str, str]]:
    """Return the messages that a teacher would see, with rollouts as demonstrations.

    Args:
        teacher: the teacher.
        sample: the question and its rollouts.
        config: settings of the run.
        others: rollouts of other questions, which stand in for missing ones.

    Raises:
        ContextUnavailable: no rollout can be shown, or the question has no solution or hint.
    """
    question, shown = sample.question, []
    if teacher.column is not None:
        shown.append(given_by(getattr(question, teacher.column), teacher.column))
    for outcome, count in zip((True, False), teacher.shown, strict=True):
        found = [one for one in (*sample.rollouts, *others) if one.correct == outcome and not one.truncated]
        if count and not found:
            raise ContextUnavailable(f"a {'correct' if outcome else 'wrong'} response is missing among the rollouts")
        shown += [Demonstration((found * count)[i].text, outcome, config.student.label) for i in range(count)]
    block = teacher_block(question.block(config.templates), teacher, shown, config.templates)
    return question.messages(block, config.templates)


def rollout_findings(samples: Sequence[Sample], config: RunConfig, student: LanguageModel) -> Iterator[Finding]:
    """Report answers, verdicts, truncation and end tokens of the rollouts."""
    made = [(sample.question, rollout) for sample in samples for rollout in sample.rollouts]
    rollouts = [rollout for _, rollout in made]
    count = len(rollouts)
    shown = tuple(
        (
            f"{question.id}, gold {shortened(question.answer, 40)}: {_verdict(rollout)}",
            shortened(rollout.text, 600),
        )
        for question, rollout in made
    )
    right = sum(rollout.correct for rollout in rollouts)
    cut = sum(rollout.truncated for rollout in rollouts)
    without = sum(rollout.answer is None and not rollout.truncated for rollout in rollouts)
    yield Finding("rollouts", "ok", f"{count} rollouts, {right} correct, {cut} truncated", shown=shown)
    yield judged(
        "truncation",
        cut <= count / 4,
        f"{cut} of {count} reach the limit of {config.sampling.max_new_tokens} tokens",
        "raise sampling.max_new_tokens: truncated rollouts count as wrong, and lower every P_succ",
    )
    yield judged(
        "answers",
        without <= count / 4,
        f"{without} of {count} complete ones have no answer that can be found",
        'ask for one, e.g. with templates.instruction = "... End with a line \\"Answer: X\\"."; see docs/questions.md',
    )
    yield judged(
        "success",
        0 < right < count,
        f"{right} of {count} are correct",
        "a question without correct rollouts is excluded, and one without wrong ones has nothing to learn: choose "
        f"{'easier' if right == 0 else 'harder'} questions, or look at the verdicts above",
    )
    ended = sum(student.tokenizer.is_end(token) for one in rollouts for token in one.token_ids[-1:].tolist())
    kinds = sorted({student.tokenizer.token_bytes(token).decode(errors="replace")
                    for one in rollouts if not one.truncated for token in one.token_ids[-1:].tolist()})  # fmt: skip
    yield judged(
        "end of turn",
        ended > 0,
        f"{ended} of {count} end with an end token" + (f" ({', '.join(kinds)})" if kinds else ""),
        "none ends: check eos_token_id in the student's generation_config, or raise sampling.max_new_tokens",
    )


def _verdict(rollout: Rollout) -> str:
    found = "truncated" if rollout.truncated else "no answer" if rollout.answer is None else f"answer {rollout.answer}"
    return f"{shortened(found, 60)}, {'correct' if rollout.correct else 'wrong'}"


def round_trip_findings(samples: Sequence[Sample], student: LanguageModel) -> Iterator[Finding]:
    """Report whether text and token ids of the rollouts correspond."""
    rollouts = [rollout for sample in samples for rollout in sample.rollouts]
    tokens = [one.token_ids.tolist() for one in rollouts]
    bare = [ids[:-1] if ids and student.tokenizer.is_end(ids[-1]) else ids for ids in tokens]
    same_ids = sum(list(student.tokenizer.encode(one.text)) == ids for one, ids in zip(rollouts, bare, strict=True))
    same_text = sum(student.tokenizer.decode(student.tokenizer.encode(one.text)) == one.text for one in rollouts)
    count = len(rollouts)
    yield judged(
        "round trip",
        same_text == count,
        f"{same_text} of {count} texts survive encoding and decoding, {same_ids} encode to the sampled tokens",
        "logs of text cannot be imported faithfully: log token ids (docs/import.md)",
    )


def lengths(samples: Sequence[Sample]) -> np.ndarray:
    """Return the number of tokens of each rollout."""
    return np.array([len(rollout.token_ids) for sample in samples for rollout in sample.rollouts])
