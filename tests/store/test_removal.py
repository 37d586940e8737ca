"""A run is removed with all its files, and never while it is being written."""

import pytest

from odd.errors import OddError
from odd.store import RunWriter, published_path, remove_run, work_path
from tests.store.example_run import RUN


def test_everything_of_a_run_is_removed_and_nothing_of_another(filled, tmp_path):
    filled.publish()
    filled.close()
    published, work = published_path(tmp_path, RUN), work_path(tmp_path, RUN)
    belong = [
        work.with_name(f"{work.name}.damaged-20260101T000000000000"),
        work.with_name(f"{work.name}.tmp-1"),
        published.with_name(f"{published.name}.tmp-1"),
        published.with_name(f"{published.name}.wal"),
        tmp_path / f"{RUN}.progress.json",
    ]
    others = [tmp_path / "tiny-00c0ffef.duckdb", tmp_path / "notes.txt", work.with_name("tiny-00c0ffef.duckdb")]
    for path in (*belong, *others):
        path.write_text("x")
    remove_run(tmp_path, RUN)
    left = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {*others, work.with_suffix(".lock")}


def test_a_run_being_written_is_not_removed(filled, tmp_path):
    filled.publish()
    with pytest.raises(OddError, match="being written"):
        remove_run(tmp_path, RUN)
    assert filled.published.exists()
    assert len(filled.named("questions")) == 2


def test_a_run_can_be_recreated_after_it_was_removed(filled, tmp_path):
    filled.publish()
    filled.close()
    remove_run(tmp_path, RUN)
    with RunWriter(tmp_path, RUN) as writer:
        assert len(writer.named("questions")) == 0


@pytest.mark.parametrize("run_id", ["../x", "", "*", "a/b"])
def test_a_run_id_is_not_a_path(tmp_path, run_id):
    with pytest.raises(OddError, match="is not a run id"):
        remove_run(tmp_path, run_id)
