"""Checks of the content of a run file, beyond its schema: what holds for every run, at any stage, and pages rely on.

A file from elsewhere may have the right tables and impossible rows: a tree with a cycle, two rows with the same key,
more successes than visits. Each check states what holds for the rows of a table, as a condition in SQL, and what is
wrong if it does not.

Checks of single rows and of `meta` take one scan per table, so a reader makes them whenever it opens a file. Checks
across rows and tables need sorts and joins, which take longer than a page of a large run: they are made when a file is
uploaded, by `odd check-run`, and to explain an error.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from odd.errors import OddError
from odd.store.influence_tables import INFLUENCE_TABLES
from odd.store.question_stage import QuestionStage
from odd.store.run_status import RunStatus
from odd.store.schema import KEYS, column_types, quote, required, tables
from odd.text import parse_json

SLACK = 1e-3
"""Rounding error of a stored probability or cosine."""
MOST = 5
"""Problems to name in one line."""


@dataclass(frozen=True)
class Check:
    """A condition that holds for every row of a table.

    Attributes:
        table: the table.
        wrong: what is wrong with a row for which it does not hold.
        holds: SQL condition over the columns of the table; NULL counts as false.
    """

    table: str
    wrong: str
    holds: str


def _one_of(column: str, values: tuple[str, ...]) -> str:
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} IN ({listed})"


def _all(condition: str, *columns: str) -> str:
    """Return the condition that every one of these columns is NULL or meets `condition`."""
    return " AND ".join(f"({column} IS NULL OR {condition.format(column)})" for column in columns)


AT_LEAST_0 = "{} >= 0"
SHARE = f"{{}} BETWEEN {-SLACK} AND {1 + SLACK}"
COSINE = f"{{}} BETWEEN {-1 - SLACK} AND {1 + SLACK}"
LOG_PROBABILITY = "{} < 'inf'"
DIVERGENCE = f"{{0}} >= {-SLACK} AND NOT isnan({{0}})"
FINITE = "isfinite({})"
PROBABILITIES = f"len(list_filter({{0}}, lambda p: p BETWEEN 0 AND {1 + SLACK})) = len({{0}})"
FINITE_LIST = "len(list_filter({0}, lambda value: isfinite(value) OR value IS NULL)) = len({0})"
LOG_PROBABILITIES = "len(list_filter({0}, lambda value: value < 'inf' OR value IS NULL)) = len({0})"
TOKENS = "len(list_filter({0}, lambda token: token >= 0)) = len({0})"

ROW_CHECKS = (
    Check("questions", "an unknown stage", _one_of("stage", tuple(QuestionStage))),
    Check(
        "questions",
        "an unknown difficulty",
        "difficulty IS NULL OR " + _one_of("difficulty", ("easy", "medium", "hard", "never")),
    ),
    Check("rollouts", "an unknown stage", _one_of("stage", ("initial", "targeted"))),
    Check("rollouts", "a negative number", "rollout >= 0"),
    Check("rollouts", "a forced prefix longer than its response", "launch BETWEEN 0 AND len(token_ids)"),
    Check("rollouts", "fewer tokens than are kept", "length >= len(token_ids)"),
    Check("rollouts", "more or fewer log-probabilities than tokens", _all("len({}) = len(token_ids)", "log_probs")),
    Check("rollout_log_probs", "an impossible temperature", "isfinite(temperature) AND temperature > 0"),
    Check("paths", "a negative number", "path >= 0 AND length >= 0"),
    Check("pairs", "a negative number", "pair >= 0 AND path >= 0 AND position >= 0 AND token >= 0"),
    Check("pairs", "an infinite number", _all(FINITE, "value")),
    Check("pairs", "a negative count", _all(AT_LEAST_0, "visits", "launched")),
    Check("nodes", "a root with a parent", "node <> 0 OR (parent = -1 AND token = -1 AND depth = 0)"),
    Check("nodes", "a parent that is not before its child", "node = 0 OR (parent >= 0 AND parent < node)"),
    Check("nodes", "an impossible token or depth", "node = 0 OR (token >= 0 AND depth BETWEEN 1 AND node)"),
    Check("nodes", "an infinite probability", _all(LOG_PROBABILITY, "log_p")),
    Check("nodes", "a negative number of rollouts", "rollouts >= 0"),
    Check("success", "more successes than visits", "successes >= 0 AND successes <= visits"),
    Check("success", "a probability outside 0 to 1", _all(SHARE, "success", "low", "high")),
    Check("node_values", "a probability outside 0 to 1", _all(SHARE, "value", "low", "high")),
    Check("node_values", "a negative number of visits", "visits >= 0"),
    Check("path_tokens", "a negative number", "path >= 0 AND position >= 0 AND node >= 0 AND token >= 0"),
    Check("path_tokens", "a child that is not after its parent", "child > node"),
    Check("teachers", "no order, model or context", "ordinal >= 0 AND model IS NOT NULL AND context IS NOT NULL"),
    Check("demonstrations", "an impossible number", "attempt >= 0 AND " + _all(FINITE, "temperature")),
    Check("summaries", "an impossible number", "tries >= 0 AND " + _all(FINITE, "temperature")),
    Check("screening_contexts", "no order", "ordinal >= 0"),
    Check("screening_rollouts", "a negative number", "rollout >= 0 AND " + _all(AT_LEAST_0, "tokens")),
    Check("teacher_tokens", "an impossible node", "node >= 0"),
    Check("teacher_tokens", "an infinite probability", _all(LOG_PROBABILITY, "log_q")),
    Check("node_teachers", "an impossible node", "node >= 0"),
    Check(
        "node_teachers",
        "an infinite number",
        _all(
            FINITE,
            *("js", "l2", "probability_cosine", "entropy_student", "entropy_teacher", "overlap_top16"),
            *("teacher_mass_student_top16", "student_mass_teacher_top16"),
        ),
    ),
    Check(
        "node_teachers",
        "a negative divergence",
        _all(DIVERGENCE, "kl_student_teacher", "kl_teacher_student"),
    ),
    Check("scores", "an impossible node", "node >= 0"),
    Check("scores", "a cosine outside -1 to 1", _all(COSINE, "alignment", "low", "high")),
    Check("scores", "a probability outside 0 to 1", _all(SHARE, "p_positive", "success_range")),
    Check(
        "scores",
        "an infinite number",
        _all(FINITE, *(f"{name}{end}" for name in ("gain", "advantage") for end in ("", "_low", "_high"))),
    ),
    Check("scores", "a missing or negative count", "children >= 0 AND visits >= 0"),
    Check("half_scores", "a half that is not 0 or 1", "half IN (0, 1)"),
    Check("half_scores", "an infinite number", _all(FINITE, "alignment", "gain", "advantage", "success_range")),
    Check(
        "components",
        "lists of different lengths",
        "len(tokens) > 0 AND " + _all("len({}) = len(tokens)", "p", "success", "ideal"),
    ),
    Check("components", "a probability outside 0 to 1", _all(SHARE, "rest_success")),
    Check("gradients", "an empty gradient", "len(teacher_gradient) > 0"),
    Check("influence", "an unknown target", _one_of("target", ("same", "other"))),
    Check("influence", "lists of different lengths", "len(first) = len(second)"),
    Check("influence_matrix", "an infinite number", _all(FINITE, "first", "second")),
    Check("influence_norms", "an impossible length", _all("isfinite({0}) AND {0} >= 0", "norm")),
    Check("vocabulary", "an impossible token", "token >= 0"),
    Check("timings", "an impossible time", _all("isfinite({0}) AND {0} >= 0", "seconds")),
    Check("timings", "a negative number", _all(AT_LEAST_0, "items", "tokens")),
)
LIST_CHECKS = (
    Check("questions", "impossible tokens", _all(TOKENS, "prompt_ids")),
    Check("contexts", "impossible tokens", _all(TOKENS, "prompt_ids")),
    Check("screening", "impossible tokens", _all(TOKENS, "prompt_ids")),
    Check("rollouts", "impossible tokens", _all(TOKENS, "token_ids")),
    Check("components", "impossible tokens", "len(list_filter(tokens, lambda x: x >= -1)) = len(tokens)"),
    Check("components", "impossible probabilities", _all(PROBABILITIES, "p")),
    Check("components", "an infinite number", _all(FINITE_LIST, "success", "ideal")),
    Check("gradients", "an infinite number", _all(FINITE_LIST, "teacher_gradient")),
    Check("rollouts", "an infinite log-probability", _all(LOG_PROBABILITIES, "log_probs")),
    Check("rollout_log_probs", "an infinite log-probability", _all(LOG_PROBABILITIES, "log_probs")),
)
"""Checks that read every entry of the lists."""

REFERENCES = (
    ("paths", ("question", "rollout"), "rollouts"),
    ("pairs", ("question", "path"), "paths"),
    ("path_tokens", ("question", "path"), "paths"),
    ("path_tokens", ("question", "node"), "nodes"),
    *((table, ("question", "node"), "nodes") for table in ("success", "node_values", "scores", "components")),
    *(
        (table, ("teacher",), "teachers")
        for table in (
            "contexts",
            "teacher_tokens",
            "node_teachers",
            "scores",
            "half_scores",
            "gradients",
            *INFLUENCE_TABLES,
        )
    ),
    ("influence", ("question", "rollout"), "rollouts"),
    ("gradients", ("question", "node", "convention"), "components"),
    ("screening", ("context",), "screening_contexts"),
    ("screening_rollouts", ("question", "context"), "screening"),
)
"""Tables, columns that name a row of another table, and that table."""

ACROSS_ROWS = (
    (
        "nodes",
        "a parent that is not in the tree, or at another depth",
        """
        FROM nodes AS n LEFT JOIN nodes AS p ON p.question = n.question AND p.node = n.parent
        WHERE n.node <> 0 AND p.depth + 1 IS DISTINCT FROM n.depth""",
    ),
    (
        "path_tokens",
        "positions that are not 0 to the length of the path",
        """
        FROM (SELECT question, path, count(*) AS tokens, max(position) AS last FROM path_tokens GROUP BY ALL) AS t
        JOIN paths AS p USING (question, path) WHERE t.tokens <> p.length OR t.last <> p.length - 1""",
    ),
    (
        "gradients",
        "a gradient of another length than its components",
        """
        FROM gradients AS g JOIN components AS c USING (question, node, convention)
        WHERE len(g.teacher_gradient) <> len(c.tokens)""",
    ),
)
"""Table, what is wrong, and the FROM clause that selects the wrong rows."""


def problems(connection: duckdb.DuckDBPyConnection, meta: Mapping[str, str], thorough: bool = True) -> list[str]:
    """Return what is impossible in a run, one short sentence each; empty for a sound file.

    Args:
        connection: connection whose tables and views have the names of the schema.
        meta: content of the table `meta`.
        thorough: also make the checks that compare rows; without, one scan of each table is enough.
    """
    found = [f"meta: {what}" for what in _of_meta(meta)]
    questions = connection.execute("SELECT count(*) FROM questions").fetchall()[0][0]
    found += _of_rows(connection, _row_checks(questions))
    if thorough:
        # only needed to continue the run
        found += ["meta: digests is not JSON"] if not _is_json(meta.get("digests", "{}"), dict) else []
        found += _of_rows(connection, LIST_CHECKS)
        found += _across_rows(connection)
    return found


def refuse(path: Path, found: Sequence[str]) -> None:
    """Raise an error with the first few problems of a file, if it has any.

    Raises:
        OddError: there are problems.
    """
    if found:
        more = f"; and {len(found) - MOST} more" if len(found) > MOST else ""
        raise OddError(
            f"{path} has impossible content ({'; '.join(found[:MOST])}{more}); copy it again from its source, or "
            "remove it and start the run again"
        )


def is_unexpected(error: BaseException | None) -> bool:
    """Whether an error may be due to impossible content: it is not one that the user was to see, or an interruption."""
    return isinstance(error, Exception) and not isinstance(error, OddError)


def _row_checks(questions: int) -> list[Check]:
    """Return the checks of single rows, with those that follow from the schema, for a number of questions."""
    checks = list(ROW_CHECKS)
    for table in tables():
        names = [name for name in required(table) if name != "question"]
        if names:
            checks.append(Check(table, "a missing value", " AND ".join(f"{quote(name)} IS NOT NULL" for name in names)))
        if "question" in column_types(table):
            known = f"question BETWEEN 0 AND {questions - 1}"
            absent = "" if "question" in required(table) else "question IS NULL OR "
            checks.append(Check(table, "a question that is not in the run", absent + known))
    return checks


def _of_rows(connection: duckdb.DuckDBPyConnection, checks: Sequence[Check]) -> Iterator[str]:
    """Count the rows for which a check does not hold, in one scan of each table."""
    by_table = {table: [check for check in checks if check.table == table] for table in tables()}
    by_table = {table: own for table, own in by_table.items() if own}
    counts = {
        table: ", ".join(f"count(*) FILTER (({check.holds}) IS NOT TRUE)" for check in own)
        for table, own in by_table.items()
    }
    sql = " UNION ALL ".join(f"SELECT '{table}', [{count}] FROM {quote(table)}" for table, count in counts.items())
    for table, wrong in connection.execute(sql).fetchall():
        for check, count in zip(by_table[table], wrong, strict=True):
            if count:
                yield _said(table, check.wrong, count)


def _across_rows(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Check keys, references, and what rows say about each other."""

    def count(select: str) -> int:
        return connection.execute(f"SELECT count(*) {select}").fetchall()[0][0]

    for table, keys in KEYS.items():
        for key in keys:
            names = ", ".join(map(quote, key))
            if rows := count(f"FROM (SELECT 1 FROM {quote(table)} GROUP BY {names} HAVING count(*) > 1)"):
                yield _said(table, f"several rows with the same {', '.join(key)}", rows)
    for table, names, other in REFERENCES:
        if rows := count(f"FROM {quote(table)} ANTI JOIN {quote(other)} USING ({', '.join(map(quote, names))})"):
            yield _said(table, f"{', '.join(names)} that is not in {other}", rows)
    for table, wrong, select in ACROSS_ROWS:
        if rows := count(select):
            yield _said(table, wrong, rows)


def _said(table: str, wrong: str, rows: int) -> str:
    return f"{table}: {wrong} ({rows} row{'' if rows == 1 else 's'})"


def _of_meta(meta: Mapping[str, str]) -> Iterator[str]:
    """Check the values of `meta` that are read."""
    if any(value is None for value in meta.values()):
        yield "a key without a value"
        return
    if meta.get("status") not in list(RunStatus):
        yield "an unknown status"
    for key, kind in (("config", dict), ("questions", list), ("imported", dict), ("engine_check", dict)):
        if key in meta and not _is_json(meta[key], kind):
            yield f"{key} is not JSON"
    if not _is_time(meta.get("created_at", "")):
        yield "created_at is not a time"
    if "conventions" in meta and not all(map(_is_convention, meta["conventions"].split(","))):
        yield "conventions are not labels"


def _is_json(text: str, kind: type) -> bool:
    try:
        return isinstance(parse_json(text), kind)
    except ValueError:
        return False


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        return False
    return True


def _is_convention(label: str) -> bool:
    parts = label.split("-")
    return len(parts) == 3 and all(parts)
