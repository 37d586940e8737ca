"""Measure the `tiny` family on held-out questions: pass rates, difficulty bins, effect of demonstrations.

Each model answers every question 32 times at temperature 1. The student also does so with one of its own correct
responses in the prompt (1C), and with a correct and a wrong one (1C1W). Intervals are 95% bootstrap over questions.

    python -m scripts.tiny_report
"""

import argparse
from collections import Counter
from pathlib import Path

import numpy as np

from odd.config import ModelConfig, QuestionsConfig
from odd.method.success import difficulty
from odd.models.embedded import TINY
from odd.models.transformers.language_model import TransformersModel, load
from odd.questions.answers import extract_answer
from odd.questions.base import Question
from odd.questions.contexts import Demonstration, with_demonstrations
from odd.questions.sources import load_questions
from odd.questions.verifiers import is_correct

SAMPLES = 32
BATCH = 256
MAX_NEW_TOKENS = 128


def answers(model: TransformersModel, prompts: list[list[int]], seed: int) -> list[list[str]]:
    """Sample `SAMPLES` responses to each prompt; truncated ones are empty."""
    rows = sorted((i for i in range(len(prompts)) for _ in range(SAMPLES)), key=lambda i: len(prompts[i]))
    texts: list[list[str]] = [[] for _ in prompts]
    for start in range(0, len(rows), BATCH):
        chunk = rows[start : start + BATCH]
        made = model.sampler.sample([prompts[i] for i in chunk], [MAX_NEW_TOKENS] * len(chunk), 1.0, seed + start)
        for i, generation in zip(chunk, made, strict=True):
            texts[i].append("" if generation.truncated else model.tokenizer.decode(generation.token_ids))
    return texts


def pass_rates(questions: list[Question], texts: list[list[str]]) -> np.ndarray:
    """Share of correct responses per question."""
    rates = [
        np.mean([is_correct(question, extract_answer(text)) for text in own])
        for question, own in zip(questions, texts, strict=True)
    ]
    return np.array(rates)


def line(label: str, rates: np.ndarray) -> str:
    """Format the mean pass rate with its interval over questions."""
    rng = np.random.default_rng(0)
    means = rng.choice(rates, (2000, len(rates))).mean(1)
    low, high = np.quantile(means, (0.025, 0.975))
    return f"{label:28} {rates.mean():.3f} [{low:.3f}, {high:.3f}]  n={len(rates)}"


def first_of_each(question: Question, texts: list[str]) -> list[Demonstration]:
    """The first correct and the first wrong response that is not truncated, as far as they exist."""
    shown = []
    for outcome in (True, False):
        alike = [text for text in texts if text and is_correct(question, extract_answer(text)) is outcome]
        shown += [Demonstration(text, outcome) for text in alike[:1]]
    return shown


def difficulty_line(rates: np.ndarray) -> str:
    """Format the share of questions in each difficulty bin."""
    bins = Counter(difficulty(float(rate)) for rate in rates)
    return ", ".join(f"{label} {100 * bins[label] / len(rates):.0f}%" for label in ("easy", "medium", "hard", "never"))


def report_student(
    model: TransformersModel, questions: list[Question], texts: list[list[str]], rates: np.ndarray
) -> None:
    """Print the difficulties, and the effect of demonstrations on questions with both outcomes."""
    print("  " + difficulty_line(rates))
    own = [first_of_each(question, responses) for question, responses in zip(questions, texts, strict=True)]
    mixed = [i for i, shown in enumerate(own) if len(shown) == 2]
    if not mixed:
        print("  no question has both outcomes")
        return
    chosen = [questions[i] for i in mixed]
    print(line("  those with both outcomes", rates[mixed]))
    for label, count in (("1C", 1), ("1C1W", 2)):
        blocks = [with_demonstrations(questions[i].block(), own[i][:count]) for i in mixed]
        prompts = [model.tokenizer.encode_chat(q.messages(block)) for q, block in zip(chosen, blocks, strict=True)]
        print(line(f"  the same with {label}", pass_rates(chosen, answers(model, prompts, seed=2))))


def main() -> None:
    """Print the report."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--weights", type=Path, default=Path("odd/models/weights"))
    parser.add_argument("--models", nargs="*", default=TINY)
    arguments = parser.parse_args()
    questions = load_questions(QuestionsConfig(source="tiny-heldout"))
    for name in arguments.models:
        model = load(ModelConfig(name=str(arguments.weights / name)), arguments.weights)
        texts = answers(model, [model.tokenizer.encode_chat(question.messages()) for question in questions], seed=1)
        rates = pass_rates(questions, texts)
        print(line(f"{name}, no demonstration", rates))
        if name == "tiny-s":
            report_student(model, questions, texts, rates)


if __name__ == "__main__":
    main()
