"""The tables of a run file: names, types, meanings. The views over them are in `odd.store.views`.

One map is the source of everything else: the statements that create the tables, the comments a person sees at a
DuckDB prompt, the check of a file that comes from elsewhere, and the conversion of what is inserted.

No index but the primary key of `meta`: others slow inserts and openings, and scans skip groups of other questions.
"""

from collections.abc import Mapping

from odd.method.measures import scores
from odd.store.context_tables import CONTEXT_TABLES, QUESTION
from odd.store.question_stage import QuestionStage

SCHEMA_VERSION = 3
"""Changes whenever a table or column is added, removed or changes its meaning."""

UPGRADABLE = 2
"""Version from which `odd.store.upgrade` leads to this one."""

APP = "odd"
"""Value of `app` in `meta`, by which a run file is told from any other DuckDB file."""

BLOCK_SIZE = 65536
"""Bytes a block of a new file: in DuckDB's 256 KiB small runs are larger by half, below 64 KiB token ids unpacked."""

ROW_GROUP_SIZE = 2048
"""Rows stored together, DuckDB's least: a checkpoint rewrites groups with room left, for seconds with 122,880 rows."""

_QUESTION = QUESTION
_NODE = ("INTEGER NOT NULL", "number of the node in the question's tree; 0 is the empty response")
_PATH = ("INTEGER NOT NULL", "number of the path in the question")
_TEACHER = ("VARCHAR NOT NULL", "name of the teacher")
_OBJECTIVE = ("VARCHAR NOT NULL", "label of the distillation objective, such as reverse_kl")
_CONVENTION = ("VARCHAR NOT NULL", "pooling-baseline-rest, such as on_policy-full-off")
_POOLING = ("VARCHAR NOT NULL", "pooling rule, which says what rollouts count: on_policy, stratified, pooled")
_POSITION = ("INTEGER NOT NULL", "response tokens before the token, from 0")
_COUNT = "INTEGER"

Columns = dict[str, tuple[str, str]]
"""Column name to its type with constraint, and its comment."""

_TABLES: dict[str, tuple[str, Columns]] = {
    "meta": (
        "What the file is and what it was made with",
        {
            "key": ("VARCHAR PRIMARY KEY", "app, schema_version, odd_version, run_id, created_at, status, config, ..."),
            "value": ("VARCHAR", "config: JSON; created_at: UTC, ISO 8601; objectives, conventions: comma-separated"),
        },
    ),
    "questions": (
        "The questions of the run",
        {
            "question": _QUESTION,
            "id": ("VARCHAR NOT NULL", "name of the question in its source"),
            "text": ("VARCHAR NOT NULL", "the question as asked"),
            "choices": ("VARCHAR[]", "options of a multiple-choice question"),
            "answer": ("VARCHAR", "gold answer"),
            "kind": ("VARCHAR", "kind of answer, which decides how it is verified"),
            "prompt_text": ("VARCHAR", "the student's prompt, template included"),
            "prompt_ids": ("INTEGER[]", "token ids of the student's prompt"),
            "stage": ("VARCHAR", f"how far it is: {', '.join(QuestionStage)}"),
            "difficulty": ("VARCHAR", "easy, medium, hard, never: pass rate of the initial rollouts; NULL until known"),
            "note": ("VARCHAR", "what a reader should know, such as too few correct rollouts"),
        },
    ),
    "rollouts": (
        "Responses of the student",
        {
            "question": _QUESTION,
            "rollout": ("INTEGER NOT NULL", "number of the rollout in the question"),
            "stage": ("VARCHAR NOT NULL", "initial: from the root; targeted: from a forced prefix"),
            "chunk": (_COUNT, "batch it was sampled in; part of the seed"),
            "launch": ("INTEGER NOT NULL", "forced response tokens at the start; 0 for initial rollouts"),
            "token_ids": ("INTEGER[] NOT NULL", "all response tokens, forced ones included"),
            "log_probs": ("FLOAT[]", "student log-probability of each token, nats; NULL for forced tokens"),
            "text": ("VARCHAR", "decoded response, for display"),
            "answer": ("VARCHAR", "answer found in the text; NULL: none"),
            "correct": ("BOOLEAN NOT NULL", "verified against the gold answer"),
            "truncated": ("BOOLEAN NOT NULL", "cut at the length limit, therefore wrong"),
        },
    ),
    "rollout_log_probs": (
        "What student and teachers make of the tokens of all rollouts; empty unless an objective asks for it (minillm)",
        {
            "question": _QUESTION,
            "rollout": ("INTEGER NOT NULL", "number of the rollout in the question"),
            "teacher": ("VARCHAR", "name of the teacher; NULL: the student"),
            "temperature": ("DOUBLE NOT NULL", "loss temperature that softens the distribution"),
            "log_probs": ("FLOAT[] NOT NULL", "log-probability of each token, nats; NULL for forced tokens"),
        },
    ),
    "paths": (
        "Representative rollouts whose every token is studied",
        {
            "question": _QUESTION,
            "path": _PATH,
            "rollout": ("INTEGER NOT NULL", "the rollout that is the path"),
            "correct": ("BOOLEAN NOT NULL", "outcome of the path"),
            "truncated": ("BOOLEAN NOT NULL", "cut at the length limit"),
            "length": ("INTEGER NOT NULL", "response tokens"),
        },
    ),
    "pairs": (
        "Tokens that were forced at nodes of a path to sample continuations",
        {
            "question": _QUESTION,
            "pair": ("INTEGER NOT NULL", "number of the pair in the question"),
            "path": _PATH,
            "position": _POSITION,
            "token": ("INTEGER NOT NULL", "the forced token"),
            "window": (_COUNT, "depth window, from 0; each is twice as long as the one before"),
            "criterion": ("VARCHAR", "chosen for: gradient, difference, uncertainty"),
            "teacher": ("VARCHAR", "teacher with the largest value; NULL without teachers"),
            "value": ("DOUBLE", "that value"),
            "visits": (_COUNT, "initial rollouts through the token, before targeting; those launched come on top"),
            "launched": (_COUNT, "rollouts launched from the pair"),
        },
    ),
    "nodes": (
        "Nodes visited at least twice and all children of path nodes; the rest is in rollouts",
        {
            "question": _QUESTION,
            "node": _NODE,
            "parent": (_COUNT, "parent node; -1 for the root"),
            "token": (_COUNT, "token that leads from the parent to the node; -1 for the root"),
            "depth": (_COUNT, "response tokens up to the node"),
            "log_p": ("FLOAT", "student log-probability of the token, nats; NULL where not scored"),
            "rollouts": (_COUNT, "rollouts through the node, forced or not"),
        },
    ),
    "success": (
        "Success of the student once it is at a node, by each pooling rule of the run",
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
            "high": ("DOUBLE", "upper end of it"),
        },
    ),
    "node_values": (
        "V(u) of path nodes: success of the children weighted by the student, or of the node itself where known better",
        {
            "question": _QUESTION,
            "node": _NODE,
            "pooling": _POOLING,
            "value": ("DOUBLE", "V(u)"),
            "low": ("DOUBLE", "lower end of its 95% interval; children never visited may all fail"),
            "high": ("DOUBLE", "upper end of it; children never visited may all succeed"),
            "visits": (_COUNT, "rollouts that it rests on"),
        },
    ),
    "path_tokens": (
        "The nodes along each path",
        {
            "question": _QUESTION,
            "path": _PATH,
            "position": _POSITION,
            "node": ("INTEGER NOT NULL", "the prefix before the token"),
            "child": ("INTEGER NOT NULL", "the prefix after it"),
            "token": ("INTEGER NOT NULL", "the token"),
        },
    ),
    "teachers": (
        "Teachers: a model plus a context",
        {
            "teacher": _TEACHER,
            "ordinal": (_COUNT, "order of display"),
            "model": ("VARCHAR", "name of the model"),
            "context": ("VARCHAR", "kind of context: none, 1c, 1c1w, 3c, sum_1c, sum_1c1w"),
            "config": ("VARCHAR", "its settings as JSON"),
            "guided_targeting": ("BOOLEAN", "took part in the choice of pairs"),
        },
    ),
    "contexts": (
        "What each teacher is given for each question",
        {
            "question": _QUESTION,
            "teacher": _TEACHER,
            "available": ("BOOLEAN NOT NULL", "whether the context could be made"),
            "reason": ("VARCHAR", "why not"),
            "prompt_text": ("VARCHAR", "the teacher's prompt, template included"),
            "prompt_ids": ("INTEGER[]", "its token ids"),
            "demonstrations": ("VARCHAR", "demonstrations in the prompt, as JSON"),
        },
    ),
    **CONTEXT_TABLES,
    "teacher_tokens": (
        "Teacher probabilities of the edges of the tree",
        {
            "question": _QUESTION,
            "node": ("INTEGER NOT NULL", "the child: the edge that leads to it"),
            "teacher": _TEACHER,
            "log_p": ("FLOAT", "teacher log-probability of the token, nats; NULL: unknown"),
        },
    ),
    "node_teachers": (
        "Student and teacher compared over the whole vocabulary at a node; divergences in nats",
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
        "Alignment at the nodes that have at least two children with enough visits; undefined values are NULL",
        {
            "question": _QUESTION,
            "node": _NODE,
            "teacher": _TEACHER,
            "objective": _OBJECTIVE,
            "convention": _CONVENTION,
        },
    ),
    "half_scores": (
        "Scores with the success by each of two random halves of the rollouts; not of objectives made of outcomes",
        {
            "question": _QUESTION,
            "node": _NODE,
            "teacher": _TEACHER,
            "objective": _OBJECTIVE,
            "convention": _CONVENTION,
            "half": ("INTEGER NOT NULL", "0 or 1; each is a sample of its own, from half the rollouts"),
        },
    ),
    "components": (
        "What a score is made of whatever the teacher: the children, their success, and the ideal gradient (ascent)",
        {
            "question": _QUESTION,
            "node": _NODE,
            "convention": _CONVENTION,
            "tokens": ("INTEGER[]", "the children; -1: everything else in one bucket"),
            "p": ("DOUBLE[]", "student probability of each, renormalised as the baseline says"),
            "success": ("DOUBLE[]", "success probability of each"),
            "ideal": ("FLOAT[]", "ideal gradient of each"),
        },
    ),
    "gradients": (
        "The teacher's gradient behind a score, as ascent direction",
        {
            "question": _QUESTION,
            "node": _NODE,
            "teacher": _TEACHER,
            "objective": _OBJECTIVE,
            "convention": _CONVENTION,
            "teacher_gradient": ("FLOAT[]", "of each of the node's components"),
        },
    ),
    "vocabulary": (
        "The tokens that occur in the questions that were scored",
        {
            "token": ("INTEGER NOT NULL", "token id"),
            "text": ("VARCHAR", "for display; lossy where a token is not whole UTF-8"),
            "bytes": ("BLOB", "the exact bytes"),
        },
    ),
    "timings": (
        "What the work cost",
        {
            "question": ("INTEGER", "question, or NULL for the run as a whole"),
            "stage": ("VARCHAR NOT NULL", "part of the work"),
            "teacher": ("VARCHAR", "teacher, where it is the work of one"),
            "seconds": ("DOUBLE", "wall-clock time"),
            "items": ("BIGINT", "things done, such as rollouts or paths"),
            "tokens": ("BIGINT", "tokens processed"),
        },
    ),
}
"""Table name to its comment and its columns, but for those of `scores` and `half_scores` that are of measures."""


def tables() -> dict[str, tuple[str, Columns]]:
    """Table name to its comment and its columns, with a column for each measure that there is."""
    whole: Columns = {}
    for measure in scores():
        whole[measure.column] = measure.type, measure.comment
        if measure.interval is not None:
            low, high = measure.interval
            whole[low] = "DOUBLE", f"lower end of the 95% interval of {measure.column}"
            whole[high] = "DOUBLE", "upper end of it"
    halves: Columns = {one.column: (one.type, "as in scores") for one in scores() if one.halves}
    added = {"scores": whole, "half_scores": halves}
    return {name: (comment, columns | added.get(name, {})) for name, (comment, columns) in _TABLES.items()}


def measured() -> str:
    """What `meta` says under `measures`: keys of those that the tables of scores have columns of."""
    return ",".join(measure.key for measure in scores())


def absent_columns(meta: Mapping[str, str]) -> set[tuple[str, str]]:
    """Table and name of the columns that a file does not have because it is older than their measure."""
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
    """Bare DuckDB type of each column, in order.

    Raises:
        ValueError: there is no such table.
    """
    if table not in _TABLES:
        raise ValueError(f"no table {table!r} in a run file; tables: {', '.join(_TABLES)}")
    return {name: declared.split(" ", 1)[0] for name, (declared, _) in tables()[table][1].items()}


def quote(name: str) -> str:
    """A name of our own as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    """A text of our own as an SQL literal; COMMENT ON takes no parameters."""
    return "'" + text.replace("'", "''") + "'"


def create_tables() -> str:
    """SQL that creates all tables with their comments in the current schema."""
    statements = []
    for table, (comment, columns) in tables().items():
        body = ", ".join(f"{quote(name)} {declared}" for name, (declared, _) in columns.items())
        statements.append(f"CREATE TABLE {quote(table)} ({body})")
        statements.append(f"COMMENT ON TABLE {quote(table)} IS {_literal(comment)}")
        for name, (_, meaning) in columns.items():
            statements.append(f"COMMENT ON COLUMN {quote(table)}.{quote(name)} IS {_literal(meaning)}")
    return ";\n".join(statements)
