"""Verdicts on the responses of logs, without a model: questions are found by id, or by the text of the prompt."""

from collections.abc import Iterable, Iterator, Sequence

from odd.questions.base import Question
from odd.questions.thinking import Marks, ends_in_thinking
from odd.questions.verdicts import Judged, Verdict
from odd.questions.verifiers import is_correct, read_answer
from odd.rollouts.log_formats import Record
from odd.rollouts.log_prompts import Refused, contained
from odd.rollouts.log_questions import gold_question
from odd.rollouts.log_turns import shows_turn
from odd.text import shortened


def log_verdicts(
    records: Iterable[Record], questions: Sequence[Question] | None, inside: bool = False, marks: Marks | None = None
) -> Iterator[Judged]:
    """Judge the responses of logs.

    Args:
        records: the logged rollouts.
        questions: the questions that they may respond to; None: each is judged by the gold answer of its row.
        inside: whether all prompts have opened the thinking part; otherwise the logged prompts tell.
        marks: marks of a thinking part beside the usual ones.

    Raises:
        OddError: the verifier needs a package that is not installed.
    """
    by_id = {question.id: question for question in questions or ()}
    for record in records:
        try:
            if record.refusal is not None:
                raise Refused(record.refusal)
            question = _of_gold(record) if questions is None else _question(record, questions, by_id)
            if record.response is None:
                raise Refused("it has no response" if record.token_ids is None else "it has no text: import it instead")
            if shows_turn(record.response):
                raise Refused("its response contains further turns, which the student did not write")
        except Refused as reason:
            yield Judged(record.place, None, record.reward, Verdict(False, error=f"{record.place}: {reason}"))
            continue
        thinks = inside or (isinstance(record.prompt, str) and ends_in_thinking(record.prompt, marks))
        answer = None if record.truncated else read_answer(question, record.response, thinks, marks)
        yield Judged(record.place, question.answer, record.reward, Verdict(is_correct(question, answer), answer))


def _of_gold(record: Record) -> Question:
    """Return a question with the gold answer of a row.

    Raises:
        Refused: it has none, or no verifier takes it.
    """
    if record.gold is None:
        raise Refused("it has no gold answer: give the questions")
    question = gold_question({"id": "logged", "question": "as logged"}, record.gold)
    if question is None:
        raise Refused(f"no verifier takes its gold answer {shortened(repr(record.gold), 60)}")
    return question


def _question(record: Record, questions: Sequence[Question], by_id: dict[str, Question]) -> Question:
    """Return the question of a rollout.

    Raises:
        Refused: there is none, or there are several.
    """
    if record.question is not None:
        if record.question not in by_id:
            raise Refused("no question has this id")
        return by_id[record.question]
    if not record.prompt:
        raise Refused("it has neither question nor prompt")
    prompt = record.prompt if isinstance(record.prompt, str) else record.prompt[-1]["content"]
    found = contained(questions, prompt)
    if len(found) != 1:
        raise Refused(f"its prompt contains the text of {'several questions' if found else 'no question'}")
    return questions[found[0]]
