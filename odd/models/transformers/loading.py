"""Load model and tokenizer from a folder, the hub's local cache or the hub, with one-line errors."""

import hashlib
import json
import os
import warnings
from pathlib import Path
from typing import cast

import torch
from huggingface_hub import constants
from huggingface_hub.utils import get_session, validate_repo_id
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from odd.config import ModelConfig
from odd.errors import OddError
from odd.untrusted import LARGEST, check_file

HUB_SECONDS = 5.0
DESCRIPTIONS, WEIGHTS = (".json", ".jinja", ".model", ".txt"), (".safetensors", ".bin")
"""Suffixes of the files that libraries read: those of configuration and tokenizer, and those of weights."""
DIGEST_VALUES = 1000  # approximate number of values per weight

Loaded = tuple[PreTrainedModel, PreTrainedTokenizerBase]


def load_pretrained(config: ModelConfig, place: str) -> Loaded:
    """Load a model from `place`, a folder or a hub name, onto the device of `config`.

    Raises:
        OddError: there is no such model, it is incomplete, it has no chat template, or the device is not available.
    """
    transformers_logging.disable_progress_bar()
    try:
        model, tokenizer = _from_folder(place, config) if os.path.isdir(place) else _from_hub(place, config)
    except OddError:
        raise
    except Exception as error:  # loading of configurations, tokenizers and weights can raise anything
        raise OddError(
            f"model {config.name!r} could not be loaded ({_reason(error)}): give an embedded model "
            "(odd models), a folder saved with save_pretrained, or a hub name that this machine can reach"
        ) from error
    if tokenizer.chat_template is None:
        raise OddError(f"model {config.name!r} has no chat template: set one in its tokenizer and save it again")
    try:
        torch.nn.Module.to(model, torch.device(config.device))
    except (RuntimeError, AssertionError) as error:
        raise OddError(
            f"device {config.device!r} cannot be used ({_reason(error)}): set device to 'cpu' or 'cuda'"
        ) from error
    return model, tokenizer


def _from_folder(folder: str, config: ModelConfig) -> Loaded:
    if not (Path(folder) / "config.json").is_file():
        raise FileNotFoundError("the folder has no config.json")
    for path in Path(folder).iterdir():
        if path.suffix in DESCRIPTIONS or path.suffix in WEIGHTS:
            check_file(path, LARGEST if path.suffix in DESCRIPTIONS else None)
    return _read(folder, config, local=True)


def _from_hub(name: str, config: ModelConfig) -> Loaded:
    """Load from the hub's local cache if possible: without a connection, and with the same weights next time."""
    try:
        validate_repo_id(name)
    except ValueError as error:
        raise FileNotFoundError("there is no such folder, and it is not a valid hub name") from error
    try:
        return _read(name, config, local=True)
    except OddError:
        raise
    except Exception:
        # test the connection once with a short timeout: the hub's client would retry for most of a minute, twice
        try:
            get_session().head(constants.ENDPOINT, timeout=HUB_SECONDS)
        except Exception as error:
            raise ConnectionError(
                f"there is no such folder, it is not in the hub's cache, and {constants.ENDPOINT} cannot be reached"
            ) from error
        return _read(name, config, local=False)


def _read(place: str, config: ModelConfig, local: bool) -> Loaded:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # never execute a model's code, and never prompt the user about it in the middle of a run
        how = {"local_files_only": local, "trust_remote_code": False}
        tokenizer = AutoTokenizer.from_pretrained(place, **how)
        loaded = AutoModelForCausalLM.from_pretrained(
            place, dtype=getattr(torch, config.dtype), output_loading_info=True, **how
        )
    model, report = cast(tuple[PreTrainedModel, dict[str, set[str]]], loaded)
    if missing := sorted(report["missing_keys"]):  # transformers initializes them randomly
        raise OddError(
            f"model {config.name!r} misses {len(missing)} of its weights ({missing[0]} …): save or download it again"
        )
    return model, tokenizer


def _reason(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def model_digest(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> str:
    """Hash a model's weights (shapes and a sample of values), vocabulary and chat template to 16 hex digits."""
    total = hashlib.sha256(json.dumps(tokenizer.get_vocab(), sort_keys=True).encode())
    total.update(str(tokenizer.chat_template).encode())
    for name, weight in sorted(model.state_dict().items()):
        flat = weight.flatten()
        sample = flat[:: max(1, len(flat) // DIGEST_VALUES)].float().cpu().numpy()  # training changes all values
        total.update(f"{name} {tuple(weight.shape)}".encode() + sample.tobytes())
    return total.hexdigest()[:16]
