"""Run files of the right schema with impossible content, as SQL for a copy of the small run of `tests.runs`."""

from pathlib import Path

from tests import runs

OPENING = {
    "a parent that is the node itself": "UPDATE nodes SET parent = node",
    "a cycle of two nodes": "UPDATE nodes SET parent = 3 - node WHERE node IN (1, 2)",
    "a chain deeper than its tree": "UPDATE nodes SET depth = 2147483647 WHERE node = 3",
    "a node of no question": "UPDATE nodes SET question = 99 WHERE node = 3",
    "no questions": "DELETE FROM questions",
    "a question with an unknown stage": "UPDATE questions SET stage = 'eaten'",
    "a question with an unknown difficulty": "UPDATE questions SET difficulty = 'red'",
    "a forced prefix that is longer than the response": "UPDATE rollouts SET launch = 2147483647",
    "more tokens than the response has": "UPDATE rollouts SET length = 0",
    "responses without some log-probabilities": "UPDATE rollouts SET log_probs = [NULL]",
    "counts beyond all visits": "UPDATE success SET successes = visits + 5",
    "a success of infinity": "UPDATE success SET success = 'inf'",
    "a value of NaN": "UPDATE node_values SET value = 'nan'",
    "a negative position": "UPDATE path_tokens SET position = -position - 1",
    "a path that goes up": "UPDATE path_tokens SET child = 0",
    "teachers without an order": "UPDATE teachers SET ordinal = NULL",
    "teachers without a model": "UPDATE teachers SET model = NULL",
    "a teacher that is more than sure": "UPDATE teacher_tokens SET log_q = 'inf'",
    "a divergence of NaN": "UPDATE node_teachers SET kl_student_teacher = 'nan'",
    "a cosine of 1e308": "UPDATE scores SET alignment = 1e308",
    "an infinite gain": "UPDATE scores SET gain = 'inf'",
    "a score of an unknown number of children": "UPDATE scores SET children = NULL",
    "a score of an unknown number of visits": "UPDATE scores SET visits = NULL",
    "a third half": "UPDATE half_scores SET half = 2",
    "components of different lengths": "UPDATE components SET p = [0.5]",
    "a time before the start": "UPDATE timings SET seconds = -1",
    "hardly any settings": "DELETE FROM meta WHERE key NOT IN ('app', 'schema_version')",
    "settings that are not JSON": "UPDATE meta SET value = '{' WHERE key = 'config'",
    "settings nested too deeply": "UPDATE meta SET value = repeat('[', 100000) WHERE key = 'config'",
    "a day that does not exist": "UPDATE meta SET value = '99999-99-99' WHERE key = 'created_at'",
    "conventions that are not labels": "UPDATE meta SET value = 'a,b,,c' WHERE key = 'conventions'",
    "an unknown status": "UPDATE meta SET value = repeat('x', 100000) WHERE key = 'status'",
    "no status": "DELETE FROM meta WHERE key = 'status'",
    "a key without a value": "UPDATE meta SET value = NULL WHERE key = 'config'",
}
"""Content that is refused when the file is opened."""
THOROUGH = {
    "a tree without a root": "DELETE FROM nodes WHERE node = 0",
    "all nodes twice": "INSERT INTO nodes FROM nodes",
    "a path with a position of 2^31": "UPDATE path_tokens SET position = 2147483647 WHERE position = 1",
    "paths twice": "INSERT INTO paths FROM paths; INSERT INTO path_tokens FROM path_tokens",
    "no rollouts": "DELETE FROM rollouts",
    "no teachers": "DELETE FROM teachers",
    "no paths": "DELETE FROM paths",
    "questions with the same id": "UPDATE questions SET id = 'same'",
    "teachers with the same name": "UPDATE teachers SET teacher = 'same'",
    "tokens that are NULL or negative": (
        "UPDATE rollouts SET token_ids = [NULL, -1], length = 2, log_probs = NULL, launch = 0"
    ),
    "half a gradient": "UPDATE gradients SET teacher_gradient = [0.5]",
    "a vocabulary with a token twice": "INSERT INTO vocabulary FROM vocabulary",
    "digests that are not JSON": "UPDATE meta SET value = '{' WHERE key = 'digests'",
}
"""Content that only a thorough check finds; pages and commands may also show what is left of it."""
POSSIBLE = {
    "no scores": "DELETE FROM scores",
    "no vocabulary": "DELETE FROM vocabulary",
    "tokens without bytes": "UPDATE vocabulary SET bytes = NULL",
    "more rollouts below a node than through it": "UPDATE nodes SET rollouts = 2147483647 WHERE node > 0",
    "demonstrations that are not a list": "UPDATE contexts SET demonstrations = '5'",
    "demonstrations that are not JSON": "UPDATE contexts SET demonstrations = '{'",
    "settings of teachers that are not JSON": "UPDATE teachers SET config = '['",
}
"""Content that pages and commands cope with."""
CASES = OPENING | THOROUGH | POSSIBLE


def change(path: Path, statements: str) -> Path:
    """Change a run file by SQL."""
    runs.change(path, statements)
    return path
