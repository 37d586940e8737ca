"""The documentation matches the schema of run files, and its queries run."""

import re
from pathlib import Path

import duckdb
import pytest

from odd.store import VIEWS, tables

TEXT = (Path(__file__).parents[2] / "docs" / "schema.md").read_text()
QUERIES = re.findall(r"```sql\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("table", tables())
def test_the_documentation_lists_the_columns_of_a_table(table):
    comment, columns = tables()[table]
    section = TEXT.split(f"### {table}\n")[1].split("\n#")[0]
    listed = [tuple(line.strip("| ").split(" | ")) for line in section.splitlines() if line.startswith("| `")]
    assert comment in section
    assert [cells[0].strip("`") for cells in listed] == list(columns)
    for (name, (declared, meaning)), (_, type_, *text) in zip(columns.items(), listed, strict=True):
        assert declared.split(" ")[0] == type_, name
        assert " | ".join(text).replace(r"\|", "|") == meaning, name


def test_the_documentation_lists_the_views():
    section = TEXT.split("## Views\n")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)`", section, re.MULTILINE) == list(VIEWS)


@pytest.mark.parametrize("query", QUERIES)
def test_an_example_query_of_the_documentation_runs(published, query):
    with duckdb.connect(str(published), read_only=True) as connection:
        connection.execute(query).fetchall()


def test_the_meaning_of_a_column_is_in_the_file(published):
    with duckdb.connect(str(published), read_only=True) as connection:
        sql = "SELECT comment FROM duckdb_columns() WHERE table_name = 'rollouts' AND column_name = 'launch'"
        assert connection.execute(sql).fetchall() == [(tables()["rollouts"][1]["launch"][1],)]
