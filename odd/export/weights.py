"""Export per-token loss weights for the rollouts of a run, as files that a trainer can read.

A score belongs to a node, so a token of any rollout can have one if the tokens before it are a prefix of a path: all
tokens of a path, and those of other initial rollouts up to where they leave the paths. A token without a score (fewer
than two children with enough visits, equal success, or no gradient) gets the weight `unscored`, 0 by default. Influence
is known for every token of every initial rollout, once `odd influence` has computed it.

Columns are named as in TRL (1.16.0) if it has them. The mask is not stored as `completion_mask`, because trainers use
that as attention mask: it corresponds to `tool_mask` or labels of -100 in TRL, and to `response_mask` in verl.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float, Float32

from odd.config import WeightRule, WeightsConfig
from odd.errors import OddError, writing
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
"""One row per rollout; lists except the prompts have one entry per completion token. The rule compares `scores`."""

Children = Mapping[tuple[int, int], int]
"""Maps (node, token) to the child node, along paths."""

ScoresOf = Callable[[int, int, np.ndarray], np.ndarray]
"""Maps question, number of the rollout and its tokens to one score per token."""


def token_weights(
    scores: Float[np.ndarray, " T"], rule: WeightRule, threshold: float, unscored: float
) -> Float32[np.ndarray, " T"]:
    """Loss weight of each token: 1 where the rule keeps it, 0 where not, `unscored` where its score is NaN.

    Args:
        scores: alignment (rule `alignment`) or P(alignment > 0) (rule `p_positive`) at the node before each token, or
            its influence (rule `influence`).
        rule: `all` keeps every token, the others those with a score above the threshold.
        threshold: threshold of the score.
        unscored: weight of tokens without a score.
    """
    if rule == "all":
        return np.ones(len(scores), dtype=np.float32)
    return np.where(np.isnan(scores), unscored, scores > threshold).astype(np.float32)


def nodes_before(tokens: Sequence[int], children: Children) -> list[int | None]:
    """The path node before each token of a rollout; None once it has left all paths."""
    nodes: list[int | None] = []
    node: int | None = 0
    for token in tokens:
        nodes.append(node)
        node = None if node is None else children.get((node, token))
    return nodes


@dataclass(frozen=True)
class Coverage:
    """Counts of exported rollouts and tokens.

    Attributes:
        rollouts: number of rows.
        correct: rows with reward 1.
        tokens: completion tokens of all rows.
        scored: tokens with a score under the teacher, objective and convention.
        kept: tokens with a weight above 0.
        without_teacher: questions left out because the teacher has no prompt for them.
    """

    rollouts: int
    correct: int
    tokens: int
    scored: int
    kept: int
    without_teacher: int

    def __str__(self) -> str:
        """One-line summary."""
        share = f" ({100 * self.kept / self.tokens:.1f}%)" if self.tokens else ""
        scored = f", {100 * self.scored / self.tokens:.0f}% have a score" if self.tokens else ""
        line = f"kept {self.kept:,} of {self.tokens:,} tokens{share}{scored}; {self.rollouts:,} rollouts, "
        line += f"{self.correct:,} of them correct"
        if self.without_teacher:
            questions = "question" if self.without_teacher == 1 else "questions"
            line += f"; {self.without_teacher} {questions} left out, as the teacher has no prompt for them"
        return line


def training_rows(run: Run, wanted: WeightsConfig) -> tuple[pd.DataFrame, Coverage]:
    """Build the rows of `SCHEMA` for the rollouts of a run, and count what they cover.

    Raises:
        OddError: the run has no such teacher, objective or convention (the message lists those it has), or no such
            rollouts.
    """
    teacher = _check(run, wanted)
    measure = {"teacher": teacher, "objective": wanted.objective, "convention": wanted.convention}
    scores_of = _influence(run, teacher, wanted) if wanted.rule == "influence" else _node_scores(run, measure, wanted)
    drawn = run.query("weights_rollouts", teacher=teacher, paths_only=wanted.rollouts == "paths")
    if wanted.outcome != "all":
        drawn = drawn[drawn["correct"] == (wanted.outcome == "correct")]
    # without a teacher, no prompt can be missing
    usable = drawn if teacher is None else drawn[drawn["teacher_prompt_ids"].notna()]
    if usable.empty:
        raise OddError(f"run {run.run_id} has no matching rollouts: pass --rollouts initial or --outcome all")
    rows = [
        _row({str(key): value for key, value in record.items()}, teacher, scores_of, wanted)
        for record in usable.to_dict("records")
    ]
    missing = len(set(drawn["question"])) - len(set(usable["question"]))
    return pd.DataFrame(rows, columns=SCHEMA.names, dtype=object), _coverage(rows, missing)


def _node_scores(run: Run, measure: Mapping[str, str | None], wanted: WeightsConfig) -> ScoresOf:
    """Return the scores of the nodes before the tokens of a rollout, NaN where there is none."""
    column = "p_positive" if wanted.rule == "p_positive" else "alignment"
    scores = run.query("weights_scores", **measure)[["question", "node", column]].itertuples(index=False)
    by_node = {(int(question), int(node)): float(score) for question, node, score in scores}
    children: dict[int, dict[tuple[int, int], int]] = {}
    for question, node, token, child in run.query("weights_nodes").itertuples(index=False):
        children.setdefault(question, {})[node, token] = child

    def scores_of(question: int, rollout: int, tokens: np.ndarray) -> np.ndarray:
        nodes = nodes_before(tokens.tolist(), children.get(question, {}))
        own = [np.nan if node is None else by_node.get((question, node), np.nan) for node in nodes]
        return np.array(own, dtype=np.float64)

    return scores_of


def _influence(run: Run, teacher: str | None, wanted: WeightsConfig) -> ScoresOf:
    """Return the influence of the tokens of a rollout.

    Raises:
        OddError: it is not computed for this run, teacher and objective.
    """
    asked = {"teacher": teacher, "objective": wanted.objective, "target": wanted.target}
    known = {
        (int(question), int(rollout)): (first.astype(np.float64) + second) / 2
        for question, rollout, first, second in run.query("weights_influence", **asked).itertuples(index=False)
    }
    if not known:
        raise OddError(
            f"run {run.run_id} has no influence of {teacher} for {wanted.objective} on {wanted.target} questions: "
            f"compute it with odd influence {run.run_id}"
        )
    return lambda question, rollout, tokens: known.get((question, rollout), np.full(len(tokens), np.nan))


def _check(run: Run, wanted: WeightsConfig) -> str | None:
    """Check teacher, objective and convention; return the teacher, by default the only one."""
    teachers = run.query("teachers")["teacher"].tolist()
    measures = run.query("measures")
    teacher = wanted.teacher
    if teacher is None and wanted.rule != "all":
        if len(teachers) != 1:
            choices = ", ".join(teachers) or "none"
            raise OddError(f"run {run.run_id}: no teacher selected: pass --teacher, one of {choices}")
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
    scores_of: ScoresOf,
    wanted: WeightsConfig,
) -> dict[str, Any]:
    question, tokens = record["question"], record["token_ids"]
    of_tokens = scores_of(question, record["rollout"], tokens)
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
    """Write the rows as Parquet and JSON Lines, and their metadata as JSON.

    Args:
        rows: result of `training_rows`.
        about: metadata; also stored in the Parquet file under the key `odd`.
        out: a folder, for files called `weights`; or a path prefix of the files.

    Returns:
        The files.

    Raises:
        OddError: the files cannot be written.
    """
    prefix = out / "weights" if out.is_dir() else out
    table = pa.table({name: _column(rows[name], SCHEMA.field(name).type) for name in SCHEMA.names}, SCHEMA)
    table = table.replace_schema_metadata({"odd": json.dumps(about)})
    files = [prefix.with_name(prefix.name + ending) for ending in (".parquet", ".jsonl", ".json")]
    with writing(prefix):
        prefix.parent.mkdir(parents=True, exist_ok=True)
        scratch = [file.with_name(f"{file.name}.tmp-{os.getpid()}") for file in files]
        try:
            with scratch[0].open("wb") as parquet:  # pyarrow opens no path that is not Unicode
                pq.write_table(table, parquet)
            with scratch[1].open("w", encoding="utf-8") as lines:
                for row in table.to_pylist():
                    lines.write(json.dumps(row, allow_nan=False) + "\n")
            scratch[2].write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
            for source, target in zip(scratch, files, strict=True):
                os.replace(source, target)
        except OSError:
            for file in scratch:
                file.unlink(missing_ok=True)
            raise
    return files


def _column(values: pd.Series, type_: pa.DataType) -> pa.Array:
    """Convert a column to Arrow; NaNs in lists become null, as JSON has no NaN."""
    return pa.array(values.tolist(), type_, from_pandas=True)


def about(run_id: str, meta: Mapping[str, str], wanted: WeightsConfig, coverage: Coverage) -> dict[str, Any]:
    """Metadata of exported weights: run, student, settings and coverage."""
    student = json.loads(meta["config"])["student"] if "config" in meta else None
    asked = wanted.model_dump(mode="json") | {"threshold": wanted.above}
    return {"run": run_id, "student": student, "weights": asked, "coverage": asdict(coverage)}
