"""Test vectors equal the oracle within 1e-6 and are never read from it; malformed documents are refused."""

import copy
import json
from pathlib import Path

import pytest

from odd.cli.vectors import DEEPEST, compute_vectors
from odd.errors import OddError

pytestmark = pytest.mark.checked_shapes

ORACLE = Path(__file__).parents[1] / "oracle"
CASES, TREE = (json.loads((ORACLE / f"{name}.json").read_text()) for name in ("cases", "tree"))


def assert_close(actual, expected, place=""):
    if isinstance(expected, dict):
        assert set(actual) == set(expected), place
        for key in expected:
            assert_close(actual[key], expected[key], f"{place}/{key}")
    elif isinstance(expected, list):
        assert len(actual) == len(expected), place
        for i, (a, e) in enumerate(zip(actual, expected, strict=True)):
            assert_close(a, e, f"{place}/{i}")
    else:
        assert actual == (expected if expected is None else pytest.approx(expected, rel=1e-6, abs=1e-12)), place


def test_cases_equal_the_oracle():
    assert_close(compute_vectors(CASES)["cases"], [case["expected"] for case in CASES["cases"]])


def test_questions_equal_the_oracle():
    expected = [{key: question[key] for key in ("root_value_exact", "edges")} for question in TREE["questions"]]
    assert_close(compute_vectors(TREE)["questions"], expected)


def test_expected_values_are_never_read():
    cases, tree = copy.deepcopy(CASES), copy.deepcopy(TREE)
    for case in cases["cases"]:
        case["expected"] = "nonsense"
    for question in tree["questions"]:
        del question["edges"], question["root_value_exact"]
    assert compute_vectors(cases) == compute_vectors(CASES)
    assert compute_vectors(tree) == compute_vectors(TREE)


def test_the_result_is_strict_json():
    json.dumps([compute_vectors(CASES), compute_vectors(TREE)], allow_nan=False)


def test_a_child_without_visits_has_undefined_scores():
    case = {**CASES["cases"][0], "visits": [0] * 5, "successes": [0] * 5}
    result = compute_vectors({"cases": [case]})["cases"][0]
    assert result["alignment"]["reverse_kl"] == {"full": None, "children": None}
    assert result["wilson"] == [[None, None]] * 2


def broken_case(**changes):
    return {"cases": [{**CASES["cases"][0], **changes}]}


def chain(length):
    return [{"prefix": [1] * depth, "weights": {"0": 1, "1": 1}} for depth in range(length)]


def broken_question(**changes):
    return {"questions": [{**TREE["questions"][0], **changes}]}


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ([], "not a JSON object"),
        ({"note": "x"}, "'cases' and 'questions' are both missing"),
        (broken_case(visits=[1, 2]), "cases.0.*same length"),
        (broken_case(successes=[9, 9, 9, 999, 9]), "successes must not exceed visits"),
        (broken_case(support=[3, 5]), "distinct token ids below 5"),
        (broken_case(teacher_logits="x"), "cases.0.teacher_logits"),
        (broken_case(teacher_logits=[0.0, 0.0, float("nan"), 0.0, 0.0]), "cases.0.teacher_logits.2"),
        (broken_case(visits=[10**23] * 5), "cases.0.visits.0"),
        (broken_case(student_logits=[10**400] * 5), "cases.0.student_logits.0"),
        (broken_case(student_logits=[-1e308] * 5), "student_logits.0.*from -1e\\+15 to 1e\\+15"),
        (broken_case(support=[10**12]), "cases.0.support.0"),
        (broken_question(weights=[{"prefix": [], "weights": {str(10**12): 1}}]), "questions.0.weights.0"),
        (broken_question(weights=[{"prefix": [], "weights": {"9000000": 1}}] * 2), "must not exceed 10000000"),
        (broken_question(weights=[{"prefix": [], "weights": {"1": 1e308}}]), "questions.0.weights.0.weights.1"),
        (broken_question(weights=chain(1200), rollouts=[]), "questions.0.weights.257.prefix"),
        (broken_question(rollouts=[{"tokens": [10**12], "forced": 0, "correct": True}]), "rollouts.0.tokens.0"),
        (broken_question(weights=[{"prefix": [], "weights": {"1": 0}}]), "questions.0.*not a distribution"),
        (broken_question(rollouts=[{"tokens": [3], "forced": 0, "correct": True}]), "rollouts.0.*token 3"),
        (broken_question(rollouts=[{"tokens": [4], "forced": 2, "correct": True}]), "forced must not exceed"),
    ],
)
def test_malformed_documents_are_refused_in_one_line_that_names_the_place(document, named):
    with pytest.raises(OddError, match=named) as error:
        compute_vectors(document)
    assert "\n" not in str(error.value)


def test_the_deepest_model_that_is_allowed_is_computed():
    document = broken_question(weights=chain(DEEPEST + 1), rollouts=[], correct_leaves=[[0]])
    assert compute_vectors(document)["questions"][0]["root_value_exact"] == 0.5
