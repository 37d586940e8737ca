"""Expressions, patterns, generators' scorers, and answers after thinking."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from odd.config import QuestionsConfig
from odd.errors import OddError
from odd.questions import isolated
from odd.questions.answers import boxed, extract_answer
from odd.questions.base import Question
from odd.questions.isolated import Judge, JudgeError, Unanswered, equal_expressions
from odd.questions.sources import load_questions
from odd.questions.thinking import after_thinking
from odd.questions.verifiers import is_correct, read_answer


def question(kind, answer, **more):
    return Question(id="a", question="?", answer=answer, kind=kind, **more)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"So it is \boxed{7}.", "7"),
        (r"\boxed{6}, no: \boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{6}" + "\nAnswer: 7", "7"),
        (r"Answer: \boxed{7}", "7"),
        (r"Answer: $\boxed{B}$", "B"),
        (r"\boxed{7", None),
        ("We get 7.\n#### 7", "7"),
        ("#### 6\n#### 1,234", "1,234"),
        (r"\boxed{7}" + "\n#### 6", "7"),
    ],
)
def test_without_an_answer_line_a_box_or_hashes_mark_the_answer(text, answer):
    assert extract_answer(text) == answer


def test_braces_inside_a_box_are_kept():
    assert boxed(r"x \boxed{a{b}{c}} y") == "a{b}{c}"


@pytest.mark.parametrize(
    ("text", "inside", "rest"),
    [
        ("Answer: 7", False, "Answer: 7"),
        ("<think>Answer: 6</think>\nAnswer: 7", False, "\nAnswer: 7"),
        ("<think>Answer: 6", False, ""),
        ("Answer: 6", True, ""),
        ("Answer: 6</think>Answer: 7", True, "Answer: 7"),
        ("<think>a</think>b<think>Answer: 6", False, ""),
    ],
)
def test_only_what_follows_the_thinking_part_is_read(text, inside, rest):
    assert after_thinking(text, inside) == rest


def test_an_answer_inside_the_thinking_part_is_none():
    assert extract_answer("<think>Answer: 7") is None
    assert read_answer(question("number", "7"), "Answer: 7\n", inside=True) is None


@pytest.mark.parametrize(
    ("gold", "answer", "correct"),
    [
        (r"\frac{14}{3}", "14/3", True),
        ("x^2 + 2x + 1", "(x+1)^2", True),
        ("x^2 + 2x + 1", "(x-1)^2", False),
        (r"2\sqrt{2}", r"\sqrt{8}", True),
        (r"\left( 3, \frac{\pi}{2} \right)", r"$(3,\pi/2)$", True),
        (r"(-\infty,2)\cup(3,\infty)", r"(3,\infty) \cup (-\infty,2)", True),
        ("1024", "2^{10}", True),
        ("7", "7 or 8", False),
        ("7", "7x", False),
        ("7", "7.0", True),
        ("0.5", "1/2", True),
        ("1,234", "1234.", True),
        (r"\text{Evelyn}", "evelyn", True),
        (r"\text{even}", r"\text{neve}", False),
        (r"\$32,348", "32348", True),
        ("42", r"42^\circ", True),
        (r"12\pi", "12π cm²", True),
        (r"12\pi", r"$12\pi$ square meters", True),
        (r"12\pi", "12 pi m^2.", True),
        (r"\frac{3}{2}", r"\frac{3}{2} hours", True),
        (r"12\pi", "12π m x", False),
        ("3 m", "3 m", True),
        ("3m+1", "3m + 1", True),
    ],
)
def test_expressions_are_equal_in_every_form(gold, answer, correct):
    assert is_correct(question("expression", gold), answer) is correct


@pytest.mark.parametrize(
    ("answer", "correct"),
    [
        (r"\frac{14}{2}", True),
        (r"\sqrt{49}", True),
        (r"\sqrt{7}", False),
        (r"$7\text{ cm}$", True),
        (r"7\,000", False),
        ("√49", True),
        ("7¹", True),
        ("7²", False),
    ],
)
def test_tex_in_the_answer_to_a_number_question_is_read_as_mathematics(answer, correct):
    assert is_correct(question("number", "7"), answer) is correct


def test_an_unfinished_sum_is_not_an_answer_to_a_number_question():
    assert not is_correct(question("number", "7"), "3+4")
    assert is_correct(question("expression", "7"), "3+4")


def test_plain_numbers_need_no_other_process(monkeypatch):
    monkeypatch.setattr(isolated.JUDGE, "ask", lambda *_, **__: pytest.fail("asked"))
    for kind in ("number", "expression"):
        assert is_correct(question(kind, "7"), "7.0") and not is_correct(question(kind, "7"), "8")


def test_a_pattern_must_match_the_whole_answer():
    gray = question("regex", "(?i)gr[ae]y", example="gray")
    assert is_correct(gray, "Grey") and not is_correct(gray, "greyish")


def test_a_catastrophic_pattern_is_matched_in_linear_time():
    assert not is_correct(question("regex", "(a+)+b", example="ab"), "a" * 100_000)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"kind": "regex", "answer": "a"}, "needs an example"),
        ({"kind": "regex", "answer": "a", "example": "b"}, "matches its example 'b'"),
        ({"kind": "regex", "answer": "(", "example": "b"}, "not a regular expression"),
        ({"kind": "regex", "answer": r"(a)\1", "example": "aa"}, "not a regular expression"),
        ({"kind": "number", "answer": r"\frac12"}, "kind expression"),
        ({"kind": "reasoning_gym", "answer": "a"}, "generator, parameters and entry"),
    ],
)
def test_a_gold_answer_that_cannot_be_right_is_refused(fields, named):
    with pytest.raises(ValueError, match=named.replace("(", r"\(")):
        Question(id="a", question="?", **fields)


@pytest.fixture
def judge():
    judge = Judge()
    yield judge
    judge.end()


def test_an_endless_check_is_aborted_and_the_next_request_is_answered(judge):
    with pytest.raises(Unanswered):
        judge.ask("equal", "7", "10^{10^{10}}", seconds=1.0)
    assert judge.ask("equal", "7", "7.0") is True


def test_many_threads_may_ask():
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: equal_expressions(str(n), rf"\frac{{{2 * n}}}{{2}}"), range(16)))
    assert all(found)


@pytest.mark.parametrize("code", ["open({!r}, 'w')", "__import__('os').system('touch ' + {!r})"])
def test_an_answer_that_a_scorer_evaluates_cannot_write_files(judge, tmp_path, code):
    answer = "[" + code.format(str(tmp_path / "written")) + "]"
    entry = {"question": "", "answer": "ABC", "metadata": {}}
    with suppress(JudgeError):  # the scorer swallows some errors
        judge.ask("score", "string_insertion", {}, entry, answer)
    assert not (tmp_path / "written").exists()


GYM = ("leg_counting?size=2", "sudoku?size=1", "arc_agi?size=1", "graph_color?size=1", "simple_equations?size=2")


@pytest.mark.parametrize("source", GYM)
def test_questions_of_a_generator_keep_their_scorer_through_json_lines(tmp_path, source):
    made = load_questions(QuestionsConfig(source=f"gym:{source}&seed=3"))
    file = tmp_path / "gym.jsonl"
    file.write_text("\n".join(one.model_dump_json() for one in made))
    assert load_questions(QuestionsConfig(source=str(file))) == made
    for one in made:
        if one.answer:  # graph_color has no gold answer, only the scorer
            assert is_correct(one, read_answer(one, f"Some steps.\nAnswer: {one.answer}"))
        assert not is_correct(one, "nonsense")


def test_seed_size_and_parameters_reach_the_generator():
    def questions(options):
        return [one.question for one in load_questions(QuestionsConfig(source=f"gym:chain_sum?{options}"))]

    assert len(questions("size=3")) == 3
    assert questions("size=3&seed=1") == questions("size=3&seed=1") != questions("size=3&seed=2")
    assert all(text.count(" + ") + text.count(" - ") == 4 for text in questions("size=3&min_terms=5&max_terms=5"))


def test_generators_can_be_mixed():
    parts = json.dumps([{"name": "leg_counting", "weight": 1}, {"name": "chain_sum", "weight": 1}])
    made = load_questions(QuestionsConfig(source=f"gym:composite?size=8&datasets={parts}"))
    assert {one.metadata["generator"] for one in made} == {"leg_counting", "chain_sum"}


@pytest.mark.parametrize(
    ("source", "named"), [("gym:nothing", "leg_counting"), ("gym:chain_sum?max_terms=0", "rejects .*max_terms=0")]
)
def test_a_generator_that_does_not_make_questions_says_why(source, named):
    with pytest.raises(OddError, match=named):
        load_questions(QuestionsConfig(source=source))


def test_a_missing_package_is_named_with_its_command(monkeypatch):
    def missing(*_, **__):
        raise JudgeError("ModuleNotFoundError", "No module named 'reasoning_gym'")

    monkeypatch.setattr(isolated.JUDGE, "ask", missing)
    with pytest.raises(OddError, match="pip install reasoning-gym"):
        load_questions(QuestionsConfig(source="gym:chain_sum"))
