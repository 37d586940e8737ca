"""Named queries. Parameters are bound as $name, never put into the text."""

QUERIES: dict[str, str] = {
    "questions": "SELECT * FROM question_summary ORDER BY question",
    "question": "SELECT * FROM questions WHERE question = $question",
    "rollouts": "SELECT * FROM rollouts WHERE question = $question ORDER BY rollout",
    "nodes": "SELECT * FROM nodes WHERE question = $question ORDER BY node",
    "nodes_known": "SELECT node FROM nodes WHERE question = $question AND list_contains($nodes, node)",
    "branches": "SELECT * FROM branches WHERE question = $question AND parent = $node ORDER BY p_student DESC, token",
    "paths": "SELECT * FROM paths WHERE question = $question ORDER BY path",
    "pairs": "SELECT * FROM pairs WHERE question = $question ORDER BY pair",
    "teachers": "SELECT * FROM teachers ORDER BY ordinal, teacher",
    "measures": "SELECT objective, convention FROM measures ORDER BY objective, convention",
    "contexts": "SELECT * FROM contexts WHERE question = $question ORDER BY teacher",
    "contexts_unavailable": """
        SELECT c.question, q.id, c.teacher, c.reason
        FROM contexts AS c LEFT JOIN questions AS q USING (question)
        WHERE NOT c.available ORDER BY c.teacher, c.question""",
    "scores": """
        SELECT s.*, n.* EXCLUDE (question, node, teacher)
        FROM path_scores AS s LEFT JOIN node_teachers AS n USING (question, node, teacher)
        WHERE s.objective = $objective AND s.convention = $convention AND s.children IS NOT NULL
        ORDER BY s.teacher, s.question, s.path, s.position""",
    "path_scores": """
        SELECT * FROM path_scores
        WHERE question = $question AND path = $path AND objective = $objective AND convention = $convention
        ORDER BY teacher, position""",
    "token_gradients": """
        SELECT * FROM token_gradients
        WHERE question = $question AND node = $node AND objective = $objective AND convention = $convention
        ORDER BY teacher, p_student DESC NULLS LAST, token""",
    "timings": """
        SELECT stage, teacher, sum(seconds) AS seconds, sum(items)::BIGINT AS items, sum(tokens)::BIGINT AS tokens,
            count(DISTINCT question) AS questions
        FROM timings GROUP BY stage, teacher ORDER BY seconds DESC, stage, teacher""",
}
"""Query name to its SQL over the tables of `odd.store.schema` and the views of `odd.store.views`."""


def named_query(name: str) -> str:
    """SQL of a named query.

    Raises:
        ValueError: there is no such query.
    """
    if name not in QUERIES:
        raise ValueError(f"no query {name!r}; queries: {', '.join(QUERIES)}")
    return QUERIES[name]
