"""On-policy distillation on the tokens that `odd weights` keeps: a plain loop, reverse KL."""

import pandas as pd
import torch


def token_losses(student, teacher, row):
    """KL(student || teacher) at each completion token, nats."""
    completion = torch.tensor(row["completion_ids"])

    def log_probs(model, prompt):
        ids = torch.cat([torch.tensor(prompt), completion])[None]
        return model(ids[:, :-1], logits_to_keep=len(completion)).logits[0].float().log_softmax(-1)

    with torch.no_grad():
        reference = log_probs(teacher, row["teacher_prompt_ids"])
    own = log_probs(student, row["prompt_ids"])
    return (own.exp() * (own - reference)).sum(-1)


def train(student, teacher, rows, steps, learning_rate=1e-4, batch_size=8, seed=0):
    """Take `steps` of AdamW, each on `batch_size` rollouts; rollouts without weight are left out."""
    rows = [row for row in rows.to_dict("records") if row["loss_weights"].any()]
    optimizer = torch.optim.AdamW(student.parameters(), learning_rate)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        batch = [rows[i] for i in torch.randint(len(rows), (batch_size,), generator=generator)]
        weights = torch.cat([torch.tensor(row["loss_weights"]) for row in batch])
        losses = torch.cat([token_losses(student, teacher, row) for row in batch])
        loss = (weights * losses).sum() / weights.sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


if __name__ == "__main__":
    from transformers import AutoModelForCausalLM

    models = "odd/models/weights"  # or folders and hub names of your own
    student, teacher = (AutoModelForCausalLM.from_pretrained(f"{models}/{name}") for name in ("tiny-s", "tiny-l"))
    train(student, teacher.eval(), pd.read_parquet("weights.parquet"), steps=60)
    student.save_pretrained("tiny-s-distilled")
