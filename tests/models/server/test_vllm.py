"""Models on a real vLLM server on this machine, started once; `make vllm` installs it."""

import json
import os
import signal
import socket
import subprocess
import time

import numpy as np
import pytest

from odd.config import ModelConfig
from odd.errors import OddError
from odd.models.embedded import WEIGHTS
from odd.models.registry import load_model
from odd.models.server.language_model import check_servers
from odd.pipeline.worker import run
from tests.runs import rows, small_config
from tests.test_boundaries import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.long]
PYTHON = ROOT / ".venv-vllm" / "bin" / "python"
SECONDS = 280
"""Time for its start, which takes a minute on an idle core."""
QUESTION = [{"role": "user", "content": "What is 8+6-3?"}]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address of a vLLM server with the model tiny-s."""
    assert PYTHON.exists(), "vLLM is not installed: make vllm"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("vllm") / "log"
    # a seed and a prefill in chunks together stop vLLM 0.32 on processors ("CPU Generator does not use offset")
    options = "--dtype float32 --max-model-len 512 --max-logprobs -1 --enforce-eager --no-enable-chunked-prefill"
    options += " --host 127.0.0.1"
    command = [PYTHON, "-m", "vllm.entrypoints.openai.api_server", "--model", WEIGHTS / "tiny-s"]
    command += [*options.split(), "--port", port, "--served-model-name", "tiny"]
    settings = {"VLLM_CPU_KVCACHE_SPACE": "1", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            list(map(str, command)),
            env=os.environ | settings,
            cwd=log.parent,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _wait(port, process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait(port, process, log):
    for _ in range(4 * SECONDS):
        assert process.poll() is None, f"vLLM stopped: {log.read_text()[-3000:]}"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.25)
    raise AssertionError(f"vLLM has not started within {SECONDS} s: {log.read_text()[-3000:]}")


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    return load_model(ModelConfig(name="tiny-s"), tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def served(server, tmp_path_factory):
    """The model with all its distributions from the server."""
    return load_model(ModelConfig(name="tiny-s", server=(server,), server_top=0), tmp_path_factory.mktemp("cache"))


def test_a_run_samples_from_the_server_and_reads_paths_here(server, local, tmp_path):
    student = {
        "name": "tiny-s",
        "server": server,
        "server_model": "tiny",
        "scorer": "transformers",
        "server_patience": 20,
    }
    made = run(small_config(tmp_path, student=student), lambda step: None)
    assert rows(made, "SELECT DISTINCT stage FROM questions") == [("scored",)]
    assert rows(made, "SELECT count(*) > 0 FROM rollouts WHERE stage = 'targeted'") == [(True,)]
    for prompt, tokens, log_probs, launch in rows(
        made, "SELECT prompt_ids, token_ids, log_probs, launch FROM rollouts JOIN questions USING (question)"
    ):
        (found,) = local.scorer.token_log_probs(prompt, [tokens], (1.0,))
        np.testing.assert_allclose(np.array(log_probs[launch:], dtype=float), found[0][launch:], atol=1e-3)
    (stored,) = rows(made, "SELECT value FROM meta WHERE key = 'engine_check'")[0]
    found = json.loads(stored)
    assert found["tokens"] > 50 and found["mean"] < 1e-4 and found["largest"] < 1e-3
    assert found["lags"][1] == max(found["lags"])


def test_distributions_from_the_server_are_those_of_transformers(served, local):
    prompt = local.tokenizer.encode_chat(QUESTION)
    drawn = [one.token_ids for one in served.sampler.sample([prompt] * 4, [24] * 4, 1.0, 3)]
    ours, theirs = (np.concatenate(list(one.scorer.read(prompt, drawn))) for one in (local, served))
    assert ours.shape == theirs.shape
    likely = ours > np.log(1e-6)
    np.testing.assert_allclose(theirs[likely], ours[likely], atol=1e-3)


def test_rollouts_of_one_request_differ_and_end_as_the_tokenizer_says(served, local):
    prompt = local.tokenizer.encode_chat(QUESTION)
    made = served.sampler.sample([prompt] * 24, [48] * 24, 1.0, 5)
    assert len({one.token_ids for one in made}) > 1
    assert all(one.truncated != local.tokenizer.is_end(one.token_ids[-1]) for one in made)


def test_a_forced_prefix_is_continued(served, local):
    prompt = [*local.tokenizer.encode_chat(QUESTION), *local.tokenizer.encode("8+6=")]
    made = served.sampler.sample([prompt] * 2, [5, 7], 1.0, 5)
    (found,) = local.scorer.token_log_probs(prompt, [made[1].token_ids], (1.0,))
    np.testing.assert_allclose(made[1].log_probs, found[0], atol=1e-3)
    assert len(made[0].token_ids) <= 5 and len(made[1].token_ids) <= 7


def test_the_server_has_no_error_and_its_log_probability_mode_is_found_out(server, tmp_path):
    found = check_servers(ModelConfig(name="tiny-s", server=(server,), server_top=0), tmp_path, local=True)
    status = {one.check: (one.status, one.text) for one in found}
    assert "error" not in {one.status for one in found}
    assert status["tokenizer"][0] == "ok" and status["chat template"][0] == "ok"
    assert status["temperature"] == ("note", "log-probabilities are those at temperature 1")


def test_other_weights_than_the_local_ones_are_found_out(server, tmp_path):
    other = ModelConfig(name="tiny-m", server=(server,), scorer="transformers")
    with pytest.raises(OddError, match="has another model than the local 'tiny-m'"):
        load_model(other, tmp_path)


def test_a_model_that_the_server_does_not_have_is_named(server, tmp_path):
    with pytest.raises(OddError, match="has tiny, not 'big': start it with --served-model-name big"):
        load_model(ModelConfig(name="tiny-s", server=(server,), server_model="big"), tmp_path)
