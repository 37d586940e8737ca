"""Named queries of the findings: scored nodes under one objective and convention, and the data of their scores."""

from odd.store.path_queries import CHOSEN

FINDING_QUERIES: dict[str, str] = {
    "finding_scores": """
        SELECT s.question, s.node, s.teacher, t.path, t.position, t.token, p.correct,
            t.position / nullif(p.length, 0) AS normalised_depth,
            s.* EXCLUDE (question, node, teacher, objective, convention)
        FROM scores AS s JOIN path_tokens AS t USING (question, node) JOIN paths AS p USING (question, path)
        JOIN contexts AS c ON c.question = s.question AND c.teacher = s.teacher AND c.available
        WHERE s.objective = $objective AND s.convention = $convention
        ORDER BY s.teacher, s.question, t.path, t.position""",
    "finding_features": """
        SELECT s.question, t.path, t.position, s.teacher, n.* EXCLUDE (question, node, teacher),
            exp(b.log_p::DOUBLE) AS p_student, exp(q.log_q::DOUBLE) AS p_teacher
        FROM scores AS s JOIN path_tokens AS t USING (question, node)
        LEFT JOIN node_teachers AS n ON n.question = s.question AND n.node = s.node AND n.teacher = s.teacher
        LEFT JOIN nodes AS b ON b.question = s.question AND b.node = t.child
        LEFT JOIN teacher_tokens AS q ON q.question = s.question AND q.node = t.child AND q.teacher = s.teacher
        WHERE s.objective = $objective AND s.convention = $convention
        ORDER BY s.teacher, s.question, t.path, t.position""",
    "finding_halves": """
        SELECT question, node, teacher, half, alignment, gain, advantage, success_range FROM half_scores
        WHERE objective = $objective AND convention = $convention""",
    "finding_components": f"""
        WITH g AS (
            SELECT t.question, t.node, t.teacher, unnest(range(len(c.tokens))) AS component, unnest(c.tokens) AS token,
                unnest(c.p) AS p, unnest(c.success) AS success, unnest(t.teacher_gradient) AS teacher_gradient,
                c.rest_success
            FROM gradients AS t JOIN components AS c USING (question, node, convention)
            WHERE t.objective = $objective AND t.convention = $convention)
        SELECT g.*, exp(q.log_q::DOUBLE) AS p_teacher, s.visits
        FROM g LEFT JOIN nodes AS b ON b.question = g.question AND b.parent = g.node AND b.token = g.token
        LEFT JOIN teacher_tokens AS q ON q.question = g.question AND q.node = b.node AND q.teacher = g.teacher
        LEFT JOIN success AS s ON s.question = g.question AND s.node = b.node AND s.pooling = {CHOSEN}""",
    "finding_conventions": """
        SELECT DISTINCT s.convention, s.question, s.node, s.teacher, p.correct, s.alignment, s.success_range, s.children
        FROM scores AS s JOIN path_tokens AS t USING (question, node) JOIN paths AS p USING (question, path)
        JOIN contexts AS c ON c.question = s.question AND c.teacher = s.teacher AND c.available
        WHERE s.decision AND s.objective = $objective
        ORDER BY s.convention, s.teacher, s.question, s.node, p.correct""",
    "finding_rollouts": """
        SELECT question, count(*) AS rollouts FROM rollouts GROUP BY question ORDER BY question""",
}
"""SQL by query name."""
