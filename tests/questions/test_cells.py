"""Cells of any type become the fields of a question, or are refused with row, column and remedy."""

import csv
import json
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from odd.config import QuestionsConfig
from odd.errors import OddError
from odd.questions.files import question_of
from odd.questions.sources import load_questions

NAN = float("nan")
FLOATS = {"question": "Which floats?", "kind": "choice", "choices": ["stone", "cork"]}


def load(path):
    return load_questions(QuestionsConfig(source=str(path)))


def gold(**row):
    return question_of("line 1", {"question": "?"} | row, "1").answer


@pytest.mark.parametrize(
    ("kind", "answer", "text"),
    [
        ("number", 51, "51"),
        ("number", 51.0, "51"),
        ("number", 2.5, "2.5"),
        ("number", 1e-05, "0.00001"),
        ("number", 1e16, "10000000000000000"),
        ("number", "1e-05", "0.00001"),
        ("number", -0.5, "-0.5"),
        ("number", Decimal("51.50"), "51.5"),
        ("exact", 7, "7"),
        ("exact", 10**400, "1" + "0" * 400),
        ("yes_no", True, "yes"),
        ("yes_no", False, "no"),
        ("yes_no", "False", "no"),
        ("yes_no", "YES", "yes"),
        ("yes_no", 1, "yes"),
        ("yes_no", "0", "no"),
        ("yes_no", 1.0, "yes"),
        ("yes_no", "0.0", "no"),
        ("yes_no", "T", "yes"),
    ],
)
def test_a_typed_answer_becomes_text(kind, answer, text):
    assert gold(kind=kind, answer=answer) == text


@pytest.mark.parametrize(
    ("row", "letter"),
    [
        ({"answer": 1}, "B"),
        ({"answer": 1.0}, "B"),
        ({"answer": "b"}, "B"),
        ({"answer": "B", "choices": {"text": ["stone", "cork"], "label": ["A", "B"]}}, "B"),
        ({"answer": "2", "choices": {"text": ["stone", "cork"], "label": ["1", "2"]}}, "B"),
        ({"answer": "2", "choices": {"1": "stone", "2": "cork"}}, "B"),
        ({"answer": "B", "choices": {"B": "cork", "A": "stone"}}, "B"),
        ({"answer": "B", "choices": [{"label": "A", "text": "stone"}, {"label": "B", "text": "cork"}]}, "B"),
        ({"answer": "B", "choices": '["stone", "cork"]'}, "B"),
        ({"answer": "B", "choices": [3, 4]}, "B"),
    ],
)
def test_a_choice_is_given_by_letter_label_or_index(row, letter):
    assert gold(**FLOATS | row) == letter


@pytest.mark.parametrize(
    ("row", "line"),
    [
        ({"answer": None, "kind": "number"}, "line 1: answer is empty: fill it in"),
        ({"answer": NAN, "kind": "number"}, "line 1: answer is empty"),
        ({"answer": ["green"], "kind": "exact"}, "line 1: answer is a list: write one text"),
        ({"answer": {"a": 1}, "kind": "exact"}, "line 1: answer is an object"),
        ({"answer": True, "kind": "number"}, "line 1: answer is true or false"),
        ({"answer": -1, "kind": "yes_no"}, "line 1: answer -1 is neither true nor false"),
        ({"answer": float("inf"), "kind": "number"}, "line 1: answer is inf"),
        (FLOATS | {"answer": -1}, "line 1: answer -1 is none of the 2 choices"),
        (FLOATS | {"answer": 2}, "line 1: answer 2 is none of the 2 choices"),
        (FLOATS | {"answer": 0.5}, "line 1: answer 0.5 is none"),
        (FLOATS | {"answer": "B", "choices": "stone, cork"}, 'line 1: choices: not JSON: write it like ["iron"'),
        (FLOATS | {"answer": "B", "choices": 3}, "line 1: choices is 3: write a list"),
        (FLOATS | {"answer": "B", "choices": ["stone", None]}, "line 1: choices is empty: write a text"),
        ({"question": "  ", "answer": "7", "kind": "number"}, "line 1: question is blank"),
        ({"answer": "7", "kind": "number", "id": True}, "line 1: id is true or false: write a text"),
        ({"answer": "7", "kind": "number", "id": "a/b"}, "line 1: id: write at most 80 letters, digits"),
        ({"answer": "7", "kind": "number", "question": ["?"]}, "line 1: question is a list: write a text"),
        ({"answer": "7", "kind": "number", "system": {"a": 1}}, "line 1: system is an object: write a text"),
        (FLOATS | {"answer": "B", "choices": ["stone", " "]}, "line 1: choices has a blank option"),
        (FLOATS | {"answer": "A", "choices": [*"abcdefghijk"]}, "line 1: choices: there are more than 10 options"),
        ({"answer": "7", "kind": "number", "hints": 1}, "line 1: hints: unknown column: remove it"),
        ({"answer": "7", "kind": "number", "": 1}, "line 1: a column has no name"),
        ({"prompt": "?"}, "line 1: answer is missing: a question needs question, answer, kind"),
    ],
)
def test_a_cell_without_a_meaning_is_refused(row, line):
    with pytest.raises(OddError) as caught:
        gold(**row)
    assert str(caught.value).startswith(line)


def test_the_three_formats_hold_the_same_questions(tmp_path):
    rows = [
        {"id": 7, "question": "17*3?", "answer": 51.0, "kind": "number"},
        {"id": 8, "question": "1/100000?", "answer": 1e-05, "kind": "number"},
    ]
    (tmp_path / "q.jsonl").write_text("\n".join(map(json.dumps, rows)))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "q.parquet")
    with (tmp_path / "q.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    lines = load(tmp_path / "q.jsonl")
    assert [(one.id, one.answer) for one in lines] == [("7", "51"), ("8", "0.00001")]
    assert load(tmp_path / "q.parquet") == lines
    assert [(one.id, one.kind) for one in load(tmp_path / "q.csv")] == [("7", "number"), ("8", "number")]


def test_rows_without_ids_are_numbered(tmp_path):
    (tmp_path / "q.jsonl").write_text('{"question": "1+1?", "answer": 2, "kind": "number"}\n' * 2)
    assert [one.id for one in load(tmp_path / "q.jsonl")] == ["1", "2"]


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("q.csv", "id;question;answer;kind\na;1+1?;2;number\n", "separated by semicolons: save it with commas"),
        ("q.csv", "id\tquestion\tanswer\tkind\na\t1+1?\t2\tnumber\n", "separated by tabs"),
        ("q.csv", "id|question|answer|kind\na|1+1?|2|number\n", "separated by vertical bars"),
        ("q.csv", "id, question, answer, kind\na, 1+1?, 2, number\n", "in small letters, without spaces"),
        ("q.csv", "question,answer,kind,answer\n1+1?,2,number,3\n", "the header has 'answer' twice"),
        ("q.csv", ",question,answer,kind\n0,1+1?,2,number\n", "a column has no name"),
        ("q.csv", "Question,Answer,Kind\n1+1?,2,number\n", "write question, answer, kind, in small letters"),
        ("q.jsonl", '[\n{"question": "1+1?"}\n]', "one list or object over several lines"),
        ("q.jsonl", "[1, 2]", "not an object but a list"),
    ],
)
def test_a_file_of_another_form_is_named(tmp_path, name, text, line):
    (tmp_path / name).write_text(text)
    with pytest.raises(OddError) as caught:
        load(tmp_path / name)
    assert line in str(caught.value)


def test_empty_rows_of_a_table_are_skipped(tmp_path):
    (tmp_path / "q.csv").write_text("id,question,answer,kind\na,1+1?,2,number\n,,,\n\n,,,\n")
    assert [one.id for one in load(tmp_path / "q.csv")] == ["a"]


def test_gsm8k_is_known_by_its_columns():
    row = {"question": "Two eggs and three?", "answer": "2+3 = <<2+3=5>>5 eggs.\n#### 1,005"}
    question = question_of("line 1", row, "1")
    assert (question.kind, question.answer) == ("number", "1,005")
