"""Logs of another day are taken with the prompts of that day, or the date is named as the cause."""

import copy
import json
from datetime import date

import pytest

from odd.config import parse_config
from odd.errors import OddError
from odd.models.transformers.language_model import wrap
from odd.models.transformers.renderer import Renderer
from odd.questions.base import Question
from odd.rollouts.importing import take_rollouts
from odd.rollouts.log_dates import logged_day
from tests.models.test_template_faults import TURNS

SUM = Question(id="sum", question="What is 8+6-3?", answer="11", kind="number")
DAY = date(2024, 2, 9)


@pytest.fixture(scope="module")
def isolated():
    """A renderer whose process serves all tests."""
    return Renderer()


@pytest.fixture
def student(tiny, isolated):
    """Make the tiny model with another template."""

    def made(template):
        tokenizer = copy.deepcopy(tiny.tokenizer.tokenizer)
        tokenizer.chat_template = template
        model = wrap("dated", tiny.scorer.model, tokenizer)
        model.tokenizer._renderer = isolated
        return model

    return made


@pytest.fixture
def logged(tmp_path):
    """Write a log of rollouts with a prompt; return the settings of its import."""

    def made(*prompts):
        file = tmp_path / "log.jsonl"
        file.write_text(
            "\n".join(json.dumps({"input": prompt, "output": "Answer: 11", "score": 1}) for prompt in prompts)
        )
        return parse_config({"imported": {"files": [str(file)]}})

    return made


def shown(form, around="Today: {}.\n"):
    return "<|im_start|>system\n" + around.format(f"{{{{ strftime_now('{form}') }}}}") + "<|im_end|>\n" + TURNS


@pytest.mark.parametrize("decoded", [False, True], ids=["rendered", "without control tokens"])
@pytest.mark.parametrize(
    "template",
    [
        shown("%d %b %Y"),
        shown("%Y-%m-%d"),
        shown("%B %-d, %Y"),
        shown("%Y-%m-%d", "It is {}, a {{{{ strftime_now('%A') }}}}.\n"),
        shown("%A", "{}, {{{{ strftime_now('%Y/%m/%d') }}}}\n"),
    ],
)
def test_rollouts_are_taken_with_the_prompt_of_the_day_in_the_log(student, logged, template, decoded):
    model = student(template)
    tokenizer = model.dated(DAY).tokenizer
    rendered = tokenizer.render_chat(SUM.messages())
    prompt = tokenizer.decode(tokenizer.encode_chat(SUM.messages())) if decoded else rendered
    assert logged_day(model, ["Today.", prompt]) == DAY
    assert take_rollouts(logged(prompt), [SUM], model.dated(DAY)).account.taken == 1


@pytest.mark.parametrize(
    "template",
    [
        shown("%d %B"),  # no year
        shown("%H:%M on %Y-%m-%d"),  # the time, which is that of each prompt
        TURNS + "{{ strftime_now('%Y-%m-%d') }}",  # behind the question
    ],
)
def test_a_day_that_cannot_be_told_is_named_as_the_cause(student, logged, template):
    model = student(template)
    prompt = model.dated(DAY).tokenizer.render_chat(SUM.messages()).replace("00:00", "12:34")
    assert logged_day(model, [prompt]) is None
    with pytest.raises(OddError, match=r"which shows a date: give that of the log with --set date=YYYY-MM-DD"):
        take_rollouts(logged(prompt), [SUM], model)


@pytest.mark.parametrize("prompt", ["", "What is 8+6-3?", "<|im_start|>system\nToday: soon.\n<|im_end|>\n"])
def test_prompts_without_a_date_tell_no_day(student, prompt):
    assert logged_day(student(shown("%Y-%m-%d")), [prompt]) is None


def test_templates_without_a_date_ask_for_no_day(student, logged):
    model = student(TURNS)
    prompt = model.tokenizer.render_chat(SUM.messages())
    assert logged_day(model, [prompt]) is None
    assert take_rollouts(logged(prompt), [SUM], model).account.taken == 1
