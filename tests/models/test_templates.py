"""Chat templates are programs of strangers: each gives a prompt or one line, in bounded time, memory and length."""

import copy
import time
from pathlib import Path

import psutil
import pytest

from odd.config import ModelConfig
from odd.errors import OddError
from odd.models.embedded import TINY, embedded_path
from odd.models.registry import load_model
from odd.models.transformers import renderer, rendering
from odd.models.transformers.language_model import wrap
from odd.models.transformers.renderer import Renderer, is_trusted
from odd.models.transformers.rendering import Unrenderable

BODY = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
MESSAGES = [{"role": "user", "content": "What is 3 + 4?"}]
QWEN = (
    "{%- for m in messages %}{{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)
BROKEN = {
    "escape": "{{ ''.__class__.__mro__[1].__subclasses__() }}" + BODY,
    "globals": "{{ cycler.__init__.__globals__.os.popen('echo').read() }}" + BODY,
    "include": "{% include '/etc/passwd' %}",
    "loop": "{% for i in range(1000000000) %}{% endfor %}" + BODY,
    "memory": "{{ 'a' * 40000000000 }}" + BODY,
    "string of 1 GB": "{{ 'a' * 1000000000 }}" + BODY,
    "string of 1 GB at run time": "{% set n = messages | length * 1000000000 %}{{ 'a' * n }}" + BODY,
    "doubled": "{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}",
    "recursion": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "nested": "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "nested lists": "{{ " + "[" * 50_000 + "]" * 50_000 + " }}",
    "nested ifs": "{% if 1 %}" * 3000 + "{% endif %}" * 3000,
    "syntax": "{% for %}",
    "undefined": "{{ nothing.at.all }}",
    "raise": "{{ raise_exception('no\nway') }}",
    "zero division": "{{ 1 // 0 }}" + BODY,
    "type error": "{{ 'a' + 1 }}" + BODY,
    "value error": "{{ strftime_now(1) }}",
    "unserialisable": "{{ cycler | tojson }}",
    "overflow": "{{ (10 ** 400) * 1.5 }}",
    "digits": "{{ 10 ** 10000 }}",
    "format": "{{ '%999999999999d' | format(1) }}",
    "surrogate": "{{ '\ud800' }}" + BODY,
    "not a text": 5,
    "not one text": ["a"],
    "nothing": None,
    "generator": "{% generation %}",
}
ENDLESS = {
    "nested loops": "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}" + BODY,
    "power": "{{ 9 ** (9 ** 9) }}" + BODY,
    "endless iterator": "{% for x in (cycler('a') | attr('next')) %}{% endfor %}" + BODY,
    "endless generator": (
        "{% set n = namespace(x=[1]) %}{% for x in n.x recursive %}{{ loop([1]) if messages }}{% endfor %}" + BODY
    ),
}


@pytest.fixture(scope="module")
def isolated():
    """A renderer whose process is running."""
    one = Renderer()
    assert one.render(BODY, MESSAGES, {}) == "What is 3 + 4?"
    return one


@pytest.mark.parametrize("name", BROKEN)
def test_a_template_that_fails_is_told_in_one_short_line(isolated, name):
    with pytest.raises(Unrenderable) as caught:
        isolated.render(BROKEN[name], MESSAGES, {})
    said = str(caught.value)
    assert said and "\n" not in said and len(said) <= rendering.LONGEST_MESSAGE


@pytest.mark.parametrize("name", ENDLESS)
def test_a_template_that_does_not_end_is_ended(isolated, name, monkeypatch):
    monkeypatch.setattr(renderer, "SECONDS", 0.5)
    with pytest.raises(Unrenderable):
        isolated.render(ENDLESS[name], MESSAGES, {})


def test_after_a_failure_the_next_prompt_is_rendered(isolated, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(Unrenderable, match=r"does not end within"):
        patch.setattr(renderer, "SECONDS", 0.5)
        isolated.render(ENDLESS["power"], MESSAGES, {})
    assert isolated.render(BODY, MESSAGES, {}) == "What is 3 + 4?"


def test_the_memory_of_a_template_is_bounded(isolated):
    with pytest.raises(Unrenderable):
        isolated.render(BROKEN["doubled"], MESSAGES, {})
    isolated.render(BODY, MESSAGES, {})
    process = psutil.Process(isolated._process._process.pid)
    assert process.memory_info().vms <= rendering.MEMORY


@pytest.mark.parametrize("length, works", [(rendering.LONGEST, True), (rendering.LONGEST + 1, False)])
def test_the_length_of_a_prompt_is_bounded(isolated, length, works):
    template = f"{{{{ 'é' * {length} }}}}"
    if works:
        assert len(isolated.render(template, MESSAGES, {})) == length
    else:
        with pytest.raises(Unrenderable, match="characters"):
            isolated.render(template, MESSAGES, {})


def test_results_that_are_not_texts_become_texts(isolated):
    assert isolated.render("{{ messages | length }}", MESSAGES, {}) == "1"


def test_a_prompt_is_the_same_in_either_place(tiny, isolated, monkeypatch):
    tokenizer = tiny.tokenizer.tokenizer
    dialogue = [*MESSAGES, {"role": "assistant", "content": "漢\u2028\0 'x' <|im_end|>"}, *MESSAGES]
    for template in (tokenizer.chat_template, QWEN, "{{ bos_token }}{{ eos_token }}{{ messages | tojson }}"):
        variables = {**tokenizer.special_tokens_map, "bos_token": "<s>", "enable_thinking": True}
        expected = tokenizer.apply_chat_template(
            dialogue, chat_template=template, tokenize=False, add_generation_prompt=True, bos_token="<s>"
        )
        assert rendering.render(template, dialogue, variables) == expected
        monkeypatch.setattr(renderer, "is_trusted", lambda _: False)
        assert isolated.render(template, dialogue, variables) == expected


def test_many_prompts_take_one_process(isolated):
    isolated.render(BODY, MESSAGES, {})
    process = isolated._process._process.pid
    for _ in range(20):
        isolated.render(BODY, MESSAGES, {})
    assert isolated._process._process.pid == process


@pytest.mark.parametrize("name", TINY)
def test_templates_that_come_with_odd_need_no_process(name, tmp_path):
    tokenizer = load_model(ModelConfig(name=name), tmp_path).tokenizer
    assert tokenizer.encode_chat(MESSAGES)
    assert not tokenizer._renderer._process.is_running


def test_a_process_ends_with_its_model():
    one = Renderer()
    one.render(BODY, MESSAGES, {})
    process = psutil.Process(one._process._process.pid)
    del one
    deadline = time.monotonic() + 10
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_environment_of_the_program_is_not_passed_on(monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "x")
    one = Renderer()
    one.render(BODY, MESSAGES, {})
    try:
        environment = Path(f"/proc/{one._process._process.pid}/environ").read_bytes()
    except PermissionError:  # without privileges, nobody reads what a confined process has
        environment = b""
    assert b"SECRET_TOKEN" not in environment


@pytest.mark.parametrize("reply", [None, [], {}, {"text": 5}, {"text": "\ud800"}, {"error": None}, {"text": None}])
def test_a_forged_reply_is_no_prompt(reply):
    with pytest.raises(Unrenderable):
        renderer._text(reply)


@pytest.fixture
def with_template(tiny, isolated):
    """Return the tokenizer of the tiny model with another template."""

    def wrapped(template):
        tokenizer = copy.deepcopy(tiny.tokenizer.tokenizer)
        tokenizer.chat_template = template
        model = wrap("picky", tiny.scorer.model, tokenizer)
        model.tokenizer._renderer = isolated
        return model.tokenizer

    return wrapped


@pytest.mark.parametrize(
    ("template", "line"),
    [
        ("", "an empty prompt"),
        ("{{ 1 // 0 }}", r"cannot be rendered for messages of user \(ZeroDivisionError"),
        ("{{ raise_exception('no\nway') }}", r"rejects messages of user \(no way\)"),
        ({"a": BODY, "b": BODY}, "multiple chat templates"),
        (5, "TypeError"),
    ],
)
def test_a_model_with_such_a_template_is_refused_in_one_line(with_template, template, line):
    with pytest.raises(OddError, match=rf"^model 'picky': its chat template .*{line}") as caught:
        with_template(template).encode_chat(MESSAGES)
    assert "\n" not in str(caught.value)


def test_templates_that_come_with_odd_are_known_by_their_content(tiny, smollm2_cache):
    smollm2 = (embedded_path("smollm2", smollm2_cache) / "chat_template.jinja").read_text()
    for template in (tiny.tokenizer.tokenizer.chat_template, smollm2):
        assert is_trusted(template) and not is_trusted(template + " ")
