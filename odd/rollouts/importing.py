"""From logged rollouts to rollouts of a run: token ids, outcome, and an account of what was taken and what not."""

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


@dataclass
class Account:
    """What became of the rows of the logs.

    Attributes:
        taken: rollouts.
        refused: rows that were not taken, by reason.
        examples: a place for each reason.
        without: questions without a rollout, which are left out.
        agreeing: rollouts whose reward says what the verifier of their question says.
        judged: rollouts with both.
    """

    taken: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    without: int = 0
    agreeing: int = 0
    judged: int = 0

    def refuse(self, record: Record, reason: str) -> None:
        """Count a row that is not taken."""
        self.refused[reason] += 1
        self.examples.setdefault(reason, record.place)

    def to_json(self) -> str:
        """As it is kept in the run."""
        reasons = [{"reason": r, "rows": n, "example": self.examples[r]} for r, n in self.refused.most_common()]
        counts = {"taken": self.taken, "without": self.without, "agreeing": self.agreeing, "judged": self.judged}
        return json.dumps(counts | {"refused": reasons})


@dataclass(frozen=True)
class Imported:
    """Rollouts of a run that were made elsewhere.

    Attributes:
        questions: those that have rollouts, asked as the logs say.
        rollouts: of each question; their log-probabilities are not known yet and NaN.
        account: what was taken and what not.
        digest: hex digits that tell these rollouts from any others.
    """

    questions: list[Question]
    rollouts: list[list[Rollout]]
    account: Account
    digest: str


def take_rollouts(config: RunConfig, questions: Sequence[Question], student: LanguageModel) -> Imported:
    """Read the logs that `config.imported` names.

    Args:
        config: settings of the run.
        questions: what the rollouts may be responses to.
        student: its tokenizer and chat template are those that the rollouts were made with.

    Raises:
        OddError: the logs cannot be read, or hold no rollout that can be taken.
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
        raise OddError(f"import: no rollout can be taken: {_reasons(account)}")
    numbers = sorted(taken)
    size = config.sampling.batch_size
    rollouts = [[_in_chunk(rollout, i // size) for i, rollout in enumerate(taken[number])] for number in numbers]
    kept = [asked[number] for number in numbers]
    return Imported(kept, rollouts, account, _digest(kept, rollouts))


def _reasons(account: Account) -> str:
    if not account.refused:
        return "the logs are empty; give others"
    return "; ".join(
        f"{reason} ({n} rows, such as {account.examples[reason]})" for reason, n in account.refused.items()
    )


def _same_prompt(
    asked: dict[int, Question], what: Asked, questions: Sequence[Question], templates: Templates
) -> Question:
    """The question with the prompt of this rollout, which must be that of its first one."""
    question = with_prompt(questions[what.question], what.messages, templates)
    if asked.get(what.question, question) != question:
        raise Refused("its prompt is another than that of the question's first rollout")
    return question


def _rollout(
    record: Record, question: Question, student: LanguageModel, config: RunConfig, account: Account
) -> Rollout:
    """A row as a rollout.

    Raises:
        Refused: it has no reward that is needed, or its tokens cannot be taken.
    """
    assert config.imported is not None
    verify, threshold = config.imported.verify, config.imported.threshold
    if record.reward is None and not verify:
        raise Refused("it has no reward")
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
    """Token ids of a response, its end token included, and whether it was cut at the limit.

    Raises:
        Refused: tokenising its text does not give the text back; it is too long; or it just stops.
    """
    if record.token_ids is not None:
        tokens = record.token_ids
        if any(not 0 <= token < student.scorer.vocabulary_size for token in tokens):
            raise Refused("a token id is none of the student's vocabulary")
        end = next((i for i, token in enumerate(tokens) if student.tokenizer.is_end(token)), None)
        if end is not None:  # what follows is padding
            tokens = tokens[: end + 1]
    else:
        text = (record.response or "").removesuffix(student.tokenizer.token_bytes(student.tokenizer.end_token).decode())
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise Refused("its text is not valid Unicode")
        tokens, end = tuple(student.tokenizer.encode(text)), None
        if student.tokenizer.decode(tokens) != text:
            raise Refused("tokenising its text and decoding that does not give the text back")
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
