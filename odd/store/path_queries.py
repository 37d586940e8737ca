"""Named queries of a path: its tokens with their scores, values and children."""


def counted(node: str, prefix: str) -> str:
    """Success of a row of `branches` as $convention counts it: `{prefix}`, its 95 % interval, and its visits."""
    columns = {
        "": ("success_pooled", "success_stratified", "success_on_policy"),
        "_low": ("pooled_wilson_low", "stratified_low", "low"),
        "_high": ("pooled_wilson_high", "stratified_high", "high"),
        "_visits": ("pooled_visits", "visits", "visits"),
    }
    return ", ".join(
        f"CASE split_part($convention, '-', 1) WHEN 'pooled' THEN {node}.{pooled} WHEN 'stratified' THEN "
        f"{node}.{stratified} ELSE {node}.{flat} END AS {prefix}{end}"
        for end, (pooled, stratified, flat) in columns.items()
    )


EVERY_TEACHER = "(SELECT teacher FROM teachers UNION SELECT NULL)"
"""Teachers, and NULL for what is known without one.

What a page shows of one teacher is asked for all of them at once: planning such a query takes ten times as long as
running it, and readers go from teacher to teacher.
"""


def _children(places: str) -> str:
    """Children of the nodes that `places` selects, at most $most each: the taken ones and those of S_u first."""
    return f"""
        WITH places AS ({places}),
        g AS (
            SELECT node, teacher, unnest(tokens) AS token, unnest(ideal) AS ideal,
                unnest(teacher_gradient) AS teacher_gradient
            FROM gradients
            WHERE question = $question AND objective = $objective AND convention = $convention
                AND node IN (SELECT node FROM places)),
        k AS (
            SELECT e.teacher, b.parent AS node, b.node AS child, b.token, b.p_student,
                exp(q.log_p::DOUBLE) AS p_teacher, {counted("b", "success")}, b.node = p.taken AS taken,
                g.token IS NOT NULL AS significant, g.ideal, g.teacher_gradient
            FROM branches AS b JOIN places AS p ON p.node = b.parent CROSS JOIN {EVERY_TEACHER} AS e
            LEFT JOIN g ON g.node = b.parent AND g.token = b.token AND g.teacher = e.teacher
            LEFT JOIN teacher_tokens AS q ON q.question = $question AND q.node = b.node AND q.teacher = e.teacher
            WHERE b.question = $question),
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


_VALUES = f"""
    SELECT parent AS node, least(1, sum(p_student)) AS covered, sum(p_student * success) / sum(p_student) AS value,
        sqrt(sum((p_student * (success - success_low)) ** 2)) / sum(p_student) AS below,
        sqrt(sum((p_student * (success_high - success)) ** 2)) / sum(p_student) AS above,
        sum(success_visits)::BIGINT AS visits
    FROM (SELECT b.parent, b.p_student, {counted("b", "success")} FROM branches AS b
          SEMI JOIN path_tokens AS t ON t.question = $question AND t.path = $path AND t.node = b.parent
          WHERE b.question = $question)
    WHERE success IS NOT NULL AND p_student > 0 GROUP BY parent"""
"""V(u) of the nodes of a path: mean success of the children that were visited, weighted by the student.

Its interval comes from theirs as that of a sum of proportions does, by MOVER (Zou and Donner 2008, Statistics in
Medicine 27): `below` and `above` are its two arms.
"""

_ENDS = (
    "kids.covered * greatest(0, kids.value - kids.below)",
    "kids.covered * least(1, kids.value + kids.above) + 1 - kids.covered",
)
"""Ends of the interval of V(u) if the children that were not visited may all fail, or all succeed."""


def _value() -> str:
    """V(u) of a node by its children, `kids`; by its `own` rollouts where these know it better."""
    better = f"coalesce({_ENDS[1]} - ({_ENDS[0]}) < own.value_high - own.value_low, own.value IS NULL)"
    columns = {"": "kids.value", "_low": _ENDS[0], "_high": _ENDS[1], "_visits": "kids.visits"}
    return ", ".join(
        f"CASE WHEN {better} THEN {found} ELSE own.value{end} END AS value{end}" for end, found in columns.items()
    )


PATH_QUERIES: dict[str, str] = {
    "path_rows": f"""
        SELECT e.teacher, t.position, t.node, t.child, t.token, v.bytes, exp(q.log_p::DOUBLE) AS p_teacher, c.p_student,
            {counted("c", "success")}, {_value()},
            s.* EXCLUDE (question, node, teacher, objective, convention), d.kl_student_teacher
        FROM path_tokens AS t CROSS JOIN {EVERY_TEACHER} AS e
        LEFT JOIN (SELECT u.node, {counted("u", "value")} FROM branches AS u WHERE u.question = $question) AS own
            ON own.node = t.node
        LEFT JOIN ({_VALUES}) AS kids ON kids.node = t.node
        LEFT JOIN branches AS c ON c.question = $question AND c.node = t.child
        LEFT JOIN teacher_tokens AS q ON q.question = $question AND q.node = t.child AND q.teacher = e.teacher
        LEFT JOIN node_teachers AS d ON d.question = $question AND d.node = t.node AND d.teacher = e.teacher
        LEFT JOIN scores AS s ON s.question = $question AND s.node = t.node AND s.teacher = e.teacher
            AND s.objective = $objective AND s.convention = $convention
        LEFT JOIN vocabulary AS v ON v.token = t.token
        WHERE t.question = $question AND t.path = $path ORDER BY e.teacher, t.position""",
    "path_children": _children("""
        SELECT DISTINCT node, child AS taken FROM path_tokens WHERE question = $question AND path = $path"""),
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
"""Query name to its SQL."""
