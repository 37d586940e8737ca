"""A listing opens as few run files as possible, and believes no summary that is not of the file."""

import json
import os
import shutil
from collections import Counter
from pathlib import Path

import pytest

from odd.store import RunReader, list_runs, newest_finished, read_facts, read_for, remove_run, summaries
from odd.store.files import summary_path
from tests.runs import change
from tests.store.example_run import RUN

MANY = 300


@pytest.fixture
def opened(monkeypatch):
    """Count the openings of each run file."""
    counts = Counter()

    def counting(path):
        counts[path.stem] += 1
        return RunReader(path)

    monkeypatch.setattr(summaries, "RunReader", counting)
    return counts


@pytest.fixture(autouse=True)
def forget():
    """Forget all summaries that are in memory, as a new process does; also for tests to call."""

    def clear():
        summaries._REMEMBERED.clear()
        summaries._PASSING.clear()

    clear()
    return clear


@pytest.fixture
def many(published):
    """A cache of hard links to one run file."""
    for number in range(MANY):
        os.link(published, published.with_name(f"run-{number:03d}.duckdb"))
    published.unlink()
    return published.parent


def only(cache):
    (info,) = list_runs(cache)
    return info


def kept(path):
    return summary_path(path.parent, path.stem)


def test_listing_opens_no_file(many, opened):
    assert len(list_runs(many)) == MANY
    assert not opened


def test_a_file_is_opened_when_it_is_asked_for_and_not_again(many, opened, forget):
    for _ in range(2):
        assert {info.status for info in list_runs(many)[:3]} == {"running"}
    forget()
    assert {info.status for info in list_runs(many)[:3]} == {"running"}
    assert opened == {f"run-{number:03d}": 1 for number in range(3)}


def test_hard_links_do_not_share_a_summary(many, opened):
    first, second, *_ = list_runs(many)
    assert first.status and not second.is_read


def test_the_summary_beside_a_run_equals_what_is_in_it(published, forget):
    with RunReader(published) as reader:
        facts = read_facts(reader, reader.meta)
    read = only(published.parent).summary
    forget()
    assert only(published.parent).summary == read
    assert (read.status, read.facts) == ("running", facts) and facts.teachers == ("big", "self")


def test_reading_stops_when_the_time_is_over_and_goes_on_from_there(many, opened):
    assert len(read_for(list_runs(many), 0.0)) == MANY and not opened
    infos = list_runs(many)[:5]
    assert infos[2].status
    assert read_for(infos, 60.0) == [] and set(opened.values()) == {1}
    assert read_for(list_runs(many)[:5], 0.0) == []


def test_few_files_are_opened_to_find_the_newest_finished_runs(many, opened):
    assert newest_finished(many, 3) == []
    assert len(opened) == 3


def test_finished_runs_are_found_among_others(published, opened):
    for number, status in enumerate(("finished", "stopped", "finished", "finished")):
        path = Path(shutil.copy(published, published.with_name(f"run-{number}.duckdb")))
        change(path, f"INSERT OR REPLACE INTO meta VALUES ('status', '{status}')")
        os.utime(path, (number, number))
    published.unlink()
    read_for(list_runs(published.parent), 60.0)
    assert [info.run_id for info in newest_finished(published.parent, 2)] == ["run-3", "run-2"]


# --- summaries that must not be believed


def test_the_summary_of_another_file_is_not_believed(published):
    assert only(published.parent).status == "running"
    status = published.stat()
    other = Path(shutil.copy(published, published.with_name("other")))
    change(other, "INSERT OR REPLACE INTO meta VALUES ('status', 'finished')")
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(published)
    assert only(published.parent).status == "finished"


@pytest.mark.parametrize(
    "changes",
    [
        {"schema_version": 0}, {"schema_version": "1"}, {"signature": [1, 2, 3]}, {"signature": None}, {"status": 5},
        {"status": "x" * summaries.LONGEST}, {"facts": None}, {"facts": {}}, {"more": 1}, {"signature": [10**30, 1, 1]},
    ],
)  # fmt: skip
def test_a_summary_of_another_form_is_made_again(published, opened, forget, changes):
    assert only(published.parent).status == "running"
    good = kept(published).read_text()
    kept(published).write_text(json.dumps(json.loads(good) | changes))
    forget()
    assert only(published.parent).status == "running" and opened[published.stem] == 2
    assert kept(published).read_text() == good


@pytest.mark.parametrize("name", ["questions", "finished", "decision_points", "made", "teachers", "student"])
@pytest.mark.parametrize("value", ["x" * 17_000, True, [[]], {"a": 1}])
def test_facts_of_another_form_are_made_again(published, opened, forget, name, value):
    assert only(published.parent).facts
    record = json.loads(kept(published).read_text())
    record["facts"][name] = value
    kept(published).write_text(json.dumps(record))
    forget()
    assert only(published.parent).facts.questions == 2 and opened[published.stem] == 2


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", b"[" * 10_000, b"\0" * 100, b"null"])
def test_a_summary_that_is_not_json_is_made_again(published, forget, content):
    kept(published).parent.mkdir()
    kept(published).write_bytes(content)
    assert only(published.parent).status == "running"
    assert json.loads(kept(published).read_text())["status"] == "running"


def test_a_pipe_in_place_of_a_summary_is_replaced(published):
    kept(published).parent.mkdir()
    os.mkfifo(kept(published))
    assert only(published.parent).status == "running"
    assert kept(published).is_file()


def test_a_link_in_place_of_a_summary_is_not_followed(published, tmp_path):
    kept(published).parent.mkdir()
    kept(published).symlink_to(tmp_path / "elsewhere")
    assert only(published.parent).status == "running"
    assert not (tmp_path / "elsewhere").exists()


def test_without_a_place_for_summaries_they_are_in_memory(published, opened):
    kept(published).parent.write_text("a file where the folder should be")
    for _ in range(3):
        assert only(published.parent).status == "running"
    assert opened[published.stem] == 1


def test_a_summary_that_would_be_too_long_is_in_memory_only(published, opened):
    change(published, f"UPDATE teachers SET teacher = teacher || repeat('x', {summaries.LONGEST})")
    for _ in range(2):
        assert len(only(published.parent).facts.teachers) == 2
    assert opened[published.stem] == 1 and not kept(published).exists()


# --- problems


def test_a_damaged_file_is_opened_once_and_has_no_summary_beside_it(published, opened):
    published.write_bytes(published.read_bytes()[:9000])
    for _ in range(2):
        assert "damaged" in only(published.parent).problem
    assert opened[published.stem] == 1 and not kept(published).exists()


def test_a_problem_that_is_not_in_the_file_is_looked_at_again_soon(published, monkeypatch):
    def busy(path):
        raise summaries.PassingError("it is open elsewhere")

    monkeypatch.setattr(summaries, "RunReader", busy)
    assert only(published.parent).problem == "it is open elsewhere"
    monkeypatch.setattr(summaries, "RunReader", RunReader)
    assert only(published.parent).problem == "it is open elsewhere"
    summaries._PASSING.expire(summaries._PASSING.timer() + 2 * summaries.PASSING)
    assert only(published.parent).problem is None


def test_pipes_and_folders_named_like_runs_are_passed_over(published):
    os.mkfifo(published.with_name("pipe.duckdb"))
    published.with_name("folder.duckdb").mkdir()
    published.with_name("nothing.duckdb").symlink_to("nowhere")
    assert only(published.parent).run_id == published.stem


# --- writers


def test_a_finished_run_has_its_summary(writer, opened, forget):
    writer.finish()
    cache = writer.published.parent
    forget()
    opened.clear()
    assert only(cache).is_read and only(cache).status == "running" and not opened


def test_a_summary_is_removed_with_its_run(published):
    assert only(published.parent).status
    remove_run(published.parent, RUN)
    assert not list(kept(published).parent.iterdir())


def test_a_republished_run_is_read_again(filled):
    filled.publish()
    cache = filled.published.parent
    assert only(cache).status == "running"
    with filled.transaction():
        filled.set_meta("status", "finished")
    filled.publish()
    assert only(cache).status == "finished"
