"""Folders that are not quite a model, made out of the embedded tiny-s as people get them."""

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from odd.models.embedded import WEIGHTS

SOURCE = WEIGHTS / "tiny-s"
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 381712\n"
TOKENIZER, MODEL = ("tokenizer*", "chat_template.jinja"), ("*.safetensors",)


def folder(place: Path, *without: str) -> Path:
    """Copy the embedded model, but for the files with these patterns."""
    return shutil.copytree(SOURCE, place, ignore=shutil.ignore_patterns(*without))


def change(file: Path, **fields) -> None:
    """Set fields of a JSON file."""
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))


def with_files(*names: str, without=MODEL, beside: bool = False, content: str = "stands for a shard"):
    """Make a folder with further files in it, or in the folder around it."""

    def make(place: Path) -> None:
        folder(place, *without)
        for name in names:
            path = (place.parent if beside else place) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)

    return make


def with_weights(change_one, **config):
    """Make a folder in which the name and values of each weight went through a function; None leaves it out."""

    def make(place: Path) -> None:
        folder(place)
        changed = [change_one(name, values) for name, values in load_file(SOURCE / "model.safetensors").items()]
        save_file(dict(filter(None, changed)), place / "model.safetensors", {"format": "pt"})
        change(place / "config.json", **config)

    return make


def renamed(rename):
    """Make a folder with other names of weights."""
    return with_weights(lambda name, values: (rename(name), values))


def inside_layers(wrapper: str):
    """Make a folder in which each layer was wrapped."""
    return renamed(lambda name: name.replace(".mlp.", f".{wrapper}.mlp."))


def empty(name: str, values: torch.Tensor) -> tuple[str, torch.Tensor]:
    """Leave a matrix empty, as ZeRO-3 does on every process that does not gather it."""
    return name, torch.empty(0) if values.ndim > 1 else values


def with_config(**fields):
    """Make a folder with other fields in its configuration."""

    def make(place: Path) -> None:
        folder(place)
        change(place / "config.json", **fields)

    return make


def parent(*below: str):
    """Make a folder of folders with models."""

    def make(place: Path) -> None:
        for name in below:
            folder(place / name)

    return make


def sharded(place: Path) -> None:
    """Make a folder whose weights are in two files, of which one is missing."""
    folder(place)
    weights = load_file(place / "model.safetensors")
    (place / "model.safetensors").unlink()
    names = {name: f"model-{1 + ('norm' in name):05}-of-00002.safetensors" for name in weights}
    (place / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": names}))
    first = {name: values for name, values in weights.items() if names[name].startswith("model-00001")}
    save_file(first, place / "model-00001-of-00002.safetensors", {"format": "pt"})


def pickle(place: Path) -> None:
    """Make a folder whose weights are a pickle."""
    folder(place, *MODEL)
    torch.save(load_file(SOURCE / "model.safetensors"), place / "pytorch_model.bin")


def cut(place: Path) -> None:
    """Make a folder whose download stopped half way."""
    folder(place)
    weights = place / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


def own_code(place: Path) -> None:
    """Make a folder of an architecture that comes with its own code."""
    with_config(model_type="own", auto_map={"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"})(place)
    (place / "own.py").write_text(f"open({str(place / 'ran')!r}, 'w')")


ADAPTER = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 1, "lora_alpha": 2, "target_modules": ["q_proj"]}


def adapter(base: str = "tiny-s", scale: float = 1.0, file: str = "adapter_model.safetensors", **settings):
    """Make a LoRA adapter for a base model."""

    def make(place: Path) -> None:
        place.mkdir(parents=True)
        (place / "adapter_config.json").write_text(json.dumps(ADAPTER | {"base_model_name_or_path": base} | settings))
        weights = {}
        for name, values in load_file(SOURCE / "model.safetensors").items():
            if name.endswith("q_proj.weight"):
                key = f"base_model.model.{name.removesuffix('.weight')}"
                weights[f"{key}.lora_A.weight"] = scale * torch.ones(1, values.shape[1])
                weights[f"{key}.lora_B.weight"] = torch.ones(values.shape[0], 1)
        save_file(weights, place / file, {"format": "pt"})

    return make
