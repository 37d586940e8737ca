"""Teachers' prompts: fences cannot be broken, wrong examples are marked, and scored paths are not shown."""

import re
from string import Template

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odd.config.teachers import CONTEXTS, Templates
from odd.questions.contexts import (
    DEFAULT_TEMPLATES,
    Attempt,
    ContextUnavailable,
    Demonstration,
    choose_attempts,
    fenced,
    question_block,
    summary_request,
    with_demonstrations,
    with_given,
)

TRIES = ["wrong a", "right a", "right b", "wrong b", "right c", "wrong c"]


def attempts(texts):
    return [Attempt(text, text.startswith("right")) for text in texts]


def choose(kind, avoid=(), texts=TRIES, last=True):
    chosen = choose_attempts(attempts(texts), CONTEXTS[kind][:2], avoid, last, "tiny-s")
    return None if chosen is None else [attempt.text for attempt in chosen]


@given(st.text(alphabet="`a\n", max_size=40))
def test_a_fence_is_longer_than_any_run_of_backticks_inside(text):
    first, *inside, last = fenced(text).split("\n")
    longest = max(map(len, re.findall("`+", text)), default=0)
    assert first == last == "`" * max(3, longest + 1)
    assert "\n".join(inside) == text


def test_a_question_block_letters_its_choices_and_ends_with_the_instruction():
    assert question_block("Which?", ("x", "y")).split("\n") == ["Which?", "A) x", "B) y", DEFAULT_TEMPLATES.instruction]


@pytest.mark.parametrize("summarized", [False, True])
def test_each_example_has_a_label_that_distinguishes_right_from_wrong(summarized):
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
    forms = {
        "message": "$examples|$heading|$closing|$question",
        "example": "$label: $text",
        "request": "$summarize $text",
        "given": "$example|$closing|$question",
    }
    names = [name for name in Templates.model_fields if name not in forms]
    own = Templates(**{name: f"<{name}>" for name in names}, **forms)
    shown = [Demonstration("x", True), Demonstration("y", False)]
    block = question_block("Q", templates=own)
    whole = [with_demonstrations(block, shown, summarized, own) for summarized in (False, True)]
    whole.append(summary_request(block, "x", own))
    whole += [with_given(block, column, "x", own) for column in ("solution", "hint")]
    assert all(f"<{name}>" in "".join(whole) for name in names)
    assert not any(getattr(DEFAULT_TEMPLATES, name) in "".join(whole) for name in names)
    assert whole[0].startswith(f"<correct>: {fenced('x')}\n<wrong>: {fenced('y')}|<heading>|")
    assert whole[-1] == f"<hint>: {fenced('x')}|<closing>|Q\n<instruction>"


@pytest.mark.parametrize(
    ("name", "value"),
    [("message", "$question"), ("message", "$examples $answer"), ("example", "$label"), ("request", "$text $"),
     ("given", "$question"),
     ("message", "$examples ${question.__class__}")],
)  # fmt: skip
def test_templates_that_drop_or_access_values_are_refused(name, value):
    with pytest.raises(ValueError, match=name if "__class__" not in value else "message"):
        Templates(**{name: value})


@given(st.text(alphabet="$abqu{}estion", max_size=30))
def test_model_output_is_never_read_as_a_template(text):
    shown = with_demonstrations("Q", [Demonstration(text, True)])
    assert fenced(text) in shown
    assert fenced(text) in summary_request("Q", text)
    assert fenced(text) in with_given("Q", "solution", text)
    assert Template(DEFAULT_TEMPLATES.message).is_valid()


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("none", []),
        ("1c", ["right a"]),
        ("1c1w", ["right a", "wrong a"]),
        ("3c", ["right a", "right b", "right c"]),
        ("sum_1c", ["right a"]),
        ("sum_1c1w", ["right a", "wrong a"]),
    ],
)
def test_a_context_shows_the_first_tries_that_fit_correct_ones_first(kind, shown):
    assert choose(kind) == shown


def test_later_tries_do_not_change_what_is_shown():
    assert choose("1c1w") == choose("1c1w", texts=[*TRIES, "right d", "wrong d"], last=False)


def test_texts_of_the_paths_are_not_shown_if_there_are_others():
    assert choose("1c1w", avoid=["right a", "wrong a", "wrong b"]) == ["right b", "wrong c"]


def test_more_tries_are_asked_for_before_a_text_of_a_path_is_shown():
    every = [text for text in TRIES if text.startswith("right")]
    assert choose("1c", avoid=every, last=False) is None
    assert choose("1c", avoid=every) == ["right a"]


def test_three_are_three_different_ones_where_there_are():
    repeated = ["right a", "right a", "right b", "right a"]
    assert choose("3c", texts=repeated, last=False) is None
    assert choose("3c", texts=repeated) == ["right a", "right b", "right a"]
    assert choose("3c", texts=[*repeated, "right c"]) == ["right a", "right b", "right c"]


def test_a_truncated_try_is_never_shown():
    cut = [Attempt("right a", True, truncated=True), Attempt("right b", True)]
    assert choose_attempts(cut, (1, 0), (), True, "x") == [cut[1]]


@pytest.mark.parametrize(
    ("kind", "texts", "why"),
    [
        ("1c", ["wrong"], "no correct response among 1 tries of tiny-s"),
        ("1c1w", ["right"] * 3, "no wrong response among 3 tries"),
        ("3c", ["right a", "right b", "wrong"], "only 2 of 3 correct responses among 3 tries"),
    ],
)
def test_a_context_without_examples_is_unavailable_for_a_reason(kind, texts, why):
    with pytest.raises(ContextUnavailable, match=why):
        choose(kind, texts=texts)


def test_a_plain_teacher_needs_no_responses():
    assert choose("none", texts=[], last=False) == []
