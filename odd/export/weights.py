"""From a run to training: per-token loss weights for its rollouts, as files that a trainer can read.

A score belongs to a node, so a token of any rollout can have one where the tokens before it begin a path: those of a
path, and of other initial rollouts those up to where they leave the paths. A token without a score (fewer than two
children with enough visits, equal success, or no gradient) gets a weight of its own, 0 by default.

Columns carry TRL's names where it has one (1.16.0). The mask is not put into `completion_mask`, because trainers attend
by that: it is what TRL multiplies in as `tool_mask`, or gives as labels of -100, and verl as `response_mask`.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float, Float32

from odd.config import WeightRule, WeightsConfig
from odd.errors import OddError
from odd.store.run import Run

SCHEMA = pa.schema(
    {
        "question": pa.int32(),
        "question_id": pa.string(),
        "rollout": pa.int32(),
        "path": pa.int32(),
        "prompt_ids": pa.list_(pa.int32()),
        "completion_ids": pa.list_(pa.int32()),
        "completion_mask": pa.list_(pa.int8()),
        "sampling_per_token_logps": pa.list_(pa.float32()),
        "loss_weights": pa.list_(pa.float32()),
        "loss_mask": pa.list_(pa.int8()),
        "scores": pa.list_(pa.float32()),
        "reward": pa.float32(),
        "truncated": pa.bool_(),
        "teacher": pa.string(),
        "teacher_prompt_ids": pa.list_(pa.int32()),
    }
)
"""A row is a rollout; lists but the prompts have one entry a completion token. `scores` is what the rule compares."""

Children = Mapping[tuple[int, int], int]
"""Node and token to the node that the token leads to, along paths."""


def token_weights(
    scores: Float[np.ndarray, " T"], rule: WeightRule, threshold: float, unscored: float
) -> Float32[np.ndarray, " T"]:
    """Loss weight of each token: 1 where the rule keeps it, 0 where not, `unscored` where its score is NaN.

    Args:
        scores: alignment (rule `alignment`) or P(alignment > 0) (rule `p_positive`) at the node before each token.
        rule: `all` keeps every token, the others those whose score is above the threshold.
        threshold: of the score.
        unscored: weight without a score.
    """
    if rule == "all":
        return np.ones(len(scores), dtype=np.float32)
    return np.where(np.isnan(scores), unscored, scores > threshold).astype(np.float32)


def nodes_before(tokens: Sequence[int], children: Children) -> list[int | None]:
    """The path node before each token of a rollout; None from where it has left all paths."""
    nodes: list[int | None] = []
    node: int | None = 0
    for token in tokens:
        nodes.append(node)
        node = None if node is None else children.get((node, token))
    return nodes


@dataclass(frozen=True)
class Coverage:
    """What was written.

    Attributes:
        rollouts: rows.
        correct: of them with reward 1.
        tokens: completion tokens of the rows.
        scored: of them with a score under the teacher, objective and convention.
        kept: of them with a weight above 0.
        without_teacher: questions that are left out because the teacher has no prompt for them.
    """

    rollouts: int
    correct: int
    tokens: int
    scored: int
    kept: int
    without_teacher: int

    def __str__(self) -> str:
        """One line for people."""
        share = f" ({100 * self.kept / self.tokens:.1f}%)" if self.tokens else ""
        scored = f", {100 * self.scored / self.tokens:.0f}% have a score" if self.tokens else ""
        line = f"kept {self.kept:,} of {self.tokens:,} tokens{share}{scored}; {self.rollouts:,} rollouts, "
        line += f"{self.correct:,} of them correct"
        if self.without_teacher:
            questions = "question" if self.without_teacher == 1 else "questions"
            line += f"; {self.without_teacher} {questions} left out, where the teacher has no prompt"
        return line


def training_rows(run: Run, wanted: WeightsConfig) -> tuple[pd.DataFrame, Coverage]:
    """Rows of the columns of `SCHEMA` for the rollouts of a run, and what they cover.

    Raises:
        OddError: the run has no such teacher, objective or convention, names those it has; or it has no such rollout.
    """
    teacher = _check(run, wanted)
    measure = {"teacher": teacher, "objective": wanted.objective, "convention": wanted.convention}
    column = "p_positive" if wanted.rule == "p_positive" else "alignment"
    scores = run.query("weights_scores", **measure)[["question", "node", column]].itertuples(index=False)
    by_node = {(int(question), int(node)): float(score) for question, node, score in scores}
    children: dict[int, dict[tuple[int, int], int]] = {}
    for question, node, token, child in run.query("weights_nodes").itertuples(index=False):
        children.setdefault(question, {})[node, token] = child
    drawn = run.query("weights_rollouts", teacher=teacher, paths_only=wanted.rollouts == "paths")
    if wanted.outcome != "all":
        drawn = drawn[drawn["correct"] == (wanted.outcome == "correct")]
    # without a teacher there is no prompt to miss
    usable = drawn if teacher is None else drawn[drawn["teacher_prompt_ids"].notna()]
    if usable.empty:
        raise OddError(f"run {run.run_id} has no rollout of that kind: ask for --rollouts initial or --outcome all")
    rows = [
        _row({str(key): value for key, value in record.items()}, teacher, children, by_node, wanted)
        for record in usable.to_dict("records")
    ]
    missing = len(set(drawn["question"])) - len(set(usable["question"]))
    return pd.DataFrame(rows, columns=SCHEMA.names, dtype=object), _coverage(rows, missing)


def _check(run: Run, wanted: WeightsConfig) -> str | None:
    """The teacher that is meant."""
    teachers = run.query("teachers")["teacher"].tolist()
    measures = run.query("measures")
    teacher = wanted.teacher
    if teacher is None and wanted.rule != "all":
        if len(teachers) != 1:
            raise OddError(f"run {run.run_id}: which teacher? give --teacher, one of {', '.join(teachers) or 'none'}")
        teacher = teachers[0]
    known = {
        "teacher": (teacher, teachers),
        "objective": (wanted.objective, measures["objective"].unique().tolist()),
        "convention": (wanted.convention, measures["convention"].unique().tolist()),
    }
    for kind, (value, values) in known.items():
        if value is not None and value not in values:
            raise OddError(f"run {run.run_id}: no {kind} {value!r}; it has {', '.join(values) or 'none'}")
    return teacher


def _row(
    record: Mapping[str, Any],
    teacher: str | None,
    children: Mapping[int, Children],
    scores: Mapping[tuple[int, int], float],
    wanted: WeightsConfig,
) -> dict[str, Any]:
    question, tokens = record["question"], record["token_ids"]
    nodes = nodes_before(tokens.tolist(), children.get(question, {}))
    own = [np.nan if node is None else scores.get((question, node), np.nan) for node in nodes]
    of_tokens = np.array(own, dtype=np.float64)
    weights = token_weights(of_tokens, wanted.rule, wanted.above, wanted.unscored)
    return {
        "question": question,
        "question_id": record["id"],
        "rollout": record["rollout"],
        "path": None if pd.isna(record["path"]) else int(record["path"]),
        "prompt_ids": record["prompt_ids"],
        "completion_ids": tokens,
        "completion_mask": np.ones(len(tokens), dtype=np.int8),
        "sampling_per_token_logps": record["log_probs"],
        "loss_weights": weights,
        "loss_mask": (weights > 0).astype(np.int8),
        "scores": of_tokens.astype(np.float32),
        "reward": float(record["correct"]),
        "truncated": bool(record["truncated"]),
        "teacher": teacher,
        "teacher_prompt_ids": None if teacher is None else record["teacher_prompt_ids"],
    }


def _coverage(rows: Sequence[Mapping[str, Any]], without_teacher: int) -> Coverage:
    return Coverage(
        rollouts=len(rows),
        correct=sum(row["reward"] > 0 for row in rows),
        tokens=sum(len(row["completion_ids"]) for row in rows),
        scored=sum(int((~np.isnan(row["scores"])).sum()) for row in rows),
        kept=sum(int(row["loss_mask"].sum()) for row in rows),
        without_teacher=without_teacher,
    )


def write_weights(rows: pd.DataFrame, about: Mapping[str, Any], out: Path) -> list[Path]:
    """Write the rows as Parquet and JSON Lines, and what they are beside them as JSON.

    Args:
        rows: of `training_rows`.
        about: what they are; also kept in the Parquet file, under the key `odd`.
        out: a folder, for files called `weights`; or the beginning of their names.

    Returns:
        The files.

    Raises:
        OddError: they cannot be written.
    """
    prefix = out / "weights" if out.is_dir() else out
    table = pa.table({name: _column(rows[name], SCHEMA.field(name).type) for name in SCHEMA.names}, SCHEMA)
    table = table.replace_schema_metadata({"odd": json.dumps(about)})
    files = [prefix.with_name(prefix.name + ending) for ending in (".parquet", ".jsonl", ".json")]
    try:
        prefix.parent.mkdir(parents=True, exist_ok=True)
        scratch = [file.with_name(f"{file.name}.tmp-{os.getpid()}") for file in files]
        pq.write_table(table, scratch[0])
        with scratch[1].open("w", encoding="utf-8") as lines:
            for row in table.to_pylist():
                lines.write(json.dumps(row, allow_nan=False) + "\n")
        scratch[2].write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
        for source, target in zip(scratch, files, strict=True):
            os.replace(source, target)
    except OSError as error:
        raise OddError(f"{prefix}: {error.strerror or error}; give another folder or name with --out") from error
    return files


def _column(values: pd.Series, type_: pa.DataType) -> pa.Array:
    """A column in which NaN inside a list is null, as JSON has no NaN."""
    return pa.array(values.tolist(), type_, from_pandas=True)


def about(run_id: str, meta: Mapping[str, str], wanted: WeightsConfig, coverage: Coverage) -> dict[str, Any]:
    """What a file of weights says of itself."""
    student = json.loads(meta["config"])["student"] if "config" in meta else None
    asked = wanted.model_dump(mode="json") | {"threshold": wanted.above}
    return {"run": run_id, "student": student, "weights": asked, "coverage": asdict(coverage)}
