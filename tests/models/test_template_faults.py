"""A chat template is taken only if prompts hold what they should and responses end; otherwise one line says why."""

import copy
from datetime import date, datetime

import pytest

from odd.errors import OddError
from odd.models.base import encode_prompt
from odd.models.transformers.language_model import wrap
from odd.models.transformers.renderer import Renderer

TURNS = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
PARTS = "{% for p in m.content %}{% if p['type'] == 'text' %}{{ p['text'] }}{% endif %}{% endfor %}"
ASKED = [{"role": "user", "content": "Is 3+5 greater than 6?\nThink step by step."}]
SYSTEM = [{"role": "system", "content": "Be brief."}, *ASKED]
SHOTS = [{"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "<think>1+1</think>\nAnswer: 2"}, *ASKED]
END, IM_START, IM_END = 0, 1, 2


def shown(content: str) -> str:
    return TURNS.replace("{{ m.content }}", content)


@pytest.fixture(scope="module")
def isolated():
    """A renderer whose process serves all tests."""
    return Renderer()


@pytest.fixture
def model(tiny, isolated):
    """Make the tiny model with another template, and other ends."""

    def made(template=TURNS, ends=IM_END, eos="<|im_end|>", thinking=False, variable="enable_thinking", tokens=()):
        tokenizer, weights = copy.deepcopy(tiny.tokenizer.tokenizer), copy.deepcopy(tiny.scorer.model)
        tokenizer.chat_template, tokenizer.eos_token = template, eos
        tokenizer.add_tokens(list(tokens))
        weights.generation_config.eos_token_id = ends
        made = wrap("mine", weights, tokenizer, thinking, thinking_variable=variable)
        made.tokenizer._renderer = isolated
        return made

    return made


def refusal(function, *arguments) -> str:
    with pytest.raises(OddError, match=r"^model 'mine': ") as caught:
        function(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- messages that are not in the prompt

LEFT_OUT = {
    "misspelt": (shown("{{ m.text }}"), ASKED, "leaves the question out"),
    "first message only": ("<|im_start|>{{ messages[0].content }}", SYSTEM, "the question out of the prompt"),
    "system message only": (
        "{% for m in messages if m.role == 'system' %}{{ m.content }}{% endfor %}",
        SYSTEM,
        "out of the prompt when there is a system message",
    ),
    "first question only": ("{{ messages[0].content }}", SHOTS, "out of the prompt when there are earlier turns"),
    "last message only": ("{{ messages[-1].content }}", SYSTEM, "leaves the system message out"),
    "no shots": ("{{ messages[-1].content }}", SHOTS, "leaves earlier turns out"),
    "begin only": (shown("{{ m.content[:20] }}"), ASKED, "leaves the question out"),
    "constant": ("<|im_start|>user\nHello", ASKED, "leaves the question out"),
    "nothing": ("{% if messages %}{% endif %}", ASKED, "an empty prompt"),
    "part of a part": (shown(PARTS.replace("p['text'] }}", "p['text'][:9] }}")), ASKED, "leaves the question out"),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_a_template_that_leaves_a_message_out_is_refused(model, name):
    template, messages, line = LEFT_OUT[name]
    assert line in refusal(model(template).tokenizer.encode_chat, messages)


@pytest.mark.parametrize("messages", [ASKED, SYSTEM, SHOTS], ids=["question", "system", "shots"])
@pytest.mark.parametrize(
    "content",
    [PARTS, "{{ m.content[0].text }}", "{{ m.content | map(attribute='text') | join }}"],
)
def test_templates_for_content_parts_get_parts(model, content, messages):
    assert model(shown(content)).tokenizer.render_chat(messages) == model().tokenizer.render_chat(messages)


@pytest.mark.parametrize(
    "content",
    ["{{ m.content | trim }}", "{{ m.content.split('</think>')[-1].strip() }}", "{{ m.content | tojson }}"],
)
def test_templates_may_change_spaces_write_json_and_leave_out_earlier_thinking(model, content):
    template = shown(content)
    assert "Answer: 2" in model(template).tokenizer.render_chat(SHOTS)


# --- templates that fail

FAILING = {
    "names": ({"rag": TURNS, "tool_use": TURNS}, ASKED, ["rag, tool_use", "chat_template.jinja"]),
    "type error": (shown("{{ m.content + 1 }}"), ASKED, ["can only concatenate", "chat_template.jinja"]),
    "syntax": (TURNS + "{% if %}", ASKED, ["not valid Jinja: Expected an expression", "chat_template.jinja"]),
    "unknown filter": (shown("{{ m.content | shout }}"), ASKED, ["not valid Jinja", "shout"]),
    "undefined": (shown("{{ m.meta.date }}"), ASKED, ["UndefinedError", "chat_template.jinja"]),
    "no system": (
        "{% if messages[0].role == 'system' %}{{ raise_exception('none here') }}{% endif %}" + TURNS,
        SYSTEM,
        ["(none here): ask without a system message, or"],
    ),
    "no shots": (
        "{% if messages | length > 1 %}{{ raise_exception('one at a time') }}{% endif %}" + TURNS,
        SHOTS,
        ["(one at a time): ask without shots, or"],
    ),
}


@pytest.mark.parametrize("name", FAILING)
def test_a_template_that_fails_says_why_and_gives_advice_that_fits(model, name):
    template, messages, parts = FAILING[name]
    line = refusal(model(template).tokenizer.encode_chat, messages)
    assert not [part for part in parts if part not in line], line
    assert ("shots" in line) == (name == "no shots") and ("system message" in line) == (name == "no system")


def test_of_several_templates_the_default_is_taken(model):
    several = {"default": TURNS, "rag": "{{ nothing.at.all }}"}
    assert model(several).tokenizer.render_chat(ASKED) == model().tokenizer.render_chat(ASKED)


# --- the token that ends a turn


@pytest.mark.parametrize("template", [TURNS, shown(PARTS), TURNS.replace("<|im_end|>\n", " <|im_end|>")])
def test_the_end_of_a_turn_in_the_template_is_the_token_that_ends_a_response(model, template):
    mine = model(template, ends=[END, IM_END], eos="<|endoftext|>")
    assert mine.tokenizer.end_token == IM_END and mine.sampler.end_tokens == {END, IM_END}
    mine.check_chat()


@pytest.mark.parametrize(
    ("template", "end"),
    [
        ("{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}", END),  # closes turns with a line break
        ("{{ messages[-1].content }}{{ raise_exception('user only') if messages | length > 1 }}", END),
        (shown("{{ m.content }}<|im_start|><|endoftext|>"), END),  # several in a row: the first that ends
        (shown("{{ m.content }}</answer><|endoftext|>"), END),  # what is no token comes first
    ],
)
def test_without_an_end_of_turn_it_is_the_tokenizers(model, template, end):
    mine = model(template, ends=[END, IM_END], eos="<|endoftext|>")
    assert mine.tokenizer.end_token == end
    mine.check_chat()


@pytest.mark.parametrize(
    ("template", "ends", "line"),
    [
        (TURNS, END, r"'<|im_end|>' (token 2), which does not end a response: set eos_token_id"),
        (shown(PARTS), END, "generation_config.json to [0, 2]"),
        (TURNS.replace("<|im_end|>", "<|im_start|>"), [END, IM_END], "'<|im_start|>' (token 1)"),
        (
            TURNS.replace("<|im_end|>", "<|eot_id|>"),
            [END, IM_END],
            "'<|eot_id|>', which is not a token",
        ),
    ],
)
def test_a_template_whose_turns_end_with_a_token_that_ends_nothing_is_refused(model, template, ends, line):
    assert line in refusal(model(template, ends, eos="<|endoftext|>").check_chat)


# --- thinking that is switched on

SWITCHED = TURNS.replace("assistant\n", "assistant\n{% if NAME %}<think>\n{% endif %}")


@pytest.mark.parametrize(
    ("template", "line"),
    [
        (TURNS, "has no enable_thinking: leave thinking out"),
        (
            SWITCHED.replace("NAME", "thinking"),
            "no enable_thinking; it has thinking: set thinking_variable=thinking",
        ),
        (SWITCHED.replace("NAME", "reasoning_effort"), "it has reasoning_effort"),
        (SWITCHED.replace("NAME", "messages[0].reasoning_content"), "has no enable_thinking: leave"),
    ],
)
def test_thinking_without_effect_is_refused_and_the_templates_own_variable_named(model, template, line):
    assert line in refusal(model(template, thinking=True).check_chat)


@pytest.mark.parametrize(
    ("template", "variable", "opened"),
    [
        (SWITCHED.replace("NAME", "enable_thinking"), "enable_thinking", True),
        (SWITCHED.replace("NAME", "thinking"), "thinking", True),
        (TURNS.replace("assistant\n", "assistant\n<think>\n"), "enable_thinking", True),  # always
        (SWITCHED.replace("NAME", "not enable_thinking"), "enable_thinking", False),
    ],
)
def test_thinking_with_effect_is_taken(model, template, variable, opened):
    mine = model(template, thinking=True, variable=variable)
    mine.check_chat()
    assert mine.tokenizer.render_chat(ASKED).endswith("<think>\n") == opened


# --- tokens without an embedding


@pytest.mark.parametrize(
    ("tokens", "template", "text"),
    [
        (["Zebra"], TURNS, "Is a Zebra striped?"),
        (["<|user|>"], TURNS.replace("<|im_start|>{{", "<|user|>{{"), "1+1?"),
        (["Gnu", "Zebra"], TURNS, "Gnu or Zebra?"),
    ],
)
def test_tokens_that_the_model_has_no_embedding_for_are_named(model, tokens, template, text):
    line = refusal(encode_prompt, model(template, tokens=tokens), [{"role": "user", "content": text}])
    assert f"{tokens[-1]!r} ({447 + len(tokens)}), but the model has 448 embeddings: add embeddings" in line


def test_such_tokens_do_not_matter_where_they_do_not_occur(model):
    assert encode_prompt(model(tokens=["Zebra"]), ASKED) == encode_prompt(model(), ASKED)


# --- the date


@pytest.mark.parametrize("form", ["%d %b %Y", "%Y-%m-%d", "%A, %B %-d", "%H:%M"])
def test_templates_with_a_date_show_that_of_the_run_whatever_the_day(model, form):
    dated = model(f"Today: {{{{ strftime_now('{form}') }}}}\n{TURNS}")
    day = date(2024, 2, 9)
    text = dated.dated(day).tokenizer.render_chat(ASKED)
    assert text.startswith(f"Today: {datetime(2024, 2, 9).strftime(form)}\n")
    assert dated.date_formats == (form,) and model().date_formats == ()
    assert dated.dated(day).tokenizer.render_chat(ASKED) == text
