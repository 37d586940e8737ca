"""Verdicts on responses outside a run: the answer that is found in each, and whether it is right."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from odd.errors import OddError
from odd.questions.base import Question
from odd.questions.files import question_of
from odd.questions.isolated import UNJUDGED, unevaluated
from odd.questions.thinking import Marks
from odd.questions.verifiers import is_correct, judged_gold, read_answer
from odd.row_files import Row


@dataclass(frozen=True)
class Verdict:
    """What a verifier says of a response.

    Attributes:
        correct: whether the answer is right.
        answer: the answer found in the response; None if there is none.
        error: why the row cannot be judged, for example because its gold answer is refused; None if it can.
    """

    correct: bool
    answer: str | None = None
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The verdict as a JSON object; `error` only if there is one."""
        found = {"correct": self.correct, "answer": self.answer}
        return found | ({"error": self.error} if self.error is not None else {})


@dataclass(frozen=True)
class Judged:
    """A response with its verdict.

    Attributes:
        place: where the response is, for messages.
        gold: gold answer as it is written; None if unknown.
        reward: the reward that it is compared with; None if it has none.
        verdict: the verdict.
    """

    place: str
    gold: Any
    reward: float | None
    verdict: Verdict


def verdicts(
    rows: Iterable[Row], reward: str | None = None, inside: bool = False, marks: Marks | None = None
) -> Iterator[Judged]:
    """Judge responses.

    Args:
        rows: place and fields of each: `kind`, `answer` (the gold one), `response`, and the other columns of a question
            file where its kind needs them; `inside_thinking`: whether the prompt has opened the thinking part. Other
            fields are ignored.
        reward: column of rewards to compare with.
        inside: whether all prompts have opened the thinking part; otherwise the rows tell.
        marks: marks of a thinking part beside the usual ones.

    Raises:
        OddError: the verifier needs a package that is not installed.
    """
    for place, row in rows:
        cells = row if isinstance(row, Mapping) else {}
        value = cells.get(reward)
        compared = cells.get("answer"), value if isinstance(value, int | float) else None
        try:
            question, response = _parsed(place, row)
        except OddError as error:
            yield Judged(place, *compared, Verdict(False, error=str(error)))
            continue
        answer = read_answer(question, response, inside or cells.get("inside_thinking") is True, marks)
        yield Judged(place, *compared, Verdict(is_correct(question, answer), answer))


def _parsed(place: str, row: Any) -> tuple[Question, str]:
    if not isinstance(row, Mapping) or not isinstance(row.get("response"), str):
        raise OddError(f"{place}: it has no response: write an object with kind, answer and response, all texts")
    fields = {name: cell for name, cell in row.items() if name in Question.model_fields and cell is not None}
    question = question_of(place, {"id": "1", "question": "?"} | fields)
    gold = judged_gold(question)
    if gold is not None and unevaluated([gold]) is not None:
        raise OddError(f"{place}: the gold answer {UNJUDGED}: write it in another form")
    return question, row["response"]
