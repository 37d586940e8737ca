"""Folders that are not quite a model: what each is instead, and what to do about it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from odd.text import shortened
from odd.untrusted import LARGEST, check_file, read_text

CONFIG, ADAPTER = "config.json", "adapter_config.json"
DESCRIPTIONS, WEIGHTS = (".json", ".jinja", ".model", ".txt"), (".safetensors", ".bin")
"""Suffixes of the files that libraries read: those of configuration and tokenizer, and those of weights."""
SAFE, PICKLED = "model[.-]*safetensors", "pytorch_model[.-]*bin"
"""Patterns of the files of weights, in one or several parts."""
ADAPTER_SAFE, ADAPTER_PICKLED = "adapter_model.safetensors", "adapter_model.bin"
TOKENIZERS = "tokenizer.json", "*.model", "*vocab*", "*.tiktoken", "tekken.json"
"""Files with the tokens of a tokenizer."""
READ = CONFIG, "generation_config.json", "tokenizer_config.json", "tokenizer.json"
"""Files of JSON that a model has; libraries pass over some of them when they are broken."""
POINTER, POINTER_BYTES = b"version https://git-lfs.github.com/spec/", 1024
DEEPEST = 3
"""Levels of folders below the one that is given in which a model is looked for."""
SHARDS = (
    (
        ("model_world_size_*_rank_*.pt",),
        "FSDP shards of verl",
        "merge them with python -m verl.model_merger merge --backend fsdp --local_dir {} --target_dir NEW and give NEW",
    ),
    (
        ("zero_to_fp32.py", "*_model_states.pt", "*_optim_states.pt", "global_step*/*_states.pt"),
        "ZeRO shards of DeepSpeed",
        "merge them with python zero_to_fp32.py {} NEW --safe_serialization (DeepSpeed puts it beside them), and save "
        "the configuration and tokenizer there",
    ),
    (
        ("*.distcp", ".metadata", "*fsdp_model*/*.distcp", "pytorch_model_fsdp*"),
        "FSDP shards of torch.distributed.checkpoint",
        "merge them with accelerate merge-weights {} NEW, and save the configuration and tokenizer there",
    ),
    (
        ("latest_checkpointed_iteration.txt", "mp_rank_*", "iter_*/mp_rank_*"),
        "shards of Megatron",
        "convert them to the format of transformers with Megatron Bridge",
    ),
    (
        ("consolidated*.pth", "consolidated*.safetensors", "params.json"),
        "weights in the format of their makers (consolidated)",
        "give the model's folder with config.json and model.safetensors, or convert it",
    ),
    (("*.gguf",), "weights in GGUF", "give the folder of the original model, in safetensors"),
    (("weights*.npz", "*.mlx"), "weights in MLX", "give the folder of the original model, in safetensors"),
    (("*.h5", "*.msgpack", "*.onnx"), "weights for another library than PyTorch", "save it from PyTorch"),
    (
        ("*.pt", "*.pth", "*.ckpt"),
        "weights as a pickle ({})",
        "load them into the model where you trained it, and save it with save_pretrained",
    ),
)
"""Patterns of files, what they are, and what to do; the first that matches counts."""
SAVE = "save model and tokenizer together with save_pretrained"


class NotAModel(Exception):
    """A folder or a hub's model cannot be used as it is.

    Attributes:
        remedy: what to do.
    """

    def __init__(self, cause: str, remedy: str) -> None:
        super().__init__(" ".join(cause.split()))
        self.remedy = remedy


def check_files(folder: Path) -> None:
    """Check that the files that libraries read are regular, of bearable size, and not pointers to files elsewhere.

    Raises:
        NotAModel: Git LFS has not downloaded a file.
        OSError: a file cannot be read.
    """
    for path in sorted(folder.iterdir()):
        if path.suffix not in (*DESCRIPTIONS, *WEIGHTS):
            continue
        check_file(path, LARGEST if path.suffix in DESCRIPTIONS else None)
        with path.open("rb") as file:
            if file.read(POINTER_BYTES).startswith(POINTER):
                raise NotAModel(
                    f"its {path.name} is a pointer of Git LFS, not the file",
                    f"run git lfs pull in {folder}, or download the file",
                )


def check_model(folder: Path, pickle: bool) -> None:
    """Check that a folder has a configuration, a tokenizer and all of its weights.

    Args:
        folder: the folder.
        pickle: whether weights that are a pickle may be read.

    Raises:
        NotAModel: something is missing.
    """
    if not (folder / CONFIG).is_file():
        raise _without_configuration(folder)
    if not _has(folder, SAFE):
        if not _has(folder, PICKLED):
            raise _without_weights(folder)
        if not pickle:
            raise pickled(next(folder.glob(PICKLED)).name)
    check_shards(folder)
    check_tokenizer(folder)
    for name in READ:
        if (folder / name).is_file():
            read_json(folder / name)


def check_tokenizer(folder: Path) -> None:
    """Check that a folder has a tokenizer.

    Raises:
        NotAModel: it has none.
    """
    if not has_tokenizer(folder):
        raise NotAModel(
            "the folder has no tokenizer", f"save it beside the model: tokenizer.save_pretrained({str(folder)!r})"
        )


def has_tokenizer(folder: Path) -> bool:
    """Whether a folder has the tokens of a tokenizer."""
    return any(_has(folder, pattern) for pattern in TOKENIZERS)


def pickled(file: str) -> NotAModel:
    """Return the refusal of weights that are a pickle."""
    return NotAModel(
        f"its weights are a pickle, {file}, which is not read unless asked for",
        "save it with save_pretrained, which writes safetensors, or if you trust it, set pickle=true for this model "
        "(as in --set student.pickle=true)",
    )


def check_shards(folder: Path) -> None:
    """Check that weights in several files have an index, that all of its files are there, and that none is empty.

    Raises:
        NotAModel: one is not.
    """
    for index in sorted(folder.glob("*.index.json")):
        entries = read_json(index).get("weight_map", {})
        names = sorted({str(name) for name in entries.values()} if isinstance(entries, dict) else ())
        if missing := [name for name in names if not (folder / name).is_file()]:
            raise NotAModel(
                f"{len(missing)} of the {len(names)} files that {index.name} names are missing, such as {missing[0]}",
                "copy or download the folder again",
            )
    parts = sorted((*folder.glob(SAFE), *folder.glob(PICKLED)))
    for path in parts:
        if path.stat().st_size == 0:
            raise NotAModel(f"its {path.name} is empty", "copy or download it again")
    if all("-of-" in path.name for path in parts) and not _has(folder, "*.index.json"):
        raise NotAModel(
            f"its weights are in several files, such as {parts[0].name}, but their index is missing",
            "copy or download model.safetensors.index.json, too",
        )


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        NotAModel: the file is something else.
    """
    try:
        found = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise NotAModel(f"its {path.name} is not JSON ({error})", "copy or download it again") from error
    if not isinstance(found, dict):
        raise NotAModel(f"its {path.name} is not a JSON object", "copy or download it again")
    return found


def _has(folder: Path, pattern: str) -> bool:
    return any(path.is_file() or path.is_dir() for path in folder.glob(pattern))


def _without_configuration(folder: Path) -> NotAModel:
    """Say what a folder without config.json is."""
    if (found := _shards(folder)) is not None:
        return found
    if names := _models_below(folder):
        return NotAModel(
            f"the folder has no {CONFIG}, but folders with a model", f"name one of them: {', '.join(names)}"
        )
    if _has(folder, SAFE) or _has(folder, PICKLED):
        return NotAModel(f"the folder has weights but no {CONFIG}", SAVE)
    return NotAModel(
        f"the folder has no {CONFIG}",
        "give an embedded model (odd models), a folder saved with save_pretrained, or a hub name",
    )


def _without_weights(folder: Path) -> NotAModel:
    """Say where the weights of a folder with config.json are."""
    for place in (folder, folder.resolve().parent):
        if (found := _shards(place)) is not None:
            return found
    others = sorted(path.name for suffix in WEIGHTS for path in folder.glob(f"*{suffix}"))
    named = f", but {shortened(', '.join(others), 200)}" if others else ""
    return NotAModel(f"the folder has no weights: no model.safetensors{named}", SAVE)


def _shards(folder: Path) -> NotAModel | None:
    """Say which files in a folder are weights that are still to be merged or converted; None if there are none."""
    for patterns, what, remedy in SHARDS:
        files = [path for pattern in patterns for path in folder.glob(pattern)]
        if files:
            what = what.format(min(path.name for path in files))
            return NotAModel(f"the weights are {what} in {folder}", remedy.format(folder))
    return None


def _models_below(folder: Path) -> list[str]:
    """Return the folders with a model or adapter that are nearest below a folder, in natural order, at most eight."""
    for level in range(1, DEEPEST + 1):
        found = {path.parent for name in (CONFIG, ADAPTER) for path in folder.glob("*/" * level + name)}
        if found:
            names = sorted((str(place.relative_to(folder)) for place in found), key=_natural)
            return names if len(names) <= 8 else [*names[:3], "...", *names[-4:]]
    return []


def _natural(name: str) -> tuple[int, str]:
    """Sort names that end with a number by it, as those of checkpoints do."""
    digits = name[len(name.rstrip("0123456789")) :]
    return (int(digits[-18:]) if digits else -1, name)


def quantization(config: Mapping[str, Any]) -> str | None:
    """Return the method with which a configuration says that the weights are quantized; None if they are not."""
    settings = config.get("quantization_config")
    return str(settings.get("quant_method", "an unnamed method")) if isinstance(settings, dict) else None
