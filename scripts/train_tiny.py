"""Train the `tiny` family: one tokenizer and four Qwen3 models, the student and three larger teachers.

The task is `odd.questions.tiny_task`. Each training example is a chat: a problem, with or without demonstrations
(right ones, wrong ones marked as such, summaries), and one right solution in a random order and wording. The loss is
on the response alone. Problems in the held-out tenth are never used. Training is seeded; the log is written next to the
weights. Each model trains in a separate process on one thread, which for models this small is faster than two threads.

    python -m scripts.train_tiny --out odd/models/weights
"""

import argparse
import json
import math
import os
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from odd.questions.contexts import Demonstration, question_block, summary_request, with_demonstrations
from odd.questions.tiny_task import LEVELS, Problem, answer_of, is_held_out, random_problem, solution

SEED = 2605
VOCABULARY = 448
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]  # the first tokens, in this order
CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# name: hidden size, layers, heads, steps. A step is one batch of BATCH_TOKENS padded tokens.
SIZES = {
    "tiny-s": (64, 3, 2, 3000),
    "tiny-m": (96, 3, 3, 4000),
    "tiny-l": (128, 4, 4, 4600),
    "tiny-xl": (160, 4, 5, 3200),
}
BATCH_TOKENS = 4096
PEAK_LEARNING_RATE = 2.5e-3
# right demonstrations, wrong demonstrations, whether summarised; None: the task is to summarise
MIXTURE = {
    (0, 0, False): 0.50,
    (1, 0, False): 0.14,
    (1, 1, False): 0.16,
    (3, 0, False): 0.04,
    (1, 0, True): 0.05,
    (1, 1, True): 0.06,
    None: 0.05,
}


def training_problem(rng: np.random.Generator) -> Problem:
    """A problem of any level that is not held out."""
    while True:
        problem = random_problem(rng, int(rng.choice(LEVELS)))
        if not is_held_out(problem):
            return problem


def demonstrations(
    rng: np.random.Generator, problem: Problem, right: int, wrong: int, brief: bool
) -> list[Demonstration]:
    """`right` correct and `wrong` incorrect solutions in random order."""
    made = [Demonstration(solution(rng, problem, brief=brief), True) for _ in range(right)]
    while len(made) < right + wrong:
        text = solution(rng, problem, slip=True, brief=brief)
        if answer_of(text) != problem.answer:
            made.append(Demonstration(text, False))
    return [made[i] for i in rng.permutation(len(made))]


def example(rng: np.random.Generator) -> tuple[str, str]:
    """One user message and the response to it."""
    problem = training_problem(rng)
    block = question_block(problem.text, problem.choices)
    kinds = list(MIXTURE)
    kind = kinds[int(rng.choice(len(kinds), p=np.array(list(MIXTURE.values()))))]
    if kind is None:
        seed = int(rng.integers(2**31))
        pair = [solution(np.random.default_rng(seed), problem, brief=brief) for brief in (False, True)]
        return summary_request(block, pair[0]), pair[1]
    right, wrong, brief = kind
    if right + wrong:
        block = with_demonstrations(block, demonstrations(rng, problem, right, wrong, brief), summarized=brief)
    return block, solution(rng, problem)


def train_tokenizer(rng: np.random.Generator) -> PreTrainedTokenizerFast:
    """Byte-level BPE with single digits, so that any text can be encoded and numbers are spelled out."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=SPECIAL,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    texts = ["\n".join(("user", "assistant", *example(rng))) for _ in range(4000)]
    tokenizer.train_from_iterator(texts, trainer)
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    wrapped.chat_template = CHAT_TEMPLATE
    return wrapped


def encode(tokenizer: PreTrainedTokenizerFast, pairs: list[tuple[str, str]]) -> list[tuple[list[int], int]]:
    """Token ids of each chat and the length of its prompt."""
    prompts = [f"<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n" for user, _ in pairs]
    heads = tokenizer(prompts)["input_ids"]
    tails = tokenizer([response + "<|im_end|>" for _, response in pairs])["input_ids"]
    return [(head + tail, len(head)) for head, tail in zip(heads, tails, strict=True)]


def batches(tokenizer: PreTrainedTokenizerFast, rng: np.random.Generator):
    """Yield batches of `(ids, labels)` endlessly, of rows of similar length with up to BATCH_TOKENS padded tokens."""
    while True:
        rows = sorted(encode(tokenizer, [example(rng) for _ in range(4096)]), key=lambda row: len(row[0]))
        groups, group = [], []
        for row in rows:
            if group and len(row[0]) * (len(group) + 1) > BATCH_TOKENS:
                groups, group = [*groups, group], []
            group.append(row)
        for i in rng.permutation(len(groups)):
            width = max(len(ids) for ids, _ in groups[i])
            ids = torch.zeros(len(groups[i]), width, dtype=torch.long)
            labels = torch.full_like(ids, -100)
            for r, (tokens, head) in enumerate(groups[i]):
                ids[r, : len(tokens)] = torch.tensor(tokens)
                labels[r, head : len(tokens)] = ids[r, head : len(tokens)]
            yield ids, labels


def initial_model(name: str, tokenizer: PreTrainedTokenizerFast) -> Qwen3ForCausalLM:
    """An untrained model of the family."""
    hidden, layers, heads, _ = SIZES[name]
    torch.manual_seed(SEED)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=hidden * 3,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        head_dim=32,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        eos_token_id=SPECIAL.index("<|im_end|>"),
        pad_token_id=SPECIAL.index("<|endoftext|>"),
        bos_token_id=None,
    )
    return Qwen3ForCausalLM(config)


def learning_rate(step: int, steps: int) -> float:
    """Linear warm-up over 100 steps times cosine decay to 0."""
    return PEAK_LEARNING_RATE * min(1, (step + 1) / 100) * (0.5 + 0.5 * math.cos(math.pi * step / steps))


def train(name: str, out: Path) -> list[dict]:
    """Train one model, save it in half precision, and return the log of its losses and seconds."""
    torch.set_num_threads(1)
    hidden, _, _, steps = SIZES[name]
    tokenizer = train_tokenizer(np.random.default_rng(SEED))
    model = initial_model(name, tokenizer)
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK_LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.05)
    data = batches(tokenizer, np.random.default_rng([SEED, hidden]))
    started, cpu_started, losses, records = time.time(), time.process_time(), [], []
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps)
        ids, labels = next(data)
        loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        if (step + 1) % 200 == 0:
            record = {
                "step": step + 1,
                "loss": round(float(np.mean(losses[-200:])), 4),
                "seconds": round(time.time() - started),
                "cpu_seconds": round(time.process_time() - cpu_started),
            }
            records.append(record)
            print(name, record, flush=True)
    model.half().save_pretrained(out / name)
    tokenizer.save_pretrained(out / name)
    return records


def main() -> None:
    """Train the models named on the command line, all by default."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", choices=SIZES, nargs="*", default=list(SIZES))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / "training_log.json"
    log = json.loads(path.read_text()) if path.exists() else {}
    log["machine"] = {"cores": os.cpu_count(), "torch": torch.__version__, "date": time.strftime("%Y-%m-%d")}
    largest_first = sorted(arguments.only, key=lambda name: -SIZES[name][0])
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        runs = {name: pool.submit(train, name, arguments.out) for name in largest_first}
        log |= {name: runs[name].result() for name in SIZES if name in runs}
    path.write_text(json.dumps(log, indent=1))


if __name__ == "__main__":
    main()
