"""Tables of a run file for the influence of tokens under shared parameters (method §9); empty until it is computed."""

from odd.store.context_tables import QUESTION

_TEACHER = ("VARCHAR NOT NULL", "name of the teacher")
_OBJECTIVE = ("VARCHAR NOT NULL", "label of the distillation objective, such as reverse_kl")

INFLUENCE_TABLES: dict[str, tuple[str, dict[str, tuple[str, str]]]] = {
    "influence": (
        "Influence of each token of the initial rollouts on success: the mean of two values from independent rollouts",
        {
            "question": QUESTION,
            "rollout": ("INTEGER NOT NULL", "number of the rollout in the question"),
            "teacher": _TEACHER,
            "objective": _OBJECTIVE,
            "target": ("VARCHAR NOT NULL", "same: success on all questions of the run; other: on all but this one"),
            "first": ("FLOAT[]", "influence of each token by the gradient of success from a quarter of the rollouts"),
            "second": ("FLOAT[]", "the same from another quarter; no rollout is judged by a quarter that it is in"),
        },
    ),
    "influence_matrix": (
        "Which questions teach which: influence of a question's rollouts on success on another question, or on itself",
        {
            "question": QUESTION,
            "target": ("INTEGER NOT NULL", "number of the question whose success it is"),
            "teacher": _TEACHER,
            "objective": _OBJECTIVE,
            "first": ("DOUBLE", "sum over the tokens of a rollout, mean over rollouts, by one quarter of the rollouts"),
            "second": ("DOUBLE", "the same by another quarter"),
        },
    ),
    "influence_norms": (
        "Length of the gradient in the parameters, by which influence is divided for a step of unit length",
        {
            "teacher": _TEACHER,
            "objective": _OBJECTIVE,
            "norm": ("DOUBLE", "norm of the gradient: sum over tokens, mean over rollouts, then over questions"),
            "questions": ("INTEGER", "questions for which the teacher has a prompt"),
        },
    ),
}
"""Comment and columns by table name, as in `odd.store.schema.tables`."""

INFLUENCE_KEYS = {
    "influence": (("question", "rollout", "teacher", "objective", "target"),),
    "influence_matrix": (("question", "target", "teacher", "objective"),),
    "influence_norms": (("teacher", "objective"),),
}
"""Columns that identify a row, by table."""

INFLUENCE_QUERIES: dict[str, str] = {
    "influence_matrix": """
        SELECT question, target, teacher, (first + second) / 2 AS influence, first, second FROM influence_matrix
        WHERE objective = $objective ORDER BY teacher, question, target""",
    "influence_norms": "SELECT teacher, norm, questions FROM influence_norms WHERE objective = $objective",
    "influence_objectives": "SELECT DISTINCT objective FROM influence_norms ORDER BY objective",
    "influence_paths": """
        SELECT * FROM token_influence WHERE objective = $objective ORDER BY teacher, question, path, position""",
    "influence_rollouts": """
        SELECT question, rollout, target, teacher, list_sum(first) AS first, list_sum(second) AS second,
            len(first) AS tokens
        FROM influence WHERE objective = $objective ORDER BY teacher, question, rollout, target""",
    "weights_influence": """
        SELECT question, rollout, first, second FROM influence
        WHERE teacher = $teacher AND objective = $objective AND target = $target""",
}
"""SQL by query name."""

INFLUENCE_VIEWS = {
    "token_influence": (
        "Influence of the tokens of the paths on the same questions and on others; low and high are its two halves",
        """
WITH t AS (
    SELECT i.question, p.path, unnest(range(len(i.first))) AS position, i.teacher, i.objective, i.target,
        unnest(i.first) AS first, unnest(i.second) AS second
    FROM influence AS i JOIN paths AS p ON p.question = i.question AND p.rollout = i.rollout)
SELECT question, path, position, teacher, objective,
    any_value((first + second) / 2) FILTER (target = 'same') AS influence,
    any_value(least(first, second)) FILTER (target = 'same') AS influence_low,
    any_value(greatest(first, second)) FILTER (target = 'same') AS influence_high,
    any_value((first + second) / 2) FILTER (target = 'other') AS influence_other,
    any_value(least(first, second)) FILTER (target = 'other') AS influence_other_low,
    any_value(greatest(first, second)) FILTER (target = 'other') AS influence_other_high
FROM t GROUP BY question, path, position, teacher, objective""",
    ),
}
"""Comment and SELECT statement by view name."""
