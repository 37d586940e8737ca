"""What teachers are shown: fences hold, wrong examples are marked, and paths are not shown to those who score them."""

import dataclasses
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from odd.contexts import (
    DEFAULT_TEMPLATES,
    ContextUnavailable,
    Demonstration,
    choose_demonstrations,
    fenced,
    question_block,
    summary_request,
    with_demonstrations,
)

TEXTS = ["right a", "right b", "right c", "wrong a", "wrong b", "wrong c"]
CORRECT = [True, True, True, False, False, False]


def choose(kind, avoid=(), seed=0, texts=TEXTS, correct=CORRECT):
    return choose_demonstrations(kind, texts, correct, avoid, np.random.default_rng(seed))


@given(st.text(alphabet="`a\n", max_size=40))
def test_a_fence_is_longer_than_any_run_of_backticks_inside(text):
    first, *inside, last = fenced(text).split("\n")
    longest = max(map(len, re.findall("`+", text)), default=0)
    assert first == last == "`" * max(3, longest + 1)
    assert "\n".join(inside) == text


def test_a_question_block_letters_its_choices_and_ends_with_the_instruction():
    assert question_block("Which?", ("x", "y")).split("\n") == ["Which?", "A) x", "B) y", DEFAULT_TEMPLATES.instruction]


@pytest.mark.parametrize("summarized", [False, True])
def test_each_example_stands_under_a_label_that_tells_right_from_wrong(summarized):
    shown = [Demonstration("seven", True), Demonstration("eight", False)]
    before_seven, rest = with_demonstrations("Q", shown, summarized).split(fenced("seven"))
    before_eight, after = rest.split(fenced("eight"))
    assert "correct response" in before_seven and "not imitate" not in before_seven
    assert "wrong response" in before_eight and "not imitate" in before_eight
    assert all(("summary" in before) == summarized for before in (before_seven, before_eight))
    assert after.strip() == DEFAULT_TEMPLATES.closing


def test_the_question_comes_first():
    assert with_demonstrations("Q?\nThink.", [Demonstration("x", True)]).startswith("Q?\nThink.\n")


def test_all_wording_can_be_replaced():
    names = [field.name for field in dataclasses.fields(DEFAULT_TEMPLATES)]
    own = dataclasses.replace(DEFAULT_TEMPLATES, **{name: f"<{name}>" for name in names})
    shown = [Demonstration("x", True), Demonstration("y", False)]
    block = question_block("Q", templates=own)
    whole = [with_demonstrations(block, shown, summarized, own) for summarized in (False, True)]
    whole.append(summary_request(block, "x", own))
    assert all(f"<{name}>" in "".join(whole) for name in names)
    assert not any(getattr(DEFAULT_TEMPLATES, name) in "".join(whole) for name in names)


@pytest.mark.parametrize(("kind", "outcomes"), [("none", []), ("1c", [True]), ("1c1w", [True, False])])
def test_a_context_shows_what_its_name_says(kind, outcomes):
    shown = choose(kind)
    assert [demonstration.correct for demonstration in shown] == outcomes
    assert all(demonstration.text.startswith("right" if demonstration.correct else "wrong") for demonstration in shown)


def test_texts_of_the_paths_are_not_shown_if_there_are_others():
    avoid = ["right a", "right c", "wrong b"]
    drawn = {demonstration.text for seed in range(40) for demonstration in choose("1c1w", avoid, seed)}
    assert drawn == {"right b", "wrong a", "wrong c"}


def test_texts_of_the_paths_are_shown_if_there_are_no_others():
    assert choose("1c", avoid=TEXTS)[0].correct


@pytest.mark.parametrize(
    ("kind", "correct", "missing"), [("1c", False, "correct"), ("1c1w", False, "correct"), ("1c1w", True, "wrong")]
)
def test_a_context_without_examples_is_unavailable_for_a_reason(kind, correct, missing):
    with pytest.raises(ContextUnavailable, match=f"no {missing} response"):
        choose(kind, texts=["a", "b"], correct=[correct] * 2)


def test_a_plain_teacher_needs_no_responses():
    assert choose("none", texts=[], correct=[]) == []


def test_the_generator_decides_the_choice():
    picks = [[d.text for d in choose("1c1w", seed=seed)] for seed in (1, 1, *range(2, 20))]
    assert picks[0] == picks[1] and len(set(map(tuple, picks))) > 3
