"""Named queries. Parameters are bound as $name, never inserted into the SQL."""

from collections.abc import Callable

from odd.method.measures import colours
from odd.store.context_queries import CONTEXT_QUERIES
from odd.store.finding_queries import FINDING_QUERIES
from odd.store.influence_tables import INFLUENCE_QUERIES
from odd.store.path_queries import CHOSEN, INFLUENCE, OF_INFLUENCE, PATH_QUERIES, known
from odd.store.rollout_queries import ROLLOUT_QUERIES
from odd.store.schema import quote


def _scales() -> str:
    """Return the SQL for a question's number of decision points and the upper ends of its own colour scales."""
    rules = {"largest": "max(abs({column}))", "quantile": "quantile_cont(abs({column}), 0.95)"}
    columns = ["count(DISTINCT node) FILTER (decision) AS decision_points"]
    for measure in colours().values():
        if measure.scale in rules:
            end = rules[measure.scale].format(column=measure.column)
            if measure.table != "scores":
                own = " AND objective = $objective" if measure.optional else ""
                end = f"(SELECT {end} FROM {measure.table} WHERE question = $question{own})"
            columns.append(f"{end} AS {quote(measure.key)}")
    return f"""
        SELECT {", ".join(columns)} FROM scores
        WHERE question = $question AND objective = $objective AND convention = $convention"""


QUERIES: dict[str, str | Callable[[], str]] = {
    **CONTEXT_QUERIES,
    **PATH_QUERIES,
    **ROLLOUT_QUERIES,
    "questions": "SELECT * FROM question_summary ORDER BY question",
    "question": "SELECT * FROM questions WHERE question = $question",
    "rollouts": "SELECT * FROM rollouts WHERE question = $question ORDER BY rollout",
    "nodes": "SELECT * FROM nodes WHERE question = $question ORDER BY node",
    "nodes_known": "SELECT node FROM nodes WHERE question = $question AND list_contains($nodes, node)",
    "branches": f"""
        SELECT * FROM branches WHERE question = $question AND parent = $node AND pooling = {CHOSEN}
        ORDER BY p_student DESC, token""",
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
    "score_scales": _scales,
    "decisions": """
        SELECT s.* EXCLUDE (objective, convention, decision), t.path, t.position, t.token
        FROM scores AS s
        JOIN (SELECT question, node, min(path) AS path, arg_min(position, path) AS position,
                  arg_min(token, path) AS token FROM path_tokens GROUP BY question, node) AS t USING (question, node)
        WHERE s.objective = $objective AND s.convention = $convention AND s.decision
        ORDER BY s.question, s.node, s.teacher""",
    "texts_before": """
        SELECT w.row, t.position, t.token, v.bytes, t.position = p.length - 1 AND NOT p.truncated AS ends
        FROM (SELECT unnest(range(len($questions))) AS row, unnest($questions) AS question, unnest($paths) AS path,
                  unnest($positions) AS position) AS w
        JOIN path_tokens AS t ON t.question = w.question AND t.path = w.path
            AND t.position BETWEEN w.position - $before AND w.position
        JOIN paths AS p ON p.question = w.question AND p.path = w.path
        LEFT JOIN vocabulary AS v ON v.token = t.token
        ORDER BY w.row, t.position""",
    "continuations": """
        WITH r AS (
            SELECT rollout, stage, correct, truncated, token_ids[$depth + 1] AS token,
                token_ids[$depth + 2:] AS continuation, length = len(token_ids) AS whole
            FROM rollouts
            WHERE question = $question AND len(token_ids) > $depth AND token_ids[1:$depth] = $prefix::INTEGER[]
                AND list_contains($launches::INTEGER[], launch))
        SELECT *, count(*) OVER (PARTITION BY token, correct) AS found,
            count(*) FILTER (whole) OVER (PARTITION BY token, correct) AS kept
        FROM r WHERE list_contains($tokens, token)
        QUALIFY whole
            AND row_number() OVER (PARTITION BY token, correct, whole ORDER BY hash(rollout, $draw), rollout) <= $each
        ORDER BY token, correct DESC, hash(rollout, $draw), rollout""",
    "rollouts_drawn": """
        SELECT rollout, correct, truncated, text, count(*) OVER (PARTITION BY correct) AS found, found AS kept
        FROM rollouts WHERE question = $question AND stage = 'initial'
        QUALIFY row_number() OVER (PARTITION BY correct ORDER BY hash(rollout, $draw), rollout) <= $each
        ORDER BY correct DESC, hash(rollout, $draw), rollout""",
    "token_bytes": "SELECT token, bytes FROM vocabulary WHERE token IN (SELECT unnest($tokens::INTEGER[]))",
    "question_alignment": """
        WITH seen AS (
            SELECT t.question, t.node, bool_or(p.correct) AS on_correct, bool_or(NOT p.correct) AS on_incorrect
            FROM path_tokens AS t JOIN paths AS p USING (question, path) GROUP BY t.question, t.node)
        SELECT s.question, s.teacher, count(*) AS decision_points,
            avg(s.alignment) AS alignment, count(s.alignment) AS n,
            avg(s.alignment) FILTER (on_correct) AS correct, count(s.alignment) FILTER (on_correct) AS n_correct,
            avg(s.alignment) FILTER (on_incorrect) AS incorrect,
            count(s.alignment) FILTER (on_incorrect) AS n_incorrect
        FROM scores AS s JOIN seen USING (question, node)
        JOIN contexts AS c ON c.question = s.question AND c.teacher = s.teacher AND c.available
        WHERE s.decision AND s.objective = $objective AND s.convention = $convention
        GROUP BY s.question, s.teacher ORDER BY s.question, s.teacher""",
    "question_decisions": """
        SELECT question, count(DISTINCT node) AS decision_points FROM scores
        WHERE decision AND objective = $objective AND convention = $convention
        GROUP BY question ORDER BY question""",
    "strongest_tokens": """
        WITH places AS (
            SELECT s.question, s.node, arg_min({path: t.path, position: t.position, token: t.token}, t.path) AS place
            FROM scores AS s JOIN path_tokens AS t USING (question, node) JOIN paths AS p USING (question, path)
            WHERE s.decision AND s.teacher = $teacher AND s.objective = $objective AND s.convention = $convention
                AND (s.low > 0 OR s.high < 0) AND list_contains($questions::INTEGER[], s.question)
                AND ($outcome = 'all' OR p.correct = ($outcome = 'correct'))
            GROUP BY s.question, s.node),
        ranked AS (
            SELECT s.*, l.place.path AS path, l.place.position AS position, l.place.token AS token,
                row_number() OVER (PARTITION BY s.alignment > 0
                    ORDER BY s.success_range * abs(s.alignment) DESC, s.question, s.node) AS rank,
                count(*) OVER (PARTITION BY s.alignment > 0) AS of_all
            FROM scores AS s JOIN places AS l USING (question, node)
            WHERE s.teacher = $teacher AND s.objective = $objective AND s.convention = $convention)
        SELECT r.*, q.id, p.correct, v.bytes, i.bytes AS ideal_bytes, u.bytes AS teacher_bytes
        FROM ranked AS r JOIN questions AS q USING (question) JOIN paths AS p USING (question, path)
        LEFT JOIN vocabulary AS v ON v.token = r.token
        LEFT JOIN components AS c USING (question, node, convention)
        LEFT JOIN gradients AS g USING (question, node, teacher, objective, convention)
        LEFT JOIN vocabulary AS i ON i.token = c.tokens[list_position(c.ideal, list_max(c.ideal))]
        LEFT JOIN vocabulary AS u ON u.token = c.tokens[list_position(g.teacher_gradient, list_max(g.teacher_gradient))]
        WHERE r.rank <= $limit ORDER BY r.alignment > 0 DESC, r.rank""",
    "run_settings": "SELECT value FROM meta WHERE key = 'config'",
    "run_facts": """
        SELECT count(*) AS questions, count(*) FILTER (stage = 'scored') AS finished,
            (SELECT count(*) FROM paths) AS paths
        FROM questions""",
    "weights_rollouts": """
        SELECT r.question, q.id, r.rollout, p.path, q.prompt_ids, r.token_ids, r.log_probs, r.correct, r.truncated,
            c.prompt_ids AS teacher_prompt_ids
        FROM rollouts AS r JOIN questions AS q USING (question)
        LEFT JOIN paths AS p USING (question, rollout)
        LEFT JOIN contexts AS c ON c.question = r.question AND c.teacher = $teacher AND c.available
        WHERE r.stage = 'initial' AND (p.path IS NOT NULL OR NOT $paths_only) ORDER BY r.question, r.rollout""",
    "weights_nodes": "SELECT DISTINCT question, node, token, child FROM path_tokens",
    "weights_scores": """
        SELECT question, node, alignment, p_positive FROM scores
        WHERE teacher = $teacher AND objective = $objective AND convention = $convention""",
    "drawn_tokens": """
        SELECT count(*) AS rollouts, coalesce(sum(length - launch), 0)::BIGINT AS tokens
        FROM rollouts WHERE question IN (SELECT question FROM paths)""",
    "questions_finished": """
        SELECT question, id, note FROM questions WHERE stage = 'scored' ORDER BY question""",
    "tree_size": """
        SELECT count(*) AS rollouts, count(*) FILTER (stage = 'initial') AS initial,
            count(*) FILTER (stage = 'targeted' AND length = len(token_ids)) AS whole,
            max(length) FILTER (truncated) AS cut,
            list(DISTINCT token_ids[-1]) FILTER (NOT truncated AND length = len(token_ids)) AS ends
        FROM rollouts WHERE question = $question""",
    "rollout_lengths": """
        SELECT launch, length, count(*) AS rollouts FROM rollouts WHERE question = $question
        GROUP BY ALL ORDER BY ALL""",
    "tree_paths": """
        SELECT path, position, child, token FROM path_tokens WHERE question = $question ORDER BY path, position""",
    "tree_nodes": f"""
        WITH RECURSIVE n AS (
            SELECT n.node, n.parent, n.rollouts, s.visits
            FROM nodes AS n JOIN success AS s ON s.question = n.question AND s.node = n.node AND s.pooling = {CHOSEN}
            WHERE n.question = $question),
        up AS (
            SELECT node, parent FROM n WHERE list_contains($asked::INTEGER[], node)
            UNION SELECT n.node, n.parent FROM n JOIN up ON n.node = up.parent),
        down AS (
            SELECT n.node, n.rollouts, u.most
            FROM (SELECT unnest($unfolded::INTEGER[]) AS node, unnest($most::INTEGER[]) AS most) AS u
            JOIN n USING (node)
            UNION ALL SELECT n.node, n.rollouts, d.most
            FROM n JOIN down AS d ON n.parent = d.node AND n.rollouts = d.rollouts),
        kids AS (
            SELECT n.node, n.rollouts
            FROM n JOIN (SELECT node, max(most) AS most FROM down GROUP BY node) AS d ON n.parent = d.node
            QUALIFY row_number() OVER (PARTITION BY d.node ORDER BY n.visits DESC, n.node) <= d.most),
        below AS (
            SELECT node, rollouts FROM kids
            UNION ALL SELECT n.node, n.rollouts
            FROM n JOIN below AS b ON n.parent = b.node AND n.rollouts = b.rollouts),
        wanted AS (
            SELECT 0 AS node UNION SELECT child FROM path_tokens WHERE question = $question
            UNION SELECT node FROM up UNION SELECT node FROM down UNION SELECT node FROM below),
        chosen AS (SELECT node FROM wanted UNION (SELECT node FROM n ORDER BY visits DESC, node LIMIT $limit)),
        k AS (
            SELECT parent, count(*) AS children, sum(rollouts)::BIGINT AS children_rollouts FROM n
            WHERE parent IN (SELECT node FROM chosen) GROUP BY parent)
        SELECT b.node, b.parent, b.token, b.depth, b.p_student, {known("b", "success", "success")},
            b.successes AS correct, b.rollouts, coalesce(k.children, 0) AS children,
            coalesce(k.children_rollouts, 0) AS children_rollouts, w.node IS NOT NULL AS wanted
        FROM chosen AS c
        JOIN branches AS b ON b.question = $question AND b.node = c.node AND b.pooling = {CHOSEN}
        LEFT JOIN wanted AS w ON w.node = c.node
        LEFT JOIN k ON k.parent = c.node
        ORDER BY b.node""",
    "tree_singles": """
        SELECT rollout, launch, correct, truncated, token_ids[$depth + 1:] AS token_ids,
            length - len(token_ids) AS missing
        FROM rollouts
        WHERE question = $question AND len(token_ids) > $depth AND token_ids[1:$depth] = $prefix::INTEGER[]
            AND NOT list_contains($stored::INTEGER[], token_ids[$depth + 1])
        ORDER BY rollout LIMIT $most""",
    "tree_decisions": f"""
        SELECT s.teacher, t.path, t.position, t.node, t.child, exp(q.log_q::DOUBLE) AS p_teacher, c.p_student,
            {known("c", "success", "success")},
            s.* EXCLUDE (question, node, teacher, objective, convention), d.kl_student_teacher, {INFLUENCE}
        FROM scores AS s
        JOIN path_tokens AS t ON t.question = $question AND t.node = s.node
        LEFT JOIN branches AS c ON c.question = $question AND c.node = t.child AND c.pooling = {CHOSEN}
        LEFT JOIN teacher_tokens AS q ON q.question = $question AND q.node = t.child AND q.teacher = s.teacher
        LEFT JOIN node_teachers AS d ON d.question = $question AND d.node = t.node AND d.teacher = s.teacher
        {OF_INFLUENCE.format(teacher="s.teacher")}
        WHERE s.question = $question AND s.objective = $objective AND s.convention = $convention AND s.decision
        ORDER BY s.teacher, t.path, t.position""",
    **FINDING_QUERIES,
    **INFLUENCE_QUERIES,
}
"""SQL by query name, or a function that returns it, over `odd.store.schema` tables and `odd.store.views` views."""


def named_query(name: str) -> str:
    """Return the SQL of a named query.

    Raises:
        ValueError: there is no such query.
    """
    if name not in QUERIES:
        raise ValueError(f"no query {name!r}; queries: {', '.join(QUERIES)}")
    query = QUERIES[name]
    return query if isinstance(query, str) else query()
