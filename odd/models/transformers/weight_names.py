"""Why weights of a model are missing or have another shape, from the names and shapes in its files."""

import re
from collections.abc import Collection, Iterable
from pathlib import Path

import torch
from safetensors import safe_open
from transformers import AutoConfig, AutoModelForCausalLM

from odd.models.transformers.folders import SAFE, NotAModel

MERGE = "merge it into its base model and save that: model.merge_and_unload().save_pretrained(...)"
WRAPPERS = (
    (re.compile(r"^base_model\.model\.|\.lora_[AB]\.|\.base_layer\."), "an adapter's wrapper (PEFT)", MERGE),
    (
        re.compile(r"(^|\.)_orig_mod\."),
        "the wrapper of torch.compile",
        "save the model inside: model._orig_mod.save_pretrained(...)",
    ),
    (
        re.compile(r"(^|\.)_fsdp_wrapped_module\."),
        "the wrapper of FSDP",
        "save it with full state dicts, as accelerate's save_model and get_state_dict do",
    ),
    (
        re.compile(r"(^|\.)_checkpoint_wrapped_module\."),
        "the wrapper of activation checkpointing",
        "save the model without it",
    ),
    (
        re.compile(r"^_forward_module\."),
        "the wrapper of Lightning Fabric",
        "save the model inside: model.module.save_pretrained(...)",
    ),
    (
        re.compile(r"^module\."),
        "the wrapper of DataParallel or DeepSpeed",
        "save the model inside: model.module.save_pretrained(...)",
    ),
    (
        re.compile(r"^pretrained_model\."),
        "TRL's wrapper with a value head",
        "save the model inside: model.pretrained_model.save_pretrained(...)",
    ),
)
"""What names of weights show in which way a model was wrapped as it was saved, and what to do."""
NUMBER = re.compile(r"\.\d+\.")
QUANTIZED = re.compile(r"\.(qweight|qzeros|g_idx|absmax|weight_packed|weight_scale|SCB|quant_state\..*)$")


def why_missing(missing: Collection[str], unexpected: Iterable[str], architectures: object) -> NotAModel | None:
    """Return why weights are missing, as far as the names in the files tell; None if they do not.

    Args:
        missing: names of weights that the model has and the files lack.
        unexpected: names of weights that the files have and the model lacks.
        architectures: those that the configuration names.
    """
    first, others = min(missing), sorted(unexpected)
    for pattern, what, remedy in WRAPPERS:
        if name := next(filter(pattern.search, others), None):
            return NotAModel(f"its weights were saved inside {what}, under names such as {name}", remedy)
    if name := next(filter(QUANTIZED.search, others), None):
        return NotAModel(
            f"its weights are quantized, such as {name}, but its config.json has no quantization_config",
            "restore it, or give the model without quantization",
        )
    if prefix := next(filter(None, (_prefix(name, missing) for name in others)), None):
        return NotAModel(
            f"the names of its weights begin with {prefix!r}", "save the model itself, not what contains it"
        )
    if isinstance(architectures, list) and any("Classification" in str(name) for name in architectures):
        return NotAModel(
            f"it is not a language model but {architectures[0]}, without {first}", "give a model that generates text"
        )
    return None


def why_unused(unexpected: Iterable[str], used: Iterable[str]) -> NotAModel | None:
    """Return why weights in the files are not used, if they are those of further layers; None if they are others.

    Args:
        unexpected: names of weights that the files have and the model lacks.
        used: names of all weights of the model.
    """
    known = {NUMBER.sub(".0.", name) for name in used}
    if further := sorted(name for name in unexpected if NUMBER.search(name) and NUMBER.sub(".0.", name) in known):
        return NotAModel(
            f"the files have further layers, such as {further[0]}, that config.json leaves out",
            "correct num_hidden_layers in config.json, or save the model again",
        )
    return None


def _prefix(name: str, missing: Collection[str]) -> str | None:
    """Return what stands before the name of a missing weight in a name; None if it ends with none."""
    parts = name.split(".")
    starts = range(1, len(parts))
    return next((".".join(parts[:i]) + "." for i in starts if ".".join(parts[i:]) in missing), None)


def why_mismatched(folder: Path) -> NotAModel:
    """Return why weights in a folder have other shapes than the configuration says; a hub name is no folder."""
    shapes = _shapes(folder)
    if empty := [name for name, shape in shapes.items() if 0 in shape]:
        return NotAModel(
            f"its weights are empty, such as {empty[0]} of shape {list(shapes[empty[0]])} (saved without gathering, as "
            "ZeRO-3 does)",
            "save it gathered: stage3_gather_16bit_weights_on_model_save, or python zero_to_fp32.py on the checkpoint",
        )
    remedy = "correct config.json (vocab_size for embeddings), or save the model again"
    wanted = _wanted_shapes(folder) if shapes else {}
    for name, shape in shapes.items():
        if wanted.get(name, shape) != shape:
            return NotAModel(
                f"{name} has the shape {list(shape)}, but config.json asks for {list(wanted[name])}", remedy
            )
    return NotAModel("its weights have other shapes than config.json asks for", remedy)


def _shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the weights in the safetensors files of a folder."""
    found = {}
    for path in sorted(folder.glob(SAFE)) if folder.is_dir() else ():
        with safe_open(path, framework="pt") as file:
            found |= {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    return found


def _wanted_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the weights of a model with the configuration in a folder; none takes memory."""
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    return {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
