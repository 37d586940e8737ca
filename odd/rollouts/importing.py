"""Import of logged rollouts into a run: token ids, outcomes, and counts of imported and refused rows."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from odd.config import RunConfig
from odd.config.teachers import Templates
from odd.errors import OddError
from odd.models.base import LanguageModel
from odd.questions.base import Question
from odd.questions.verifiers import is_correct, read_answer
from odd.rollouts.log_formats import Record
from odd.rollouts.log_prompts import Asked, Prompts, Refused, with_prompt
from odd.rollouts.log_questions import logged_questions
from odd.rollouts.log_records import read_records
from odd.rollouts.log_turns import TurnMarks, is_padding
from odd.rollouts.sampling import Rollout, opens_thinking
from odd.text import is_unicode

CHECKED, TOLERANCE = 8, 0.05
"""Rollouts whose logged log-probabilities are compared with the student's, and the mean difference in nats per token
up to which all logged ones are used."""


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
        from_text: number of rollouts whose token ids were encoded from text.
        reencoded: number of the others whose text encodes to the same token ids.
        log_probs: check of the logged log-probabilities: number of `rollouts` that have them, number `checked`, mean
            and largest `difference` in nats per token, and whether they are `used`; None if there are none.
    """

    taken: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    without: int = 0
    agreeing: int = 0
    judged: int = 0
    from_text: int = 0
    reencoded: int = 0
    log_probs: dict[str, float] | None = None

    def refuse(self, record: Record, reason: str) -> None:
        """Count a refused row."""
        self.refused[reason] += 1
        self.examples.setdefault(reason, record.place)

    def to_json(self) -> str:
        """Return the JSON stored in the run."""
        reasons = [{"reason": r, "rows": n, "example": self.examples[r]} for r, n in self.refused.most_common()]
        names = ("taken", "without", "agreeing", "judged", "from_text", "reencoded", "log_probs")
        return json.dumps({name: getattr(self, name) for name in names} | {"refused": reasons})


@dataclass(frozen=True)
class Imported:
    """Imported rollouts.

    Attributes:
        questions: questions with rollouts, with the prompts of the logs.
        rollouts: rollouts of each question; unknown log-probabilities are NaN.
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
        questions: the questions that the rollouts may respond to; not used if the source is the log itself.
        student: a model with the tokenizer and chat template that the rollouts were sampled with.

    Raises:
        OddError: the logs cannot be read, or contain no rollout that can be imported.
    """
    assert config.imported is not None
    records, account = read_records(config.imported), Account()
    if config.asks_log:
        questions = _own_questions(config, records, student)
    prompts, marks = Prompts(student, questions, config.templates), TurnMarks(student.tokenizer)
    asked: dict[int, Question] = {}
    taken: dict[int, list[Rollout]] = {}
    for record in records:
        try:
            if record.refusal is not None:
                raise Refused(record.refusal)
            what = _asked(record, prompts, config)
            question = _same_prompt(asked, what, questions, config.templates)
            if config.asks_log and not _has_gold(question, record.gold):
                raise Refused("its gold answer differs from that of the question's first rollout")
            rollout = _rollout(record, question, student, config, account, marks)
        except Refused as reason:
            account.refuse(record, str(reason))
            continue
        asked[what.question] = question
        taken.setdefault(what.question, []).append(rollout)
    account.taken, account.without = sum(map(len, taken.values())), len(questions) - len(taken)
    if not taken:
        remedy = (
            "; give the questions with --questions FILE" if any("no question" in one for one in account.refused) else ""
        )
        raise OddError(f"import: no rollout can be imported: {_reasons(account)}{remedy}")
    numbers = sorted(taken)
    kept = [asked[number] for number in numbers]
    size = config.sampling.batch_size
    rollouts = [[replace(rollout, chunk=i // size) for i, rollout in enumerate(taken[number])] for number in numbers]
    rollouts = _with_log_probs(kept, rollouts, student, config, account)
    return Imported(kept, rollouts, account, _digest(kept, rollouts))


def _asked(record: Record, prompts: Prompts, config: RunConfig) -> Asked:
    """Return what a rollout responds to.

    Raises:
        Refused: its prompt matches no question, or cannot be used.
    """
    if not config.asks_log:
        return prompts.asked(record)
    if prompts.messages(record) is None:
        raise Refused("it has no prompt")
    try:
        return prompts.asked(replace(record, question=None))
    except Refused:
        raise Refused("its prompt has no answer that can serve as the gold answer") from None


def _has_gold(question: Question, gold: str | None) -> bool:
    """Return whether a question has this gold answer, or there is none."""
    return gold in (None, question.answer) or is_correct(question, gold)


def _own_questions(config: RunConfig, records: Sequence[Record], student: LanguageModel) -> list[Question]:
    """Return the questions of logs that come without a question file.

    Raises:
        OddError: the logs have no answers.
    """
    assert config.imported is not None
    found = logged_questions(
        records,
        Prompts(student, (), config.templates),
        config.imported.kind,
        config.imported.threshold,
        config.questions.limit,
    )
    if found or not records:
        return found
    if config.imported.kind is None and all(record.gold is None for record in records):
        raise OddError(
            "import: the logs have no gold answers: give them with --questions FILE, or take them from the rewarded "
            "responses with --kind KIND"
        )
    return found


def _with_log_probs(
    questions: Sequence[Question],
    rollouts: list[list[Rollout]],
    student: LanguageModel,
    config: RunConfig,
    account: Account,
) -> list[list[Rollout]]:
    """Check logged log-probabilities against the student's own; remove those that the student has to compute.

    A log may hold those of another temperature, of other weights, or of a sampler that scaled or shifted them.
    """
    scored = [
        (n, i)
        for n, own in enumerate(rollouts)
        for i, one in enumerate(own)
        if len(one.log_probs) and not np.isnan(one.log_probs).any()
    ]
    if not scored:
        return [[_unscored(one) for one in own] for own in rollouts]
    chosen = [scored[k] for k in np.unique(np.linspace(0, len(scored) - 1, CHECKED).round().astype(int))]
    differences = []
    for n, i in chosen:
        prompt = student.tokenizer.encode_chat(questions[n].messages(templates=config.templates))
        tokens = rollouts[n][i].token_ids.tolist()
        ((own,),) = student.scorer.token_log_probs(prompt, [tokens], (config.sampling.temperature,))
        differences.append(np.abs(own - rollouts[n][i].log_probs))
    every = np.concatenate(differences)
    used = bool(every.mean() <= TOLERANCE)
    account.log_probs = {
        "rollouts": len(scored),
        "checked": len(chosen),
        "mean": float(every.mean()),
        "difference": float(every.max()),
        "used": used,
    }
    # chunks are scored as a whole
    unknown = {(n, one.chunk) for n, own in enumerate(rollouts) for one in own if np.isnan(one.log_probs).any()}
    return [
        [one if used and (n, one.chunk) not in unknown else _unscored(one) for one in own]
        for n, own in enumerate(rollouts)
    ]


def _unscored(rollout: Rollout) -> Rollout:
    return replace(rollout, log_probs=np.full(len(rollout.token_ids), np.nan, np.float32))


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
    record: Record, question: Question, student: LanguageModel, config: RunConfig, account: Account, marks: TurnMarks
) -> Rollout:
    """Convert a row to a rollout.

    Raises:
        Refused: the row lacks a reward that is needed, or its tokens are invalid.
    """
    assert config.imported is not None
    verify, threshold = config.imported.verify, config.imported.threshold
    if record.reward is None and not verify:
        raise Refused("it has no reward (name its column with --reward; --verify needs none)")
    tokens, truncated = _tokens(record, student, config.sampling.max_new_tokens, marks)
    text = student.tokenizer.decode(tokens)
    inside = opens_thinking(student, student.tokenizer.encode_chat(question.messages(templates=config.templates)))
    answer = None if truncated else read_answer(question, text, inside, student.thinking_marks)
    right = is_correct(question, answer)
    if record.reward is not None:
        account.judged += 1
        account.agreeing += (record.reward > threshold) == right
        right = right if verify else record.reward > threshold and not truncated
    log_probs = np.full(len(tokens), np.nan, np.float32)
    if record.token_ids is None:
        account.from_text += 1
    else:
        account.reencoded += _encoded(text, truncated, student) == tokens
        if record.log_probs is not None and len(record.log_probs) >= len(tokens):
            log_probs = np.asarray(record.log_probs[: len(tokens)], np.float32)
    return Rollout("initial", 0, 0, np.array(tokens, dtype=np.int32), log_probs, text, answer, right, truncated)


def _encoded(text: str, truncated: bool, student: LanguageModel) -> tuple[int, ...]:
    """Return the token ids of a text, with the end token unless it was truncated."""
    end = () if truncated else (student.tokenizer.end_token,)
    return (*student.tokenizer.encode(text), *end)


def _tokens(record: Record, student: LanguageModel, limit: int, marks: TurnMarks) -> tuple[tuple[int, ...], bool]:
    """Return the token ids of a response, including its end token, and whether it was truncated at the limit.

    Raises:
        Refused: there is no response; it contains further turns; the text does not survive a round trip through the
            tokenizer; it is too long, or stops before the limit without an end token.
    """
    tokenizer = student.tokenizer
    if record.token_ids is not None:
        tokens = record.token_ids
        if any(not 0 <= token < student.scorer.vocabulary_size for token in tokens):
            raise Refused("a token id is not in the student's vocabulary")
        end = next((i for i, token in enumerate(tokens) if tokenizer.is_end(token)), None)
        if end is not None:
            if not is_padding(tokens[end + 1 :], tokenizer):
                raise Refused(
                    "what follows its end token is no padding: further turns, which the student did not write"
                )
            tokens = tokens[: end + 1]
    elif record.response is None:
        raise Refused("it has no response")
    else:
        text = record.response.removesuffix(tokenizer.token_bytes(tokenizer.end_token).decode())
        if not is_unicode(text):
            raise Refused("its text is not valid Unicode")
        if marks.found(text):
            raise Refused("its response contains further turns, which the student did not write")
        tokens, end = tuple(tokenizer.encode(text)), None
        if any(token >= student.scorer.vocabulary_size for token in tokens):
            raise Refused("the student has no embedding for one of its tokens")
        if tokenizer.decode(tokens) != text:
            raise Refused("encoding and decoding its text does not reproduce it")
        if not record.truncated and len(tokens) < limit:
            tokens, end = _encoded(text, False, student), len(tokens)
    if len(tokens) > limit:
        raise Refused(f"it is longer than sampling.max_new_tokens, which is {limit}")
    if end is None and not record.truncated and len(tokens) < limit:
        raise Refused(f"it ends neither with an end token nor at sampling.max_new_tokens, which is {limit}")
    return tokens, end is None


def _digest(questions: Sequence[Question], rollouts: Sequence[Sequence[Rollout]]) -> str:
    total = hashlib.sha256()
    for question, own in zip(questions, rollouts, strict=True):
        for rollout in own:
            parts = [question.id, rollout.token_ids.tolist(), bool(rollout.correct), rollout.truncated]
            total.update(json.dumps(parts).encode())
    return total.hexdigest()[:16]
