"""The task's solutions are right in every order, and its slips are wrong often enough to be useful."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from odd.questions.answers import extract_answer
from odd.questions.base import Question
from odd.questions.tiny_task import LEVELS, Expression, answer_of, is_held_out, random_problem, solution
from odd.questions.verifiers import is_correct

SEEDS = 300
EXPRESSIONS = st.integers(1, 5).flatmap(
    lambda n: st.builds(
        Expression,
        st.tuples(*[st.integers(-30, 30)] * n),
        st.tuples(*[st.sampled_from("+-*")] * (n - 1)),
    )
)


def problems(level, n=SEEDS):
    rng = np.random.default_rng([level, n])
    return [random_problem(rng, level) for _ in range(n)]


def outcomes(expression):
    """Values of an expression over all orders of allowed steps."""
    if not expression.operators:
        return set(expression.numbers)
    return {
        value for i in expression.reducible() for value in outcomes(expression.reduced(i, expression.step_value(i)))
    }


@given(EXPRESSIONS)
def test_the_value_is_that_of_python(expression):
    assert expression.value() == eval(str(expression))


@given(EXPRESSIONS)
def test_every_allowed_order_of_steps_gives_the_same_value(expression):
    assert outcomes(expression) == {expression.value()}


def test_there_is_more_than_one_order():
    assert len(Expression((1, 2, 3, 4), ("+", "*", "+")).reducible()) == 1
    assert len(Expression((1, 2, 3, 4), ("*", "+", "*")).reducible()) == 2
    assert len(Expression((1, 2, 3), ("+", "+")).reducible()) == 2


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("brief", [False, True])
def test_every_solution_is_right(level, brief):
    rng = np.random.default_rng(level)
    for problem in problems(level):
        question = Question(
            id="a", question=problem.text, answer=problem.answer, kind=problem.kind, choices=problem.choices
        )
        text = solution(rng, problem, brief=brief)
        assert is_correct(question, extract_answer(text)), (problem, text)
        assert answer_of(text) == problem.answer


@pytest.mark.parametrize("level", LEVELS)
def test_every_equation_of_a_solution_holds(level):
    rng = np.random.default_rng(level)
    for problem in problems(level):
        text = solution(rng, problem)
        equations = re.findall(r"[-+*\d]+(?:=[-+*\d]+)+", text)
        assert equations or problem.level == 1
        for equation in equations:
            assert len({eval(side.replace("+-", "-")) for side in equation.split("=")}) == 1, text


@pytest.mark.parametrize("level", LEVELS)
def test_the_answer_is_what_python_says(level):
    for problem in problems(level):
        values = [eval(str(expression)) for expression in problem.expressions]
        if problem.kind == "number":
            assert problem.answer == str(values[0])
        elif problem.kind == "yes_no":
            assert problem.answer == ("yes" if values[0] > values[1] else "no")
        else:
            assert problem.answer == "ABC"[int(np.argmax(values))] and values.count(max(values)) == 1


@pytest.mark.parametrize("kind", ["number", "yes_no", "choice"])
def test_slips_change_the_answer_often_enough(kind):
    rng = np.random.default_rng(0)
    slipped = [
        answer_of(solution(rng, problem, slip=True)) != problem.answer
        for level in LEVELS
        for problem in problems(level)
        if problem.kind == kind
    ]
    assert np.mean(slipped) > 0.2


def test_a_problem_has_many_solutions():
    problem = next(p for p in problems(4) if p.kind == "number")
    assert len({solution(np.random.default_rng(seed), problem) for seed in range(60)}) > 15


def test_a_tenth_of_the_problems_is_held_out():
    distinct = {(p.text, p.choices): p for level in LEVELS for p in problems(level, 1500)}
    share = np.mean([is_held_out(problem) for problem in distinct.values()])
    assert 0.08 < share < 0.12


def test_being_held_out_depends_on_the_question_alone():
    seen = {}
    for problem in problems(1, 2000):
        assert seen.setdefault((problem.text, problem.choices), is_held_out(problem)) == is_held_out(problem)
    assert len(seen) < 2000


def test_the_seed_decides_problem_and_solution():
    def make(seed):
        rng = np.random.default_rng(seed)
        problem = random_problem(rng, 5)
        return problem, solution(rng, problem)

    assert make(1) == make(1) != make(2)


@pytest.mark.parametrize("level", LEVELS)
def test_levels_hold_every_kind_of_question(level):
    kinds = {problem.kind for problem in problems(level)}
    assert kinds == ({"number", "yes_no"} if level == 1 else {"number", "yes_no", "choice"})
