"""A reader sees one consistent published state, and refuses any file that is not a run of its version, in one line."""

import re
import shutil
import sqlite3
import threading

import duckdb
import pytest

from odd.errors import OddError
from odd.store import QUERIES, SCHEMA_VERSION, RunReader, list_runs
from odd.store.queries import named_query
from tests.runs import change
from tests.store.example_run import ROWS, RUN


def questions(reader):
    return len(reader.query("questions"))


def test_an_open_reader_keeps_its_state_and_reopening_sees_the_new_one(filled):
    with RunReader(filled.published) as reader:
        assert not reader.changed()
        filled.insert("questions", [ROWS["questions"][1] | {"question": 2}])
        assert not reader.changed()
        filled.publish()
        assert questions(reader) == 2 and reader.changed()
        with RunReader(filled.published) as second:
            assert questions(second) == 3 and questions(reader) == 2
        reader.reopen()
        assert questions(reader) == 3 and not reader.changed()


def test_a_reader_keeps_its_state_when_the_new_file_cannot_be_opened(filled):
    with RunReader(filled.published) as reader:
        filled.published.unlink()
        assert reader.changed()
        with pytest.raises(OddError, match="does not exist"):
            reader.reopen()
        assert questions(reader) == 2


PARAMETERS = {
    "after": 9,
    "answer": None,
    "asked": [],
    "before": 3,
    "convention": "on_policy-full-off",
    "depth": 1,
    "draw": 0,
    "each": 9,
    "ended": "all",
    "find": None,
    "first": 0,
    "last": 9,
    "launches": [0, 1],
    "limit": 9,
    "offset": 0,
    "pattern": None,
    "rollout": 0,
    "stage": "all",
    "teachers": ["big"],
    "most": 9,
    "node": 0,
    "nodes": [0, 1],
    "objective": "reverse_kl",
    "outcome": "all",
    "path": 0,
    "paths": [0],
    "paths_only": True,
    "position": 0,
    "positions": [1],
    "prefix": [5],
    "question": 0,
    "questions": [0],
    "stored": [],
    "target": "same",
    "teacher": "big",
    "tokens": [5, 6, 7, 8],
    "unfolded": [],
}


OWN = {
    "path_prefix": {"position": 1},
    "tree_nodes": {"most": []},
    "truncated_children": {"prefix": [], "depth": 0},
}


def parameters(name):
    values = PARAMETERS | OWN.get(name, {})
    return {found: values[found] for found in re.findall(r"\$([a-z_]+)", named_query(name))}


@pytest.fixture(scope="module")
def example(filled_cache):
    with RunReader(filled_cache / f"{RUN}.duckdb") as reader:
        yield reader


# in the example no two teachers disagree: see tests/views/test_comparison.py
@pytest.mark.parametrize("name", [name for name in QUERIES if name != "path_disagreements"])
def test_every_named_query_finds_rows_of_the_example(example, name):
    assert len(example.query(name, **parameters(name)))


def test_parameters_are_bound(published):
    with RunReader(published) as reader:
        assert len(reader.query("scores", objective="x' OR true --", convention="on_policy-full-off")) == 0
        with pytest.raises(ValueError, match="no query"):
            reader.query("SELECT 1")


def test_threads_share_a_reader(published):
    counts = []
    with RunReader(published) as reader:

        def ask():
            counts.extend(len(reader.query("rollouts", question=0)) for _ in range(20))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert counts == [5] * 80


def sqlite(path):
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE meta (key, value)")


def foreign(path):
    path.unlink()
    change(path, "CREATE TABLE meta (key VARCHAR, value VARCHAR)", "INSERT INTO meta VALUES ('app', 'even')")


def cut(path):
    path.write_bytes(path.read_bytes()[:100_000])


def flip(path):
    data = bytearray(path.read_bytes())
    data[4100] ^= 255
    data[8200] ^= 255
    path.write_bytes(data)


SQL = {
    "newer": f"UPDATE meta SET value = '{SCHEMA_VERSION + 1}' WHERE key = 'schema_version'",
    "older": "UPDATE meta SET value = '0' WHERE key = 'schema_version'",
    "upgradable": "UPDATE meta SET value = '2' WHERE key = 'schema_version'",
    "no version": "DELETE FROM meta WHERE key = 'schema_version'",
    "odd version": "UPDATE meta SET value = '1e400' WHERE key = 'schema_version'",
    "table": "DROP TABLE nodes",
    "column": "ALTER TABLE scores DROP COLUMN gain",
    "type": "ALTER TABLE scores ALTER gain TYPE VARCHAR",
    "view": "DROP TABLE nodes; CREATE VIEW nodes AS SELECT 666 AS question",
    "meta view": "ALTER TABLE meta RENAME TO m; CREATE VIEW meta AS SELECT * FROM m",
    "computed": "ALTER TABLE scores DROP gain; CREATE TABLE s AS FROM scores; DROP TABLE scores; "
    "CREATE TABLE scores (question INT, node INT, teacher VARCHAR, objective VARCHAR, convention VARCHAR, "
    "alignment DOUBLE, low DOUBLE, high DOUBLE, p_positive DOUBLE, gain DOUBLE AS (alignment), gain_low DOUBLE, "
    "gain_high DOUBLE, advantage DOUBLE, children INT, success_range DOUBLE, visits INT, decision BOOLEAN)",
}


@pytest.mark.parametrize(
    ("harm", "line"),
    [
        (lambda path: path.unlink(), "does not exist; check"),
        (lambda path: path.write_text("hello\n" * 9999), "is not a DuckDB file, so not an ODD run; choose"),
        (lambda path: path.write_bytes(b""), "is not a DuckDB file"),
        (sqlite, "is not a DuckDB file"),
        (cut, "is damaged .*; copy it again"),
        (lambda path: path.write_bytes(path.read_bytes()[:4096]), "is damaged .*; copy it again"),
        (flip, "is damaged .*; copy it again"),
        (foreign, "is a DuckDB file but not an ODD run; choose"),
        (SQL["newer"], f"has run-file version {SCHEMA_VERSION + 1}, this ODD reads version {SCHEMA_VERSION}; upgrade"),
        (SQL["older"], f"has run-file version 0, this ODD reads version {SCHEMA_VERSION}; start the run again"),
        (
            SQL["upgradable"],
            r"has run-file version 2, this ODD reads version \d+; upgrade it with: odd upgrade",
        ),
        (SQL["no version"], "not a complete ODD run: schema_version is missing"),
        (SQL["odd version"], "not a complete ODD run: schema_version is missing"),
        (SQL["table"], "not a complete ODD run: table nodes is missing"),
        (SQL["column"], "not a complete ODD run: column scores.gain DOUBLE is missing"),
        (SQL["type"], "not a complete ODD run: column scores.gain DOUBLE is missing"),
        (SQL["view"], "not a complete ODD run: table nodes is missing"),
        (SQL["meta view"], "is a DuckDB file but not an ODD run"),
        (SQL["computed"], "not a complete ODD run: column scores.gain DOUBLE is missing"),
    ],
)
def test_a_file_that_is_not_a_whole_run_is_refused_in_one_line(published, harm, line):
    path = published
    change(path, harm) if isinstance(harm, str) else harm(path)
    with pytest.raises(OddError, match=f"^[^\n]*{RUN}[^\n]* {line}[^\n]*$"):
        RunReader(path)


def test_damage_that_shows_late_is_told_in_one_line(published):
    data, told = published.read_bytes(), []
    for block in range(12288, len(data), 4 * 16384):
        harmed = bytearray(data)
        harmed[block + 100] ^= 255
        published.write_bytes(harmed)
        try:
            with RunReader(published) as reader:
                for name in QUERIES:
                    reader.query(name, **parameters(name))
        except OddError as error:
            told.append(str(error))
    assert told and all("is damaged" in line and "\n" not in line for line in told)


def test_what_a_file_defines_does_not_change_what_is_read(published):
    with RunReader(published) as reader:
        before = {name: reader.query(name).to_json() for name in ("questions", "measures", "timings")}
    macros = [f"CREATE MACRO {name}(x) AS 666" for name in ("sum", "count", "unnest", "exp")]
    views = [f"CREATE OR REPLACE VIEW {name} AS SELECT 666 AS question" for name in ("question_summary", "measures")]
    change(published, *macros, *views)
    with RunReader(published) as reader:
        assert {name: reader.query(name).to_json() for name in before} == before


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_text('/etc/hostname')",
        "ATTACH '/tmp/never.duckdb'",
        "COPY (SELECT 1) TO '/tmp/never.csv'",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "DELETE FROM run.main.nodes",
    ],
)
def test_a_reader_can_neither_write_nor_reach_other_files(published, statement):
    with RunReader(published) as reader, pytest.raises(duckdb.Error):
        reader._connection.execute(statement)


def test_a_hostile_view_in_a_file_is_not_even_looked_at(published, tmp_path):
    (tmp_path / "bait.csv").write_text("a\n1\n")
    change(published, f"CREATE VIEW bait AS SELECT * FROM read_csv('{tmp_path}/bait.csv')")
    (tmp_path / "bait.csv").unlink()
    with RunReader(published) as reader:
        assert questions(reader) == 2


def test_runs_are_listed_with_what_is_wrong_with_them(filled, tmp_path):
    filled.set_meta("status", "finished")
    filled.publish()
    shutil.copy(filled.published, tmp_path / "Not A Run.duckdb")
    (tmp_path / "text.duckdb").write_text("hello")
    (tmp_path / "other.txt").write_text("hello")
    listed = {run.run_id: run for run in list_runs(tmp_path)}
    assert set(listed) == {RUN, "Not A Run", "text"}
    assert (listed[RUN].status, listed[RUN].problem) == ("finished", None)
    assert listed[RUN].size == filled.published.stat().st_size
    assert "is not a run id" in (listed["Not A Run"].problem or "")
    assert "not a DuckDB file" in (listed["text"].problem or "")


def test_a_list_follows_a_new_publication(filled, tmp_path):
    assert [run.status for run in list_runs(tmp_path)] == ["running"]
    filled.set_meta("status", "finished")
    filled.publish()
    assert [run.status for run in list_runs(tmp_path)] == ["finished"]


def test_a_cache_that_does_not_exist_has_no_runs(tmp_path):
    assert list_runs(tmp_path / "none") == []
