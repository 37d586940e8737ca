"""Views over the tables of a run file.

They are stored in the file for users who open it with DuckDB. ODD itself never reads stored views, which in a file from
elsewhere may be anything: `odd.store.attach` creates the same views in memory. All names are unqualified, so the same
SQL works for both.
"""

from odd.store.influence_tables import INFLUENCE_VIEWS

POOLING = "split_part({convention}, '-', 1)"
"""Pooling rule of a convention: the first part of its label."""

VIEWS: dict[str, tuple[str, str]] = {
    "measures": (
        "Objectives and conventions of the run, declared in meta or found in scores",
        """
SELECT objective.value AS objective, convention.value AS convention
FROM (SELECT unnest(string_split(value, ',')) AS value FROM meta WHERE key = 'objectives') AS objective
CROSS JOIN (SELECT unnest(string_split(value, ',')) AS value FROM meta WHERE key = 'conventions') AS convention
UNION
SELECT objective, convention FROM scores""",
    ),
    "branches": (
        "Nodes with the text of their token, and their success under each pooling rule",
        """
SELECT n.question, n.node, n.parent, n.token, v.text, n.depth,
    exp(n.log_p::DOUBLE) AS p_student, n.rollouts,
    s.pooling, s.visits, s.successes, s.success, s.low, s.high
FROM nodes AS n JOIN success AS s ON s.question = n.question AND s.node = n.node
LEFT JOIN vocabulary AS v ON v.token = n.token""",
    ),
    "path_scores": (
        "Every position of every path by available teacher, objective and convention; NULL scores without an estimate",
        """
SELECT t.question, t.path, t.position, t.position / nullif(p.length, 0) AS normalised_depth,
    t.node, t.child, t.token, v.text, p.correct, p.truncated, p.length,
    c.teacher, m.objective, m.convention,
    s.* EXCLUDE (question, node, teacher, objective, convention)
FROM path_tokens AS t
JOIN paths AS p ON p.question = t.question AND p.path = t.path
JOIN contexts AS c ON c.question = t.question AND c.available
CROSS JOIN measures AS m
LEFT JOIN scores AS s ON s.question = t.question AND s.node = t.node AND s.teacher = c.teacher
    AND s.objective = m.objective AND s.convention = m.convention
LEFT JOIN vocabulary AS v ON v.token = t.token""",
    ),
    "token_gradients": (
        "Gradients token by token with their probabilities; token -1 is the bucket of all other tokens",
        f"""
SELECT g.question, g.node, g.teacher, g.objective, g.convention, g.token, v.text, g.ideal, g.teacher_gradient,
    exp(n.log_p::DOUBLE) AS p_student, exp(q.log_q::DOUBLE) AS p_teacher, s.visits, s.successes, s.success
FROM (SELECT t.question, t.node, t.teacher, t.objective, t.convention, unnest(c.tokens) AS token,
             unnest(c.ideal) AS ideal, unnest(t.teacher_gradient) AS teacher_gradient
      FROM gradients AS t
      JOIN components AS c ON c.question = t.question AND c.node = t.node AND c.convention = t.convention) AS g
LEFT JOIN nodes AS n ON n.question = g.question AND n.parent = g.node AND n.token = g.token
LEFT JOIN success AS s ON s.question = n.question AND s.node = n.node
    AND s.pooling = {POOLING.format(convention="g.convention")}
LEFT JOIN teacher_tokens AS q ON q.question = g.question AND q.node = n.node AND q.teacher = g.teacher
LEFT JOIN vocabulary AS v ON v.token = g.token""",
    ),
    **INFLUENCE_VIEWS,
    "screening_accuracy": (
        "Every question and context of a screening: accuracy of the student with the context and without",
        """
WITH r AS (
    SELECT question, context, count(*) AS rollouts, count(*) FILTER (correct) AS correct,
        count(*) FILTER (truncated) AS truncated
    FROM screening_rollouts GROUP BY question, context),
b AS (
    SELECT question, count(*) AS rollouts, count(*) FILTER (correct) AS correct
    FROM rollouts
    WHERE stage = 'initial' AND rollout < (SELECT TRY_CAST(value AS INTEGER) FROM meta WHERE key = 'screening_rollouts')
    GROUP BY question)
SELECT s.question, s.context, s.available, s.reason,
    coalesce(r.rollouts, 0) AS rollouts, coalesce(r.correct, 0) AS correct, coalesce(r.truncated, 0) AS truncated,
    r.correct / nullif(r.rollouts, 0) AS accuracy,
    coalesce(b.rollouts, 0) AS baseline_rollouts, coalesce(b.correct, 0) AS baseline_correct,
    b.correct / nullif(b.rollouts, 0) AS baseline_accuracy
FROM screening AS s
LEFT JOIN r ON r.question = s.question AND r.context = s.context
LEFT JOIN b ON b.question = s.question""",
    ),
    "question_summary": (
        "Every question with the counts of its rollouts, paths and decision points",
        """
WITH r AS (
    SELECT question,
        count(*) FILTER (stage = 'initial') AS initial_rollouts,
        count(*) FILTER (stage = 'initial' AND correct) AS initial_correct,
        count(*) FILTER (stage = 'initial' AND truncated) AS initial_truncated,
        count(*) FILTER (stage = 'targeted') AS targeted_rollouts,
        count(*) FILTER (stage = 'targeted' AND length = len(token_ids)) AS targeted_whole
    FROM rollouts GROUP BY question),
p AS (SELECT question, count(*) AS paths, count(*) FILTER (correct) AS correct_paths FROM paths GROUP BY question),
s AS (SELECT question, count(DISTINCT node) FILTER (decision) AS decision_points FROM scores GROUP BY question),
c AS (SELECT question, count(*) FILTER (available) AS teachers_available,
          count(*) FILTER (NOT available) AS teachers_unavailable FROM contexts GROUP BY question)
SELECT q.question, q.id, q.text, q.answer, q.kind, q.stage, q.difficulty, q.note,
    coalesce(r.initial_rollouts, 0) AS initial_rollouts, coalesce(r.initial_correct, 0) AS initial_correct,
    coalesce(r.initial_truncated, 0) AS initial_truncated,
    r.initial_correct / nullif(r.initial_rollouts, 0) AS pass_rate,
    coalesce(r.targeted_rollouts, 0) AS targeted_rollouts, coalesce(r.targeted_whole, 0) AS targeted_whole,
    coalesce(p.paths, 0) AS paths, coalesce(p.correct_paths, 0) AS correct_paths,
    coalesce(s.decision_points, 0) AS decision_points,
    coalesce(c.teachers_available, 0) AS teachers_available,
    coalesce(c.teachers_unavailable, 0) AS teachers_unavailable
FROM questions AS q
LEFT JOIN r ON r.question = q.question
LEFT JOIN p ON p.question = q.question
LEFT JOIN s ON s.question = q.question
LEFT JOIN c ON c.question = q.question
ORDER BY q.question""",
    ),
}
"""Comment and SELECT statement by view name; each uses only tables and earlier views."""


def create_views() -> str:
    """Return the SQL that creates or replaces all views with their comments in the current schema."""
    statements = []
    for name, (comment, select) in VIEWS.items():
        statements.append(f"CREATE OR REPLACE VIEW {name} AS {select.strip()}")
        quoted = comment.replace("'", "''")
        statements.append(f"COMMENT ON VIEW {name} IS '{quoted}'")
    return ";\n".join(statements)
