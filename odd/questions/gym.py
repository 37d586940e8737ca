"""Questions that reasoning-gym makes: `gym:leg_counting?size=20&seed=0&max_animals=5`."""

import json
from collections.abc import Mapping
from typing import Any

from odd.questions.base import Question
from odd.questions.files import question_of
from odd.questions.isolated import gym_entries

SIZE, SEED = 20, 0


def gym_questions(generator: str, options: Mapping[str, str]) -> list[Question]:
    """The questions of a generator. Each carries its entry, so that the library's own scorer can judge it later.

    Args:
        generator: its name in reasoning-gym; `composite` takes `datasets`, a list of {"name", "weight", "config"}.
        options: `size`, `seed`, and the generator's own parameters; values are JSON where they can be.

    Raises:
        OddError: reasoning-gym is not installed, has no such generator, or refuses the parameters.
    """
    parameters: dict[str, Any] = {"size": SIZE, "seed": SEED} | {name: _value(text) for name, text in options.items()}
    configs = {part["name"]: part.get("config", {}) for part in parameters.get("datasets", [])}
    own = {key: value for key, value in parameters.items() if key not in ("size", "seed")}
    questions = []
    for number, entry in enumerate(gym_entries(generator, parameters)):
        name = entry["metadata"].get("source_dataset", generator) if generator == "composite" else generator
        metadata = {"generator": name, "parameters": configs.get(name, {}) if configs else own, "entry": entry}
        row = {
            "id": f"{name}-{parameters['seed']}-{number}",
            "question": entry["question"],
            "answer": entry["answer"] or "",  # some generators leave the answer to their scorer
            "kind": "reasoning_gym",
            "metadata": metadata,
        }
        questions.append(question_of(f"questions gym:{generator}, entry {number}", row))
    return questions


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
