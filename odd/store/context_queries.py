"""Named queries of demonstrations and screenings."""

CONTEXT_QUERIES: dict[str, str] = {
    "demonstrations": """
        SELECT source, temperature, count(*) AS tries, count(*) FILTER (correct) AS correct,
            count(*) FILTER (NOT correct AND NOT truncated) AS wrong, count(*) FILTER (truncated) AS truncated
        FROM demonstrations WHERE question = $question GROUP BY source, temperature ORDER BY source""",
    "screening_contexts": "SELECT * FROM screening_contexts ORDER BY ordinal, context",
    "screening_baseline": """
        SELECT q.question, q.id, q.text, q.stage, count(r.question) AS rollouts,
            count(*) FILTER (r.correct) AS correct, count(*) FILTER (r.truncated) AS truncated
        FROM questions AS q
        LEFT JOIN rollouts AS r ON r.question = q.question AND r.stage = 'initial'
            AND r.rollout < (SELECT TRY_CAST(value AS INTEGER) FROM meta WHERE key = 'screening_rollouts')
        GROUP BY q.question, q.id, q.text, q.stage ORDER BY q.question""",
    "screening": """
        SELECT a.question, a.context, a.available, a.reason, a.rollouts, a.correct, a.truncated
        FROM screening_accuracy AS a JOIN screening_contexts AS c USING (context)
        ORDER BY c.ordinal, a.context, a.question""",
}
"""SQL by query name, as in `odd.store.queries.QUERIES`."""
