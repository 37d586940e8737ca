"""Tables of a run file: names, types, meanings. The views over them are in `odd.store.views`.

One mapping defines the SQL that creates the tables, their comments in DuckDB, the check of files from elsewhere, and
the conversion of inserted rows.

The only index is the primary key of `meta`: others would slow down inserts and opening, and scans skip row groups of
other questions.
"""

from collections.abc import Collection, Mapping

from odd.method.measures import scores
from odd.store.context_tables import CONTEXT_TABLES, QUESTION
from odd.store.influence_tables import INFLUENCE_KEYS, INFLUENCE_TABLES
from odd.store.question_stage import QuestionStage

SCHEMA_VERSION = 5
"""Version of the schema; changes when a table or column is added or removed, or changes its meaning."""

_WITHOUT_REST = dict.fromkeys(
    (("components", "rest_success"), ("scores", "advantage_low"), ("scores", "advantage_high")), "NULL"
)
SUPPLIED: dict[int, dict[tuple[str, str], str]] = {
    3: {("rollouts", "length"): "len(token_ids)"} | _WITHOUT_REST,
    4: _WITHOUT_REST,
}
"""Columns that files of an earlier version lack, and SQL for their values; such files are read and written as well."""

ADDED = {5: tuple(INFLUENCE_TABLES)}
"""Tables by the version that added them; they are empty for files of an earlier version."""

UPGRADABLE = 2
"""Version that `odd.store.upgrade` upgrades to this one."""

APP = "odd"
"""Value of `app` in `meta`, which distinguishes a run file from any other DuckDB file."""

BLOCK_SIZE = 65536
"""Bytes per block of a new file. DuckDB's 256 KiB make small runs half as large again; less than 64 KiB leaves token
ids uncompressed."""

ROW_GROUP_SIZE = 2048
"""Rows per group, DuckDB's minimum. A checkpoint rewrites partly filled groups, which takes seconds with 122,880."""

_QUESTION = QUESTION
_NODE = ("INTEGER NOT NULL", "number of the node in the question's tree; 0 is the empty response")
_PATH = ("INTEGER NOT NULL", "number of the path in the question")
_TEACHER = ("VARCHAR NOT NULL", "name of the teacher")
_OBJECTIVE = ("VARCHAR NOT NULL", "label of the distillation objective, such as reverse_kl")
_CONVENTION = ("VARCHAR NOT NULL", "pooling-baseline-rest, such as on_policy-full-off")
_POOLING = ("VARCHAR NOT NULL", "pooling rule, which defines the rollouts that count: on_policy, stratified, pooled")
_POSITION = ("INTEGER NOT NULL", "response tokens before the token, from 0")
_COUNT = "INTEGER"

Columns = dict[str, tuple[str, str]]
"""Type with constraint, and comment, by column name."""

_TABLES: dict[str, tuple[str, Columns]] = {
    "meta": (
        "Identity, versions and settings of the run",
        {
            "key": ("VARCHAR PRIMARY KEY", "app, schema_version, odd_version, run_id, created_at, status, config, ..."),
            "value": ("VARCHAR", "config: JSON; created_at: UTC, ISO 8601; objectives, conventions: comma-separated"),
        },
    ),
    "questions": (
        "Questions of the run",
        {
            "question": _QUESTION,
            "id": ("VARCHAR NOT NULL", "id of the question in its source"),
            "text": ("VARCHAR NOT NULL", "text of the question"),
            "choices": ("VARCHAR[]", "options of a multiple-choice question"),
            "answer": ("VARCHAR", "gold answer"),
            "kind": ("VARCHAR", "kind of answer, which determines the verifier"),
            "prompt_text": ("VARCHAR", "the student's prompt, including the chat template"),
            "prompt_ids": ("INTEGER[]", "token ids of the student's prompt"),
            "stage": ("VARCHAR", f"progress: {', '.join(QuestionStage)}"),
            "difficulty": ("VARCHAR", "easy, medium, hard, never: pass rate of the initial rollouts; NULL until known"),
            "note": ("VARCHAR", "caveat, such as too few correct rollouts"),
        },
    ),
    "rollouts": (
        "Responses of the student",
        {
            "question": _QUESTION,
            "rollout": ("INTEGER NOT NULL", "number of the rollout in the question"),
            "stage": ("VARCHAR NOT NULL", "initial: from the root; targeted: from a forced prefix"),
            "chunk": (_COUNT, "batch it was sampled in; part of the seed"),
            "launch": ("INTEGER NOT NULL", "length of the forced prefix in tokens; 0 for initial rollouts"),
            "token_ids": (
                "INTEGER[] NOT NULL",
                "response tokens, including forced ones: all, or up to the first that no other rollout has",
            ),
            "length": (
                "INTEGER NOT NULL",
                "number of response tokens, including those that are not kept",
            ),
            "log_probs": (
                "FLOAT[]",
                "student log-probability of each token, nats; NULL for forced tokens, or if tokens are missing",
            ),
            "text": ("VARCHAR", "decoded response, for display; NULL if tokens are missing"),
            "answer": ("VARCHAR", "answer found in the text; NULL: none"),
            "correct": ("BOOLEAN NOT NULL", "verified against the gold answer"),
            "truncated": ("BOOLEAN NOT NULL", "truncated at the length limit, therefore wrong"),
        },
    ),
    "rollout_log_probs": (
        "Log-probabilities of all rollouts under student and teachers; empty unless an objective needs them (minillm)",
        {
            "question": _QUESTION,
            "rollout": ("INTEGER NOT NULL", "number of the rollout in the question"),
            "teacher": ("VARCHAR", "name of the teacher; NULL: the student"),
            "temperature": ("DOUBLE NOT NULL", "loss temperature that softens the distribution"),
            "log_probs": ("FLOAT[] NOT NULL", "log-probability of each token, nats; NULL for forced tokens"),
        },
    ),
    "paths": (
        "Representative rollouts, of which every token is studied",
        {
            "question": _QUESTION,
            "path": _PATH,
            "rollout": ("INTEGER NOT NULL", "number of the rollout that is the path"),
            "correct": ("BOOLEAN NOT NULL", "outcome of the path"),
            "truncated": ("BOOLEAN NOT NULL", "truncated at the length limit"),
            "length": ("INTEGER NOT NULL", "number of response tokens"),
        },
    ),
    "pairs": (
        "Tokens forced at nodes of a path to sample continuations",
        {
            "question": _QUESTION,
            "pair": ("INTEGER NOT NULL", "number of the pair in the question"),
            "path": _PATH,
            "position": _POSITION,
            "token": ("INTEGER NOT NULL", "the forced token"),
            "window": (_COUNT, "depth window, from 0; each is twice as long as the one before"),
            "criterion": ("VARCHAR", "criterion that chose it: gradient, difference, uncertainty"),
            "teacher": ("VARCHAR", "teacher with the largest value of the criterion; NULL without teachers"),
            "value": ("DOUBLE", "that value"),
            "visits": (_COUNT, "initial rollouts through the token; does not include launched ones"),
            "launched": (_COUNT, "targeted rollouts launched from the pair"),
        },
    ),
    "nodes": (
        "Nodes visited at least twice and all children of path nodes; other nodes follow from rollouts",
        {
            "question": _QUESTION,
            "node": _NODE,
            "parent": (_COUNT, "parent node; -1 for the root"),
            "token": (_COUNT, "token that leads from the parent to the node; -1 for the root"),
            "depth": (_COUNT, "number of response tokens up to the node"),
            "log_p": ("FLOAT", "student log-probability of the token, nats; NULL if not scored"),
            "rollouts": (_COUNT, "rollouts through the node, forced or not"),
        },
    ),
    "success": (
        "Success of the student from a node on, by each pooling rule of the run",
        {
            "question": _QUESTION,
            "node": _NODE,
            "pooling": _POOLING,
            "visits": (_COUNT, "rollouts that count for the node"),
            "successes": (_COUNT, "correct among visits"),
            "success": (
                "DOUBLE",
                "success probability: successes / visits; stratified: backed up through the tree",
            ),
            "low": ("DOUBLE", "lower end of its 95% interval: by analysis.prior, Wilson's for pooled"),
            "high": ("DOUBLE", "upper end of its 95% interval"),
        },
    ),
    "node_values": (
        "V(u) of path nodes: success of the children weighted by the student, or of the node itself if more precise",
        {
            "question": _QUESTION,
            "node": _NODE,
            "pooling": _POOLING,
            "value": ("DOUBLE", "V(u)"),
            "low": ("DOUBLE", "lower end of its 95% interval, as if all unvisited children failed"),
            "high": ("DOUBLE", "upper end of its 95% interval, as if all unvisited children succeeded"),
            "visits": (_COUNT, "rollouts that it is based on"),
        },
    ),
    "path_tokens": (
        "Nodes along each path",
        {
            "question": _QUESTION,
            "path": _PATH,
            "position": _POSITION,
            "node": ("INTEGER NOT NULL", "node before the token"),
            "child": ("INTEGER NOT NULL", "node after the token"),
            "token": ("INTEGER NOT NULL", "token id"),
        },
    ),
    "teachers": (
        "Teachers: a model plus a context",
        {
            "teacher": _TEACHER,
            "ordinal": (_COUNT, "order of display"),
            "model": ("VARCHAR", "name of the model"),
            "context": ("VARCHAR", "kind of context: none, 1c, 1c1w, 3c, sum_1c, sum_1c1w, solution, hint"),
            "config": ("VARCHAR", "its settings as JSON"),
            "guided_targeting": ("BOOLEAN", "whether it took part in the choice of pairs"),
        },
    ),
    "contexts": (
        "Prompt of each teacher for each question",
        {
            "question": _QUESTION,
            "teacher": _TEACHER,
            "available": ("BOOLEAN NOT NULL", "whether the context could be built"),
            "reason": ("VARCHAR", "why not; or a caveat about the context"),
            "prompt_text": ("VARCHAR", "the teacher's prompt, including the chat template"),
            "prompt_ids": ("INTEGER[]", "its token ids"),
            "demonstrations": ("VARCHAR", "demonstrations in the prompt, as JSON"),
        },
    ),
    **CONTEXT_TABLES,
    **INFLUENCE_TABLES,
    "teacher_tokens": (
        "Teacher probabilities of the edges of the tree",
        {
            "question": _QUESTION,
            "node": ("INTEGER NOT NULL", "node that the edge leads to"),
            "teacher": _TEACHER,
            "log_q": ("FLOAT", "teacher log-probability of the token, nats; NULL: unknown"),
        },
    ),
    "node_teachers": (
        "Comparison of student and teacher over the full vocabulary at a node; divergences in nats",
        {
            "question": _QUESTION,
            "node": _NODE,
            "teacher": _TEACHER,
            "kl_student_teacher": ("DOUBLE", "KL(student || teacher)"),
            "kl_teacher_student": ("DOUBLE", "KL(teacher || student)"),
            "js": ("DOUBLE", "Jensen-Shannon divergence"),
            "l2": ("DOUBLE", "Euclidean distance of the probability vectors"),
            "probability_cosine": ("DOUBLE", "cosine of the probability vectors"),
            "entropy_student": ("DOUBLE", "entropy of the student, nats"),
            "entropy_teacher": ("DOUBLE", "entropy of the teacher, nats"),
            "overlap_top16": ("DOUBLE", "common tokens of both top-16 sets, / 16"),
            "teacher_mass_student_top16": ("DOUBLE", "teacher probability of the student's top 16"),
            "student_mass_teacher_top16": ("DOUBLE", "student probability of the teacher's top 16"),
        },
    ),
    "scores": (
        "Scores at nodes with at least two children that have enough visits; undefined values are NULL",
        {
            "question": _QUESTION,
            "node": _NODE,
            "teacher": _TEACHER,
            "objective": _OBJECTIVE,
            "convention": _CONVENTION,
        },
    ),
    "half_scores": (
        "Scores with success from each of two random halves of the rollouts; not for objectives based on outcomes",
        {
            "question": _QUESTION,
            "node": _NODE,
            "teacher": _TEACHER,
            "objective": _OBJECTIVE,
            "convention": _CONVENTION,
            "half": ("INTEGER NOT NULL", "0 or 1; the halves are independent samples"),
        },
    ),
    "components": (
        "Inputs of a score that do not depend on the teacher: children, their success, ideal gradient (ascent)",
        {
            "question": _QUESTION,
            "node": _NODE,
            "convention": _CONVENTION,
            "tokens": ("INTEGER[]", "tokens of the children; -1: bucket of all other tokens"),
            "p": ("DOUBLE[]", "student probability of each, renormalised according to the baseline"),
            "success": ("DOUBLE[]", "success probability of each"),
            "rest_success": (
                "DOUBLE",
                "success probability of all other tokens together; NULL: they have no part in the convention, or the "
                "scores are from before version 5 and gain and advantage leave them out",
            ),
            "ideal": ("FLOAT[]", "ideal gradient of each"),
        },
    ),
    "gradients": (
        "Teacher gradient of a score, as ascent direction",
        {
            "question": _QUESTION,
            "node": _NODE,
            "teacher": _TEACHER,
            "objective": _OBJECTIVE,
            "convention": _CONVENTION,
            "teacher_gradient": ("FLOAT[]", "teacher gradient of each component of the node"),
        },
    ),
    "vocabulary": (
        "Tokens of the rollouts of all scored questions",
        {
            "token": ("INTEGER NOT NULL", "token id"),
            "text": ("VARCHAR", "for display; lossy if the token is not valid UTF-8 by itself"),
            "bytes": ("BLOB", "the exact bytes"),
        },
    ),
    "timings": (
        "Cost of the work",
        {
            "question": ("INTEGER", "number of the question; NULL for the entire run"),
            "stage": ("VARCHAR NOT NULL", "stage of the work"),
            "teacher": ("VARCHAR", "teacher or other model that did the work; NULL if not specific to one"),
            "seconds": ("DOUBLE", "wall-clock time"),
            "items": ("BIGINT", "number of items, such as rollouts or paths"),
            "tokens": ("BIGINT", "tokens processed"),
        },
    ),
}
"""Comment and columns by table name, without the measure columns of `scores` and `half_scores`."""

KEYS: dict[str, tuple[tuple[str, ...], ...]] = {
    "questions": (("question",), ("id",)),
    "rollouts": (("question", "rollout"),),
    "rollout_log_probs": (("question", "rollout", "teacher", "temperature"),),
    "paths": (("question", "path"),),
    "pairs": (("question", "pair"),),
    "nodes": (("question", "node"),),
    "success": (("question", "node", "pooling"),),
    "node_values": (("question", "node", "pooling"),),
    "path_tokens": (("question", "path", "position"),),
    "teachers": (("teacher",),),
    "contexts": (("question", "teacher"),),
    "demonstrations": (("question", "source", "attempt"),),
    "summaries": (("question", "summarizer", "request"),),
    "screening_contexts": (("context",),),
    "screening": (("question", "context"),),
    "screening_rollouts": (("question", "context", "rollout"),),
    "teacher_tokens": (("question", "node", "teacher"),),
    "node_teachers": (("question", "node", "teacher"),),
    "scores": (("question", "node", "teacher", "objective", "convention"),),
    "half_scores": (("question", "node", "teacher", "objective", "convention", "half"),),
    "components": (("question", "node", "convention"),),
    "gradients": (("question", "node", "teacher", "objective", "convention"),),
    "vocabulary": (("token",),),
    **INFLUENCE_KEYS,
}
"""Columns that identify a row, by table: one or several keys each. The files have no indexes that enforce them."""


def tables() -> dict[str, tuple[str, Columns]]:
    """Return comment and columns by table name, with the columns of all measures."""
    whole: Columns = {}
    for measure in scores():
        whole[measure.column] = measure.type, measure.comment
        if measure.interval is not None:
            low, high = measure.interval
            whole[low] = "DOUBLE", f"lower end of the 95% interval of {measure.column}"
            whole[high] = "DOUBLE", f"upper end of the 95% interval of {measure.column}"
    halves: Columns = {one.column: (one.type, "as in scores") for one in scores() if one.halves}
    added = {"scores": whole, "half_scores": halves}
    return {name: (comment, columns | added.get(name, {})) for name, (comment, columns) in _TABLES.items()}


def measured() -> str:
    """Return the value of `measures` in `meta`: keys of the measures with columns in the score tables."""
    return ",".join(measure.key for measure in scores())


def supplied_columns(meta: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """Return table and name of the columns that a file lacks because of its version, with SQL for their values."""
    return SUPPLIED.get(int(meta.get("schema_version", SCHEMA_VERSION)), {})


def stored_tables(meta: Mapping[str, str]) -> tuple[str, ...]:
    """Return the tables that a file has: all but those added after its version."""
    version = int(meta.get("schema_version", SCHEMA_VERSION))
    later = {table for added, names in ADDED.items() if added > version for table in names}
    return tuple(table for table in tables() if table not in later)


def absent_columns(meta: Mapping[str, str]) -> set[tuple[str, str]]:
    """Return table and name of the measure columns that a file lacks because it is older than the measure."""
    known = meta.get("measures", measured()).split(",")
    return {
        (table, column)
        for measure in scores()
        if measure.key not in known
        for table in ("scores", "half_scores")
        for column in (measure.column, *(measure.interval or ()))
        if column in column_types(table)
    }


def column_types(table: str) -> dict[str, str]:
    """Return the DuckDB type of each column, without constraints, in order.

    Raises:
        ValueError: unknown table.
    """
    if table not in _TABLES:
        raise ValueError(f"no table {table!r} in a run file; tables: {', '.join(_TABLES)}")
    return {name: declared.split(" ", 1)[0] for name, (declared, _) in tables()[table][1].items()}


def required(table: str) -> list[str]:
    """Return the columns of a table that are never NULL."""
    return [name for name, (declared, _) in tables()[table][1].items() if " " in declared]


def quote(name: str) -> str:
    """Quote a trusted name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    """Quote a trusted text as an SQL literal; COMMENT ON does not support parameters."""
    return "'" + text.replace("'", "''") + "'"


def create_tables(besides: Collection[str] = ()) -> str:
    """Return the SQL that creates all tables with their comments in the current schema, except some."""
    statements = []
    for table, (comment, columns) in tables().items():
        if table in besides:
            continue
        body = ", ".join(f"{quote(name)} {declared}" for name, (declared, _) in columns.items())
        statements.append(f"CREATE TABLE {quote(table)} ({body})")
        statements.append(f"COMMENT ON TABLE {quote(table)} IS {_literal(comment)}")
        for name, (_, meaning) in columns.items():
            statements.append(f"COMMENT ON COLUMN {quote(table)}.{quote(name)} IS {_literal(meaning)}")
    return ";\n".join(statements)
