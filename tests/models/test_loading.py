"""Loading: incomplete or unreachable models are rejected at once, in one line with the model's name."""

import json
import os
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from odd.config import ModelConfig
from odd.errors import OddError
from odd.models.embedded import WEIGHTS
from odd.models.registry import load_model
from odd.models.transformers import loading
from odd.untrusted import LARGEST


@pytest.fixture
def folder(tmp_path):
    """A copy of an embedded model, to be damaged."""
    return shutil.copytree(WEIGHTS / "tiny-s", tmp_path / "mine")


def refused(name, **settings):
    with pytest.raises(OddError) as caught:
        load_model(ModelConfig(name=str(name), **settings), WEIGHTS)
    message = str(caught.value)
    assert "\n" not in message
    assert str(name) in message or settings
    return message


def test_loading_does_not_change_the_garbage_collector(folder):
    loading_it = f"""
import gc
from pathlib import Path
from odd.config import ModelConfig
from odd.models.registry import load_model
before = gc.isenabled(), gc.get_threshold(), gc.get_freeze_count()
load_model(ModelConfig(name={str(folder)!r}), Path())
print(before == (gc.isenabled(), gc.get_threshold(), gc.get_freeze_count()))
"""
    done = subprocess.run([sys.executable, "-c", loading_it], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True"]


def test_a_folder_saved_by_a_user_loads(folder):
    model = load_model(ModelConfig(name=str(folder)), WEIGHTS)
    assert model.name == str(folder)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_distributions_are_float32_whatever_the_dtype_of_the_weights(folder, dtype):
    model = load_model(ModelConfig(name=str(folder), dtype=dtype), WEIGHTS)
    assert str(model.scorer.model.dtype) == f"torch.{dtype}"
    assert model.scorer.log_probs([5, 6], [7]).dtype == "float32"


@pytest.mark.parametrize("name", ["/no/such/folder", "../nowhere", "a b", "x/y/z"])
def test_a_missing_folder_is_reported(name):
    assert "there is no such folder" in refused(name)


def test_a_folder_without_a_model_is_rejected(tmp_path):
    assert "config.json" in refused(tmp_path)


def test_a_hub_name_without_a_connection_fails_quickly(monkeypatch):
    class Offline:
        def head(self, *arguments, **settings):
            raise ConnectionError("Name or service not known")

    monkeypatch.setattr(loading, "get_session", Offline)
    started = time.perf_counter()
    assert "cannot be reached" in refused("odd-tests/no-such-model")
    assert time.perf_counter() - started < 5


def test_a_folder_without_a_chat_template_is_rejected(folder):
    (folder / "chat_template.jinja").unlink()
    assert "no chat template" in refused(folder)


def test_missing_weights_are_not_initialized_randomly(folder):
    weights = load_file(folder / "model.safetensors")
    del weights["model.norm.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    assert "misses 1 of its weights (model.norm.weight" in refused(folder)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("model.safetensors", b"\x10\0\0\0\0\0\0\0{}"),
        ("model.safetensors", None),
        ("tokenizer.json", b'{"version": "1.0"}'),
        ("config.json", b"{"),
        ("config.json", b'{"model_type": "from-the-future"}'),
    ],
)
def test_damaged_files_are_rejected(folder, file, content):
    (folder / file).unlink() if content is None else (folder / file).write_bytes(content)
    assert "could not be loaded" in refused(folder)


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "model.safetensors", "generation_config.json"])
def test_a_pipe_in_a_model_folder_is_not_read(folder, file):
    (folder / file).unlink(missing_ok=True)
    os.mkfifo(folder / file)
    assert "is not a regular file" in (reason := refused(folder)) or "no config.json" in reason


def test_a_description_that_is_too_large_is_not_read(folder):
    os.truncate(folder / "tokenizer.json", LARGEST + 1)
    assert "more than the 268 MB" in refused(folder)


@pytest.mark.parametrize(
    "changes", [{"vocab_size": 10**12}, {"hidden_size": -1}, {"vocab_size": "many"}, {"num_hidden_layers": 10**400}]
)
def test_impossible_sizes_are_rejected(folder, changes):
    config = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps(config))
    assert "could not be loaded" in refused(folder)


def test_a_deep_configuration_is_rejected(folder):
    (folder / "config.json").write_text('{"a":' * 100_000 + "1" + "}" * 100_000)
    assert "could not be loaded" in refused(folder)


def test_code_that_comes_with_a_model_is_not_run(folder):
    (folder / "config.json").write_text('{"model_type": "own", "auto_map": {"AutoConfig": "evil.Config"}}')
    (folder / "evil.py").write_text("raise SystemExit('ran')")
    assert "could not be loaded" in refused(folder)


def test_a_missing_device_is_rejected():
    assert "'cuda:63' cannot be used" in refused("tiny-s", device="cuda:63")


def test_a_model_spread_over_all_devices_scores_the_same(tmp_path):
    whole, spread = (load_model(ModelConfig(name="tiny-s", device=device), tmp_path) for device in ("cpu", "auto"))
    read = [model.scorer.token_log_probs([1, 2], [(3, 4, 5)], (1.0,))[0] for model in (whole, spread)]
    assert np.array_equal(*read)
