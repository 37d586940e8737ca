"""Whole runs on scripted servers: faults lose nothing that was committed, and store nothing false."""

import json

import pytest

from odd.config import TeacherConfig
from odd.errors import OddError
from odd.models.registry import ENGINES
from odd.models.server import replicas as queue
from odd.pipeline.worker import add_teachers, run
from odd.store import published_path
from tests.models.server.scripted import altered, reset, status
from tests.models.server.served_bigrams import ScriptedBigrams
from tests.runs import ROLLOUTS, bigrams, quick_config, rows

KEY = "secret-key-123"
STUDENT = {"server_patience": 0, "api_key_env": "GPU_KEY", **bigrams("c"), "engine": "server"}


@pytest.fixture(autouse=True)
def engine(monkeypatch):
    monkeypatch.setitem(ENGINES, "server", "tests.models.server.served_bigrams")
    monkeypatch.setenv("GPU_KEY", KEY)
    for name, seconds in {"FIRST_REST": 0.01, "LONGEST_REST": 0.05, "LOOK_AGAIN": 0.05}.items():
        monkeypatch.setattr(queue, name, seconds)


@pytest.fixture
def servers(tmp_path):
    """Two servers with the student of the quick run."""
    student = quick_config(tmp_path).student
    made = [ScriptedBigrams(student), ScriptedBigrams(student)]
    yield made
    for one in made:
        one.gone.set()
        one.shutdown()
        one.server_close()


def config(folder, servers, **changes):
    student = STUDENT | {"server": [one.address for one in servers]} | changes
    return quick_config(folder, student=student)


def finished(made):
    """Check that a run has complete tables, and that the engines agree."""
    assert rows(made, "SELECT DISTINCT stage FROM questions") == [("scored",)]
    assert rows(made, "SELECT value FROM meta WHERE key = 'status'") == [("finished",)]
    assert rows(made, "SELECT count(*) FROM rollouts WHERE stage = 'initial'") == [(3 * 48,)]
    assert rows(made, "SELECT count(*) > 0 FROM scores") == [(True,)]
    (stored,) = rows(made, "SELECT value FROM meta WHERE key = 'engine_check'")[0]
    assert json.loads(stored)["largest"] < 1e-4
    return made


def test_a_run_on_two_servers_uses_both(tmp_path, servers):
    finished(run(config(tmp_path, servers), lambda step: None))
    assert all(one.sampling_bodies() for one in servers)


def test_a_run_goes_on_when_one_server_fails_and_when_it_answers_rubbish(tmp_path, servers):
    servers[1].faults = [reset, altered(lambda choice: choice.pop("token_ids")), status(500)]
    servers[1].always = reset
    finished(run(config(tmp_path, servers, server_patience=20), lambda step: None))


def test_a_run_that_lost_its_servers_keeps_its_rollouts_and_resumes(tmp_path, servers):
    for one in servers:
        one.faults, one.always = [None] * 9, reset
    with pytest.raises(OddError, match="no server has answered"):
        run(config(tmp_path, servers), lambda step: None)
    settings = config(tmp_path, servers)
    with pytest.raises(OddError, match="no server has answered"):
        run(settings, lambda step: None)
    for one in servers:
        one.always = None
    seen = []
    made = finished(run(settings, seen.append))
    again = run(settings, lambda step: None)
    assert rows(again, ROLLOUTS) == rows(made, ROLLOUTS)
    assert made == published_path(settings.cache, seen[0].run_id)


def test_the_rollouts_that_were_committed_are_those_of_the_resumed_run(tmp_path, servers):
    seen = []

    def stop(step):
        seen.append(step)
        if len(seen) == 4:
            raise KeyboardInterrupt

    settings = config(tmp_path, servers)
    with pytest.raises(KeyboardInterrupt):
        run(settings, stop)
    before = rows(published_path(settings.cache, seen[0].run_id), ROLLOUTS)
    after = rows(finished(run(settings, lambda step: None)), ROLLOUTS)
    assert before and {str(one) for one in before} <= {str(one) for one in after}


def test_nothing_false_is_stored(tmp_path, servers):
    for one in servers:
        one.always = altered(lambda choice: choice["logprobs"]["token_logprobs"].__setitem__(0, -9999.0))
    settings, seen = config(tmp_path, servers, server_patience=20), []
    with pytest.raises(OddError, match="no server is left"):
        run(settings, seen.append)
    assert all(step.done == 0 for step in seen)


def test_the_key_and_no_part_of_it_is_in_the_files(tmp_path, servers):
    finished(run(config(tmp_path, servers), lambda step: None))
    assert servers[0].headers_seen[0]["Authorization"] == f"Bearer {KEY}"
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files and not [path for path in files if KEY.encode() in path.read_bytes()]


def test_a_run_goes_on_at_other_addresses(tmp_path, servers):
    first, second = ([one.address] for one in servers)
    teacher = STUDENT | bigrams("b") | {"engine": "server"}

    def settings(addresses):
        student = STUDENT | {"server": addresses}
        teachers = [{"name": "other", "model": teacher | {"server": addresses}}]
        return quick_config(tmp_path, student=student, teachers=teachers)

    made = run(settings(first), lambda step: None)
    before = rows(made, ROLLOUTS)
    assert run(settings(second), lambda step: None) == made
    assert rows(made, ROLLOUTS) == before


def test_a_variable_that_a_run_file_names_is_not_sent(tmp_path, servers):
    made = run(config(tmp_path, servers), lambda step: None)
    assert any("Authorization" in seen for one in servers for seen in one.headers_seen)
    for one in servers:
        one.headers_seen.clear()
    assert add_teachers(tmp_path / "cache", made.stem, [TeacherConfig(name="Late", context="3c")], lambda step: None)
    assert not [seen for one in servers for seen in one.headers_seen if "Authorization" in seen]
