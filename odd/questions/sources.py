"""Where questions come from: the bundled sets and JSON Lines files."""

import json
from pathlib import Path

from pydantic import ValidationError

from odd.config import QuestionsConfig
from odd.errors import OddError
from odd.parsing import parse_json
from odd.questions.base import Question

DATA = Path(__file__).parent / "data"


def bundled_sets() -> list[str]:
    """Names of the question sets that come with the installation."""
    return sorted(path.stem for path in DATA.glob("*.jsonl"))


def load_questions(config: QuestionsConfig) -> list[Question]:
    """The questions of a bundled set or of a JSON Lines file, at most `config.limit`.

    Raises:
        OddError: no such set or file; an empty file; a malformed line, with its number; an id given twice.
    """
    bundled = DATA / f"{config.source}.jsonl"
    path = bundled if config.source in bundled_sets() else Path(config.source)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise OddError(
            f"questions {config.source!r}: {reason}; give a JSON Lines file or a bundled set "
            f"({', '.join(bundled_sets())})"
        ) from error
    # not splitlines: a JSON string may hold other line breaks, such as U+2028
    questions = [_parse(path, number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if not questions:
        raise OddError(f"questions {path} is empty: put one JSON object a line, with id, question, answer and kind")
    ids = [question.id for question in questions]
    if len(set(ids)) < len(ids):
        twice = next(id for id in ids if ids.count(id) > 1)
        raise OddError(f"questions {path}: the id {twice!r} stands twice; give each question an id of its own")
    return questions[: config.limit]


def _parse(path: Path, number: int, line: str) -> Question:
    try:
        return Question.model_validate(parse_json(line))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "line"
        message = first["msg"].removeprefix("Value error, ")
        raise OddError(f"questions {path}, line {number}: {where}: {message}") from error
    except ValueError as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else error
        raise OddError(f"questions {path}, line {number}: not JSON ({reason}); put one JSON object a line") from error
