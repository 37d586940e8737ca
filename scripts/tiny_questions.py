"""Draw the bundled `tiny-*` question sets from the held-out part of the task.

python scripts/tiny_questions.py
"""

from pathlib import Path

import numpy as np

from odd.questions.base import Question
from odd.questions.tiny_task import LEVELS, is_held_out, random_problem

SEED = 889
A_LEVEL = 20
DATA = Path("odd/questions/data")


def held_out_questions() -> list[Question]:
    """`A_LEVEL` questions of each level, none ever seen in training, levels in turn."""
    rng = np.random.default_rng(SEED)
    questions: list[Question] = []
    seen: set[tuple[str, ...]] = set()
    while len(questions) < A_LEVEL * len(LEVELS):
        level = LEVELS[len(questions) % len(LEVELS)]
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


def main() -> None:
    """Write the set."""
    DATA.mkdir(parents=True, exist_ok=True)
    lines = [question.model_dump_json(exclude_defaults=True) for question in held_out_questions()]
    (DATA / "tiny-heldout.jsonl").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
