"""Small runs for tests: of the embedded models, which take seconds, and of a fake engine, which take one."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from odd.config import RunConfig, parse_config
from odd.models.registry import ENGINES

ENGINES["bigrams"] = "tests.models.bigram_engine"

QUESTIONS = [
    {"id": "sum", "question": "What is 8+6-3?", "answer": "11", "kind": "number"},
    {"id": "compare", "question": "Is 7+5 greater than 9?", "answer": "yes", "kind": "yes_no"},
    {"id": "impossible", "question": "What is 2+3?", "answer": "123456", "kind": "number"},
]

TINY_M = {"name": "tiny-m"}
SELF_TEACHERS = [
    {"name": "Self-1C", "context": "1c"},
    {"name": "Self-1C1W", "context": "1c1w"},
    {"name": "Self-check"},
]


def small_config(folder: Path, **changes) -> RunConfig:
    """A run that takes seconds: few rollouts, four teachers."""
    source = folder / "questions.jsonl"
    source.write_text("\n".join(map(json.dumps, QUESTIONS)))
    tree = {
        "title": "small",
        "cache": str(folder / "cache"),
        "questions": {"source": str(source)},
        "sampling": {"initial_rollouts": 48, "max_new_tokens": 48, "batch_size": 24},
        "targeting": {"n_min": 12, "n_gradient": 4, "n_difference": 2, "correct_paths": 1, "incorrect_paths": 1},
        "analysis": {"n_sig": 6, "posterior_draws": 60},
        "teachers": [{"name": "tiny-m", "model": TINY_M}, *SELF_TEACHERS],
    }
    return parse_config(tree | changes)


QUICK_QUESTIONS = [
    {"id": "one", "question": "Which has a 1?", "answer": "[123]*1[123]*", "example": "1", "kind": "regex"},
    {"id": "small", "question": "Which has no 3?", "answer": "[12]+", "example": "12", "kind": "regex"},
    {"id": "impossible", "question": "What is 2+3?", "answer": "123456", "kind": "number"},
]


def bigrams(name: str) -> dict[str, str]:
    """A model of the fake engine; other names have other weights."""
    return {"name": name, "engine": "bigrams"}


def quick_config(folder: Path, **changes) -> RunConfig:
    """The same run of a fake engine and with questions that it can answer: it takes a second, and loads no weights."""
    source = folder / "quick.jsonl"
    source.write_text("\n".join(map(json.dumps, QUICK_QUESTIONS)))
    models = {
        "questions": {"source": str(source)},
        "student": bigrams("c"),
        "teachers": [{"name": "other", "model": bigrams("b")}, *SELF_TEACHERS],
    }
    return small_config(folder, **(models | changes))


def influence_config(folder: Path, **changes) -> RunConfig:
    """A quick run under one convention, with two objectives whose influence can be computed and one without."""
    analysis = {"n_sig": 6, "posterior_draws": 60, "poolings": ["on_policy"], "baselines": ["full"], "rests": ["off"]}
    analysis |= {"objectives": [{"name": "reverse_kl"}, {"name": "forward_kl"}, {"name": "dr_grpo"}]}
    teachers = [{"name": "other", "model": bigrams("b")}, SELF_TEACHERS[0], SELF_TEACHERS[-1]]
    return quick_config(folder, **({"analysis": analysis, "teachers": teachers} | changes))


def _screening(name: str, model: dict[str, str]) -> dict[str, Any]:
    """A screening of two more contexts than the run's, in which a model, shown under a name, writes for the student."""
    teachers = [
        {"name": "Self-Sum-1C1W", "context": "sum_1c1w", "summarizer": model},
        {"name": f"Self-1C ({name})", "context": "1c", "demonstrations": model},
    ]
    return {"screening": {"context_rollouts": 16, "teachers": teachers}}


def screening_config(folder: Path, **changes) -> RunConfig:
    """The small run with a screening of four contexts."""
    return small_config(folder, **(_screening("tiny-m", TINY_M) | changes))


def quick_screening_config(folder: Path, **changes) -> RunConfig:
    """The quick run with a screening of four contexts."""
    return quick_config(folder, **(_screening("other", bigrams("b")) | changes))


ROLLOUTS = "SELECT question, rollout, stage, chunk, launch, token_ids, log_probs, correct FROM rollouts ORDER BY ALL"
SCORES = "SELECT * FROM scores ORDER BY question, node, teacher, objective, convention"
GRADIENTS = "SELECT * FROM gradients ORDER BY question, node, teacher, objective, convention"
HALVES = "SELECT * FROM half_scores ORDER BY question, node, teacher, objective, convention, half"
TREE = "nodes", "success", "node_values", "components", "pairs"
RESULTS = (ROLLOUTS, SCORES, HALVES, GRADIENTS, *(f"SELECT * FROM {table} ORDER BY ALL" for table in TREE))
SCREENING = tuple(
    f"SELECT * FROM {table} ORDER BY ALL"
    for table in ("demonstrations", "summaries", "screening_contexts", "screening", "screening_rollouts")
)


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """Return the database to which files are attached: creating one takes 30 ms, attaching a file 4."""
    return duckdb.connect()


@contextmanager
def opened(path: Path | str, read_only: bool = True) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a run file with DuckDB alone."""
    with _database().cursor() as connection:
        connection.execute(f"ATTACH ? AS opened ({'READ_ONLY' if read_only else 'READ_WRITE'})", [str(path)])
        try:
            connection.execute("USE opened")
            yield connection
        finally:
            connection.execute("USE memory")
            connection.execute("DETACH opened")


def change(path: Path | str, *statements: str) -> None:
    """Change a run file by SQL, from outside."""
    with opened(path, read_only=False) as connection:
        for statement in statements:
            connection.execute(statement)


def rows(path, sql):
    with opened(path) as connection:
        return connection.execute(sql).fetchall()


def assert_same_results(one, other, results=RESULTS):
    for sql in results:
        left, right = rows(one, sql), rows(other, sql)
        assert len(left) == len(right) > 0
        assert repr(left) == repr(right)
