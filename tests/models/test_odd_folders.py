"""A folder that is not quite a model is refused in one line with cause and remedy, and nothing else is printed."""

import importlib.util
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from odd.config import ModelConfig, TeacherConfig, parse_config
from odd.errors import OddError
from odd.models.registry import load_model
from odd.models.transformers import adapters
from odd.pipeline.teachers import Models
from tests.models.odd_folders import (
    MODEL,
    POINTER,
    SOURCE,
    TOKENIZER,
    adapter,
    cut,
    empty,
    folder,
    inside_layers,
    own_code,
    parent,
    pickle,
    renamed,
    sharded,
    with_config,
    with_files,
    with_weights,
)

GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": 128}
AWQ = {"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True, "version": "gemm"}
NO_CONFIG = (*MODEL, "config.json", "generation_config.json")
FAULTS = {
    # shards of trainers
    "verl": (with_files("model_world_size_2_rank_0.pt"), "FSDP shards of verl", "verl.model_merger"),
    "verl, beside": (with_files("model_world_size_2_rank_1.pt", beside=True), "shards of verl", "verl.model_merger"),
    "verl, around": (
        with_files("model_world_size_2_rank_0.pt", "huggingface/config.json", without=("*",)),
        "FSDP shards of verl",
        "verl.model_merger",
    ),
    "FSDP": (with_files("__0_0.distcp", ".metadata"), "torch.distributed.checkpoint", "accelerate merge-weights"),
    "accelerate": (with_files("pytorch_model_fsdp_0/__0_0.distcp"), "FSDP shards", "accelerate merge-weights"),
    "DeepSpeed": (with_files("global_step9/mp_rank_00_model_states.pt"), "ZeRO shards", "zero_to_fp32.py"),
    "DeepSpeed, alone": (with_files("zero_to_fp32.py", without=("*",)), "ZeRO shards", "zero_to_fp32.py"),
    "Megatron": (with_files("iter_0000010/mp_rank_00/x.pt", without=("*",)), "shards of Megatron", "Megatron Bridge"),
    "missing shard": (sharded, "1 of the 2 files", "model-00002-of-00002.safetensors", "download the folder again"),
    "no index": (with_files("model-00001-of-00002.safetensors"), "index is missing", "model.safetensors.index.json"),
    "FSDP in one file": (with_files("pytorch_model_fsdp.bin"), "FSDP", "accelerate merge-weights"),
    # other formats
    "Meta": (with_files("consolidated.00.pth", "params.json", without=("*",)), "(consolidated)", "config.json"),
    "GGUF": (with_files("model-q4.gguf", without=("*",)), "GGUF", "safetensors"),
    "Flax": (with_files("flax_model.msgpack"), "another library than PyTorch", "save it from PyTorch"),
    "state dict": (with_files("checkpoint.pt", without=NO_CONFIG), "pickle (checkpoint.pt)", "save_pretrained"),
    "pickle": (pickle, "pickle, pytorch_model.bin", "pickle=true"),
    "other name": (with_files("weights.safetensors"), "but weights.safetensors", "save_pretrained"),
    # parts that are missing
    "checkpoints": (parent("checkpoint-1000", "checkpoint-200"), "name one of them: checkpoint-200, checkpoint-1000"),
    "deeper": (parent("step_5/actor"), "name one of them: step_5/actor"),
    "no configuration": (lambda place: folder(place, "config.json"), "weights but no config.json", "save_pretrained"),
    "no tokenizer": (lambda place: folder(place, *TOKENIZER), "no tokenizer", "tokenizer.save_pretrained"),
    "settings of a tokenizer": (lambda place: folder(place, "tokenizer.json"), "no tokenizer", "save_pretrained"),
    "no weights": (lambda place: folder(place, *MODEL), "no model.safetensors", "save_pretrained"),
    "empty weights": (with_files("model.safetensors", content=""), "model.safetensors is empty", "download it again"),
    "cut weights": (cut, "cut off or damaged", "download it again"),
    "pointer": (with_files("model.safetensors", content=POINTER), "is a pointer of Git LFS", "lfs pull"),
    "pointer to tokens": (with_files("tokenizer.json", content=POINTER), "tokenizer.json is a pointer", "lfs pull"),
    "pointer to settings": (with_files("config.json", content=POINTER), "config.json is a pointer", "lfs pull"),
    # names and shapes of weights
    "adapter's names": (renamed("base_model.model.{}".format), "an adapter's wrapper (PEFT)", "merge"),
    "unmerged": (
        renamed(lambda name: name.replace("q_proj.", "q_proj.base_layer.")),
        "an adapter's wrapper (PEFT)",
        "merge",
    ),
    "DataParallel": (renamed("module.{}".format), "DataParallel", "model.module.save_pretrained"),
    "compiled": (renamed("_orig_mod.{}".format), "torch.compile", "model._orig_mod.save_pretrained"),
    "compiled layers": (inside_layers("_orig_mod"), "torch.compile", "model._orig_mod"),
    "FSDP layers": (inside_layers("_fsdp_wrapped_module"), "the wrapper of FSDP", "full state dicts"),
    "recomputed": (inside_layers("_checkpoint_wrapped_module"), "activation checkpointing", "save the model without"),
    "value head": (renamed("pretrained_model.{}".format), "value head", "model.pretrained_model.save_pretrained"),
    "other prefix": (renamed("student.{}".format), "begin with 'student.'", "save the model itself"),
    "ZeRO-3": (with_weights(empty), "are empty", "ZeRO-3", "zero_to_fp32.py"),
    "other width": (with_config(intermediate_size=96), "but config.json asks for [64, 96]", "correct config.json"),
    "more tokens": (with_config(vocab_size=450), "[448, 64], but config.json asks for [450, 64]", "vocab_size"),
    "too many tokens": (with_config(vocab_size=10**12), "asks for [1000000000000, 64]", "vocab_size"),
    "quantized": (
        renamed(lambda name: name.replace("_proj.weight", "_proj.qweight")),
        "no quantization_config",
        "without quantization",
    ),
    "GPTQ": (with_config(quantization_config=GPTQ), "GPTQ", "quantized (gptq)", "without quantization"),
    "AWQ": (with_config(quantization_config=AWQ), "AWQ", "quantized (awq)", "without quantization"),
    "own code": (own_code, "code of its own", "never executed"),
    # adapters
    "prompt tuning": (adapter(peft_type="PROMPT_TUNING"), "PROMPT_TUNING, not LoRA", "merge"),
    "adapter for nothing": (adapter(base=""), "names no base model", "base_model_name_or_path"),
}  # fmt: skip


def refusal(place: Path) -> str:
    with pytest.raises(OddError) as caught:
        load_model(ModelConfig(name=str(place)), place.parent)
    return str(caught.value)


@pytest.mark.parametrize("name", FAULTS)
def test_a_folder_is_refused_in_one_line_with_cause_and_remedy(tmp_path, capfd, name):
    make, *parts = FAULTS[name]
    place = tmp_path / "around" / "mine"
    make(place)
    line = refusal(place)
    assert not [part for part in parts if part not in line], line
    assert line.startswith(f"model {str(place)!r} could not be loaded (") and "\n" not in line
    assert capfd.readouterr() == ("", "")
    assert not (place / "ran").exists()


def test_weights_that_are_a_pickle_are_read_if_asked_for_by_name(tmp_path):
    pickle(tmp_path / "mine")
    model = load_model(ModelConfig(name=str(tmp_path / "mine"), pickle=True), tmp_path)
    assert model.digest == load_model(ModelConfig(), tmp_path).digest


class Touch:
    """An object that creates a file when its pickle is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_code_in_a_pickle_does_not_run_even_if_asked_for(tmp_path):
    folder(tmp_path / "mine", *MODEL)
    torch.save({"model.norm.weight": Touch(tmp_path / "ran")}, tmp_path / "mine" / "pytorch_model.bin")
    with pytest.raises(OddError, match="could not be loaded"):
        load_model(ModelConfig(name=str(tmp_path / "mine"), pickle=True), tmp_path)
    assert not (tmp_path / "ran").exists()


def test_an_adapter_without_the_package_is_told_which_one_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(adapters, "find_spec", lambda name: None)
    adapter()(tmp_path / "mine")
    line = refusal(tmp_path / "mine")
    assert "adapter (LoRA) for tiny-s" in line and "pip install peft" in line and "merge the adapter" in line


def test_an_adapter_is_merged_into_its_base_as_student_and_as_teacher_where_peft_is_installed(tmp_path):
    adapter(scale=0.01)(tmp_path / "mine")
    if importlib.util.find_spec("peft") is None:
        assert "pip install peft" in refusal(tmp_path / "mine")
        return
    own = {"name": str(tmp_path / "mine")}
    models = Models(parse_config({"student": own, "cache": str(tmp_path)}), tmp_path)
    key = "model.layers.0.self_attn.q_proj.weight"
    base = load_file(SOURCE / "model.safetensors")[key].float()
    # B A times alpha / r
    torch.testing.assert_close(models.student.scorer.model.state_dict()[key], base + 0.02)
    teacher = TeacherConfig(name="adapted", model=ModelConfig(**own))
    other = Models(parse_config({"student": {"name": "tiny-s"}, "cache": str(tmp_path)}), tmp_path)
    assert other.teacher(teacher).digest == models.student.digest != other.student.digest
