"""Named queries of the rollouts of a question: filtered, searched and counted."""

_LISTED = r"""question = $question
            AND ($stage = 'all' OR stage = $stage)
            AND ($answer IS NULL OR answer = $answer)
            AND CASE $ended WHEN 'correct' THEN correct WHEN 'truncated' THEN truncated
                WHEN 'wrong' THEN NOT correct AND NOT truncated
                WHEN 'no answer' THEN answer IS NULL ELSE true END
            AND ($pattern IS NULL OR text ILIKE $pattern ESCAPE '\')"""

ROLLOUT_QUERIES: dict[str, str] = {
    "rollouts_listed": f"""
        WITH found AS MATERIALIZED (SELECT rollout FROM rollouts WHERE {_LISTED}),
        page AS (SELECT rollout FROM found ORDER BY rollout LIMIT $limit OFFSET $offset)
        SELECT r.rollout, r.stage, r.launch, r.length AS tokens, r.answer, r.correct, r.truncated, p.path,
            left(r.text, $before) AS begin, right(r.text, $after) AS final, length(r.text) AS characters,
            CASE WHEN $find IS NOT NULL
                THEN substr(r.text, greatest(1, strpos(lower(r.text), lower($find)) - $before), $before + $after)
                END AS around,
            (SELECT count(*) FROM found) AS found
        FROM rollouts AS r JOIN page USING (rollout) LEFT JOIN paths AS p USING (question, rollout)
        WHERE r.question = $question ORDER BY r.rollout""",
    "rollout_answers": """
        SELECT answer, correct, count(*) AS rollouts, count(*) FILTER (stage = 'initial') AS initial
        FROM rollouts WHERE question = $question AND NOT truncated GROUP BY answer, correct
        ORDER BY initial DESC, rollouts DESC, answer""",
    "rollout_ends": """
        SELECT stage, count(*) AS rollouts, count(*) FILTER (correct) AS correct,
            count(*) FILTER (truncated) AS truncated, count(*) FILTER (answer IS NULL) AS no_answer,
            count(text) AS texts
        FROM rollouts WHERE question = $question GROUP BY stage ORDER BY stage""",
    "truncated_along": """
        WITH cut AS (
            SELECT rollout, launch, token_ids, count(*) OVER () AS found FROM rollouts
            WHERE question = $question AND truncated
            QUALIFY row_number() OVER (ORDER BY hash(rollout), rollout) <= $most),
        t AS (
            SELECT rollout, unnest(token_ids) AS token, generate_subscripts(token_ids, 1) - 1 AS position FROM cut),
        apart AS (
            SELECT t.rollout, min(t.position) AS position FROM t
            JOIN path_tokens AS p ON p.question = $question AND p.path = $path AND p.position = t.position
            WHERE p.token <> t.token GROUP BY t.rollout)
        SELECT c.launch, c.found,
            coalesce(a.position, least(len(c.token_ids), (SELECT length FROM paths
                WHERE question = $question AND path = $path)))::INTEGER AS shared
        FROM cut AS c LEFT JOIN apart AS a USING (rollout) ORDER BY c.rollout""",
    "truncated_children": """
        SELECT token_ids[$depth + 1] AS token, count(*) AS truncated FROM rollouts
        WHERE question = $question AND truncated AND len(token_ids) > $depth
            AND token_ids[1:$depth] = $prefix::INTEGER[] AND list_contains($launches::INTEGER[], launch)
        GROUP BY token ORDER BY token""",
    "rollout_text": """
        SELECT rollout, stage, launch, length AS tokens, answer, correct, truncated, text FROM rollouts
        WHERE question = $question AND rollout = $rollout""",
    "rollout_nodes": """
        WITH t AS (
            SELECT unnest(token_ids) AS token, generate_subscripts(token_ids, 1) AS depth FROM rollouts
            WHERE question = $question AND rollout = $rollout)
        SELECT n.node, n.parent, n.depth FROM nodes AS n JOIN t ON n.depth = t.depth AND n.token = t.token
        WHERE n.question = $question ORDER BY n.depth""",
    "paths_through": """
        SELECT path, max(position) AS position, arg_max(child, position) AS child FROM path_tokens
        WHERE question = $question AND list_contains($nodes::INTEGER[], child)
        GROUP BY path ORDER BY position DESC, path""",
}
"""SQL by query name, as in `odd.store.queries.QUERIES`."""
