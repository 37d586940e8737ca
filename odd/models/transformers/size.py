"""Memory that a model takes, from its configuration alone: no weight is read."""

from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig

from odd.config import ModelConfig
from odd.models.base import ModelSize
from odd.models.embedded import EMBEDDED, embedded_path
from odd.models.transformers import packing
from odd.models.transformers.adapters import base_of, is_adapter


def model_size(config: ModelConfig, cache: Path) -> ModelSize | None:
    """Return the memory that a model needs on its device; None if its configuration cannot be read on this machine.

    Embedded models, folders, adapters in folders, and models in the hub's local cache are known.
    """
    try:
        place = str(embedded_path(config.name, cache)) if config.name in EMBEDDED else config.name
        if Path(place).is_dir() and is_adapter(Path(place)):
            base = base_of(Path(place))
            place = str(embedded_path(base, cache)) if base in EMBEDDED else base
        architecture = AutoConfig.from_pretrained(place, local_files_only=True, trust_remote_code=False)
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(architecture, trust_remote_code=False)
    except Exception:  # loading it says what is wrong
        return None
    each = getattr(torch, config.dtype).itemsize
    weights = sum(weight.numel() for weight in model.parameters()) * each
    last = model.get_output_embeddings()
    linear = [layer.weight.numel() * each for layer in model.modules() if type(layer) is torch.nn.Linear]
    copied = sum(size for size in linear if size >= packing.SMALLEST * each)
    packs = config.device == "cpu" and config.dtype == "float32" and copied <= packing.MOST_BYTES
    return ModelSize(
        weights=weights + (copied if packs else 0),
        last_layer=0 if last is None else sum(weight.numel() for weight in last.parameters()) * each,
        token=_token_bytes(architecture) * each,
        vocabulary=architecture.get_text_config().vocab_size,
    )


def _token_bytes(architecture: PretrainedConfig) -> int:
    """Numbers in the KV cache for one token."""
    text = architecture.get_text_config()
    heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    size = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    return 2 * text.num_hidden_layers * heads * size
