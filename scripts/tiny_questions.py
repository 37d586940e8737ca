"""Draw the bundled `tiny-heldout` and `tiny-demo` question sets from the held-out part of the task.

The demo set has the first held-out questions with a pass rate of the student between 0.1 and 0.9.

    python -m scripts.tiny_questions
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from odd.config import ModelConfig, SamplingConfig
from odd.models.registry import load_model
from odd.questions.base import Question
from odd.questions.tiny_task import is_held_out, random_problem
from odd.rollouts.sampling import sample_chunk

SEED = 889
OF_LEVEL = {1: 40, 2: 24, 3: 16, 4: 14, 5: 14, 6: 12}
IN_DEMO, A_LEVEL, LOWEST, HIGHEST, SAMPLES = 8, 2, 0.1, 0.9, 64
DATA = Path("odd/questions/data")


def held_out_questions() -> list[Question]:
    """Draw questions not seen in training, `OF_LEVEL` per level, in random order of levels."""
    rng = np.random.default_rng(SEED)
    levels = rng.permutation([level for level, count in OF_LEVEL.items() for _ in range(count)])
    questions: list[Question] = []
    seen: set[tuple[str, ...]] = set()
    while len(questions) < len(levels):
        level = int(levels[len(questions)])
        problem = random_problem(rng, level)
        key = (problem.text, *problem.choices)
        if not is_held_out(problem) or key in seen:
            continue
        seen.add(key)
        questions.append(
            Question(
                id=f"t{len(questions) + 1:03d}-level{level}",
                question=problem.text,
                answer=problem.answer,
                kind=problem.kind,
                choices=problem.choices,
            )
        )
    return questions


def demo_questions(questions: Sequence[Question]) -> list[Question]:
    """Select the first questions with a pass rate in `LOWEST` to `HIGHEST`, at most `A_LEVEL` per level."""
    model = load_model(ModelConfig(name="tiny-s"), Path("cache"))
    kept: list[Question] = []
    for question in questions:
        level = question.id[-1]
        if sum(other.id.endswith(level) for other in kept) == A_LEVEL:
            continue
        prompt = model.tokenizer.encode_chat(question.messages())
        drawn = sample_chunk(model, question, prompt, [()] * SAMPLES, SamplingConfig(), "initial", 0)
        if LOWEST <= sum(rollout.correct for rollout in drawn) / SAMPLES <= HIGHEST:
            kept.append(question)
        if len(kept) == IN_DEMO:
            break
    return kept


def main() -> None:
    """Write both sets."""
    DATA.mkdir(parents=True, exist_ok=True)
    held_out = held_out_questions()
    for name, questions in (("tiny-heldout", held_out), ("tiny-demo", demo_questions(held_out))):
        lines = [question.model_dump_json(exclude_defaults=True) for question in questions]
        (DATA / f"{name}.jsonl").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
