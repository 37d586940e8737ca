"""LoRA adapters: the base model that an adapter names, with the adapter merged into its weights."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from safetensors import safe_open
from transformers import PreTrainedModel

from odd.models.transformers.folders import (
    ADAPTER,
    ADAPTER_PICKLED,
    ADAPTER_SAFE,
    PICKLED,
    SAFE,
    NotAModel,
    pickled,
    read_json,
)

PACKAGE = "peft"
ALSO = "or merge the adapter into its base model and save that"


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter and no whole model."""
    return (folder / ADAPTER).is_file() and not any(
        path.is_file() for one in (SAFE, PICKLED) for path in folder.glob(one)
    )


def base_of(folder: Path) -> str:
    """Return the model that an adapter is for: an embedded model, a folder or a hub name.

    Raises:
        NotAModel: the adapter cannot be merged, or names none.
    """
    settings = read_json(folder / ADAPTER)
    kind, base = settings.get("peft_type"), settings.get("base_model_name_or_path")
    if kind != "LORA" or settings.get("megatron_config"):
        raise NotAModel(f"the folder holds an adapter of the kind {kind}, not LoRA", "merge it where it was trained")
    if not isinstance(base, str) or not base:
        raise NotAModel(f"its {ADAPTER} names no base model", f"set base_model_name_or_path there, {ALSO}")
    if find_spec(PACKAGE) is None:
        raise NotAModel(
            f"the folder holds an adapter (LoRA) for {base}, and the package {PACKAGE} is not installed",
            f"pip install {PACKAGE}, {ALSO}",
        )
    return base


def merged(base: PreTrainedModel, folder: Path, pickle: bool) -> PreTrainedModel:
    """Return a base model with the adapter in `folder` merged into its weights.

    Raises:
        NotAModel: the adapter's weights are missing, are a pickle, or are not those that its settings name.
    """
    peft = import_module(PACKAGE)
    if not (folder / ADAPTER_SAFE).is_file():
        if not (folder / ADAPTER_PICKLED).is_file():
            raise NotAModel(f"the adapter has no weights: no {ADAPTER_SAFE}", "copy or download it again")
        if not pickle:
            raise pickled(ADAPTER_PICKLED)
    wrapped = peft.PeftModel.from_pretrained(base, str(folder))
    if (folder / ADAPTER_SAFE).is_file():
        with safe_open(folder / ADAPTER_SAFE, framework="pt") as file:
            found = set(file.keys())
        # peft initializes what is missing, so that it changes nothing
        if lacking := sorted(set(peft.get_peft_model_state_dict(wrapped, save_embedding_layers=False)) - found):
            raise NotAModel(
                f"the adapter lacks {len(lacking)} of its weights ({lacking[0]} …)", "copy or save it again"
            )
    return wrapped.merge_and_unload()
