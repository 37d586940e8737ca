"""CSV and Parquet files contain the same questions as JSON Lines."""

import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from odd.config import QuestionsConfig
from odd.errors import OddError
from odd.questions.files import question_of
from odd.questions.sources import load_questions, parse_source

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
KINDS = ["yes_no", "choice", "number", "expression", "exact", "regex"]


def load(source):
    return load_questions(QuestionsConfig(source=str(source)))


def written(tmp_path, *rows):
    with (tmp_path / "q.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["id", "question", "answer", "kind", "choices"])
        writer.writeheader()
        writer.writerows({"id": "a", "question": "1+1?", "answer": "2", "kind": "number"} | row for row in rows)
    return tmp_path / "q.csv"


def test_the_example_files_hold_the_same_questions_of_every_kind():
    lines = load(EXAMPLES / "questions.jsonl")
    assert [question.kind for question in lines] == KINDS
    assert load(EXAMPLES / "questions.csv") == load(EXAMPLES / "questions.parquet") == lines


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ({"answer": "two"}, "row ending on line 2: the answer of this number question"),
        ({"kind": "choice", "choices": "x, y", "answer": "A"}, "line 2: choices: not JSON"),
        ({"kind": ""}, "line 2: kind"),
    ],
)
def test_a_bad_row_of_a_table_is_named(tmp_path, row, named):
    with pytest.raises(OddError, match=named):
        load(written(tmp_path, row))


def test_a_row_that_is_too_short_is_named(tmp_path):
    file = tmp_path / "q.csv"
    file.write_text("id,question,answer,kind\na,1+1?\n")
    with pytest.raises(OddError, match="line 2: its cells do not match the 4 of the header"):
        load(file)


def test_line_breaks_inside_a_cell_are_kept(tmp_path):
    assert load(written(tmp_path, {"question": "one\ntwo"}))[0].question == "one\ntwo"


def test_numbers_and_truth_values_of_a_parquet_file_become_answers(tmp_path):
    for name, answer, kind in (("n", 42, "number"), ("f", 2.5, "number"), ("b", True, "yes_no")):
        file = tmp_path / f"{name}.parquet"
        pq.write_table(pa.table({"id": [name], "question": ["?"], "answer": [answer], "kind": [kind]}), file)
        assert load(file)[0].answer == {"n": "42", "f": "2.5", "b": "yes"}[name]


def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path):
    (tmp_path / "q.parquet").write_text("no")
    with pytest.raises(OddError, match="not Parquet"):
        load(tmp_path / "q.parquet")


def test_limit_and_seed_choose_from_a_file_or_set():
    def ids(source):
        return [question.id for question in load(source)]

    assert ids("general-number?limit=3") == ids("general-number")[:3]
    shuffled = ids("general-number?seed=1")
    assert shuffled == ids("general-number?seed=1") != ids("general-number?seed=2")
    assert sorted(shuffled) == ids("general-number")
    assert ids(f"{EXAMPLES / 'questions.csv'}?seed=1&limit=2") == ids(f"{EXAMPLES / 'questions.csv'}?seed=1")[:2]


def test_a_file_whose_name_holds_a_question_mark_is_found(tmp_path):
    file = tmp_path / "what?.jsonl"
    file.write_text(json.dumps({"id": "a", "question": "1+1?", "answer": "2", "kind": "number"}))
    assert len(load(file)) == 1


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("general-number?limit", "limit must be a non-negative integer, not ''"),
        ("general-number?limit=-1", "not '-1'"),
        ("general-number?seed=1&seed=2", "each once"),
        ("general-number?size=3", "unknown option 'size': choose from limit, seed"),
        ("hf:google/boolq?size=3", "unknown option 'size'"),
    ],
)
def test_unknown_options_are_refused(text, named):
    with pytest.raises(OddError, match=named):
        parse_source(text)


def deep(levels):
    value = {}
    for _ in range(levels):
        value = {"a": value}
    return value


METADATA = {"nested": deep(150), "not JSON": {"a": b"x"}, "key": {"a": {(1,): 2}}}


@pytest.mark.parametrize("metadata", METADATA.values(), ids=METADATA)
def test_metadata_that_cannot_be_written_is_refused(metadata):
    row = {"id": "a", "question": "?", "answer": "2", "kind": "number", "metadata": metadata}
    with pytest.raises(OddError, match=r"metadata: it is (nested too deeply|not JSON)"):
        question_of("line 1", row)


def test_an_error_is_short_however_long_the_fields(tmp_path):
    for row in ({"x" * 100_000: 1}, {"answer": "x" * 100_000}, {"shots": [{}] * 100_000}):
        file = tmp_path / "q.jsonl"
        file.write_text(json.dumps({"id": "a", "question": "?", "answer": "2", "kind": "number"} | row))
        with pytest.raises(OddError) as caught:
            load(file)
        assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("expression", "9^{9^{9}}"),
        ("expression", "1+" * 500_000 + "1"),
        ("expression", "x^{" * 1000 + "2" + "}" * 1000),
        ("number", "a" * 500_000 + "7"),
        ("regex", "((a{1000}){1000}){1000}"),
    ],
)
def test_a_gold_answer_that_its_judge_cannot_evaluate_is_refused(tmp_path, kind, answer):
    file = tmp_path / "q.jsonl"
    file.write_text(json.dumps({"id": "a", "question": "?", "answer": answer, "kind": kind, "example": "a"}))
    with pytest.raises(OddError, match=r"not evaluated within|more than 10000 characters|regular expression") as caught:
        load(file)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("field", ["question", "answer", "prompt", "system", "example", "choices", "metadata"])
def test_text_that_is_not_unicode_is_refused(tmp_path, field):
    value = {"choices": ["\ud800", "b"], "metadata": {"a": ["\ud800"]}}.get(field, "\ud800")
    file = tmp_path / "q.jsonl"
    file.write_text(json.dumps({"id": "a", "question": "?", "answer": "2", "kind": "exact"} | {field: value}))
    with pytest.raises(OddError, match="line 1: it contains text that is not valid Unicode"):
        load(file)
