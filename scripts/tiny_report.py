"""Measure the `tiny` family on held-out questions: pass rates, difficulty bins, what demonstrations do.

Each model answers every question 32 times at temperature 1; the student also with one of its own correct responses in
the prompt (1C), and with a wrong one beside it (1C1W). Intervals are 95 % bootstrap over questions.

    python scripts/tiny_report.py
"""

import argparse
from pathlib import Path

import numpy as np

from odd.config import ModelConfig, QuestionsConfig
from odd.contexts import Demonstration, with_demonstrations
from odd.models.hf import HFModel
from odd.questions.base import Question
from odd.questions.sources import load_questions
from odd.questions.verifiers import extract_answer, is_correct

SAMPLES = 32
BATCH = 256
MAX_NEW_TOKENS = 128


def answers(model: HFModel, prompts: list[list[int]], seed: int) -> list[list[str]]:
    """`SAMPLES` responses to each prompt."""
    rows = sorted((i for i in range(len(prompts)) for _ in range(SAMPLES)), key=lambda i: len(prompts[i]))
    texts: list[list[str]] = [[] for _ in prompts]
    for start in range(0, len(rows), BATCH):
        chunk = rows[start : start + BATCH]
        made = model.sample([prompts[i] for i in chunk], [MAX_NEW_TOKENS] * len(chunk), 1.0, seed + start)
        for i, generation in zip(chunk, made, strict=True):
            texts[i].append("" if generation.truncated else model.decode(generation.token_ids))
    return texts


def pass_rates(questions: list[Question], texts: list[list[str]]) -> np.ndarray:
    """Share of correct responses a question."""
    rates = [
        np.mean([is_correct(question, extract_answer(text)) for text in own])
        for question, own in zip(questions, texts, strict=True)
    ]
    return np.array(rates)


def line(label: str, rates: np.ndarray) -> str:
    """Mean pass rate with its interval over questions."""
    rng = np.random.default_rng(0)
    means = rng.choice(rates, (2000, len(rates))).mean(1)
    low, high = np.quantile(means, (0.025, 0.975))
    return f"{label:28} {rates.mean():.3f} [{low:.3f}, {high:.3f}]  n={len(rates)}"


def demonstrated(model: HFModel, questions: list[Question], texts: list[list[str]], wrong: bool) -> list[list[int]]:
    """Prompts with one of the student's own correct responses, and a wrong one if `wrong`."""
    prompts = []
    for question, own in zip(questions, texts, strict=True):
        right = [text for text in own if is_correct(question, extract_answer(text))]
        bad = [text for text in own if text and not is_correct(question, extract_answer(text))]
        shown = [Demonstration(right[0], True)] + ([Demonstration(bad[0], False)] if wrong else [])
        prompts.append(model.encode_chat(question.messages(with_demonstrations(question.block, shown))))
    return prompts


def main() -> None:
    """Print the report."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--weights", type=Path, default=Path("odd/models/weights"))
    parser.add_argument("--models", nargs="*", default=["tiny-s", "tiny-m", "tiny-l"])
    arguments = parser.parse_args()
    questions = load_questions(QuestionsConfig(source="tiny-heldout"))
    for name in arguments.models:
        model = HFModel.load(ModelConfig(name=name), arguments.weights / name)
        texts = answers(model, [model.encode_chat(question.messages()) for question in questions], seed=1)
        rates = pass_rates(questions, texts)
        print(line(f"{name}, no demonstration", rates))
        if name != "tiny-s":
            continue
        bins = {
            "easy": rates >= 0.8,
            "medium": (rates >= 0.25) & (rates < 0.8),
            "hard": (rates > 0) & (rates < 0.25),
            "never": rates == 0,
        }
        print("  " + ", ".join(f"{label} {100 * chosen.mean():.0f} %" for label, chosen in bins.items()))
        mixed = [i for i, own in enumerate(texts) if 0 < rates[i] < 1 and any(own)]
        shown, own = [questions[i] for i in mixed], [texts[i] for i in mixed]
        print(line("  those with both outcomes", rates[mixed]))
        for label, wrong in (("1C", False), ("1C1W", True)):
            prompts = demonstrated(model, shown, own, wrong)
            print(line(f"  the same with {label}", pass_rates(shown, answers(model, prompts, seed=2))))


if __name__ == "__main__":
    main()
