"""A cache may be in almost any folder: runs are written, locked, resumed and read there like anywhere else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from odd.errors import OddError
from odd.store import RunReader, RunWriter, files, list_runs
from odd.store.plain_path import plain_path
from tests.store.conftest import copied
from tests.store.example_run import RUN
from tests.store.test_disk import file_size_limit
from tests.store.test_writer import add

NOT_UTF8 = os.fsdecode(b"caf\xe9")
NAMES = [
    "a\\b", NOT_UTF8, "a*b", "[a]", "a'b", 'a"b', "new\nline", ":memory:", "x" * 200, "a#b%20c", "\\", "~", "-dash",
    "ünï 😀", "a;b $(c)", " ",
]  # fmt: skip


@pytest.fixture
def place(tmp_path, request):
    """A cache in a folder of this name."""
    return tmp_path / request.param / "cache"


@pytest.mark.parametrize("place", NAMES, indirect=True, ids=ascii)
def test_a_run_is_written_resumed_published_and_read_in_a_folder_of_any_name(place, filled_cache):
    with copied(filled_cache, place) as writer:
        add(writer, 77)
        assert files.log_of(writer.work).exists()
        spill = writer.query("SELECT current_setting('temp_directory')").iloc[0, 0]
        assert Path(spill).resolve() == files.spill_of(writer.work).resolve()
        writer.begin_publication()
        with pytest.raises(OddError, match="being written by another process"):
            RunWriter(place, RUN)
    with RunWriter(place, RUN) as writer:
        add(writer, 78)
        writer.finish()
    kept = sorted(path.name for path in place.rglob("*"))
    assert kept == ["summaries", f"{RUN}.duckdb", f"{RUN}.json", f"{RUN}.lock", "work"]
    with RunReader(place / f"{RUN}.duckdb") as reader:
        assert [run.problem for run in list_runs(place)] == [None]
        assert {77, 78} <= set(reader._connection.execute("SELECT token FROM vocabulary").df()["token"])


@pytest.mark.parametrize("place", ["a\\b", NOT_UTF8], indirect=True, ids=ascii)
def test_duckdb_locks_a_file_that_is_opened_through_a_link(place, filled_cache):
    code = "import sys, duckdb; duckdb.connect().execute('ATTACH ? AS run (READ_ONLY)', [sys.argv[1]])"
    with copied(filled_cache, place) as writer:
        link = plain_path(writer.work)
        assert link != writer.work and link.samefile(writer.work)
        other = subprocess.run([sys.executable, "-c", code, str(link)], capture_output=True)
    assert b"Could not set lock" in other.stderr or b"UnicodeDecodeError" in other.stderr


@pytest.mark.parametrize("place", ["a\\b", NOT_UTF8], indirect=True, ids=ascii)
def test_errors_in_such_a_folder_name_the_folder_and_the_cause(place, filled_cache):
    with copied(filled_cache, place) as writer, file_size_limit(1), pytest.raises(OddError, match="File too large"):
        add(writer, 1)
    (place / f"{RUN}.duckdb").write_bytes((place / f"{RUN}.duckdb").read_bytes()[:50_000])
    with pytest.raises(OddError, match=r"/cache/.* is damaged") as told:
        RunReader(place / f"{RUN}.duckdb")
    assert str(plain_path(place / f"{RUN}.duckdb").parent) not in str(told.value)


@pytest.mark.parametrize("place", ["a?b", "?"], indirect=True)
def test_a_folder_with_a_question_mark_is_refused_before_anything_is_written_in_it(place):
    with pytest.raises(OddError, match="question mark in its path; choose another"):
        RunWriter(place, RUN)
    assert not place.exists()


@pytest.mark.parametrize("place", ["a?b", "?"], indirect=True)
def test_a_run_in_a_folder_with_a_question_mark_can_be_read(place, published):
    place.mkdir(parents=True)
    with RunReader(published.rename(place / published.name)) as reader:
        assert len(reader.query("questions")) == 2


@pytest.mark.parametrize("name", ["back\\slash.duckdb", f"{NOT_UTF8}.duckdb"], ids=ascii)
def test_a_file_whose_own_name_duckdb_cannot_open_is_refused(published, name):
    with pytest.raises(OddError, match="in its name: rename it"):
        RunReader(published.rename(published.with_name(name)))


def test_a_path_that_is_too_long_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(OddError, match=r"File name too long.*shorter path"):
        RunWriter(tmp_path / ("x" * 300), RUN)
    assert list(tmp_path.iterdir()) == []
