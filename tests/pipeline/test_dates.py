"""Prompts belong to a run: they show its date until it is finished, and a run is not resumed with others."""

import json
import shutil
from datetime import UTC, date, datetime, timedelta

import duckdb
import pytest

from odd.config import TeacherConfig, fingerprint, parse_config
from odd.errors import OddError
from odd.models.registry import ENGINES
from odd.pipeline import base, frame
from odd.pipeline.imported import read_import
from odd.pipeline.teachers import Models
from odd.pipeline.worker import add_teachers, run
from odd.questions.sources import load_questions
from tests.models import odd_folders
from tests.models.bigram_engine import Characters
from tests.runs import quick_config, rows, small_config

DATED = "<|im_start|>system\nToday Date: {{ strftime_now('%d %b %Y') }}<|im_end|>\n"


def quiet(step):
    """Say nothing."""


class Stop(Exception):
    """Simulates the death of a worker."""


def stop_at(question):
    def listen(step):
        if step.question == question:
            raise Stop

    return listen


@pytest.fixture
def days_later(monkeypatch):
    """Set the clock forward."""

    def later(days):
        class Clock(datetime):
            @classmethod
            def now(cls, tz=None):
                return datetime.now(tz) + timedelta(days=days)

        monkeypatch.setattr(frame, "datetime", Clock)

    return later


@pytest.fixture
def dated(tmp_path, monkeypatch):
    """Make the settings of a run of the fake engine whose prompts show the date."""
    monkeypatch.setitem(ENGINES, "dated", "tests.models.dated_engine")
    short = {
        "student": {"name": "c", "engine": "dated"},
        "sampling": {"initial_rollouts": 24, "max_new_tokens": 12, "batch_size": 24},
        "targeting": {"n_min": 2, "correct_paths": 1, "incorrect_paths": 0, "n_gradient": 1, "n_difference": 1},
        "analysis": {"posterior_draws": 50, "poolings": ["pooled"], "objectives": [{"name": "reverse_kl"}]},
        "teachers": [{"name": "Self-1C", "context": "1c"}],
    }

    def config(**changes):
        return quick_config(tmp_path, **(short | changes))

    return config


def today():
    return f"It is {datetime.now(UTC).date()}.\n"


def test_a_run_that_is_resumed_on_another_day_keeps_its_date_in_all_prompts(dated, days_later, monkeypatch):
    sampled, sample = set(), base.sample_chunk
    monkeypatch.setattr(base, "sample_chunk", lambda *given: sampled.add(tuple(given[2])) or sample(*given))
    with pytest.raises(Stop):
        run(dated(), stop_at(1))
    days_later(1)
    path = run(dated(), quiet)
    kept = rows(path, "SELECT prompt_ids, prompt_text FROM questions")
    contexts = rows(path, "SELECT prompt_text FROM contexts WHERE available")
    assert sampled == {tuple(ids) for ids, _ in kept}
    assert contexts and all(
        text.startswith(today()) for text in (*(text for _, text in kept), *(t for (t,) in contexts))
    )
    assert len(list(path.parent.glob("*.duckdb"))) == 1


def test_teachers_that_are_added_later_see_the_date_of_the_run(dated, days_later):
    path = run(dated(), quiet)
    days_later(30)
    path = add_teachers(path.parent, path.stem, [TeacherConfig(name="Late", context="1c1w")], quiet)
    late = rows(path, "SELECT prompt_text FROM contexts WHERE available AND teacher = 'Late'")
    assert late and all(text.startswith(today()) for (text,) in late)


def test_a_date_that_is_asked_for_is_in_the_prompts(dated):
    path = run(dated(date="2024-02-09"), quiet)
    texts = rows(path, "SELECT prompt_text FROM questions")
    assert all(text.startswith("It is 2024-02-09.") for (text,) in texts)
    assert rows(path, "SELECT value FROM meta WHERE key = 'date'") == [("2024-02-09",)]


def test_a_run_from_before_dates_were_stored_is_resumed_with_that_of_its_prompts(dated, days_later):
    with pytest.raises(Stop):
        run(dated(), stop_at(1))
    (work,) = (dated().cache / "work").glob("*.duckdb")
    with duckdb.connect(str(work)) as connection:
        connection.execute("DELETE FROM meta WHERE key = 'date'")
    days_later(1)
    assert rows(run(dated(), quiet), "SELECT value FROM meta WHERE key = 'status'") == [("finished",)]


@pytest.mark.parametrize("stored", ["", "2026-02-30"])
def test_a_stored_date_that_is_none_is_told(quick, tmp_path, stored):
    config, path = quick
    copied = shutil.copy(path, tmp_path)
    with duckdb.connect(copied) as connection:
        connection.execute("UPDATE meta SET value = ? WHERE key = 'date'", [stored])
    with pytest.raises(OddError, match="has no valid date"):
        run(config.model_copy(update={"cache": tmp_path}), quiet)


def test_an_import_takes_the_day_of_its_log(tmp_path):
    place = odd_folders.folder(tmp_path / "dated")
    template, log = place / "chat_template.jinja", tmp_path / "log.jsonl"
    template.write_text(DATED + template.read_text())
    config = small_config(tmp_path, student={"name": str(place)}, imported={"files": [str(log)]})
    models, questions = Models(config, tmp_path), load_questions(config.questions)
    prompt = models.student.dated(date(2024, 2, 9)).tokenizer.render_chat(questions[0].messages())
    log.write_text(json.dumps({"input": prompt, "output": "Answer: 11", "score": 1}))
    config, _, found = read_import(config, questions, models)
    assert config.date == date(2024, 2, 9) and found is not None and found.account.taken == 1
    assert models.student.tokenizer.render_chat(questions[0].messages()) == prompt


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, True),
        ({"student": {"pickle": True}}, True),
        ({"student": {"thinking_variable": "thinking"}}, False),
        ({"date": date(2024, 2, 9)}, False),
    ],
)
def test_what_changes_no_prompt_keeps_the_id_of_a_run(changes, same):
    known = fingerprint(parse_config({}), [], "digest")
    assert (fingerprint(parse_config(changes), [], "digest") == known) == same


def test_a_run_whose_prompts_would_be_others_is_not_resumed(tmp_path, monkeypatch):
    with pytest.raises(Stop):
        run(quick_config(tmp_path), stop_at(1))
    render = Characters.render_chat
    monkeypatch.setattr(Characters, "render_chat", lambda self, messages: render(self, messages) + " ")
    with pytest.raises(OddError, match=r"question 'small': its prompt is no longer the one .*: restore the versions"):
        run(quick_config(tmp_path), quiet)
