"""The thinking mode of chat templates, and the verification of responses with a thinking part."""

from dataclasses import replace

import numpy as np
import pytest

from odd.config import ModelConfig, SamplingConfig
from odd.models.base import Generation
from odd.models.registry import load_model
from odd.models.transformers import language_model
from odd.models.transformers.language_model import wrap
from odd.questions.base import Question
from odd.rollouts.sampling import opens_thinking, sample_chunk

QUESTION = Question(id="sum", question="What is 8+6-3?", answer="11", kind="number")
TEMPLATES = {
    # like Qwen3: if disabled, the prompt contains an empty thinking part
    "closed": "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "<|im_start|>assistant\n{% if not enable_thinking %}<think>\n\n</think>\n\n{% endif %}",
    # like models that always think: the prompt opens the thinking part
    "open": "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "<|im_start|>assistant\n{% if enable_thinking %}<think>\n{% endif %}",
}


@pytest.fixture
def load(tmp_path):
    def model(template, thinking, special=False, marks=("<think>", "</think>"), named=None):
        loaded = language_model.load(ModelConfig(name="tiny-s", thinking=thinking), tmp_path)
        loaded.tokenizer.tokenizer.add_tokens([*marks], special_tokens=special)
        loaded.tokenizer.tokenizer.chat_template = TEMPLATES[template].replace("<think>", marks[0])
        wrapped = wrap(
            "thinker", loaded.scorer.model, loaded.tokenizer.tokenizer, loaded.tokenizer.thinking, thinking_marks=named
        )
        return replace(wrapped, thinking_marks=named)

    return model


def judged(model, text, monkeypatch):
    """Return the rollout of a student that responds `text`."""
    tokens = tuple(model.tokenizer.encode(text))
    drawn = Generation(tokens, np.zeros(len(tokens), np.float32), truncated=False)
    monkeypatch.setattr(model.sampler, "sample", lambda prefixes, *_: [drawn for _ in prefixes])
    prompt = model.tokenizer.encode_chat(QUESTION.messages())
    return sample_chunk(model, QUESTION, prompt, [()], SamplingConfig(), "initial", 0)[0]


def test_the_setting_reaches_the_template(load):
    assert load("closed", thinking=False).tokenizer.render_chat(QUESTION.messages()).endswith("<think>\n\n</think>\n\n")
    assert load("closed", thinking=True).tokenizer.render_chat(QUESTION.messages()).endswith("assistant\n")


def test_templates_without_a_thinking_mode_are_unchanged(tmp_path):
    plain, thinking = (language_model.load(ModelConfig(name="tiny-s", thinking=on), tmp_path) for on in (False, True))
    assert plain.tokenizer.render_chat(QUESTION.messages()) == thinking.tokenizer.render_chat(QUESTION.messages())


@pytest.mark.parametrize("special", [False, True])
def test_the_answer_is_extracted_after_the_thinking_part(load, monkeypatch, special):
    model = load("closed", thinking=True, special=special)
    made = judged(model, "<think>Answer: 3</think>\nAnswer: 11", monkeypatch)
    assert (made.answer, made.correct) == ("11", True)
    assert judged(model, "<think>8+6=14.\nAnswer: 11", monkeypatch).answer is None


@pytest.mark.parametrize("special", [False, True])
def test_a_prompt_that_opens_the_thinking_part_makes_the_response_start_inside_it(load, monkeypatch, special):
    model = load("open", thinking=True, special=special)
    assert opens_thinking(model, model.tokenizer.encode_chat(QUESTION.messages()))
    assert judged(model, "8+6=14.\nAnswer: 11", monkeypatch).answer is None
    assert judged(model, "8+6=14.\n</think>Answer: 11", monkeypatch).correct


NAMED = ("<reason>", "</reason>")


@pytest.mark.parametrize(
    ("marks", "named", "special"), [(("[THINK]", "[/THINK]"), None, True), (NAMED, NAMED, True), (NAMED, NAMED, False)]
)
def test_marks_of_other_models_and_those_that_a_user_names_are_honoured(load, monkeypatch, marks, named, special):
    opens, closes = marks
    model = load("open", thinking=True, special=special, marks=marks, named=named)
    assert judged(model, "8+6=14.\nAnswer: 11", monkeypatch).answer is None
    assert judged(model, f"Answer: 3{closes}Answer: 11", monkeypatch).correct
    model.tokenizer.thinking = False
    assert judged(model, f"{opens}Answer: 11", monkeypatch).answer is None
    assert judged(model, f"{opens}Answer: 3{closes}Answer: 11", monkeypatch).correct


def test_the_setting_of_marks_reaches_the_model(tmp_path):
    model = load_model(ModelConfig(name="tiny-s", thinking_marks=NAMED), tmp_path)
    assert model.thinking_marks == NAMED


def test_without_an_opened_thinking_part_the_response_is_read_from_the_start(load, monkeypatch):
    model = load("open", thinking=False)
    assert judged(model, "8+6=14.\nAnswer: 11", monkeypatch).correct


def test_other_control_tokens_are_dropped_if_thinking_is_marked_by_control_tokens(load):
    model = load("closed", thinking=True, special=True)
    tokens = [*model.tokenizer.encode("<think>a</think>b"), model.tokenizer.end_token]
    assert model.tokenizer.decode(tokens) == "<think>a</think>b"
