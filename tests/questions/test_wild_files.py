"""Question files as people have them: each is read as it was meant, or refused in one line that says what to do."""

import json

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from odd.config import QuestionsConfig
from odd.errors import OddError
from odd.questions.sources import load_questions

SUM = {"id": "a", "question": "What is 17*3?", "kind": "number"}
FLOATS = {"id": "a", "question": "Which floats?", "kind": "choice"}
TABLE = """id,question,answer,kind,choices
a,What is 17*3?,51,number,
b,Which floats?,B,choice,"[""stone"", ""cork""]"
"""
MANY = ["stone", "cork", "iron", "lead", "gold", "tin", "zinc", "chalk", "flint", "brick"]
FLOAT = {"question": "Which floats?", "subject": "s", "choices": MANY[:4]}
PASSAGE = {"passage": "Cork is lighter than water, stone is heavier."}
TRAINED = {
    "data_source": "my/sums",
    "prompt": [{"role": "user", "content": "What is 9-7?"}],
    "ability": "math",
    "reward_model": {"style": "rule", "ground_truth": "2"},
    "extra_info": {"index": 0},
}


def lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def boolq(first, second):
    asked = ({"question": "does cork float", "answer": first}, {"question": "does stone float", "answer": second})
    return lines(*(row | PASSAGE for row in asked))


FILES = [
    ("whole-number-answer.jsonl", lines(SUM | {"answer": 51}), ["51"]),
    ("true-answer.jsonl", lines({"question": "Does cork float?", "kind": "yes_no", "answer": True}), ["yes"]),
    ("whole-number-id.jsonl", lines(SUM | {"id": 7, "answer": "51"}), ["51"]),
    ("no-answer.jsonl", lines(SUM | {"answer": "51"}, SUM | {"answer": None}), "line 2: answer is empty: fill it in"),
    ("answer-as-index.jsonl", lines(FLOATS | {"choices": ["stone", "cork"], "answer": 1}), ["B"]),
    (
        "small-and-large.parquet",
        [SUM | {"answer": 1e-05}, SUM | {"id": "b", "answer": 1e16}],
        ["0.00001", "10000000000000000"],
    ),
    ("numbers-as-choices.jsonl", lines(FLOATS | {"choices": [3, 4], "answer": "B"}), ["B"]),
    ("answer-twice.csv", "id,question,answer,answer,kind\na,17*3?,51,52,number\n", "'answer' twice: keep one"),
    ("blank-question.jsonl", lines(SUM | {"question": "  ", "answer": "51"}), "line 1: question is blank: fill it in"),
    ("false-answer.jsonl", lines({"question": "Does stone float?", "kind": "yes_no", "answer": False}), ["no"]),
    ("list-answer.jsonl", lines(SUM | {"answer": ["51"]}), "line 1: answer is a list: write one text"),
    ("choices-by-letter.jsonl", lines(FLOATS | {"choices": {"A": "stone", "B": "cork"}, "answer": "B"}), ["B"]),
    ("semicolons.csv", TABLE.replace(",", ";"), "separated by semicolons: save it with commas"),
    ("row-numbers.csv", ",id,question,answer,kind\n0,a,17*3?,51,number\n", "a column has no name: remove it"),
    ("capitals.csv", "Id,Question,Answer,Kind\na,17*3?,51,number\n", "write question, answer, kind, in small letters"),
    ("empty-rows.csv", TABLE + ",,,,\n,,,,\n", ["51", "B"]),
    ("tabs.csv", TABLE.replace(",", "\t"), "separated by tabs: save it with commas"),
    ("verl-train.parquet", [TRAINED], ["2"]),
    ("gsm8k-as-published.jsonl", lines({"question": "9 pens, 7 lost?", "answer": "9-7 = <<9-7=2>>2.\n#### 2"}), ["2"]),
    ("array.json", '[\n {"question": "1+1?"}\n]\n', "one list or object over several lines); put one JSON object per"),
]
SETS = [
    (
        "struct-choices/train",
        lines({"question": "?", "choices": {"text": ["stone", "cork"], "label": ["A", "B"]}, "answerKey": "B"}),
        "question=question&choices=choices&answer=answerKey&kind=choice",
        ["B"],
    ),
    (
        "printed-choices/train",
        lines({"question": "Which floats?", "options": "['stone', 'cork']", "answer": "B"}),
        "question=question&choices=options&answer=answer&kind=choice",
        ["B"],
    ),
    (
        "hidden-answer/test",
        lines(FLOAT | {"answer": -1}),
        "as=cais/mmlu&subset=default",
        "row test-0: answer -1 is none",
    ),
    (
        "hidden-of-ten/train",
        lines({"question": "Which floats?", "options": MANY, "answer": -1}),
        "question=question&choices=options&answer=answer&kind=choice",
        "row train-0: answer -1 is none of the 10 choices",
    ),
    ("letter-answer/test", lines(FLOAT | {"answer": "B"}), "as=cais/mmlu&subset=default", ["B"]),
    ("decimal-index/test", lines(FLOAT | {"answer": 1.0}), "as=cais/mmlu&subset=default", ["B"]),
    ("boolq-true-false-text/validation", boolq("True", "False"), "as=google/boolq", ["yes", "no"]),
    ("boolq-yes-no/validation", boolq("yes", "no"), "as=google/boolq", ["yes", "no"]),
    ("boolq-null/validation", boolq(True, None), "as=google/boolq", "row validation-1: answer is empty: fill it in"),
    (
        "boolq-minus-one/validation",
        boolq(1, -1),
        "as=google/boolq",
        "validation-1: answer -1 is neither true nor false",
    ),
    ("boolq-digits/validation", boolq("1", "0"), "as=google/boolq", ["yes", "no"]),
    (
        "null-gold/train",
        lines({"question": "What is the capital of Elbonia?", "answer": None}),
        "question=question&answer=answer&kind=exact",
        "row train-0: answer is empty",
    ),
    (
        "list-gold/train",
        lines({"question": "Name a colour of grass.", "answer": ["green", "light green"]}),
        "question=question&answer=answer&kind=exact",
        "row train-0: answer is a list: write one text",
    ),
    (
        "math-without-ids/test",
        lines({"problem": "Halve 1.", "answer": r"\frac{1}{2}", "solution": "", "subject": "a", "level": 1}),
        "as=HuggingFaceH4/MATH-500",
        [r"\frac{1}{2}"],
    ),
]


def check(source, must):
    if isinstance(must, list):
        assert [question.answer for question in load_questions(QuestionsConfig(source=source))] == must
        return
    with pytest.raises(OddError) as caught:
        load_questions(QuestionsConfig(source=source))
    assert must in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "content", "must"), FILES, ids=[name for name, *_ in FILES])
def test_a_file_is_read_as_it_was_meant_or_refused(tmp_path, name, content, must):
    path = tmp_path / name
    if isinstance(content, str):
        path.write_text(content)
    else:
        pq.write_table(pa.Table.from_pylist(content), path)
    check(str(path), must)


@pytest.mark.parametrize(("name", "content", "options", "must"), SETS, ids=[name for name, *_ in SETS])
def test_a_folder_is_read_as_it_was_meant_or_refused(tmp_path, monkeypatch, name, content, options, must):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    path = tmp_path / f"{name}.jsonl"
    path.parent.mkdir()
    path.write_text(content)
    check(f"hf:{path.parent}?{options}", must)


def test_all_forms_of_choices_give_the_same_question(tmp_path):
    forms = [
        {"choices": ["stone", "cork"], "answer": "B"},
        {"choices": ["stone", "cork"], "answer": 1},
        {"choices": ["stone", "cork"], "answer": "1"},
        {"choices": ["stone", "cork"], "answer": "cork"},
        {"choices": ["stone", "cork"], "answer": "(B)"},
        {"choices": '["stone", "cork"]', "answer": "B"},
        {"choices": "['stone', 'cork']", "answer": "B"},
        {"choices": "['stone' 'cork']", "answer": "B"},
        {"choices": "['stone'\n \"cork\"]", "answer": "B"},
        {"choices": "array(['stone', 'cork'], dtype=object)", "answer": "B"},
        {"choices": {"A": "stone", "B": "cork"}, "answer": "b"},
        {"choices": {"A": "stone", "B": "cork", "C": None}, "answer": "B"},
        {"choices": {"1": "stone", "2": "cork"}, "answer": "2"},
        {"choices": {"1": "stone", "2": "cork"}, "answer": 2},
        {"choices": {"0": "stone", "1": "cork"}, "answer": 1},
        {"choices": {"text": ["stone", "cork"], "label": ["1", "2"]}, "answer": 2},
        {"A": "stone", "B": "cork", "answer": "B"},
        {"a": "stone", "b": "cork", "c": None, "answer": 1},
        {"option_a": "stone", "option_b": "cork", "answer": "B"},
        {"Option A": "stone", "Option B": "cork", "answer": "b"},
        {"optionA": "stone", "optionB": "cork", "answer": "cork"},
        {"choice1": "stone", "choice2": "cork", "answer": "2"},
        {"option1": "stone", "option2": "cork", "answer": 2},
    ]
    path = tmp_path / "q.jsonl"
    path.write_text(lines(*({"question": "Which floats?", "kind": "choice"} | form for form in forms)))
    found = [(question.choices, question.answer) for question in load_questions(QuestionsConfig(source=str(path)))]
    assert found == [(("stone", "cork"), "B")] * len(forms)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"choices": [1, 2], "answer": 1}, "answer 1 may mean A or B: write the letter"),
        ({"choices": ["1", "2"], "answer": "1"}, "answer 1 may mean A or B"),
        ({"choices": ["stone", "cork"], "answer": "2"}, "answer 2 is none of the 2 choices"),
        ({"choices": ["stone", "cork"], "answer": "-1"}, "answer -1 is none of the 2 choices"),
        ({"choices": {"1": "stone", "2": "cork"}, "answer": 0}, "answer 0 is none of the 2 choices"),
        ({"choices": ["stone", "cork"], "answer": "lead"}, "2 to 10 choices and an answer letter"),
        ({"choices": "['stone' 'cork', 'lead']", "answer": "B"}, "choices: not JSON"),
        ({"choices": "stone, cork", "answer": "B"}, "choices: not JSON"),
        ({"choices": "['stone\\x', 'cork']", "answer": "B"}, "choices: not JSON"),
        ({"choices": "['stone', open('x')]", "answer": "B"}, "choices: not JSON"),
        ({"choices": {"text": ["stone", "cork"], "label": ["A"]}, "answer": "A"}, "give each its own label"),
        ({"A": "stone", "C": "cork", "answer": "A"}, "A: unknown column"),
        ({"A": "stone", "a": "cork", "B": "lead", "answer": "A"}, "A: unknown column"),
    ],
)
def test_choices_with_two_readings_or_none_are_refused(tmp_path, row, words):
    path = tmp_path / "q.jsonl"
    path.write_text(lines({"question": "Which floats?", "kind": "choice"} | row))
    check(str(path), words)


def test_printed_texts_are_kept_as_they_are(tmp_path):
    path = tmp_path / "q.jsonl"
    printed = ["""["it's", "\\u00e9"]""", """["it's" 'é']""", """['it\\'s', 'é']"""]
    path.write_text(lines(*(FLOATS | {"id": str(i), "choices": text, "answer": "B"} for i, text in enumerate(printed))))
    assert {question.choices for question in load_questions(QuestionsConfig(source=str(path)))} == {("it's", "é")}


def test_columns_with_the_names_of_letters_are_options_of_choices_only(tmp_path):
    path = tmp_path / "q.jsonl"
    path.write_text(lines(SUM | {"answer": 51, "A": "stone", "B": "cork"}))
    check(str(path), "A: unknown column")
