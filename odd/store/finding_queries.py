"""Named queries of the findings: scored nodes of one objective and convention, and what is behind their scores."""


def _rate(table: str, name: str) -> str:
    """Success of an edge as $convention counts it."""
    return f"""CASE split_part($convention, '-', 1)
                WHEN 'pooled' THEN {table}.pooled_successes / nullif({table}.pooled_visits, 0)
                WHEN 'stratified' THEN {table}.stratified
                ELSE {table}.successes / nullif({table}.visits, 0)
            END AS {name}"""


def _rest(table: str, name: str) -> str:
    """Counts of an edge that P̂ of the rest is taken from, see `odd.method.success.significant_children`."""
    return ", ".join(
        f"CASE split_part($convention, '-', 1) WHEN 'pooled' THEN {table}.pooled_{count} "
        f"ELSE {table}.natural_{count} END AS {name}_{count}"
        for count in ("visits", "successes")
    )


FINDING_QUERIES: dict[str, str] = {
    "finding_scores": """
        SELECT s.question, s.node, s.teacher, t.path, t.position, t.token, p.correct,
            t.position / nullif(p.length, 0) AS normalised_depth,
            s.decision, s.alignment, s.low, s.high, s.p_positive, s.gain, s.advantage, s.children, s.success_range,
            s.visits
        FROM scores AS s JOIN path_tokens AS t USING (question, node) JOIN paths AS p USING (question, path)
        JOIN contexts AS c ON c.question = s.question AND c.teacher = s.teacher AND c.available
        WHERE s.objective = $objective AND s.convention = $convention
        ORDER BY s.teacher, s.question, t.path, t.position""",
    "finding_features": """
        SELECT s.question, t.path, t.position, s.teacher, n.* EXCLUDE (question, node, teacher),
            exp(b.log_p::DOUBLE) AS p_student, exp(q.log_p::DOUBLE) AS p_teacher
        FROM scores AS s JOIN path_tokens AS t USING (question, node)
        LEFT JOIN node_teachers AS n ON n.question = s.question AND n.node = s.node AND n.teacher = s.teacher
        LEFT JOIN nodes AS b ON b.question = s.question AND b.node = t.child
        LEFT JOIN teacher_tokens AS q ON q.question = s.question AND q.node = t.child AND q.teacher = s.teacher
        WHERE s.objective = $objective AND s.convention = $convention
        ORDER BY s.teacher, s.question, t.path, t.position""",
    "finding_components": """
        WITH g AS (
            SELECT g.question, g.node, g.teacher, unnest(range(len(g.tokens))) AS component, unnest(g.tokens) AS token,
                unnest(g.teacher_gradient) AS teacher_gradient
            FROM gradients AS g
            WHERE g.objective = $objective AND g.convention = $convention)
        SELECT g.*, exp(q.log_p::DOUBLE) AS p_teacher
        FROM g LEFT JOIN nodes AS b ON b.question = g.question AND b.parent = g.node AND b.token = g.token
        LEFT JOIN teacher_tokens AS q ON q.question = g.question AND q.node = b.node AND q.teacher = g.teacher""",
    "finding_edges": f"""
        SELECT b.question, b.parent AS node, b.token, exp(b.log_p::DOUBLE) AS p_student,
            CASE split_part($convention, '-', 1) WHEN 'pooled' THEN b.pooled_visits ELSE b.visits END AS visits,
            {_rate("b", "success")}, {_rest("b", "rest")},
            {_rate("f", "first")}, {_rest("f", "first_rest")}, {_rate("s", "second")}, {_rest("s", "second_rest")}
        FROM nodes AS b
        SEMI JOIN (SELECT question, node AS parent FROM scores
                   WHERE objective = $objective AND convention = $convention) AS d USING (question, parent)
        LEFT JOIN halves AS f ON f.question = b.question AND f.node = b.node AND f.half = 0
        LEFT JOIN halves AS s ON s.question = b.question AND s.node = b.node AND s.half = 1""",
    "finding_conventions": """
        SELECT DISTINCT s.convention, s.question, s.node, s.teacher, p.correct, s.alignment, s.success_range, s.children
        FROM scores AS s JOIN path_tokens AS t USING (question, node) JOIN paths AS p USING (question, path)
        JOIN contexts AS c ON c.question = s.question AND c.teacher = s.teacher AND c.available
        WHERE s.decision AND s.objective = $objective
        ORDER BY s.convention, s.teacher, s.question, s.node, p.correct""",
    "finding_rollouts": """
        SELECT question, count(*) AS rollouts FROM rollouts GROUP BY question ORDER BY question""",
}
"""Query name to its SQL."""
