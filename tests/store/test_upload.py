"""An uploaded file is accepted completely and checked, or rejected; existing runs are never overwritten."""

import io
import sqlite3

import duckdb
import pytest

from odd.errors import OddError
from odd.store import RunReader, RunWriter, accept_run, list_runs, work_path
from odd.store.schema import BLOCK_SIZE, SCHEMA_VERSION
from tests.runs import change
from tests.store.example_run import RUN

LIMIT = 100_000_000
HEADERS = 3 * 4096  # of a DuckDB file, before its blocks


@pytest.fixture
def content(published):
    return published.read_bytes()


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "elsewhere"


def accept(cache, content, limit=LIMIT):
    return accept_run(cache, io.BytesIO(content), "theirs.duckdb", limit)


def files(cache):
    return {path for path in cache.rglob("*") if path.is_file() and path.suffix != ".lock"}


def refused(cache, content, said, limit=LIMIT):
    """The file is refused with one line, and leaves nothing behind."""
    before = files(cache)
    with pytest.raises(OddError, match=said) as error:
        accept(cache, content, limit)
    assert ".upload-" not in str(error.value)
    assert files(cache) == before
    return str(error.value)


def changed(published, *statements):
    change(published, *statements)
    return published.read_bytes()


def test_a_run_file_is_taken_in_under_the_name_it_holds(cache, content):
    assert accept(cache, content) == RUN
    assert (cache / f"{RUN}.duckdb").read_bytes() == content
    assert [run.run_id for run in list_runs(cache)] == [RUN]


def test_a_run_file_that_was_taken_in_can_be_continued(cache, content):
    accept(cache, content)
    with RunWriter(cache, RUN) as writer:
        assert len(writer.named("questions")) == 2


@pytest.mark.parametrize("junk", [b"", b"junk", b"\0" * 5000, b"PK\x03\x04" + b"x" * 9000], ids=len)
def test_junk_is_refused(cache, junk):
    assert "theirs.duckdb" in refused(cache, junk, "not a DuckDB file")


def test_another_database_is_refused(cache, tmp_path):
    path = tmp_path / "other.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE meta (key, value)")
    connection.close()
    refused(cache, path.read_bytes(), "not a DuckDB file")
    duckdb.connect(str(tmp_path / "other.duckdb")).close()
    refused(cache, (tmp_path / "other.duckdb").read_bytes(), "not an ODD run")


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.9, 0.99])
def test_a_file_that_was_cut_is_refused(cache, content, share):
    refused(cache, content[: int(len(content) * share)], "theirs.duckdb")


def test_a_file_with_a_flipped_byte_in_its_rows_is_refused(cache, content):
    # only this check reads all blocks: listing runs reads the first ones
    found = 0
    for place in range(HEADERS + 4 * BLOCK_SIZE, len(content), BLOCK_SIZE):
        damaged = bytearray(content)
        damaged[place : place + 64] = bytes(64) if any(damaged[place : place + 64]) else b"\xff" * 64
        try:
            accept(cache, bytes(damaged))
        except OddError:
            found += 1
        else:
            (cache / f"{RUN}.duckdb").unlink()
    assert found > 5


def test_a_file_of_a_newer_version_is_refused(cache, published):
    newer = changed(published, f"UPDATE meta SET value = '{SCHEMA_VERSION + 1}' WHERE key = 'schema_version'")
    refused(cache, newer, "upgrade ODD")


@pytest.mark.parametrize("run_id", ["", "../../etc/cron.d/x", "A run", "x" * 82, "<script>", "a\nb", "-rf"])
def test_a_run_id_that_is_no_file_name_is_refused(cache, published, run_id):
    quoted = run_id.replace("'", "''")
    refused(cache, changed(published, f"UPDATE meta SET value = '{quoted}' WHERE key = 'run_id'"), "is not a run id")


def test_a_file_without_run_id_is_refused(cache, published):
    refused(cache, changed(published, "DELETE FROM meta WHERE key = 'run_id'"), "is not a run id")


def test_a_run_that_is_here_is_left_as_it_is(cache, content, published):
    accept(cache, content)
    before = (cache / f"{RUN}.duckdb").stat()
    other = changed(published, "DELETE FROM timings")
    refused(cache, other, "exists already")
    after = (cache / f"{RUN}.duckdb").stat()
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)


def test_a_run_that_is_being_made_here_is_left_alone(cache, content):
    with RunWriter(cache, RUN) as writer:
        with pytest.raises(OddError, match="being written"):
            accept(cache, content)
        assert not writer.published.exists()
    with pytest.raises(OddError, match="exists already"):
        accept(cache, content)
    assert work_path(cache, RUN).exists()


def test_a_file_that_is_too_large_is_refused(cache, content):
    refused(cache, content, "larger than", limit=len(content) - 1)
    assert accept(cache, content, limit=len(content)) == RUN


def test_views_and_macros_of_a_file_are_never_run(cache, published):
    evil = changed(
        published,
        "CREATE MACRO sum(x) AS error('run')",
        "DROP VIEW question_summary",
        "CREATE VIEW question_summary AS SELECT error('run') AS question",
    )
    accept(cache, evil)
    with RunReader(cache / f"{RUN}.duckdb") as reader:
        assert len(reader.query("questions")) == 2
        assert len(reader.query("timings"))


def test_a_cache_that_cannot_be_written_is_said_in_one_line(tmp_path, content):
    (tmp_path / "file").write_text("")
    with pytest.raises(OddError, match="could not be written"):
        accept(tmp_path / "file" / "cache", content)
