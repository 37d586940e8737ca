"""Sampling engines: exactly the requested draws are counted."""

import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import peers
from benchmarks.peers import VLLM, Generate, LlamaCpp, Ours
from benchmarks.sampling import lines
from odd.config import ModelConfig
from odd.models.registry import load_model
from tests.benchmarks import fake_llama_cpp

FAKE = """
__version__ = "0.0"


class SamplingParams:
    def __init__(self, temperature, max_tokens, ignore_eos, detokenize):
        self.tokens = max_tokens if ignore_eos else 1


class LLM:
    def __init__(self, model, **settings):
        print("noise", model)

    def generate(self, prompts, settings, use_tqdm):
        print("more noise")
        return [Request(len(prompt["prompt_token_ids"]) * one.tokens) for prompt, one in zip(prompts, settings)]


class Request:
    def __init__(self, tokens):
        self.outputs = [self]
        self.token_ids = [0] * tokens
"""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return load_model(ModelConfig(name="tiny-s"), tmp_path_factory.mktemp("unused"))


@pytest.fixture
def vllm(tmp_path, monkeypatch):
    """The separate process, with a fake package instead of vLLM."""
    (tmp_path / "vllm.py").write_text(FAKE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    engine = VLLM(sys.executable, tmp_path)
    yield engine
    engine.close()


@pytest.mark.parametrize(("endless", "drawn"), [(True, 2 * 3 + 1 * 4), (False, 2 + 1)])
def test_a_job_reaches_the_other_process_and_its_tokens_come_back(vllm, endless, drawn):
    assert vllm.name == "vLLM 0.0"
    assert vllm.sample([(1, 2), (3,)], [3, 4], 2, endless, 0) == drawn


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="it asks Linux")
def test_the_other_process_is_suspended_during_others_turns(vllm):
    vllm.sample([(1,)], [1], 1, True, 0)
    state = Path(f"/proc/{vllm.process.pid}/stat")
    for _ in range(100):  # signals arrive with a delay
        if (found := state.read_text().rsplit(")")[1].split()[0]) == "T":
            break
        time.sleep(0.05)
    assert found == "T"


def test_a_process_that_does_not_start_is_reported(tmp_path, monkeypatch):
    (tmp_path / "vllm.py").write_text("raise ImportError('broken')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="vLLM ended"):
        VLLM(sys.executable, tmp_path)


PLACES = [(-1, -2, -3), (-1, -2), (-1, -2, -4, -5), (-1, -2, -3)]
"""Prefixes. The fake engine draws 3 after three tokens, 4 after four and so on."""


@pytest.fixture
def llama(monkeypatch):
    """The adapter, with a fake package instead of llama.cpp and its weights; token 7 ends a response."""
    file = SimpleNamespace(suffix=".gguf")
    package = SimpleNamespace(files=[file], locate_file=lambda file: "weights.gguf")
    monkeypatch.setattr(peers.importlib.metadata, "distribution", lambda name: package)
    monkeypatch.setitem(sys.modules, "llama_cpp", fake_llama_cpp)
    return LlamaCpp(frozenset({7}))


@pytest.mark.parametrize("batch", [1, 2, 9])
def test_llama_draws_up_to_the_end_or_the_limit_after_each_prefix(llama, batch):
    assert llama.sample(PLACES, [9, 9, 2, 9], batch, False, 0) == 5 + 6 + 2 + 5
    assert llama.sample(PLACES, [9, 8, 2, 1], batch, True, 0) == 9 + 8 + 2 + 1
    for context in fake_llama_cpp.contexts[-2:]:
        assert sorted(context.began) == sorted(PLACES)
        assert context.freed


def test_llama_has_no_more_sequences_than_the_batch_and_the_prompt(llama):
    llama.sample(PLACES, [9, 9, 2, 9], 2, False, 0)
    assert max(fake_llama_cpp.contexts[-1].read) == 2


def test_a_llama_without_context_is_reported(llama, monkeypatch):
    monkeypatch.setattr(fake_llama_cpp, "MOST_SEQUENCES", 0)
    monkeypatch.setattr(fake_llama_cpp, "llama_max_parallel_sequences", lambda: 9)
    with pytest.raises(RuntimeError, match="no context"):
        llama.sample(PLACES, [1] * 4, 2, True, 0)


@pytest.mark.parametrize("engine", [Ours, Generate])
def test_endless_rollouts_are_as_long_as_was_asked(tiny, engine):
    prompt = tiny.tokenizer.encode_chat([{"role": "user", "content": "What is 3+4-2?"}])
    assert engine(tiny).sample([prompt, [*prompt, 5]] * 3, [70] * 6, 4, True, 0) == 6 * 70


@pytest.mark.parametrize("engine", [Ours, Generate])
def test_tokens_after_an_end_do_not_count(tiny, engine):
    prompt = tiny.tokenizer.encode_chat([{"role": "user", "content": "What is 3+4-2?"}])
    counted = engine(tiny).sample([prompt] * 40, [120] * 40, 40, False, 0)
    assert 40 < counted < 40 * 100


def test_ratios_compare_engines_within_a_turn():
    rows = dict((name, ratio) for name, *_, ratio in lines({"ODD": [2.0, 20.0, 30.0], "other": [1.0, 5.0, 30.0]}))
    assert rows == {"ODD": "1.00", "other": "2.00"}
