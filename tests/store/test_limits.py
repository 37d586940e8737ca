"""A small file with large content is refused before its rows are read; limits can be raised."""

from pathlib import Path

import pytest

from odd.errors import OddError
from odd.store import RunReader
from odd.store import limits as store_limits
from odd.store.limits import Limits, limits
from tests.impossible import change

ROOT = Path(__file__).parents[2]
LARGE = {
    "questions": (
        5,
        "INSERT INTO questions (question, id, text, stage) SELECT 2 + i, 'q' || i, 't', 'new' FROM range(4) AS r(i)",
    ),
    "teachers": (5, "INSERT INTO teachers SELECT 't' || i, 2 + i, 'm', 'none', '{}', true FROM range(4) AS r(i)"),
    "settings": (20, "INSERT INTO meta SELECT 'k' || i, 'v' FROM range(20) AS r(i)"),
    "rows": (100, "INSERT INTO timings SELECT 0, 'sample', NULL, 1, 1, 1 FROM range(101)"),
    "question_rows": (50, "INSERT INTO path_tokens SELECT 0, 0, 2 + i, 0, 1, 5 FROM range(51) AS r(i)"),
    "nodes": (100, "INSERT INTO nodes SELECT 0, 3 + i, 0, i, 1, 0, 1 FROM range(100) AS r(i)"),
    "tokens": (300, "UPDATE rollouts SET token_ids = range(301)::INTEGER[], log_probs = NULL WHERE rollout = 0"),
    "text": (300, "UPDATE questions SET choices = [repeat('x', 301)] WHERE question = 0"),
    "settings_text": (1000, "INSERT INTO meta VALUES ('questions', repeat('x', 1001))"),
    "expansion": (2, "UPDATE rollouts SET text = repeat('x', 10000000)"),
}
"""Value to set a limit to, and what exceeds it, by name of the limit."""


@pytest.mark.parametrize("limit", LARGE)
def test_content_beyond_a_limit_is_refused(published, monkeypatch, limit):
    most, statement = LARGE[limit]
    monkeypatch.setattr(store_limits, "SMALL", 1 << 20)
    monkeypatch.setenv("ODD_LIMITS", f"{limit}={most}")
    RunReader(published).close()
    change(published, statement)
    with pytest.raises(OddError, match=f"ODD_LIMITS={limit}=") as found:
        RunReader(published)
    assert str(found.value).startswith(f"{published} has too many ")


def test_a_path_with_too_many_tokens_is_refused(published, monkeypatch):
    monkeypatch.setenv("ODD_LIMITS", "tokens=300")
    change(published, "INSERT INTO path_tokens SELECT 0, 0, 2 + i, 0, 1, 5 FROM range(301) AS r(i)")
    with pytest.raises(OddError, match="tokens of one path in path_tokens: 303, and 300 are read"):
        RunReader(published)


def test_every_limit_is_tested():
    assert set(LARGE) == set(Limits.model_fields)


def test_a_text_of_20_mb_in_a_small_file_is_refused(published):
    change(published, "UPDATE questions SET text = repeat('x', 20000000) WHERE question = 0")
    with pytest.raises(OddError, match="bytes in a text of questions: 20,000,000"):
        RunReader(published)


def test_a_limit_can_be_raised(published, monkeypatch):
    change(published, "INSERT INTO teachers SELECT 't' || i, 2 + i, 'm', 'none', '{}', true FROM range(1000) AS r(i)")
    monkeypatch.setenv("ODD_LIMITS", "teachers=2000, questions=7")
    assert limits() == Limits(teachers=2000, questions=7)
    RunReader(published).close()


@pytest.mark.parametrize("text", ["teachers", "teachers=", "teachers=-1", "teachers=many", "fly=1", "=", "teachers=0"])
def test_a_malformed_limit_is_named(published, monkeypatch, text):
    monkeypatch.setenv("ODD_LIMITS", text)
    with pytest.raises(OddError, match="write NAME=NUMBER"):
        RunReader(published)


def test_the_documentation_lists_the_limits():
    text = (ROOT / "docs" / "security.md").read_text()
    for name, field in Limits.model_fields.items():
        assert f"| `{name}` | {field.default:,} | {field.description} |" in text
