"""Named queries of one path: its tokens with their scores, values and children."""

from odd.store.views import POOLING

CHOSEN = POOLING.format(convention="$convention")
"""Pooling rule of $convention."""


def known(table: str, prefix: str, value: str) -> str:
    """Return the SQL columns of an estimate of a table: `{prefix}`, its 95% interval and its visits."""
    columns = {"": value, "_low": "low", "_high": "high", "_visits": "visits"}
    return ", ".join(f"{table}.{column} AS {prefix}{end}" for end, column in columns.items())


EVERY_TEACHER = "(SELECT teacher FROM teachers UNION SELECT NULL)"
"""All teachers, and NULL for columns that do not depend on a teacher.

Pages show one teacher but query all of them at once: planning such a query takes ten times as long as running it, and
users switch between teachers.
"""


INFLUENCE = "f.* EXCLUDE (question, path, position, teacher, objective)"
"""Columns of a token's influence, and the join with them, where `t` are tokens of a path."""
OF_INFLUENCE = """LEFT JOIN token_influence AS f ON f.question = $question AND f.path = t.path
            AND f.position = t.position AND f.teacher = {teacher} AND f.objective = $objective"""


def _children(places: str) -> str:
    """Return the SQL for children of the nodes in `places`, at most $most per node: taken ones and S_u first."""
    return f"""
        WITH places AS ({places}),
        g AS (
            SELECT t.node, t.teacher, unnest(c.tokens) AS token, unnest(c.ideal) AS ideal,
                unnest(t.teacher_gradient) AS teacher_gradient
            FROM gradients AS t
            JOIN components AS c ON c.question = $question AND c.node = t.node AND c.convention = $convention
            WHERE t.question = $question AND t.objective = $objective AND t.convention = $convention
                AND t.node IN (SELECT node FROM places)),
        k AS (
            SELECT e.teacher, b.parent AS node, b.node AS child, b.token, b.p_student,
                exp(q.log_q::DOUBLE) AS p_teacher, {known("b", "success", "success")}, b.node = p.taken AS taken,
                g.token IS NOT NULL AS significant, g.ideal, g.teacher_gradient
            FROM branches AS b JOIN places AS p ON p.node = b.parent CROSS JOIN {EVERY_TEACHER} AS e
            LEFT JOIN g ON g.node = b.parent AND g.token = b.token AND g.teacher = e.teacher
            LEFT JOIN teacher_tokens AS q ON q.question = $question AND q.node = b.node AND q.teacher = e.teacher
            WHERE b.question = $question AND b.pooling = {CHOSEN}),
        ranked AS (
            SELECT *, count(*) OVER w AS siblings, sum(success_visits) OVER w AS siblings_visits,
                row_number() OVER (w ORDER BY taken DESC, significant DESC, success_visits DESC, token) AS rank
            FROM k WINDOW w AS (PARTITION BY node, teacher))
        SELECT r.* EXCLUDE rank, v.bytes
        FROM (SELECT * FROM ranked WHERE rank <= $most
              UNION ALL BY NAME
              SELECT node, teacher, token, ideal, teacher_gradient, true AS significant, false AS taken
              FROM g WHERE token = -1) AS r
        LEFT JOIN vocabulary AS v USING (token)
        ORDER BY r.teacher, r.node, r.token = -1, r.significant DESC, r.success_visits DESC, r.token"""


def _rows(where: str) -> str:
    """Return the SQL for the tokens of a path that meet a condition, for each teacher that does."""
    return f"""
        SELECT e.teacher, t.position, t.node, t.child, t.token, v.bytes, exp(q.log_q::DOUBLE) AS p_teacher, c.p_student,
            {known("c", "success", "success")}, {known("u", "value", "value")},
            s.* EXCLUDE (question, node, teacher, objective, convention), d.kl_student_teacher, {INFLUENCE}
        FROM path_tokens AS t CROSS JOIN {EVERY_TEACHER} AS e
        LEFT JOIN node_values AS u ON u.question = $question AND u.node = t.node AND u.pooling = {CHOSEN}
        LEFT JOIN branches AS c ON c.question = $question AND c.node = t.child AND c.pooling = {CHOSEN}
        LEFT JOIN teacher_tokens AS q ON q.question = $question AND q.node = t.child AND q.teacher = e.teacher
        LEFT JOIN node_teachers AS d ON d.question = $question AND d.node = t.node AND d.teacher = e.teacher
        LEFT JOIN scores AS s ON s.question = $question AND s.node = t.node AND s.teacher = e.teacher
            AND s.objective = $objective AND s.convention = $convention
        {OF_INFLUENCE.format(teacher="e.teacher")}
        LEFT JOIN vocabulary AS v ON v.token = t.token
        WHERE t.question = $question AND t.path = $path AND {where} ORDER BY e.teacher, t.position"""


PATH_QUERIES: dict[str, str] = {
    "path_rows": _rows("t.position BETWEEN $first AND $last"),
    "path_overview": _rows("e.teacher IS NOT DISTINCT FROM $teacher"),
    "path_disagreements": """
        SELECT t.position, max(s.alignment) - min(s.alignment) AS difference,
            coalesce(max(s.success_range), 0.0) AS success_range
        FROM scores AS s JOIN path_tokens AS t USING (question, node)
        WHERE s.question = $question AND t.path = $path AND s.objective = $objective AND s.convention = $convention
            AND list_contains($teachers, s.teacher)
        GROUP BY t.position HAVING min(s.alignment) < 0 AND max(s.alignment) > 0""",
    "path_texts": """
        SELECT t.position, t.token, v.bytes FROM path_tokens AS t LEFT JOIN vocabulary AS v ON v.token = t.token
        WHERE t.question = $question AND t.path = $path ORDER BY t.position""",
    "path_children": _children("""
        SELECT DISTINCT node, child AS taken FROM path_tokens
        WHERE question = $question AND path = $path AND position BETWEEN $first AND $last"""),
    "token_children": _children("""
        SELECT node, child AS taken FROM path_tokens
        WHERE question = $question AND path = $path AND position = $position"""),
    "path_ends": """
        SELECT DISTINCT t.token FROM path_tokens AS t JOIN paths AS p USING (question, path)
        WHERE t.question = $question AND NOT p.truncated AND t.position = p.length - 1 ORDER BY t.token""",
    "path_prefix": """
        SELECT token FROM path_tokens WHERE question = $question AND path = $path AND position < $position
        ORDER BY position""",
}
"""SQL by query name."""
