"""A run is published while its writer continues: it does not wait, the copy is consistent, errors are raised."""

import errno
import os
import shutil
import threading
import time

import duckdb
import pandas as pd
import pytest

from odd.errors import OddError
from odd.store import RunReader, RunWriter, files, tables
from odd.store.attach import attach
from tests.store.example_run import ROWS, RUN
from tests.store.test_writer import add, fail_midway, tokens


class HeldCopy:
    """Lets the first chunk of a copy pass, and the others on release."""

    def __init__(self, monkeypatch):
        self.begun, self.free = threading.Event(), threading.Event()
        copy_piece = files._copy_piece

        def held(source, target, start, stop):
            copy_piece(source, target, start, stop)
            self.begun.set()
            assert self.free.wait(60)

        monkeypatch.setattr(files, "PIECE", 3 * 4096)  # the headers of a DuckDB file
        monkeypatch.setattr(files, "_copy_piece", held)


@pytest.fixture
def held(monkeypatch):
    return HeldCopy(monkeypatch)


def content(path):
    """Every table of a run file, as a checksum of all its rows."""
    with attach({"run": path}) as connection:
        return {
            t: connection.execute(f"SELECT count(*), bit_xor(hash(t)) FROM run.main.{t} AS t").fetchone()
            for t in tables()
        }


def wait_for_copy(writer):
    writer._publication._thread.join(60)
    assert not writer._publication.under_way


def write_all_kinds(writer, number):
    """Small and large appends, including rolled-back ones, updates and deletions."""
    many = pd.DataFrame({"token": range(20_000), "text": [f"{number} {i} {i * i}" for i in range(20_000)]})
    writer.insert("vocabulary", many)
    with pytest.raises(KeyError), writer.transaction():
        writer.insert("vocabulary", many)
        raise KeyError
    for table, rows in ROWS.items():
        writer.insert(table, rows)
    writer.update("questions", {"note": f"note {number}"})
    writer.set_meta("number", str(number))
    writer.delete("vocabulary", token=number)
    writer.delete("scores")


def test_the_writer_does_not_wait_for_a_slow_copy(filled, held):
    before = filled.published.read_bytes()
    filled.begin_publication()
    assert held.begun.wait(60)
    add(filled, 77)
    filled.publish_meanwhile(interval=0.0)
    assert filled._publication.under_way and filled.published.read_bytes() == before
    held.free.set()


def test_the_copy_is_the_state_at_its_beginning_whatever_is_written_meanwhile(filled, held, monkeypatch, tmp_path):
    write_all_kinds(filled, 0)
    monkeypatch.setattr("odd.store.writer.LOG_LIMIT", 0)
    filled.begin_publication()
    assert held.begun.wait(60)
    expected = content(shutil.copy(filled.work, tmp_path / "then.duckdb"))
    for number in range(1, 5):
        write_all_kinds(filled, number)
    held.free.set()
    wait_for_copy(filled)
    assert content(filled.published) == expected
    with RunReader(filled.published) as reader:
        assert reader.meta["number"] == "0"


def test_a_long_wal_is_checkpointed_when_no_copy_is_running(filled, held, monkeypatch):
    monkeypatch.setattr("odd.store.writer.LOG_LIMIT", 0)
    filled.begin_publication()
    add(filled, 77)
    assert files.log_of(filled.work).exists()
    held.free.set()
    wait_for_copy(filled)
    add(filled, 78)
    assert not files.log_of(filled.work).exists()


@pytest.mark.parametrize("last", [RunWriter.publish, RunWriter.finish])
def test_the_last_publication_contains_everything_and_does_not_wait_for_a_running_one(filled, monkeypatch, last):
    pieces = []

    def slow(source, target, start, stop):
        pieces.append(start)
        if threading.current_thread() is not threading.main_thread():
            time.sleep(0.05)
        os.write(target, os.pread(source, stop - start, start))

    monkeypatch.setattr(files, "_copy_piece", slow)
    monkeypatch.setattr(files, "PIECE", 1024)
    filled.begin_publication()
    add(filled, 77)
    size, started = filled.work.stat().st_size, time.monotonic()
    last(filled)
    assert time.monotonic() - started < size / 1024 * 0.05 / 4
    assert 77 in tokens(filled.published) and files.leftovers(filled.published) == []


def test_an_error_of_the_copy_is_raised_at_the_next_publication(filled, monkeypatch):
    before = filled.published.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(files, "_copy_piece", fail_midway)
        filled.begin_publication()
        wait_for_copy(filled)
    with pytest.raises(OddError, match=rf"run {RUN} .*No space left.* needs \d+ MB.*kept in .*work") as raised:
        filled.publish_meanwhile()
    assert "\n" not in str(raised.value)
    assert filled.published.read_bytes() == before and files.leftovers(filled.published) == []


def test_closing_aborts_the_running_copy(filled, held):
    before = filled.published.read_bytes()
    filled.begin_publication()
    assert held.begun.wait(60)
    threading.Timer(0.2, held.free.set).start()
    filled.close()
    assert filled.published.read_bytes() == before and files.leftovers(filled.published) == []


def test_nothing_is_published_inside_a_transaction(filled):
    for publish in (filled.begin_publication, filled.finish):
        with pytest.raises(RuntimeError), filled.transaction():
            publish()


def test_a_finished_run_is_the_renamed_work_file_and_can_be_resumed(filled):
    add(filled, 77)
    node = filled.work.stat().st_ino
    filled.finish()
    assert filled.published.stat().st_ino == node and not filled.work.exists()
    with RunWriter(filled.published.parent, RUN) as again:
        assert 77 in tokens(again)


def test_a_work_file_on_another_disk_is_copied_at_the_end(filled, monkeypatch):
    add(filled, 77)
    replace = os.replace

    def across(source, target):
        if source == filled.work:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        replace(source, target)

    monkeypatch.setattr(files.os, "replace", across)
    filled.finish()
    assert 77 in tokens(filled.published) and not filled.work.exists()


def test_a_checkpoint_rewrites_little(filled):
    """Row groups are small, so that a checkpoint does not rewrite much of a long table."""
    filled.insert("vocabulary", pd.DataFrame({"token": range(50_000), "text": ["x"] * 50_000}))
    filled.publish()
    with duckdb.connect(str(filled.published), read_only=True) as connection:
        groups = "SELECT max(count) FROM pragma_storage_info('vocabulary') WHERE segment_type = 'INTEGER'"
        assert connection.execute(groups).fetchone()[0] <= 2048
