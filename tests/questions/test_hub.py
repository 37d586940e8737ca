"""Data sets on the hub, tested with folders in the same format: columns, types, splits, subsets, answer formats."""

import datasets
import pytest
from datasets import ClassLabel, Dataset, Features, Sequence, Value

from odd.config import QuestionsConfig
from odd.errors import OddError
from odd.questions import hub
from odd.questions.sources import load_questions
from odd.questions.verifiers import is_correct

TEXT = Value("string")
BOOLQ = Features({"question": TEXT, "answer": Value("bool"), "passage": TEXT})
MMLU = Features({"question": TEXT, "subject": TEXT, "choices": Sequence(TEXT), "answer": ClassLabel(names=[*"ABCD"])})
GSM8K = Features({"question": TEXT, "answer": TEXT})
MATH = Features({n: Value("int64") if n == "level" else TEXT for n in
                 ("problem", "solution", "answer", "subject", "level", "unique_id")})  # fmt: skip
SETS = {
    "google/boolq": (BOOLQ, None, ["train", "validation"], [
        {"question": "can a kite fly without wind", "answer": False, "passage": "Kites need wind. "},
        {"question": "is the lake of our story deep", "answer": True, "passage": "The lake was deep."},
    ]),
    "cais/mmlu": (MMLU, "all", ["test", "validation", "dev"], [
        {"question": "Which is a tree?", "subject": "botany", "choices": ["oak", "carp", "gull", "ant"], "answer": 0},
        {"question": "Which swims?", "subject": "zoology", "choices": ["oak", "gull", "ant", "carp"], "answer": 3},
    ]),
    "openai/gsm8k": (GSM8K, "main", ["train", "test"], [
        {"question": "Mia has 6 bags of 7 nuts. How many nuts?", "answer": "6*7 = <<6*7=42>>42 nuts.\n#### 42"},
        {"question": "A house costs 1,250 coins. Two?", "answer": "2*1250 = <<2*1250=2500>>2500\n#### 2,500"},
    ]),
    "HuggingFaceH4/MATH-500": (MATH, None, ["test"], [
        {"problem": "Halve $\\frac{1}{2}$.", "solution": "It is $\\boxed{\\frac{1}{4}}$.", "answer": "\\frac{1}{4}",
         "subject": "Algebra", "level": 1, "unique_id": "test/algebra/7.json"},
        {"problem": "Name the point above $(3,0)$.", "solution": "$\\boxed{\\left( 3, 1 \\right)}$",
         "answer": "\\left( 3, 1 \\right)", "subject": "Geometry", "level": 2, "unique_id": "test/geometry/9.json"},
    ]),
    "math-ai/aime25": (Features(dict.fromkeys(("problem", "answer", "id"), TEXT)), None, ["test"], [
        {"problem": "Find $2^3$.", "answer": "8", "id": "0"}, {"problem": "Find $7^2$.", "answer": "049", "id": "1"},
    ]),
}  # fmt: skip


@pytest.fixture(autouse=True)
def cached(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture
def copy(tmp_path):
    """A folder in the format of a data set, with the README front matter that tells the hub about its files."""

    def write(features, subset, splits, rows):
        configs = []
        for name in subset if isinstance(subset, list) else [subset]:
            files = []
            for split in splits:
                path = f"{name or 'data'}/{split}-00000-of-00001.parquet"
                (tmp_path / "set" / path).parent.mkdir(parents=True, exist_ok=True)
                Dataset.from_list(rows, features=features).to_parquet(tmp_path / "set" / path)
                files.append(f"  - split: {split}\n    path: {path}\n")
            configs.append(f"- config_name: {name or 'default'}\n  data_files:\n{''.join(files)}")
        (tmp_path / "set" / "README.md").write_text(f"---\nconfigs:\n{''.join(configs)}---\n")
        return tmp_path / "set"

    return write


def load(source):
    return load_questions(QuestionsConfig(source=source))


@pytest.mark.parametrize("name", SETS)
def test_a_folder_in_the_format_of_a_set_becomes_questions(copy, name):
    questions = load(f"hf:{copy(*SETS[name])}?as={name}")
    found = [(question.kind, question.answer, question.id) for question in questions]
    assert (
        found
        == {
            "google/boolq": [("yes_no", "no", "validation-0"), ("yes_no", "yes", "validation-1")],
            "cais/mmlu": [("choice", "A", "test-0"), ("choice", "D", "test-1")],
            "openai/gsm8k": [("number", "42", "test-0"), ("number", "2,500", "test-1")],
            "HuggingFaceH4/MATH-500": [
                ("expression", "\\frac{1}{4}", "test-algebra-7-json"),
                ("expression", "\\left( 3, 1 \\right)", "test-geometry-9-json"),
            ],
            "math-ai/aime25": [("number", "8", "0"), ("number", "049", "1")],
        }[name]
    )


@pytest.mark.parametrize("name", ["google/boolq", "cais/mmlu", "openai/gsm8k", "HuggingFaceH4/MATH-500"])
def test_without_a_mapping_a_set_is_recognised_by_its_columns(copy, name):
    mapped = load(f"hf:{copy(*SETS[name])}?as={name}")
    assert load(f"hf:{copy(*SETS[name])}") == mapped


def test_a_passage_precedes_its_question(copy):
    question = load(f"hf:{copy(*SETS['google/boolq'])}?as=google/boolq")[0]
    assert question.question == "Kites need wind.\n\nCan a kite fly without wind?"


def test_answers_of_competitions_may_be_padded(copy):
    question = load(f"hf:{copy(*SETS['math-ai/aime25'])}?as=math-ai/aime25")[1]
    assert is_correct(question, "49") and is_correct(question, r"\boxed{49}")


def test_both_halves_of_a_set_in_two_subsets_are_taken(copy):
    features = Features({"question": TEXT, "answer": TEXT})
    folder = copy(features, ["AIME2025-I", "AIME2025-II"], ["test"], [{"question": "$1+1$?", "answer": "2^\\circ"}])
    ids = [question.id for question in load(f"hf:{folder}?as=opencompass/AIME2025")]
    assert ids == ["AIME2025-I-test-0", "AIME2025-II-test-0"]
    assert len(load(f"hf:{folder}?as=opencompass/AIME2025&subset=AIME2025-II")) == 1


@pytest.mark.parametrize("card", [True, False], ids=["described in its card", "without a card"])
def test_subsets_are_not_mixed(copy, tmp_path, card):
    folder = copy(GSM8K, ["main", "socratic"], ["test"], SETS["openai/gsm8k"][3])
    source = f"hf:{folder}"
    if not card:
        (tmp_path / "set" / "README.md").unlink()
    with pytest.raises(OddError, match="several subsets: add subset= with one of main, socratic"):
        load(source)
    assert len(load(f"{source}?subset=socratic")) == 2


def test_split_limit_and_seed_are_chosen_in_the_source(copy):
    rows = [{"question": f"is {n} even", "answer": n % 2 == 0, "passage": "Numbers."} for n in range(20)]
    source = f"hf:{copy(BOOLQ, None, ['train', 'validation'], rows)}?as=google/boolq"
    ids = [question.id for question in load(f"{source}&split=train&limit=5&seed=1")]
    assert len(ids) == 5 and all(name.startswith("train-") for name in ids)
    assert ids == [question.id for question in load(f"{source}&split=train&limit=5&seed=1")]
    assert ids != [question.id for question in load(f"{source}&split=train&limit=5&seed=2")]
    assert ids == [question.id for question in load(f"{source}&split=train&seed=1")][:5]


def test_other_sets_are_read_by_columns(copy):
    features = Features({"ask": TEXT, "options": Sequence(TEXT), "right": Value("int64")})
    folder = copy(features, None, ["train"], [{"ask": "Which?", "options": ["x", "y"], "right": 1}])
    question = load(f"hf:{folder}?question=ask&answer=right&choices=options&kind=choice")[0]
    assert (question.question, question.choices, question.answer) == ("Which?", ("x", "y"), "B")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ("?as=google/booql", "google/boolq, cais/mmlu"),
        ("?as=cais/mmlu", "could not be loaded"),
        ("?as=google/boolq&split=nothing", "could not be loaded .*nothing"),
        ("?as=openai/gsm8k&subset=default&split=train", "answer"),
        ("?question=question", "missing answer and kind"),
        ("?question=asks&answer=answer&kind=yes_no", "not in the format"),
    ],
)
def test_mismatches_are_reported_in_one_line(copy, options, named):
    with pytest.raises(OddError, match=named) as caught:
        load(f"hf:{copy(*SETS['google/boolq'])}{options}")
    assert "\n" not in str(caught.value)


def test_a_hub_that_cannot_be_reached_is_asked_once_and_briefly(monkeypatch):
    monkeypatch.setattr(hub, "HUB_SECONDS", 0.01)
    with pytest.raises(OddError, match="hf:google/boolq: could not be loaded"):
        load("hf:google/boolq?limit=3")


def test_a_missing_package_is_named_with_its_command(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "datasets", None)
    with pytest.raises(OddError, match="pip install datasets"):
        load("hf:google/boolq")
