"""One writer per run; transactions and published files are complete, even if a process is killed or a disk is full."""

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from odd.errors import OddError
from odd.store import RunReader, RunWriter, files
from odd.store.schema import ROW_GROUP_SIZE
from tests.runs import change, opened
from tests.store.example_run import ROWS, RUN

ROOT = Path(__file__).parents[2]


def tokens(source):
    rows = source.query("SELECT token FROM vocabulary") if isinstance(source, RunWriter) else duckdb_rows(source)
    return sorted(rows.token.tolist())


def duckdb_rows(path):
    with opened(path) as connection:
        return connection.execute("SELECT token FROM vocabulary").df()


def add(writer, token):
    writer.insert("vocabulary", [{"token": token, "text": "x"}])


def test_a_transaction_that_fails_leaves_nothing(writer):
    with pytest.raises(KeyError), writer.transaction():
        add(writer, 1)
        with writer.transaction():
            add(writer, 2)
        raise KeyError
    with writer.transaction():
        add(writer, 3)
    assert tokens(writer) == [3]


def test_rows_can_be_replaced_within_a_transaction(writer):
    with writer.transaction():
        for token in (1, 2, 3):
            add(writer, token)
            writer.delete("vocabulary", token=2)
            writer.set_meta("status", str(token))
    assert tokens(writer) == [1, 3] and writer.meta()["status"] == "3"


def test_delete_and_update_take_none_for_null(filled):
    filled.update("timings", {"seconds": 9.0}, question=None)
    assert filled.query("SELECT seconds FROM timings ORDER BY seconds").seconds.tolist() == [1.5, 9.0]
    filled.delete("timings", question=None)
    assert filled.query("SELECT stage FROM timings").stage.tolist() == ["sample"]
    with pytest.raises(ValueError, match="no_such"):
        filled.delete("timings", no_such=1)


def test_a_value_never_becomes_sql(filled):
    hostile = "x' OR true; DROP TABLE timings; --"
    filled.delete("timings", stage=hostile)
    filled.update("timings", {"stage": hostile}, stage="load")
    assert sorted(filled.query("SELECT stage FROM timings WHERE stage <> $s", {"s": "sample"}).stage) == [hostile]


def test_a_second_writer_is_refused(writer, tmp_path):
    with pytest.raises(OddError, match=f"run {RUN} is being written by another process; .*stop it"):
        RunWriter(tmp_path, RUN)
    with RunWriter(tmp_path, "other"):
        pass


def test_a_run_can_be_written_again_after_its_writer_ended(tmp_path):
    for token in (1, 2):
        with RunWriter(tmp_path, RUN) as writer:
            add(writer, token)
    with RunWriter(tmp_path, RUN) as writer:
        assert tokens(writer) == [1, 2]


@pytest.mark.parametrize("run_id", ["../x", "a/b", "", "-a", "A", "a.b", "a\n", "a" * 82, "ä", "٣"])
def test_a_run_id_that_is_no_plain_name_is_refused_before_any_file_is_touched(tmp_path, run_id):
    with pytest.raises(OddError, match="is not a run id"):
        RunWriter(tmp_path / "cache", run_id)
    assert list(tmp_path.iterdir()) == []


def test_duckdb_keeps_its_own_lock_while_copies_are_published(writer):
    writer.publish()
    writer.publish()
    code = f"import duckdb; duckdb.connect({str(writer.work)!r}, read_only=True)"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "lock" in other.stderr


def test_a_finished_file_keeps_the_space_of_what_was_deleted_only_if_it_is_little(tmp_path, monkeypatch):
    monkeypatch.setattr("odd.store.writer.LOG_LIMIT", 1 << 20)
    tokens = list(np.random.default_rng(0).integers(1 << 30, size=(3 * ROW_GROUP_SIZE, 300), dtype=np.int32))
    row = ROWS["rollouts"][0] | {"length": 300, "log_probs": None}
    sizes = []
    for stage in ("initial", "targeted"):
        with RunWriter(tmp_path / stage, RUN) as writer:
            writer.insert("questions", ROWS["questions"])
            stages = ["targeted"] * 2 * ROW_GROUP_SIZE + ["initial"] * ROW_GROUP_SIZE
            own = [{"rollout": i, "token_ids": ids, "stage": stages[i]} for i, ids in enumerate(tokens)]
            writer.insert("rollouts", [row | one for one in own])
            writer.publish()
            if stage == "targeted":
                writer.delete("rollouts", stage=stage)
            writer.finish()
            sizes.append(writer.published.stat().st_size)
    assert sizes[1] < sizes[0] / 2
    with RunReader(writer.published) as reader:
        kept = reader.query("rollouts", question=0)
        assert (np.stack(kept["token_ids"]) == np.stack(tokens[2 * ROW_GROUP_SIZE :])).all()
        assert len(reader.query("questions")) == len(ROWS["questions"])


def test_a_work_file_open_elsewhere_is_named_with_the_remedy(tmp_path):
    with RunWriter(tmp_path, RUN) as writer:
        work = writer.work
    code = f"import duckdb; c = duckdb.connect({str(work)!r}); print('open', flush=True); input()"
    other = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout and other.stdout.readline() == b"open\n"
    with pytest.raises(OddError, match=rf"{RUN}.*another program \(PID {other.pid}\); close it"):
        RunWriter(tmp_path, RUN)
    other.communicate(b"\n")


def test_publish_is_refused_inside_a_transaction(writer):
    with pytest.raises(RuntimeError), writer.transaction():
        writer.publish()


def test_publishing_is_due_after_fifty_times_what_it_took_and_ten_seconds(writer, monkeypatch):
    now, took, copies = [writer._published_at], [0.0], []

    def copy(*_):
        copies.append(now[0])
        now[0] += took[0]

    monkeypatch.setattr("odd.store.writer.time.monotonic", lambda: now[0])
    monkeypatch.setattr("odd.store.publication.copy_atomically", copy)
    for took[0], wait in ((0.1, 10.0), (3.0, 10.0), (0.1, 150.0)):
        now[0] += wait - 0.01
        publish_meanwhile(writer)
        before = len(copies)
        now[0] += 0.02
        publish_meanwhile(writer)
        assert len(copies) == before + 1


def publish_meanwhile(writer, **options):
    """Start publishing and wait until the copy is done and recorded."""
    writer.publish_meanwhile(**options)
    if writer._publication is not None:
        writer._publication._thread.join()
        writer.publish_meanwhile(**options)


def fail_midway(source, target, start, stop):
    os.write(target, os.pread(source, 5000, 0))
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_leaves_the_published_file_as_it_was(filled, monkeypatch):
    before = filled.published.read_bytes()
    add(filled, 77)
    with monkeypatch.context() as patch, pytest.raises(OddError) as raised:
        patch.setattr(files, "_copy_piece", fail_midway)
        filled.publish()
    line = str(raised.value)
    assert re.search(rf"run {RUN} .*No space left.* needs \d+ MB, \d+ MB are free; .*kept in .*work", line)
    assert "\n" not in line
    assert filled.published.read_bytes() == before and files.leftovers(filled.published) == []
    filled.publish()
    assert 77 in tokens(filled.published)


WRITER = f"""
import sys, time
from pathlib import Path
from odd.store import RunWriter, files
def wait(*_):
    print("ready", flush=True)
    time.sleep(60)
writer = RunWriter(Path(sys.argv[1]), "{RUN}")
add = lambda token: writer.insert("vocabulary", [{{"token": token, "text": "x"}}])
add(1)
writer.publish()
add(2)
"""
IN_TRANSACTION = """
with writer.transaction():
    add(3)
    wait()
"""
IN_PUBLISH = """
files.os.fsync = wait
writer.publish()
"""
IN_COPY = """
files.os.fsync = lambda file: time.sleep(60)
writer.begin_publication()
add(3)
wait()
"""
AFTER_CHECKPOINT = """
add(3)
writer.query("CHECKPOINT run")
add(4)
wait()
"""


@pytest.mark.parametrize(
    ("moment", "committed"),
    [(IN_TRANSACTION, [1, 2]), (IN_PUBLISH, [1, 2]), (IN_COPY, [1, 2, 3]), (AFTER_CHECKPOINT, [1, 2, 3, 4])],
)
def test_a_killed_writer_loses_nothing_that_was_committed(tmp_path, moment, committed):
    command = [sys.executable, "-c", WRITER + moment, str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdout and process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert tokens(tmp_path / f"{RUN}.duckdb") == [1]
    with RunWriter(tmp_path, RUN) as writer:
        assert tokens(writer) == committed
        assert files.leftovers(writer.published) == []
        writer.publish()
    assert tokens(tmp_path / f"{RUN}.duckdb") == committed


def test_a_lost_work_file_is_made_from_the_published_one(tmp_path):
    with RunWriter(tmp_path, RUN) as writer:
        for table, rows in ROWS.items():
            writer.insert(table, rows)
        writer.publish()
        created = writer.meta()["created_at"]
    writer.work.unlink()
    with RunWriter(tmp_path, RUN) as writer:
        assert {table: len(writer.query(f"SELECT * FROM {table}")) for table in ROWS} == {
            table: len(rows) for table, rows in ROWS.items()
        }
        assert writer.meta()["created_at"] == created
        add(writer, 77)


@pytest.mark.parametrize(
    "damage", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"\0" * len(data)]
)
@pytest.mark.parametrize("published", [True, False])
def test_a_damaged_work_file_is_kept_aside_with_a_warning(tmp_path, damage, published):
    with RunWriter(tmp_path, RUN) as writer:
        add(writer, 1)
        if published:
            writer.publish()
    damaged = damage(writer.work.read_bytes())
    writer.work.write_bytes(damaged)
    source = "published" if published else "beginning"
    with pytest.warns(UserWarning, match=f"kept as .*from the .*{source}"), RunWriter(tmp_path, RUN) as writer:
        assert tokens(writer) == ([1] if published else [])
    (aside,) = writer.work.parent.glob("*.damaged-*")
    assert aside.read_bytes() == damaged


def test_a_published_file_of_another_run_is_not_continued(filled, tmp_path):
    shutil.copy(filled.published, tmp_path / "other.duckdb")
    with pytest.raises(OddError, match=f"other.duckdb contains run {RUN}, not other"):
        RunWriter(tmp_path, "other")


def test_nothing_but_rows_comes_from_a_published_file(tmp_path):
    with RunWriter(tmp_path, RUN) as writer:
        add(writer, 1)
        writer.publish()
    writer.work.unlink()
    change(
        writer.published,
        "CREATE MACRO sum(x) AS 666; CREATE VIEW evil AS SELECT 1; CREATE TABLE more AS SELECT 1",
        "CREATE OR REPLACE VIEW branches AS SELECT 666 AS question",
    )
    with RunWriter(tmp_path, RUN) as writer:
        found = writer.query("SELECT sum(token) AS total FROM vocabulary").total[0]
        assert found == 1
        assert len(writer.query("SELECT * FROM duckdb_views() WHERE view_name = 'evil'")) == 0
        assert "node" in writer.query("SELECT * FROM branches").columns


def test_a_log_left_beside_the_published_file_does_not_make_it_unreadable(filled):
    code = f"""import duckdb, os
connection = duckdb.connect({str(filled.published)!r})
connection.execute("DELETE FROM timings")
os._exit(9)"""
    subprocess.run([sys.executable, "-c", code])
    assert files.log_of(filled.published).exists()
    add(filled, 77)
    filled.publish()
    with RunReader(filled.published) as reader:
        assert len(reader.query("timings")) == 2


def test_removed_work_file_leaves_the_published_run(writer):
    add(writer, 7)
    writer.finish()
    assert not writer.work.exists()
    with RunWriter(writer.published.parent, RUN) as again:
        assert tokens(again) == [7]
