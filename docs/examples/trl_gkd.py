"""The same with TRL (1.16.0): its GKDTrainer reads a mask from labels of -100."""

import torch
from datasets import load_dataset
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl.experimental.gkd import GKDConfig, GKDTrainer


def collate(rows):
    """Prompt and completion in one row, padded on the right; a token outside the mask has the label -100."""
    ids = [torch.tensor(row["prompt_ids"] + row["completion_ids"]) for row in rows]
    kept = [torch.tensor([0] * len(row["prompt_ids"]) + row["loss_mask"]) for row in rows]
    labels = [torch.where(mask > 0, tokens, -100) for tokens, mask in zip(ids, kept, strict=True)]
    return {
        "input_ids": pad_sequence(ids, batch_first=True),
        "attention_mask": pad_sequence([torch.ones_like(tokens) for tokens in ids], batch_first=True),
        "labels": pad_sequence(labels, batch_first=True, padding_value=-100),
    }


def train(student, teacher, tokenizer, file, **settings):
    """`lmbda=0` trains on the rollouts of the file, `beta=1` is the reverse KL."""
    arguments = GKDConfig(lmbda=0.0, beta=1.0, remove_unused_columns=False, report_to="none", **settings)
    rows = load_dataset("parquet", data_files=str(file), split="train")
    trainer = GKDTrainer(
        student, teacher, arguments, data_collator=collate, train_dataset=rows, processing_class=tokenizer
    )
    trainer.train()
    return trainer


if __name__ == "__main__":
    models = "odd/models/weights"
    student, teacher = (AutoModelForCausalLM.from_pretrained(f"{models}/{name}") for name in ("tiny-s", "tiny-l"))
    tokenizer = AutoTokenizer.from_pretrained(f"{models}/tiny-s")
    train(student, teacher, tokenizer, "weights.parquet", output_dir="distilled", max_steps=60, learning_rate=1e-4)
