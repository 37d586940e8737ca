"""What the disk or the system refuses is named with its remedy: it is not damage, and nothing is lost."""

import errno
import os
import resource
import shutil
from contextlib import contextmanager

import duckdb
import pytest

from odd.errors import REMEDIES, OddError, os_error_in, os_problem, writing
from odd.store import RunWriter, accept_run, files, remove_run, work
from odd.store.attach import attach, check_whole
from odd.store.lock import take_lock
from tests.store.example_run import RUN
from tests.store.test_stop import Failing
from tests.store.test_writer import add, tokens

KINDS = [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.ENOENT, errno.EACCES, errno.EMFILE]
ACTS = {
    "insert": lambda writer: add(writer, 77),
    "commit": lambda writer: in_transaction(writer),
    "publish": RunWriter.publish,
    "finish": RunWriter.finish,
    "begin_publication": RunWriter.begin_publication,
}
"""What a writer does with its files, by name."""


def in_transaction(writer):
    with writer.transaction():
        add(writer, 78)
        add(writer, 79)


@contextmanager
def file_size_limit(size):
    """Refuse to let this process write files beyond a size, as `ulimit -f` does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def refused(number):
    """An error as DuckDB raises it."""
    return duckdb.IOException(f'IO Error: Could not write file "/a/b.duckdb": {os.strerror(number)}')


@pytest.mark.parametrize("number", KINDS, ids=errno.errorcode.get)
@pytest.mark.parametrize("kind", [duckdb.IOException, duckdb.TransactionException, duckdb.FatalException])
def test_the_remedy_for_what_the_system_refuses_is_told_in_any_wrapping(writer, monkeypatch, number, kind):
    error = kind(f"Failed to commit: {refused(number)}")
    monkeypatch.setattr(writer, "_connection", Failing(writer._connection, "INSERT", [error]))
    with pytest.raises(OddError, match=f"{RUN}.*{os.strerror(number)}") as told:
        add(writer, 1)
    assert REMEDIES[number] in str(told.value) and "damaged" not in str(told.value)


@pytest.mark.parametrize("number", KINDS, ids=errno.errorcode.get)
def test_a_work_file_stays_in_place_if_the_system_refuses_to_open_it(filled_cache, tmp_path, monkeypatch, number):
    cache, once = shutil.copytree(filled_cache, tmp_path / "cache"), [refused(number)]
    monkeypatch.setattr(work, "attach", lambda *args, **kwargs: Failing(attach(*args, **kwargs), "CHECKPOINT", once))
    with pytest.raises(OddError, match=os.strerror(number)):
        RunWriter(cache, RUN)
    with RunWriter(cache, RUN):
        assert list(cache.glob("work/*.damaged-*")) == []


@pytest.mark.parametrize("number", KINDS, ids=errno.errorcode.get)
@pytest.mark.parametrize("publish", [RunWriter.publish, RunWriter.finish], ids=["publish", "finish"])
def test_a_publication_that_is_refused_names_the_remedy_and_keeps_both_files(filled, monkeypatch, number, publish):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    add(filled, 77)
    before = filled.published.read_bytes()
    monkeypatch.setattr(files, "_copy_piece", refuse)
    monkeypatch.setattr(files.os, "replace", refuse)
    with pytest.raises(OddError, match=rf"run {RUN} .*{os.strerror(number)}.*kept in .*work") as told:
        publish(filled)
    assert ("free disk space" in str(told.value)) == (number in (errno.ENOSPC, errno.EDQUOT))
    assert filled.published.read_bytes() == before
    monkeypatch.undo()
    filled.close()
    with RunWriter(filled.published.parent, RUN) as again:
        assert 77 in tokens(again)


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_a_limit_of_file_sizes_is_told_as_one_and_loses_nothing(filled, act):
    add(filled, 5)
    with file_size_limit(1), pytest.raises(OddError, match=r"File too large.*ulimit -f") as told:
        act(filled)
        filled._publication._thread.join()  # it had begun in the background: the next call tells
        filled.publish_meanwhile()
    assert "damaged" not in str(told.value)
    filled.close()
    check_whole(filled.published)
    with RunWriter(filled.published.parent, RUN) as again:
        assert 5 in tokens(again)


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
@pytest.mark.parametrize("removed", ["", "work", f"work/{RUN}.duckdb", f"work/{RUN}.duckdb.wal"])
def test_files_removed_during_a_run_are_told_in_one_line_or_do_no_harm(filled, act, removed):
    add(filled, 5)
    gone = filled.published.parent / removed
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    try:
        act(filled)
        if act is not RunWriter.finish:
            add(filled, 6)
            filled.finish()
    except OddError as error:
        assert "damaged" not in str(error) and "\n" not in str(error)
    else:
        check_whole(filled.published)


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda cache: RunWriter(cache, RUN), "cannot be written"),
        (lambda cache: remove_run(cache, RUN), "cannot be written"),
        (lambda cache: accept_run(cache, (cache / "x").open("rb"), "theirs.duckdb", 9), "could not be written"),
    ],
    ids=["write", "remove", "upload"],
)
def test_a_cache_that_cannot_be_written_is_told_with_the_remedy(tmp_path, monkeypatch, act, said):
    (tmp_path / "x").write_bytes(b"x")

    def refuse(path, *_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(type(tmp_path), "mkdir", refuse)
    with pytest.raises(OddError, match=rf"{said}.*{os.strerror(errno.EROFS)}\): {REMEDIES[errno.EROFS]}"):
        act(tmp_path)


def test_a_lock_that_cannot_be_opened_is_told_with_its_path(tmp_path, monkeypatch):
    def refuse(path, *_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(OddError, match=rf"work/{RUN}.lock cannot be written \(Permission denied\): check who owns it"):
        take_lock(tmp_path / f"work/{RUN}.duckdb", RUN)


def test_a_run_file_that_is_a_folder_is_told(tmp_path):
    (tmp_path / f"work/{RUN}.duckdb").mkdir(parents=True)
    with pytest.raises(OddError, match="directory"):
        RunWriter(tmp_path, RUN)


def test_an_unknown_error_of_the_system_keeps_its_description():
    assert str(os_problem("x", OSError(errno.EPIPE, "Broken pipe"))) == "x (Broken pipe): choose another folder or name"
    assert str(os_problem("x", OSError("odd"))) == "x (odd): choose another folder or name"
    assert os_error_in("all is well") is None


def test_other_errors_pass_through_writing():
    with pytest.raises(ValueError), writing("x"):
        raise ValueError
