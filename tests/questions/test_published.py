"""Sets as they are published are recognised by their columns, in files of every format and in folders."""

import csv
import json

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odd.config import QuestionsConfig
from odd.errors import OddError
from odd.questions.files import question_of
from odd.questions.sources import load_questions

LABELS = {"text": ["stone", "cork", "lead", "tin"], "label": ["A", "B", "C", "D"]}
NESTED = [{"text": text, "label": label} for text, label in zip(*LABELS.values(), strict=True)]
OPTIONS = LABELS["text"]
WORKED = "It is $1+1=\\boxed{2}$."
USER = {"role": "user", "content": "What is 9-7? Put the answer after ####."}
GSM8K = {"question": "Two eggs and three?", "answer": "2+3 = <<2+3=5>>5 eggs.\n#### 1,005"}
VERL = {"data_source": "openai/gsm8k", "prompt": [USER], "reward_model": {"style": "rule", "ground_truth": "2"}}

ROWS = {
    "GSM8K": (GSM8K, "number", "1,005"),
    "MATH": ({"problem": "1+1?", "level": "Level 1", "type": "Algebra", "solution": WORKED}, "expression", "2"),
    "MATH with a plain box": ({"problem": "1+1?", "type": "a", "solution": r"So $\boxed 2$."}, "expression", "2"),
    "MATH with a frame": ({"problem": "1+1?", "solution": r"$\fbox{2}$ and $\boxed{\frac{4}{2}}$"}, "expression",
                          r"\frac{4}{2}"),
    "MATH-500": ({"problem": "1+1?", "solution": WORKED, "answer": "2", "subject": "Algebra", "level": 1,
                  "unique_id": "test/algebra/7.json"}, "expression", "2"),
    "AIME 2024": ({"ID": "2024-I-1", "Problem": "1+1?", "Solution": WORKED, "Answer": 2}, "number", "2"),
    "AIME with sources": ({"id": 60, "problem": "1+1?", "solution": WORKED, "answer": "002", "url": "u",
                           "year": "2024"}, "number", "002"),
    "AIME of all years": ({"ID": "1983-1", "Year": 1983, "Problem Number": 1, "Question": "1+1?", "Answer": "2",
                           "Part": None}, "number", "2"),
    "other problems": ({"problem": "1+1?", "answer": r"\sqrt{4}"}, "expression", r"\sqrt{4}"),
    "MMLU": ({"question": "Which floats?", "subject": "s", "choices": OPTIONS, "answer": 1}, "choice", "B"),
    "MMLU-Pro": ({"question_id": 70, "question": "Which floats?", "options": OPTIONS, "answer": "B", "answer_index": 1,
                  "cot_content": "Cork floats.", "category": "c", "src": "s"}, "choice", "B"),
    "ARC": ({"id": "Mercury_7", "question": "Which floats?", "choices": LABELS, "answerKey": "B"}, "choice", "B"),
    "ARC with digits": ({"id": "M_8", "question": "Which?", "choices": LABELS | {"label": ["1", "2", "3", "4"]},
                         "answerKey": "2"}, "choice", "B"),
    "ARC of its authors": ({"id": "M_9", "question": {"stem": "Which?", "choices": NESTED}, "answerKey": "B"},
                           "choice", "B"),
    "CommonsenseQA": ({"id": "1afa", "question": "Which floats?", "question_concept": "cork", "choices": LABELS,
                       "answerKey": "B"}, "choice", "B"),
    "OpenBookQA": ({"id": "7-980", "question_stem": "Which floats?", "choices": LABELS, "answerKey": "B"}, "choice",
                   "B"),
    "OpenBookQA with facts": ({"id": "7-9", "question_stem": "Which?", "choices": LABELS, "answerKey": "B",
                               "fact1": "cork is light", "humanScore": 1.0, "clarity": 2.0, "turkIdAnonymized": "x"},
                              "choice", "B"),
    "SciQ": ({"question": "Which floats?", "distractor3": "tin", "distractor1": "stone", "distractor2": "lead",
              "correct_answer": "cork", "support": "Cork is light."}, "choice", "A"),
    "BoolQ": ({"question": "does cork float", "passage": "Cork is light.", "answer": True}, "yes_no", "yes"),
    "BoolQ of its authors": ({"question": "does tin float", "title": "Tin", "passage": "No.", "answer": False},
                             "yes_no", "no"),
    "BoolQ of SuperGLUE": ({"question": "does tin float", "passage": "No.", "idx": 3, "label": 0}, "yes_no", "no"),
    "verl": (VERL, "number", "2"),
    "verl with mathematics": (VERL | {"ability": "math", "reward_model": {"ground_truth": [r"\pi"]}}, "expression",
                              r"\pi"),
    "options in columns": ({"question": "Which floats?", "A": "stone", "B": "cork", "C": "lead", "D": "tin",
                            "answer": "B"}, "choice", "B"),
    "columns in capitals": ({"Question": "Which?", "Option A": "stone", "Option B": "cork", "Answer": "B"}, "choice",
                            "B"),
}  # fmt: skip


def load(path):
    return load_questions(QuestionsConfig(source=str(path)))


def read(row):
    return question_of("line 1", row, "1")


@pytest.mark.parametrize("name", ROWS)
def test_a_row_of_a_published_set_becomes_a_question(name):
    row, kind, answer = ROWS[name]
    question = read(row)
    assert (question.kind, question.answer) == (kind, answer)
    assert question.question.strip("?.") and len(question.choices) in (0, 2, 4)


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_read_alike_from_lines_tables_and_folders(tmp_path, monkeypatch, name):
    row = ROWS[name][0]
    (tmp_path / "q.jsonl").write_text(json.dumps(row))
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "q.parquet")
    assert load(tmp_path / "q.jsonl") == load(tmp_path / "q.parquet")


@pytest.mark.parametrize("name", ["GSM8K", "MATH", "MMLU", "ARC", "verl", "options in columns"])
def test_a_folder_of_a_published_set_needs_no_mapping(tmp_path, monkeypatch, name):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    row, kind, answer = ROWS[name]
    (tmp_path / "set").mkdir()
    for split in ("train", "test"):
        (tmp_path / "set" / f"{split}.jsonl").write_text(json.dumps(row))
    [question] = load(f"hf:{tmp_path / 'set'}")
    assert (question.kind, question.answer) == (kind, answer)
    assert question.id == row.get("id", "test-0").replace("_", "-")


def test_the_files_of_mmlu_have_no_header(tmp_path):
    with (tmp_path / "abstract_test.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["Which floats?", *OPTIONS, "B"], ["Which, again?", "1", "1", "2", "3", "D"]])
    found = [(one.id, one.question, one.choices, one.answer) for one in load(tmp_path / "abstract_test.csv")]
    assert found == [
        ("1", "Which floats?", tuple(OPTIONS), "B"),
        ("2", "Which, again?", ("1", "1", "2", "3"), "D"),
    ]


def test_a_header_that_ends_with_a_letter_is_a_header(tmp_path):
    (tmp_path / "q.csv").write_text("question,answer,A,B,C,D\nWhich floats?,B,stone,cork,lead,tin\n")
    assert [(one.question, one.answer) for one in load(tmp_path / "q.csv")] == [("Which floats?", "B")]


def test_ids_of_a_set_are_kept_with_hyphens_for_other_signs():
    assert read(ROWS["MATH-500"][0]).id == "test-algebra-7-json"
    assert [read(ROWS[name][0]).id for name in ("MMLU-Pro", "AIME with sources", "AIME 2024", "ARC")] == [
        "70", "60", "2024-I-1", "Mercury-7",
    ]  # fmt: skip


def test_solutions_and_hints_of_a_set_are_kept():
    assert [read(ROWS[name][0]).solution for name in ("GSM8K", "MATH", "MATH-500", "AIME 2024", "MMLU-Pro")] == [
        "2+3 = 5 eggs.\n#### 1,005", WORKED, WORKED, WORKED, "Cork floats.",
    ]  # fmt: skip
    assert read(ROWS["OpenBookQA with facts"][0]).hint == "cork is light"
    assert read(ROWS["SciQ"][0]).hint == "Cork is light."
    assert read(ROWS["MATH"][0] | {"hint": "Count."}).hint == "Count."


def test_a_prompt_of_verl_is_asked_as_it_is():
    system = {"role": "system", "content": "Be brief."}
    question = read(VERL | {"prompt": [system, USER], "extra_info": {"answer": "9-7=<<9-7=2>>2", "index": 3}})
    assert question.messages() == [system, USER]
    assert question.solution == "9-7=2"


def test_the_kind_of_a_row_goes_before_that_of_its_set():
    assert read(VERL | {"data_source": "mine", "kind": "exact"}).kind == "exact"
    assert read({"problem": "1+1?", "answer": "2", "kind": "expression"}).kind == "expression"


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (ROWS["MMLU"][0] | {"article": "Long ago."}, "of MMLU, but 'article' may belong to the question: remove it"),
        (ROWS["MMLU-Pro"][0] | {"answer_index": 2}, "answer B and answer_index 2 differ"),
        (ROWS["MMLU"][0] | {"answer": -1}, "answer -1 is none of the 4 choices"),
        (ROWS["MATH"][0] | {"solution": "Two."}, r"solution has no answer in \boxed{}"),
        (ROWS["MATH"][0] | {"solution": None}, "solution is empty: a text is needed"),
        (ROWS["ARC"][0] | {"answerKey": ""}, "answerKey is empty, as in hidden splits"),
        (ROWS["BoolQ"][0] | {"passage": None}, "passage is empty: a text is needed"),
        (ROWS["BoolQ of SuperGLUE"][0] | {"label": -1}, "answer -1 is neither true nor false"),
        (ROWS["MMLU"][0] | {"question": None}, "question is empty"),
        (VERL | {"data_source": "mine", "ability": "code"}, "ability 'code' does not say how to judge answers"),
        (VERL | {"prompt": [USER, {"role": "assistant", "content": "?"}, USER]}, "prompt is neither a text nor a user"),
        (VERL | {"prompt": ["What?"]}, "prompt is neither a text nor a user message"),
        (VERL | {"reward_model": {"style": "model"}}, "answer is empty"),
        ({"question": "1+1?", "answer": "2"}, "kind is missing"),
        ({"question": "1+1?", "passage": "One.", "answer": "2", "kind": "number"}, "passage: unknown column"),
    ],
)
def test_a_row_that_might_lose_something_is_refused(row, words):
    with pytest.raises(OddError) as caught:
        read(row)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_a_folder_of_no_known_form_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "train.jsonl").write_text('{"asked": "1+1?", "right": "2"}')
    with pytest.raises(OddError, match="train-0: no mapping for the columns asked, right: add as= with one of google"):
        load(f"hf:{tmp_path / 'set'}")


CELLS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=3)
    | st.decimals(places=2) | st.dates()
    | st.sampled_from(["A", "2", "['a' 'b']", '["a", "b"]', "#### 2", r"\boxed{2}"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["text", "label", "stem", "role", "content", "ground_truth", "A", "1"]), inner),
    max_leaves=6,
)  # fmt: skip
NAMES = sorted({name for row, *_ in ROWS.values() for name in row})


@given(st.sampled_from(sorted(ROWS)), st.dictionaries(st.sampled_from(NAMES), CELLS, max_size=3))
@settings(max_examples=300, deadline=None)
def test_any_cells_make_a_question_or_an_error_of_one_line(name, cells):
    try:
        read(ROWS[name][0] | cells)
    except OddError as error:
        assert "\n" not in str(error) and len(str(error)) < 600
