"""Impossible content of a run file is found and named in one line; every stage of a real run is possible."""

import shutil
from pathlib import Path

import pytest

from odd.errors import OddError
from odd.pipeline.consumer import Consumer
from odd.pipeline.screening import screen
from odd.pipeline.worker import run
from odd.places import the_example_run
from odd.store import RunReader, RunWriter, tables
from odd.store.schema import KEYS, column_types
from tests.impossible import OPENING, POSSIBLE, THOROUGH, change
from tests.runs import quick_config, quick_screening_config


@pytest.fixture
def copy(quick, tmp_path):
    return Path(shutil.copy(quick[1], tmp_path))


def refused(found, path):
    message = str(found.value)
    assert message.startswith(f"{path} has impossible content (")
    assert "copy it again" in message
    assert len(message) < 600


@pytest.mark.parametrize("case", OPENING)
def test_impossible_rows_are_refused_when_the_file_is_opened(copy, case):
    change(copy, OPENING[case])
    with pytest.raises(OddError) as found:
        RunReader(copy)
    refused(found, copy)


@pytest.mark.parametrize("case", THOROUGH)
def test_rows_that_contradict_each_other_are_found_by_a_thorough_check(copy, case):
    change(copy, THOROUGH[case])
    with RunReader(copy) as reader, pytest.raises(OddError) as found:
        reader.verify()
    refused(found, copy)


@pytest.mark.parametrize("case", POSSIBLE)
def test_content_that_nothing_relies_on_is_accepted(copy, case):
    with RunReader(change(copy, POSSIBLE[case])) as reader:
        reader.verify()


@pytest.mark.parametrize("make, configure", [(run, quick_config), (screen, quick_screening_config)])
def test_a_run_is_possible_after_every_commit(tmp_path, monkeypatch, make, configure):
    published = []

    def publish(consumer, commit):
        consumer.writer.publish()
        with RunReader(consumer.writer.published) as reader:
            assert reader.problems() == []
            published.append({row["stage"] for row in reader.query("questions").to_dict("records")})

    monkeypatch.setattr(Consumer, "_publish", publish)
    config = configure(tmp_path)
    first = config.questions.model_copy(update={"limit": 1})
    make(config.model_copy(update={"questions": first}), lambda step: None)
    stages = {"new"} if make is screen else {"new", "sampled", "planned", "targeted", "scored"}
    assert set().union(*published) == stages


def test_the_example_run_is_possible():
    with RunReader(the_example_run()) as reader:
        reader.verify()


def test_an_error_while_reading_is_explained_by_impossible_content(copy):
    change(copy, THOROUGH["all nodes twice"])
    with pytest.raises(OddError) as found, RunReader(copy):
        raise KeyError("node")
    refused(found, copy)


def test_an_error_while_reading_a_sound_file_stays_what_it_is(copy):
    with pytest.raises(KeyError, match="node"), RunReader(copy):
        raise KeyError("node")


def test_an_error_while_continuing_an_impossible_run_is_explained(copy, tmp_path):
    change(copy, OPENING["a cycle of two nodes"])
    with pytest.raises(OddError) as found, RunWriter(tmp_path, copy.stem) as writer:
        raise KeyError("node")
    refused(found, writer.work)


@pytest.mark.parametrize("table", tables())
def test_every_table_has_a_key_of_its_columns(table):
    if table in ("meta", "timings"):  # its own primary key; no key
        assert table not in KEYS
    else:
        assert all(set(key) <= set(column_types(table)) for key in KEYS[table])
