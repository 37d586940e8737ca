"""A damaged work file is set aside, nothing unread replaces a published file, and damage is called damage."""

import shutil
from types import SimpleNamespace

import duckdb
import pytest

from odd.errors import OddError
from odd.store import RunWriter, files, work
from odd.store.attach import attach, check_whole
from odd.store.schema import BLOCK_SIZE
from tests.store.conftest import copied
from tests.store.example_run import RUN
from tests.store.test_stop import Failing
from tests.store.test_writer import add, tokens

HEADERS = 3 * 4096  # of a DuckDB file, before its blocks
PUBLISHED, LOGGED = 77, 78


@pytest.fixture(scope="session")
def killed_cache(filled_cache, tmp_path_factory):
    """A run killed after its publication, with a transaction in its log."""
    cache, killed = tmp_path_factory.mktemp("running"), tmp_path_factory.mktemp("killed")
    with copied(filled_cache, cache) as writer:
        add(writer, PUBLISHED)
        writer.publish()
        add(writer, LOGGED)
        shutil.copytree(cache, killed, dirs_exist_ok=True)
    assert files.log_of(killed / "work" / f"{RUN}.duckdb").stat().st_size
    return killed


@pytest.fixture
def killed(killed_cache, tmp_path):
    """Copy the killed run anew, as often as it is called."""

    def copy():
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)
        cache = shutil.copytree(killed_cache, tmp_path / "cache")
        return SimpleNamespace(cache=cache, work=cache / f"work/{RUN}.duckdb", published=cache / f"{RUN}.duckdb")

    return copy


def flip(path, position):
    with path.open("r+b") as file:
        file.seek(position)
        byte = file.read(1)
        file.seek(position)
        file.write(bytes([byte[0] ^ 255]))


def blocks(path, step=1):
    """Positions in every block, or every so many, as they are now: a work file may grow."""
    return range(HEADERS + 100, path.stat().st_size - BLOCK_SIZE, step * BLOCK_SIZE)


def continue_and_finish(run):
    """Continue a run to its end; return whether its work file was set aside."""
    with RunWriter(run.cache, RUN) as writer:
        found = tokens(writer)
        assert PUBLISHED in found
        writer.finish()
    check_whole(run.published)
    assert tokens(run.published) == found
    return bool(list(run.work.parent.glob("*.damaged-*")))


@pytest.mark.filterwarnings("ignore:.*is damaged. kept as")
def test_a_run_continues_whichever_block_of_its_work_file_is_damaged(killed):
    aside = []
    for position in blocks(killed().work, 6):
        run = killed()
        flip(run.work, position)
        aside.append(continue_and_finish(run))
    assert any(aside)


@pytest.mark.filterwarnings("ignore:.*is damaged. kept as")
def test_a_run_continues_wherever_its_log_is_damaged(killed):
    log = files.log_of(killed().work)
    for position in range(5, log.stat().st_size, log.stat().st_size // 5):
        run = killed()
        flip(log, position)
        continue_and_finish(run)


@pytest.mark.parametrize("publish", [RunWriter.publish, RunWriter.finish])
def test_damage_of_an_open_work_file_never_reaches_the_published_file(killed, publish):
    lines = []
    for nth in range(0, len(blocks(killed().work)), 8):
        run = killed()
        before = run.published.read_bytes()
        with RunWriter(run.cache, RUN) as writer:
            flip(writer.work, blocks(writer.work)[nth])
            try:
                publish(writer)
            except OddError as error:
                lines.append(str(error))
                assert run.published.read_bytes() == before
        check_whole(run.published)
    assert lines
    for line in lines:
        assert f"work/{RUN}.duckdb is damaged (" in line and f"{RUN}.duckdb is intact, with 1 of 2 questions" in line
        assert "space" not in line and "\n" not in line and ".tmp-" not in line


def test_damage_found_by_the_background_copy_is_told_at_the_next_publication(killed):
    run = killed()
    before = run.published.read_bytes()
    with RunWriter(run.cache, RUN) as writer:
        for position in blocks(writer.work):
            flip(writer.work, position)
        writer.begin_publication()
        writer._publication._thread.join()
        with pytest.raises(OddError, match=r"is damaged .*is intact"):
            writer.publish_meanwhile()
    assert run.published.read_bytes() == before and files.leftovers(run.published) == []


DAMAGE = [
    duckdb.Error("Corrupt database file: computed checksum 1 does not match stored checksum 2 in block 3"),
    duckdb.InternalException("INTERNAL Error: Attempted to access index 7 within vector of size 3"),
    duckdb.FatalException("FATAL Error: Failed to create checkpoint because of error: broken"),
    duckdb.SerializationException("Serialization Error: Failed to deserialize: field id mismatch"),
    duckdb.IOException("IO Error: Could not read enough bytes from file: read 7, wanted 9"),
    RuntimeError("vector::reserve"),
]


STATEMENTS = ["SELECT bit_xor", "CREATE OR REPLACE VIEW", "INSERT OR REPLACE", "CHECKPOINT"]


@pytest.mark.parametrize(
    ("error", "statement"),
    [*((error, STATEMENTS[0]) for error in DAMAGE), *((DAMAGE[1], statement) for statement in STATEMENTS[1:])],
    ids=lambda given: given if isinstance(given, str) else type(given).__name__,
)
def test_whatever_fails_when_a_work_file_is_opened_it_is_set_aside(killed, monkeypatch, error, statement):
    run, once = killed(), [error]
    monkeypatch.setattr(work, "attach", lambda *args, **kwargs: Failing(attach(*args, **kwargs), statement, once))
    with pytest.warns(UserWarning, match=r"is damaged: kept as"), RunWriter(run.cache, RUN) as writer:
        assert tokens(writer)[-1] == PUBLISHED


@pytest.mark.parametrize(
    ("error", "publish"),
    list(zip(DAMAGE[:5], [*[RunWriter.publish, RunWriter.finish, RunWriter.begin_publication] * 2][:5], strict=True)),
    ids=lambda given: given.__name__ if callable(given) else type(given).__name__,
)
def test_a_checkpoint_that_fails_on_damage_says_so(killed, monkeypatch, error, publish):
    run = killed()
    before = run.published.read_bytes()
    with RunWriter(run.cache, RUN) as writer:
        monkeypatch.setattr(writer, "_connection", Failing(writer._connection, "CHECKPOINT", [error]))
        with pytest.raises(OddError, match=r"is damaged .*is intact, with 1 of 2 questions scored; run again") as told:
            publish(writer)
        assert "space" not in str(told.value)
    assert run.published.read_bytes() == before


def test_damage_without_a_published_file_says_that_there_is_none(writer, monkeypatch):
    monkeypatch.setattr(writer, "_connection", Failing(writer._connection, "CHECKPOINT", [DAMAGE[0]]))
    with pytest.raises(OddError, match=r"is damaged .*there is no published file"):
        writer.publish()


def test_damage_of_both_files_is_told(killed, monkeypatch):
    run = killed()
    with RunWriter(run.cache, RUN) as writer:
        run.published.write_bytes(run.published.read_bytes()[:50_000])
        monkeypatch.setattr(writer, "_connection", Failing(writer._connection, "CHECKPOINT", [DAMAGE[0]]))
        with pytest.raises(OddError, match=r"is damaged .*the published file is no help either: .* is damaged"):
            writer.publish()
