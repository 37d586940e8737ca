"""Import of logged rollouts into a run: token ids, outcomes, and counts of imported and refused rows."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from odd.config import RunConfig
from odd.config.teachers import Templates
from odd.errors import OddError
from odd.models.base import LanguageModel
from odd.questions.base import Question
from odd.questions.verifiers import is_correct, read_answer
from odd.rollouts.log_prompts import Asked, Prompts, Refused, with_prompt
from odd.rollouts.log_records import Record, read_records
from odd.rollouts.sampling import Rollout, opens_thinking
from odd.text import is_unicode


@dataclass
class Account:
    """Counts of imported and refused rows.

    Attributes:
        taken: number of imported rollouts.
        refused: number of refused rows by reason.
        examples: place of one refused row by reason.
        without: number of questions without a rollout, which are left out.
        agreeing: number of rollouts whose reward agrees with the verifier.
        judged: number of rollouts that have a reward.
    """

    taken: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    without: int = 0
    agreeing: int = 0
    judged: int = 0

    def refuse(self, record: Record, reason: str) -> None:
        """Count a refused row."""
        self.refused[reason] += 1
        self.examples.setdefault(reason, record.place)

    def to_json(self) -> str:
        """Return the JSON stored in the run."""
        reasons = [{"reason": r, "rows": n, "example": self.examples[r]} for r, n in self.refused.most_common()]
        counts = {"taken": self.taken, "without": self.without, "agreeing": self.agreeing, "judged": self.judged}
        return json.dumps(counts | {"refused": reasons})


@dataclass(frozen=True)
class Imported:
    """Imported rollouts.

    Attributes:
        questions: questions with rollouts, with the prompts of the logs.
        rollouts: rollouts of each question; their log-probabilities are still unknown (NaN).
        account: counts of imported and refused rows.
        digest: hex digest of questions and rollouts.
    """

    questions: list[Question]
    rollouts: list[list[Rollout]]
    account: Account
    digest: str


def take_rollouts(config: RunConfig, questions: Sequence[Question], student: LanguageModel) -> Imported:
    """Read the logs that `config.imported` names.

    Args:
        config: settings of the run.
        questions: the questions that the rollouts may respond to.
        student: a model with the tokenizer and chat template that the rollouts were sampled with.

    Raises:
        OddError: the logs cannot be read, or contain no rollout that can be imported.
    """
    assert config.imported is not None
    prompts, account = Prompts(student, questions, config.templates), Account()
    asked: dict[int, Question] = {}
    taken: dict[int, list[Rollout]] = {}
    for record in read_records(config.imported):
        try:
            what = prompts.asked(record)
            question = _same_prompt(asked, what, questions, config.templates)
            rollout = _rollout(record, question, student, config, account)
        except Refused as reason:
            account.refuse(record, str(reason))
            continue
        asked[what.question] = question
        taken.setdefault(what.question, []).append(rollout)
    account.taken, account.without = sum(map(len, taken.values())), len(questions) - len(taken)
    if not taken:
        raise OddError(f"import: no rollout can be imported: {_reasons(account)}")
    numbers = sorted(taken)
    size = config.sampling.batch_size
    rollouts = [[_in_chunk(rollout, i // size) for i, rollout in enumerate(taken[number])] for number in numbers]
    kept = [asked[number] for number in numbers]
    return Imported(kept, rollouts, account, _digest(kept, rollouts))


def _reasons(account: Account) -> str:
    if not account.refused:
        return "the logs are empty; give other files"
    return "; ".join(f"{reason} ({n} rows, e.g. {account.examples[reason]})" for reason, n in account.refused.items())


def _same_prompt(
    asked: dict[int, Question], what: Asked, questions: Sequence[Question], templates: Templates
) -> Question:
    """Return the question with the prompt of this rollout, which must equal that of its first rollout."""
    question = with_prompt(questions[what.question], what.messages, templates)
    if asked.get(what.question, question) != question:
        raise Refused("its prompt differs from that of the question's first rollout")
    return question


def _rollout(
    record: Record, question: Question, student: LanguageModel, config: RunConfig, account: Account
) -> Rollout:
    """Convert a row to a rollout.

    Raises:
        Refused: the row lacks a reward that is needed, or its tokens are invalid.
    """
    assert config.imported is not None
    verify, threshold = config.imported.verify, config.imported.threshold
    if record.reward is None and not verify:
        raise Refused("it has no reward")
    if record.response is None and record.token_ids is None:
        raise Refused("it has no response")
    tokens, truncated = _tokens(record, student, config.sampling.max_new_tokens)
    text = student.tokenizer.decode(tokens)
    inside = opens_thinking(student, student.tokenizer.encode_chat(question.messages(templates=config.templates)))
    answer = None if truncated else read_answer(question, text, inside)
    right = is_correct(question, answer)
    if record.reward is not None:
        account.judged += 1
        account.agreeing += (record.reward > threshold) == right
        right = right if verify else record.reward > threshold and not truncated
    unknown = np.full(len(tokens), np.nan, np.float32)
    return Rollout("initial", 0, 0, tokens, unknown, text, answer, right, truncated)


def _tokens(record: Record, student: LanguageModel, limit: int) -> tuple[tuple[int, ...], bool]:
    """Return the token ids of a response, including its end token, and whether it was truncated at the limit.

    Raises:
        Refused: the text does not survive a round trip through the tokenizer, the response is too long, or it stops
            before the limit without an end token.
    """
    if record.token_ids is not None:
        tokens = record.token_ids
        if any(not 0 <= token < student.scorer.vocabulary_size for token in tokens):
            raise Refused("a token id is not in the student's vocabulary")
        end = next((i for i, token in enumerate(tokens) if student.tokenizer.is_end(token)), None)
        if end is not None:  # what follows is padding
            tokens = tokens[: end + 1]
    else:
        text = (record.response or "").removesuffix(student.tokenizer.token_bytes(student.tokenizer.end_token).decode())
        if not is_unicode(text):
            raise Refused("its text is not valid Unicode")
        tokens, end = tuple(student.tokenizer.encode(text)), None
        if student.tokenizer.decode(tokens) != text:
            raise Refused("encoding and decoding its text does not reproduce it")
        if not record.truncated and len(tokens) < limit:
            tokens, end = (*tokens, student.tokenizer.end_token), len(tokens)
    if len(tokens) > limit:
        raise Refused(f"it is longer than sampling.max_new_tokens, which is {limit}")
    if end is None and not record.truncated and len(tokens) < limit:
        raise Refused(f"it ends neither with an end token nor at sampling.max_new_tokens, which is {limit}")
    return tokens, end is None


def _in_chunk(rollout: Rollout, chunk: int) -> Rollout:
    return Rollout(**{**vars(rollout), "chunk": chunk})


def _digest(questions: Sequence[Question], rollouts: Sequence[Sequence[Rollout]]) -> str:
    total = hashlib.sha256()
    for question, own in zip(questions, rollouts, strict=True):
        for rollout in own:
            parts = [question.id, rollout.token_ids, bool(rollout.correct), rollout.truncated]
            total.update(json.dumps(parts).encode())
    return total.hexdigest()[:16]
