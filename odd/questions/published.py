r"""Question sets as they are published, recognised by their columns, in files and data sets of the hub.

| set | columns |
|---|---|
| GSM8K | question, answer with `####` |
| MATH, AIME and others | problem, solution with `\boxed{}` or answer |
| MMLU, MMLU-Pro | question, choices or options, answer |
| ARC, CommonsenseQA, OpenBookQA | question or question_stem, choices, answerKey |
| SciQ | question, correct_answer, three distractors, support |
| BoolQ | question, passage, answer or label |
| verl's training files | prompt, reward_model |

`PASSED_OVER` are columns that say nothing to a student. Any other column might be part of the question, such as an
article, so a row that has one is not recognised.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from odd.errors import OddError
from odd.questions.answers import BOX, boxed
from odd.questions.cell_text import is_missing, named, text_of
from odd.questions.choices import options_in_columns
from odd.questions.numbers import read_number
from odd.text import shortened

NEEDED = ("question", "answer", "kind")
IDS = ("id", "unique_id", "question_id", "problem_idx")
KEPT = ("kind", "system", "hint")
"""Columns that every form may have, in addition to a solution."""
PASSED_OVER = {
    *("level", "type", "subject", "category", "src", "source", "url", "year", "part", "problem number", "topic"),
    *("difficulty", "split", "idx", "index", "subset", "domain", "title", "license", "question_concept"),
    *("problem_type", "competition", "answer_index", "cot_content", "humanscore", "clarity", "turkidanonymized"),
    *("unnamed: 0", "__index_level_0__"),
}
ANNOTATION = re.compile(r"<<[^<>]{0,200}>>")
"""What GSM8K writes for a calculator."""
BARE_BOX = re.compile(r"\\boxed ([^$]{1,100})\$")

Row = Mapping[str, Any]
Fields = dict[str, Any]


@dataclass(frozen=True)
class Form:
    """Form of the rows of a set.

    Attributes:
        name: name of the set, for messages.
        columns: columns that make it up, in small letters.
        fields: the fields of a question from a row with names in small letters.
        fits: whether a row with these columns is of this form.
        whole: whether the question is complete, whatever the other columns are.
    """

    name: str
    columns: frozenset[str]
    fields: Callable[[Row], Fields]
    fits: Callable[[Row], bool] = lambda row: True
    whole: bool = False


def published_fields(place: str, row: Row) -> Row:
    """Return the fields of a question of a published set; a row of no known form with its options in one column.

    Args:
        place: where the row is, for messages.
        row: its cells by column.

    Raises:
        OddError: the row has the columns of a known form, and others that may belong to the question; or a cell is not
            what the form needs.
    """
    row = options_in_columns(row)
    folded = _folded(row)
    if "" in folded or all(name in folded for name in NEEDED):
        return row
    form = next((one for one in FORMS if one.columns <= folded.keys() and one.fits(folded)), None)
    if form is None:
        return row
    known = {*form.columns, "solution", *IDS, *KEPT, *PASSED_OVER}
    if not form.whole and (others := [name for name in row if str(name).strip().lower() not in known]):
        raise OddError(
            f"{place}: the columns are those of {form.name}, but {shortened(repr(others[0]), 80)} may belong to the "
            f"question: remove it, or write {', '.join(NEEDED)}"
        )
    return {
        **form_fields(place, form, row),
        **{name: folded[name] for name in KEPT if not is_missing(folded.get(name))},
    }


def form_fields(place: str, form: Form, row: Row) -> Fields:
    """Return the fields of a question of a form, with its id and its solution if there are such columns.

    Raises:
        OddError: a column is missing, or a cell is not what the form needs.
    """
    folded = _folded(row)
    if missing := form.columns - folded.keys():
        raise OddError(f"{place}: not in the format of {form.name}: there is no column {min(missing)}")
    try:
        fields = form.fields(folded)
    except ValueError as error:
        raise OddError(f"{place}: {error}") from error
    return {"solution": folded.get("solution"), **fields, **_id(place, folded)}


def _folded(row: Row) -> Fields:
    return {str(name).strip().lower(): cell for name, cell in row.items()}


def _id(place: str, row: Row) -> Fields:
    own = next((row[name] for name in IDS if not is_missing(row.get(name))), "")
    id = id_of(text_of(f"{place}: id", own))
    return {"id": id} if id else {}


def id_of(text: str) -> str:
    """Return a text as the id of a question: letters, digits and hyphens."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")[:80]


def _said(row: Row, name: str) -> str:
    """Return a text of a row.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(row[name], str):
        raise ValueError(f"{name} is {named(row[name])}: a text is needed")
    return row[name]


def _gsm8k(row: Row) -> Fields:
    answer = _said(row, "answer")
    answered = {"answer": answer.rpartition("####")[2].strip(), "kind": "number"}
    return {"question": row["question"], "solution": ANNOTATION.sub("", answer), **answered}


def _problem(row: Row) -> Fields:
    """Return a problem with an answer; those of MATH are mathematics, even if they are numbers."""
    of_math = bool({"level", "type", "subject"} & row.keys())
    kind = "expression" if of_math else _kind_of_mathematics(row["answer"])
    return {"question": row["problem"], "answer": row["answer"], "kind": kind}


def _kind_of_mathematics(answer: Any) -> str:
    return "number" if not isinstance(answer, str) or read_number(answer) is not None else "expression"


def _math_500(row: Row) -> Fields:
    return {"question": row["problem"], "answer": row["answer"], "kind": "expression"}


def _math(row: Row) -> Fields:
    """Return a problem whose answer is in the last box of its solution."""
    solution = _said(row, "solution").replace(r"\fbox{", BOX)
    answer = boxed(solution)
    if answer is None and (bare := BARE_BOX.search(solution)):
        answer = bare[1].strip()
    if not answer:
        raise ValueError(r"solution has no answer in \boxed{}: add a column answer")
    return {"question": row["problem"], "answer": answer, "kind": "expression"}


def _aime(row: Row) -> Fields:
    asked = row["problem"] if "problem" in row else row["question"]
    return {"question": asked, "answer": row["answer"], "kind": "number"}


def _mmlu(row: Row) -> Fields:
    return {"question": row["question"], "choices": row["choices"], "answer": row["answer"], "kind": "choice"}


def _mmlu_pro(row: Row) -> Fields:
    answer, index, worked = row["answer"], row.get("answer_index"), row.get("cot_content")
    if isinstance(index, int) and isinstance(answer, str) and len(answer) == 1 and ord(answer) - ord("A") != index:
        raise ValueError(f"answer {answer} and answer_index {index} differ: correct one of them")
    fields = {"question": row["question"], "choices": row["options"], "answer": answer, "kind": "choice"}
    return {**fields, "solution": worked} if isinstance(worked, str) else fields


def _answer_key(row: Row) -> Fields:
    question = row["question_stem"] if "question_stem" in row else row["question"]
    fields = {"choices": row.get("choices"), "answer": row["answerkey"], "kind": "choice", "hint": row.get("fact1")}
    if isinstance(question, Mapping):  # as in the files of the authors
        fields["choices"], question = question.get("choices"), question.get("stem")
    if fields["answer"] == "":
        raise ValueError("answerKey is empty, as in hidden splits: remove those rows")
    return {"question": question, **fields}


def _sciq(row: Row) -> Fields:
    choices = sorted(_said(row, name) for name in ("correct_answer", "distractor1", "distractor2", "distractor3"))
    letter = "ABCD"[choices.index(row["correct_answer"])]
    fields = {"question": row["question"], "choices": choices, "answer": letter, "kind": "choice"}
    return {**fields, "hint": row.get("support")}


def _boolq(row: Row) -> Fields:
    asked = _said(row, "question").strip().removesuffix("?")
    text = f"{_said(row, 'passage').strip()}\n\n{asked[:1].upper()}{asked[1:]}?"
    return {"question": text, "answer": row["answer"] if "answer" in row else row["label"], "kind": "yes_no"}


def _verl(row: Row) -> Fields:
    """Return the prompt of a row of a training file, as it is, with the answer that its reward compares with."""
    turns = row["prompt"]
    if isinstance(turns, str):
        turns = [{"role": "user", "content": turns}]
    roles = tuple(one.get("role") for one in turns) if _are_messages(turns) else ()
    if roles not in (("user",), ("system", "user")):
        raise ValueError("prompt is neither a text nor a user message, with or without a system message")
    answer = row["reward_model"].get("ground_truth")
    if isinstance(answer, list | tuple) and len(answer) == 1:
        answer = answer[0]
    fields = {"question": turns[-1]["content"], "prompt": turns[-1]["content"], "answer": answer}
    if len(turns) > 1 and turns[0]["content"]:
        fields["system"] = turns[0]["content"]
    if is_missing(row.get("kind")):  # else it is kept
        fields["kind"] = _verl_kind(row, answer)
    more = row.get("extra_info")
    if isinstance(more, Mapping) and isinstance(more.get("answer"), str) and more["answer"].strip():
        fields["solution"] = ANNOTATION.sub("", more["answer"])
    return fields


def _verl_kind(row: Row, answer: Any) -> str:
    topic = f"{row.get('ability')} {row.get('data_source')}".lower()
    if not re.search(r"math|gsm8k|aime|amc", topic):
        raise ValueError(f"ability {named(row.get('ability'))} does not say how to judge answers: add a column kind")
    return _kind_of_mathematics(answer)


def _are_messages(turns: Any) -> bool:
    return isinstance(turns, list | tuple) and all(
        isinstance(one, Mapping) and isinstance(one.get("content"), str) for one in turns
    )


def _form(name: str, columns: str, fields: Callable[[Row], Fields], **others: Any) -> Form:
    return Form(name, frozenset(columns.split()), fields, **others)


GSM8K = _form("GSM8K", "question answer", _gsm8k, fits=lambda row: "####" in str(row["answer"]))
BOOLQ = _form("BoolQ", "question passage answer", _boolq)
MMLU = _form("MMLU", "question choices answer", _mmlu)
MATH_500 = _form("MATH-500", "problem answer", _math_500)
AIME_PROBLEMS = _form("AIME", "problem answer", _aime)
AIME = _form("AIME", "question answer", _aime, fits=lambda row: "problem number" in row)
FORMS = (
    _form("verl", "prompt reward_model", _verl, fits=lambda row: isinstance(row["reward_model"], Mapping), whole=True),
    _form("MMLU-Pro", "question options answer", _mmlu_pro),
    _form("SciQ", "question correct_answer distractor1 distractor2 distractor3 support", _sciq),
    _form("OpenBookQA", "question_stem choices answerkey fact1", _answer_key),
    _form("OpenBookQA", "question_stem choices answerkey", _answer_key),
    _form("ARC", "question choices answerkey", _answer_key),
    _form("ARC", "question answerkey", _answer_key, fits=lambda row: isinstance(row["question"], Mapping)),
    BOOLQ,
    _form("BoolQ", "question passage label", _boolq),
    MMLU,
    _form("MATH", "problem answer", _problem),
    _form("MATH", "problem solution", _math),
    GSM8K,
    AIME,
)
"""The known forms; the first that fits a row counts."""
