"""Upgrade a run file of version 2 to this version, without sampling or scoring anything again.

Version 2 stored the success of each pooling rule in columns of `nodes`, counts instead of scores for the halves of the
rollouts, and the children of a node with each of its gradients. The content of version 3 follows from these.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from odd.errors import OddError
from odd.method import alignment
from odd.method.conventions import REST
from odd.method.gradients import ideal_gradient
from odd.method.logspace import restrict
from odd.method.success import node_values, wilson
from odd.store.attach import attach, check_run, check_whole, explain, read_table, run_meta
from odd.store.files import published_path, remove_leftovers, temporary_of, work_path
from odd.store.frames import from_duckdb, to_duckdb
from odd.store.lock import take_lock
from odd.store.plain_path import check_writable
from odd.store.schema import (
    SCHEMA_VERSION,
    UPGRADABLE,
    column_types,
    create_tables,
    quote,
    tables,
)
from odd.store.signals import deferred
from odd.store.views import create_views

MADE = ("nodes", "teacher_tokens", "success", "node_values", "half_scores", "components", "gradients")
"""Tables that are missing in version 2, or have other columns there."""
NODES = "INSERT INTO nodes SELECT question, node, parent, token, depth, log_p, pooled_visits FROM run.main.nodes"
TEACHER_TOKENS = "INSERT INTO teacher_tokens SELECT question, node, teacher, log_p FROM run.main.teacher_tokens"
GRADIENTS = """
    INSERT INTO gradients SELECT question, node, teacher, objective, convention, teacher_gradient
    FROM run.main.gradients"""
SCORED = """
    SELECT node, convention, list(teacher) AS teachers, list(objective) AS objectives, any_value(tokens) AS tokens,
        any_value(ideal) AS ideal, flatten(list(teacher_gradient)) AS gradients
    FROM (FROM run.main.gradients WHERE question = ? ORDER BY teacher, objective)
    GROUP BY node, convention ORDER BY node, convention"""
COUNTED = {"on_policy": "", "stratified": "", "pooled": "pooled_"}
"""Column prefix of the counts of each pooling rule in version 2."""
MEASURED = "alignment,p_positive,gain,advantage,children,success_range,visits,decision"
"""Measures of version 2."""
OUTCOME_MADE = "dr_grpo"


def upgrade_run(cache: Path, run_id: str) -> list[Path]:
    """Upgrade the files of a run in place; the old ones are kept next to them.

    Args:
        cache: folder of the published files.
        run_id: id of the run.

    Returns:
        New paths of the old files; empty if the run was up to date.

    Raises:
        OddError: the run does not exist, another process writes it, or its file is damaged or has another version.
    """
    files = [path for path in (published_path(cache, run_id), work_path(cache, run_id)) if path.exists()]
    if not files:
        raise OddError(f"run {run_id!r} is not in {cache}: check the folder, or pass --cache")
    check_writable(work_path(cache, run_id))
    lock = take_lock(work_path(cache, run_id), run_id)
    try:
        return [_upgrade(path) for path in files if _is_old(path)]
    finally:
        lock.release()


def _is_old(path: Path) -> bool:
    with attach({"run": path}) as connection:
        if run_meta(connection, path).get("schema_version") == str(UPGRADABLE):
            return True
        check_run(connection, path)
    return False


def _upgrade(path: Path) -> Path:
    """Replace a file by its upgraded copy; return the new path of the old file."""
    remove_leftovers(path)
    temporary, kept = temporary_of(path), path.with_name(f"{path.name}.version-{UPGRADABLE}")
    connection = attach({"run": path, "new": temporary}, writable="new")
    try:
        with deferred(connection):
            connection.execute("USE new.main")
            connection.begin()
            _write(connection)
            connection.commit()
            connection.execute("CHECKPOINT new")
    except duckdb.Error as error:
        raise explain(error, path) from error
    finally:
        connection.close()
    check_whole(temporary)
    os.replace(path, kept)
    os.replace(temporary, path)
    return kept


def _write(connection: duckdb.DuckDBPyConnection) -> None:
    """Write all tables of database `run`, in the schema of this version, into the current one."""
    connection.execute(create_tables())
    connection.execute(create_views())
    # its other tables are those of version 3
    known = {"measures": MEASURED, "schema_version": "3"}
    for table in tables():
        if table not in MADE:
            columns = ", ".join(map(quote, column_types(table)))
            connection.execute(f"INSERT INTO {quote(table)} ({columns}) {read_table(table, known)}")
    new = {"schema_version": str(SCHEMA_VERSION), "measures": MEASURED}
    connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", [list(item) for item in new.items()])
    connection.execute(NODES)
    connection.execute(TEACHER_TOKENS)
    connection.execute(GRADIENTS)
    labels = connection.execute("SELECT value FROM meta WHERE key = 'conventions'").fetchall()
    poolings = {label.split("-")[0] for (value,) in labels for label in value.split(",")} & COUNTED.keys()
    for (question,) in connection.execute("SELECT DISTINCT question FROM nodes ORDER BY question").fetchall():
        for table, rows in _question_rows(connection, question, sorted(poolings)):
            new = to_duckdb(table, rows.assign(question=question))
            connection.register("new_rows", new)
            columns = ", ".join(map(quote, new.column_names))
            connection.execute(f"INSERT INTO {quote(table)} ({columns}) SELECT {columns} FROM new_rows")
            connection.unregister("new_rows")


def _question_rows(
    connection: duckdb.DuckDBPyConnection, question: int, poolings: list[str]
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the recomputed rows of one question by table, without the question column."""

    def read(sql: str) -> pd.DataFrame:
        return from_duckdb(connection.execute(sql, [question]).df())

    nodes = read("FROM run.main.nodes WHERE question = ? ORDER BY node").set_index("node")
    tree = {name: _every(nodes, name, -1).astype(np.int64) for name in ("parent", "token")}
    p_student = np.exp(_every(nodes, "log_p"))
    on_path = read("SELECT DISTINCT node FROM run.main.path_tokens WHERE question = ? ORDER BY node")["node"].to_numpy()
    edges = {name: _Edges.of(nodes, name, len(p_student)) for name in poolings}
    for name, own in edges.items():
        kept = {part: getattr(own, part)[nodes.index] for part in ("visits", "successes", "success", "low", "high")}
        yield "success", pd.DataFrame({"node": nodes.index, "pooling": name, **kept})
        values = node_values(on_path, tree["parent"], p_student, own.success, own.low, own.high, own.visits)
        yield "node_values", pd.DataFrame({"node": on_path, "pooling": name, **vars(values)})
    counts = read("FROM run.main.halves WHERE question = ?")
    halves = {
        name: [_Edges.of(counts[counts["half"] == half].set_index("node"), name, len(p_student)) for half in (0, 1)]
        for name in poolings
    }
    read_by = read("SELECT node, teacher, log_p AS log_q FROM run.main.teacher_tokens WHERE question = ?")
    log_q = {teacher: _dense(own["node"], own["log_q"], len(p_student)) for teacher, own in read_by.groupby("teacher")}
    components, scores = [], []
    for row in read(SCORED).to_dict("records"):
        pooling = row["convention"].split("-")[0]
        if pooling not in edges:
            continue
        point = _Point.of(row, tree, p_student)
        components.append(point.components(edges[pooling]))
        scores += [point.scores(half, number, log_q) for number, half in enumerate(halves[pooling])]
    if components:
        yield "components", pd.DataFrame(components)
        yield "half_scores", pd.concat(scores, ignore_index=True)


def _every(rows: pd.DataFrame, column: str, empty: float = np.nan) -> np.ndarray:
    """Return a column indexed by node, for all nodes up to the last."""
    return _dense(rows.index, rows[column], int(rows.index.max()) + 1, empty)


def _dense(nodes: Any, values: pd.Series, size: int, empty: float = np.nan) -> np.ndarray:
    every = np.full(size, empty, dtype=np.float64)
    every[nodes] = values.to_numpy(dtype=float, na_value=np.nan)
    return every


@dataclass(frozen=True, eq=False)
class _Edges:
    """All edges of a question under one pooling rule, from all rollouts or half of them; (N,) each."""

    visits: np.ndarray
    successes: np.ndarray
    success: np.ndarray
    low: np.ndarray
    high: np.ndarray
    rest: tuple[np.ndarray, np.ndarray]

    @classmethod
    def of(cls, rows: pd.DataFrame, pooling: str, size: int) -> "_Edges":
        """Read the rows of `nodes` or `halves`, indexed by node."""

        def column(name: str) -> np.ndarray:
            return _dense(rows.index, rows[name], size, 0) if name in rows else np.full(size, np.nan)

        counts = COUNTED[pooling]
        visits, successes = (column(f"{counts}{name}").astype(np.int64) for name in ("visits", "successes"))
        rest = "pooled_" if pooling == "pooled" else "natural_"
        with np.errstate(invalid="ignore"):
            success = column("stratified") if pooling == "stratified" else successes / visits
        ends = "stratified_" if pooling == "stratified" else ""
        low, high = column(f"{ends}low"), column(f"{ends}high")
        if pooling == "pooled":
            low, high = wilson(successes, visits)
        return cls(visits, successes, success, low, high, (column(f"{rest}successes"), column(f"{rest}visits")))


@dataclass(frozen=True, eq=False)
class _Point:
    """A scored node under a convention.

    Attributes:
        row: row of the query `SCORED`.
        children: edges of S_u.
        others: edges of all other children.
        p: student probability of each component.
        log_p: student log-probability of each child.
    """

    row: Mapping[Any, Any]
    children: np.ndarray
    others: np.ndarray
    p: np.ndarray
    log_p: np.ndarray

    @classmethod
    def of(cls, row: Mapping[Any, Any], tree: Mapping[str, np.ndarray], p_student: np.ndarray) -> "_Point":
        """Find the children and their probabilities, renormalised according to the convention."""
        every = np.flatnonzero(tree["parent"] == row["node"])
        tokens = row["tokens"][row["tokens"] != REST]
        edge_of = dict(zip(tree["token"][every].tolist(), every.tolist(), strict=True))
        children = np.array([edge_of[token] for token in tokens.tolist()], dtype=np.int64)
        p = p_student[children]
        _, baseline, rest = row["convention"].split("-")
        if rest == "bucket":
            p = np.append(p, np.clip(1 - p.sum(), 0, 1))
        elif baseline == "children":
            p = p / p.sum()
        return cls(row, children, np.setdiff1d(every, children), p, np.log(p_student[children]))

    def success(self, edges: _Edges) -> np.ndarray:
        """Return P̂ of each component."""
        found = edges.success[self.children]
        if len(self.p) == len(found):
            return found
        with np.errstate(invalid="ignore"):
            return np.append(found, np.divide(*(counts[self.others].sum() for counts in edges.rest)))

    def components(self, edges: _Edges) -> dict[str, Any]:
        """Return the row of the table `components`."""
        kept = {name: self.row[name] for name in ("node", "convention", "tokens", "ideal")}
        return kept | {"p": self.p, "success": self.success(edges)}

    def scores(self, edges: _Edges, half: int, log_q: Mapping[Any, np.ndarray]) -> pd.DataFrame:
        """Return the rows of the table `half_scores`."""
        success, count = self.success(edges), len(self.row["teachers"])
        gradients = self.row["gradients"].astype(np.float64).reshape(count, -1)
        ideal, inside = ideal_gradient(self.p, success)[None], success[: len(self.children)]
        read = np.stack([log_q[teacher][self.children] for teacher in self.row["teachers"]])
        scores = {
            "alignment": alignment.cosine(ideal, gradients),
            "gain": alignment.gain(ideal, gradients),
            "advantage": alignment.teacher_advantage(*self._on_children(read), inside[None], np.zeros(1)),
            "success_range": float(alignment.success_range(inside)),
        }
        keys = {"teacher": self.row["teachers"], "objective": self.row["objectives"]}
        same = {"node": self.row["node"], "convention": self.row["convention"], "half": half}
        rows = pd.DataFrame({**keys, **same, **scores})
        return rows[~rows["objective"].str.startswith(OUTCOME_MADE)]

    def _on_children(self, log_q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return both distributions renormalised on the children; a teacher's is NaN if one of them is unknown."""
        every = np.arange(len(self.children))
        return np.exp(restrict(self.log_p[None], every)), np.exp(restrict(log_q, every))
