"""Checks of servers before a run: each mismatch is one line with its remedy."""

import numpy as np
import pytest
from typer.testing import CliRunner

from odd.cli import app
from odd.errors import OddError
from odd.models.server.adapters import look
from odd.models.server.asking import Scoring
from odd.models.server.loop import wait_for
from odd.models.server.sglang import SGLang
from odd.models.server.start import PROBES, QUESTION, Probe, examine
from odd.models.server.vllm import VLLM
from odd.models.server.wire import Server
from tests.models.server.scripted import END, MODEL, SIZE, bigrams, scripted

PROMPT = (3, 1, 4)


def encode(text):
    return [1 + ord(character) % (SIZE - 1) for character in text]


def probe(**changes):
    known = {"texts": [encode(text) for text in PROBES], "chat": encode(QUESTION[0]["content"]), "special": {7: "<7>"}}
    return Probe(PROMPT, (1, 5, 9), **(known | changes), ends=frozenset({END}), vocabulary=SIZE)


def examined(server, adapter=VLLM, top=3, **changes):
    async def found():
        connected = Server(server.address)
        return await examine(connected, adapter(MODEL), await look(connected), probe(**changes), top)

    return wait_for(found())


@pytest.fixture
def server():
    with scripted(0) as (one,):
        one.encode = encode
        yield one


def test_a_server_that_fits_has_no_error(server):
    found = examined(server)
    assert {one.check: one.status for one in found.findings} == {
        "server": "ok",
        "tokenizer": "ok",
        "chat template": "ok",
        "sampling": "ok",
        "temperature": "note",
        "scores": "ok",
        "distributions": "ok",
    }
    assert found.served.window == 64
    np.testing.assert_allclose(found.reference, bigrams(0)[[PROMPT[-1], 1, 5], [1, 5, 9]], atol=1e-5)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"texts": [[1], [1], [1]]}, "its tokenizer differs from the local one at token 0 of "),
        ({"special": {7: "<|im_end|>"}}, "token 7 is '<7>' there, and '<|im_end|>' here"),
    ],
)
def test_another_tokenizer_is_an_error_that_names_the_token(server, change, said):
    (error,) = examined(server, **change).errors
    assert said in error and "--tokenizer" in error and "\n" not in error


def test_another_chat_template_is_a_note_because_prompts_are_rendered_here(server):
    found = {one.check: one.status for one in examined(server, chat=[1, 2]).findings}
    assert found["chat template"] == "note"


def test_a_limit_of_tokens_per_distribution_is_an_error_that_names_the_flag(server):
    server.most_logprobs = 2
    (error,) = examined(server).errors
    assert "start it with --max-logprobs 3, or -1 for all, or change server_top" in error


def test_a_server_without_scores_can_sample_for_a_local_scorer(server):
    server.most_logprobs = -2  # refuses all
    assert not list(examined(server, top=None).errors)
    assert "set scorer = 'transformers'" in next(examined(server).errors)


def test_processed_log_probabilities_are_recognized(server, monkeypatch):
    table = server.table
    continued = server._continuation

    def processed(body, i):
        made, last = continued(body, i), body["prompt"][-1]
        scaled = table / body["temperature"]
        scaled = scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))
        places = zip([last, *made["token_ids"]], made["token_ids"], strict=False)
        return made | {"logprobs": {"token_logprobs": [float(scaled[a, b]) for a, b in places]}}

    monkeypatch.setattr(server, "_continuation", processed)
    assert examined(server).processed


def test_equal_continuations_in_one_request_are_an_error(server, monkeypatch):
    continued = server._continuation
    monkeypatch.setattr(server, "_continuation", lambda body, i: continued(body | {"seed": 1}, 0))
    assert any("the same continuation twice" in error for error in examined(server).errors)


def test_sglang_is_recognized_and_gives_the_same_distributions(server):
    server.sglang = True
    found = examined(server, SGLang)
    assert found.served.kind == "sglang" and not list(found.errors)

    async def score():
        return await SGLang(MODEL).score(Server(server.address), Scoring(PROMPT, (1, 5, 9), 4, SIZE))

    scores = wait_for(score())
    np.testing.assert_allclose(scores.taken, bigrams(0)[[PROMPT[-1], 1, 5], [1, 5, 9]], atol=1e-5)
    assert all(len(tokens) >= 4 for tokens in scores.tokens)


def test_something_else_than_a_server_of_models_is_named():
    async def found(server):
        return await look(Server(server.address))

    with scripted(0) as (server,), pytest.raises(OddError, match="is neither vllm nor sglang"):
        server.version = None
        wait_for(found(server))


def test_the_command_prints_what_it_finds_and_fails_for_a_server_that_is_not_there(server):
    result = CliRunner().invoke(app, ["engines", "check", server.address, "--top", "3"])
    assert result.exit_code == 0, result.output
    assert "vllm scripted, models m, a window of 64 tokens" in result.output
    gone = CliRunner().invoke(app, ["engines", "check", "http://127.0.0.1:9", "--json"])
    assert gone.exit_code == 1 and "cannot be used" in gone.output
