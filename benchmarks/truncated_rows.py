"""How scores move if a teacher's server reports only the top k tokens: `python -m benchmarks.truncated_rows`.

SmolLM2 is the student, and in two contexts the teacher. Each teacher reads the same paths four times: with all
tokens, and with k = 8, 20 and 100 and the token that was taken, as vLLM gives them.
"""

import argparse
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from odd.config import ModelConfig, load_config, parse_config
from odd.method.tree import distinct_places
from odd.models.base import LanguageModel, ModelSize, RecordedSlices, Scorer
from odd.models.registry import ENGINES, load_model
from odd.pipeline.worker import run
from odd.store import RunReader

ENGINE, SIZES = "truncated", (8, 20, 100)
MEASURE = {"objective": "reverse_kl", "convention": "on_policy-full-off"}
CONTEXTS = "1c", "1c1w"


class TopScorer:
    """A scorer that knows the k most probable tokens and the one that was taken."""

    def __init__(self, scorer: Scorer, k: int) -> None:
        self.scorer, self.k = scorer, k
        self.vocabulary_size, self.max_context = scorer.vocabulary_size, scorer.max_context
        self.token_log_probs = scorer.token_log_probs

    def read(
        self, prompt: Sequence[int], responses: Sequence[Sequence[int]], temperature: float = 1.0
    ) -> Iterator[np.ndarray]:
        """Compute next-token distributions along responses, -inf where unknown."""
        places = iter(distinct_places(responses))
        for part in self.scorer.read(prompt, responses, temperature):
            taken = [responses[path][position] for path, position in itertools.islice(places, len(part))]
            known = np.full_like(part, -np.inf)
            for row, whole, token in zip(known, part, taken, strict=True):
                kept = [*np.argpartition(whole, -self.k)[-self.k :], token]
                row[kept] = whole[kept]
            yield known

    def record(
        self, prompt: Sequence[int], responses: Sequence[Sequence[int]], temperature: float = 1.0
    ) -> RecordedSlices:
        """Record the same."""
        return RecordedSlices(list(self.read(prompt, responses, temperature)))


def load(config: ModelConfig, cache: Path) -> LanguageModel:
    """Load SmolLM2 with a truncated scorer; k is the server_top of the settings."""
    whole = load_model(ModelConfig(name=config.name), cache)
    return replace(whole, scorer=TopScorer(whole.scorer, config.server_top), known_tokens=config.server_top)


def model_size(config: ModelConfig, cache: Path) -> ModelSize | None:
    """All models fit."""
    return None


def compare(path: Path) -> pd.DataFrame:
    """Return for each context and k how the scores at decision points differ from those with all tokens."""
    with RunReader(path) as reader:
        scores = reader.query("scores", **MEASURE)
    scores = scores[scores["decision"].fillna(False).astype(bool)].drop_duplicates(["question", "node", "teacher"])
    found = []
    for context in CONTEXTS:
        whole = scores[scores["teacher"] == context].set_index(["question", "node"])
        for k in SIZES:
            part = scores[scores["teacher"] == f"{context} top {k}"].set_index(["question", "node"])
            both = whole.join(part, rsuffix="_k", how="inner")
            pair = both[["alignment", "alignment_k"]].dropna()
            gains = both[["gain", "gain_k"]].dropna()
            found.append(
                {
                    "context": context,
                    "k": k,
                    "points": len(pair),
                    "of": int(whole["alignment"].notna().sum()),
                    "cosine, all": pair["alignment"].mean(),
                    "cosine, k": pair["alignment_k"].mean(),
                    "mean |difference|": (pair["alignment"] - pair["alignment_k"]).abs().mean(),
                    "same sign": (np.sign(pair["alignment"]) == np.sign(pair["alignment_k"])).mean(),
                    "gain, all": gains["gain"].mean(),
                    "gain, k": gains["gain_k"].mean(),
                    "rank correlation": pair["alignment"].corr(pair["alignment_k"], method="spearman"),
                }
            )
    return pd.DataFrame(found)


def main() -> None:
    """Make the run and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cache", type=Path, default=Path("cache"))
    parser.add_argument("--questions", type=int, default=8)
    given = parser.parse_args()
    ENGINES[ENGINE] = __name__ if __name__ != "__main__" else "benchmarks.truncated_rows"
    teachers: list[dict[str, Any]] = [{"name": context, "context": context} for context in CONTEXTS]
    for context, k in itertools.product(CONTEXTS, SIZES):
        # the label tells models apart; a number of their own keeps them so
        model = {"name": "smollm2", "engine": ENGINE, "server_top": k, "thinking_variable": f"k{k}"}
        teachers.append({"name": f"{context} top {k}", "context": context, "model": model})
    settings = load_config("smollm2").model_dump(mode="json") | {
        "title": "truncated",
        "cache": str(given.cache),
        "questions": {"source": "smollm2", "limit": given.questions},
        "teachers": teachers,
    }
    path = run(parse_config(settings), lambda step: None)
    print(compare(path).to_string(index=False, float_format="{:.3f}".format))


if __name__ == "__main__":
    main()
