"""Load model and tokenizer from a folder, the hub's local cache or the hub, with one-line errors."""

import hashlib
import json
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import torch
from huggingface_hub import constants
from huggingface_hub.utils import get_session, validate_repo_id
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging
from transformers.utils.peft_utils import find_adapter_config_file

from odd.config import ModelConfig
from odd.errors import OddError
from odd.models.embedded import EMBEDDED, embedded_path
from odd.models.transformers.adapters import base_of, is_adapter, merged
from odd.models.transformers.folders import (
    CONFIG,
    NotAModel,
    check_files,
    check_model,
    has_tokenizer,
    pickled,
    quantization,
    read_json,
)
from odd.models.transformers.weight_names import why_mismatched, why_missing, why_unused

HUB_SECONDS = 5.0
SPREAD = "auto"
"""Device of a model whose layers are spread over all devices."""
MISMATCHED, PICKLE_ONLY, OWN_CODE = "ignore_mismatched_sizes", "use_safetensors", "trust_remote_code"
"""Arguments by whose names errors of transformers are known, because it advises to change them."""
LONGEST_REASON = 300
"""Characters of another library's message that are kept."""
DIGEST_VALUES = 1000  # approximate number of values per weight

Loaded = tuple[PreTrainedModel, PreTrainedTokenizerBase]


def load_pretrained(config: ModelConfig, place: str, cache: Path = Path()) -> Loaded:
    """Load a model from `place`, a folder or a hub name, onto the device of `config`.

    An adapter is merged into its base model, for which embedded models are converted in the folder `cache`.

    Raises:
        OddError: there is no such model, it is incomplete, it has no chat template, or the device is not available.
    """
    with _quiet(), _one_line(config.name, place):
        model, tokenizer = _load(config, place, cache)
    _check_template(config.name, tokenizer)
    if config.device == SPREAD:
        return model, tokenizer
    try:
        torch.nn.Module.to(model, torch.device(config.device))
    except (RuntimeError, AssertionError) as error:
        raise OddError(
            f"device {config.device!r} cannot be used ({_reason(error)}): set device to 'cpu' or 'cuda'"
        ) from error
    return model, tokenizer


def load_without_weights(
    config: ModelConfig, place: str
) -> tuple[PreTrainedTokenizerBase, PretrainedConfig, GenerationConfig | None]:
    """Load tokenizer, architecture and generation settings (None if there are none) of a folder or hub model.

    Raises:
        OddError: there is no such model, or it has no chat template.
    """
    local = os.path.isdir(place)
    with _quiet(), _one_line(config.name, place):
        if local:
            check_files(Path(place))
        tokenizer = _tokenizer(place, local)
        architecture = AutoConfig.from_pretrained(place, local_files_only=local, trust_remote_code=False)
        generation = None
        with suppress(OSError):  # there need not be any
            generation = GenerationConfig.from_pretrained(place, local_files_only=local)
    _check_template(config.name, tokenizer)
    return tokenizer, architecture, generation


def _check_template(name: str, tokenizer: PreTrainedTokenizerBase) -> None:
    if tokenizer.chat_template is None:
        raise OddError(f"model {name!r} has no chat template: set one in its tokenizer and save it again")


@contextmanager
def _one_line(name: str, place: str) -> Iterator[None]:
    """Convert what loading of configurations, tokenizers and weights raises, which can be anything, to one line."""
    try:
        yield
    except OddError:
        raise
    except Exception as error:
        why = _explained(error, place)
        raise OddError(f"model {name!r} could not be loaded ({_reason(why)}): {_remedy(why, place)}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep libraries from reporting on stderr: what matters is in our own messages."""
    transformers_logging.disable_progress_bar()
    before = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        transformers_logging.set_verbosity(before)


def _load(config: ModelConfig, place: str, cache: Path) -> Loaded:
    """Load a model, or the base model of an adapter with the adapter merged."""
    folder = Path(place)
    if not os.path.isdir(place):
        return _from_hub(place, config)
    check_files(folder)
    if not is_adapter(folder):
        check_model(folder, config.pickle)
        return _read(place, config, local=True)
    base = base_of(folder)
    if os.path.isdir(base) and is_adapter(Path(base)):
        raise NotAModel(f"the base model of the adapter, {base}, is an adapter, too", "merge that one first")
    try:
        model, tokenizer = _load(config, str(embedded_path(base, cache)) if base in EMBEDDED else base, cache)
    except Exception as error:
        why = _explained(error, base)
        raise NotAModel(f"the base model of the adapter, {base}: {_reason(why)}", _remedy(why, base)) from error
    if has_tokenizer(folder):
        tokenizer = _tokenizer(place, local=True)
    return merged(model, folder, config.pickle), tokenizer


def _from_hub(name: str, config: ModelConfig) -> Loaded:
    """Load from the hub's local cache if possible: without a connection, and with the same weights next time."""
    try:
        validate_repo_id(name)
    except ValueError as error:
        raise FileNotFoundError("there is no such folder, and it is not a valid hub name") from error
    try:
        return _read(name, config, local=True)
    except (OddError, NotAModel):
        raise
    except Exception as error:
        if PICKLE_ONLY in str(error):
            raise
        # test the connection once with a short timeout: the hub's client would retry for most of a minute, twice
        try:
            get_session().head(constants.ENDPOINT, timeout=HUB_SECONDS)
        except Exception as error:
            raise ConnectionError(
                f"there is no such folder, it is not in the hub's cache, and {constants.ENDPOINT} cannot be reached"
            ) from error
        return _read(name, config, local=False)


def _tokenizer(place: str, local: bool) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(place, local_files_only=local, trust_remote_code=False)


def _read(place: str, config: ModelConfig, local: bool) -> Loaded:
    if not os.path.isdir(place) and find_adapter_config_file(place, local_files_only=local) is not None:
        raise NotAModel(
            "it is an adapter (LoRA) on the hub", f"download it with hf download {place} --local-dir NEW, and give NEW"
        )
    tokenizer = _tokenizer(place, local)
    loaded = AutoModelForCausalLM.from_pretrained(
        place,
        dtype=getattr(torch, config.dtype),
        output_loading_info=True,
        local_files_only=local,
        # never execute a model's code, and never prompt the user about it in the middle of a run
        trust_remote_code=False,
        use_safetensors=None if config.pickle else True,
        device_map=SPREAD if config.device == SPREAD else None,
    )
    model, report = cast(tuple[PreTrainedModel, dict[str, set[Any]]], loaded)
    if missing := sorted(report["missing_keys"]):  # transformers initializes them randomly
        why = why_missing(report["missing_keys"], report["unexpected_keys"], model.config.architectures)
        if why is not None:
            raise why
        raise OddError(
            f"model {config.name!r} misses {len(missing)} of its weights ({missing[0]} …): save or download it again"
        )
    if (why := why_unused(report["unexpected_keys"], model.state_dict())) is not None:
        raise why
    return model, tokenizer


def _explained(error: Exception, place: str) -> Exception:
    """Return an error that says more than that of transformers, if there is one."""
    if MISMATCHED in str(error):
        return why_mismatched(Path(place))
    return pickled("pytorch_model.bin") if PICKLE_ONLY in str(error) else error


def _remedy(error: Exception, place: str) -> str:
    """Return what to do about an error."""
    if isinstance(error, NotAModel):
        return error.remedy
    if OWN_CODE in str(error):
        return "its own code is never executed: give a model whose architecture transformers has"
    if isinstance(error, SafetensorError):
        return "its weights are cut off or damaged: copy or download it again"
    if (method := _quantization(Path(place))) is not None:
        return f"it is quantized ({method}): install what that needs, or give the model without quantization"
    if isinstance(error, ImportError):
        return "install the package that it names"
    return (
        "give an embedded model (odd models), a folder saved with save_pretrained, or a hub name that this machine can "
        "reach"
    )


def _quantization(folder: Path) -> str | None:
    """Return how the weights in a folder are quantized; None if they are not, or its configuration does not say."""
    if not (folder / CONFIG).is_file():
        return None
    try:
        return quantization(read_json(folder / CONFIG))
    except (OSError, NotAModel):
        return None


def _reason(error: Exception) -> str:
    if OWN_CODE in str(error):
        return "it comes with code of its own"
    return (str(error).strip() or type(error).__name__).splitlines()[0][:LONGEST_REASON]


def model_digest(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> str:
    """Hash a model's weights (shapes and a sample of values), vocabulary and chat template to 16 hex digits."""
    total = tokenizer_digest(tokenizer)
    for name, weight in sorted(model.state_dict().items()):
        flat = weight.flatten()
        sample = flat[:: max(1, len(flat) // DIGEST_VALUES)].float().cpu().numpy()  # training changes all values
        total.update(f"{name} {tuple(weight.shape)}".encode() + sample.tobytes())
    return total.hexdigest()[:16]


def tokenizer_digest(tokenizer: PreTrainedTokenizerBase) -> "hashlib._Hash":
    """Hash vocabulary and chat template."""
    total = hashlib.sha256(json.dumps(tokenizer.get_vocab(), sort_keys=True).encode())
    total.update(str(tokenizer.chat_template).encode())
    return total
