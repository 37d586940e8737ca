"""The Runs page without a browser. Starting and watching real runs: tests/browser/test_runs.py."""

import re
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from odd.config import PRESETS, ModelConfig, QuestionsConfig, load_config, objective
from odd.pipeline.jobs import list_jobs
from odd.pipeline.jobs.job import Job, jobs_folder
from odd.store import RunWriter
from pages.parts import run_list
from pages.parts.run_form import count_questions, same_run
from pages.parts.run_state import DIALOG
from pages.shared.frame import unknown_page
from tests.pages.test_frame import launch, view_of
from tests.runs import change


def button(app, label):
    return next(button for button in app.button if button.label == label)


def labels(app):
    return [button.label for button in app.button]


def open_dialog(app, kind, run_id=None):
    app.session_state[DIALOG] = (kind, run_id)
    return app.run()


def written(app):
    """All text on the page, without the backslashes that escape markup."""
    parts = [*app.markdown, *app.caption, *app.error, *app.info, *app.warning]
    return "\n".join(part.value for part in parts).replace("\\", "").replace("\u00a0", " ")


def the(app, kind, label):
    return next(widget for widget in getattr(app, kind) if widget.label == label)


@pytest.fixture
def started(monkeypatch):
    """The jobs that would have been started, without starting processes."""
    begun = []
    monkeypatch.setattr("odd.pipeline.jobs.start._start", lambda job, cache: begun.append(job) or job)
    return begun


def test_an_empty_cache_offers_the_example_run(cache, monkeypatch):
    # AppTest forgets the pages before each run, so callbacks cannot switch pages
    left_for = []
    monkeypatch.setattr("streamlit.switch_page", lambda page, query_params: left_for.append((page, query_params)))
    app = launch("runs")
    button(app, "Open the example run").click().run()
    assert not app.exception
    (file,) = cache.glob("*.duckdb")
    assert file.stem.startswith("example-")
    ((page, query),) = left_for
    assert (page, query["run"]) == ("pages/questions.py", [file.stem])


def test_the_settings_of_a_run_that_exists_are_recognised(shown, finished):
    config, path = finished
    assert same_run(config) == path.stem
    assert same_run(config.model_copy(update={"sampling": config.sampling.model_copy(update={"seed": 9})})) is None


def test_the_form_says_that_start_continues_a_run(cache, monkeypatch):
    monkeypatch.setattr("pages.parts.run_form.same_run", lambda config: "demo-01234567")
    assert "Run demo-01234567 has these settings" in written(open_dialog(launch("runs"), "new"))


def test_deleting_is_not_what_the_dialog_proposes(run):
    app = open_dialog(launch("runs"), "delete", run.stem)
    assert {one.label: one.proto.type for one in app.button if one.key in ("delete-keep", "delete-sure")} == {
        "Keep it": "primary",
        "Delete": "secondary",
    }


def test_an_address_without_a_page_is_named(cache, monkeypatch):
    monkeypatch.setattr("pages.parts.run_state.unknown_page", lambda url: "tre")
    assert "There is no page 'tre'" in written(launch("runs"))


@pytest.mark.parametrize(
    ("url", "name"),
    [("http://h/tree?run=a", None), ("http://h/", None), ("", None), ("http://h/runs", None), ("http://h/a%20b", "a b"),
     ("http://h/tree/trees", "trees")],
)  # fmt: skip
def test_only_addresses_of_pages_are_pages(url, name):
    assert unknown_page(url) == name


def test_a_removed_example_run_is_not_offered(cache, monkeypatch):
    monkeypatch.setattr("pages.parts.run_list.example_run", lambda: None)
    assert "Open the example run" not in labels(launch("runs"))


def test_an_empty_cache_offers_the_demo_with_one_click(cache, started):
    app = launch("runs")
    button(app, "Run the demo").click().run()
    assert not app.exception
    (job,) = started
    assert (job.kind, job.title) == ("run", "demo")
    assert {"Set up a run", "Upload a run file"} <= {*labels(app)}


def test_a_finished_run_shows_what_it_holds(run, finished):
    app = launch("runs")
    text = written(app)
    assert run.stem in text
    for said in ("tiny-s", "3 questions", "4 teachers: tiny-m, Self-1C, Self-1C1W, Self-check", "MB"):
        assert said in text
    assert "Resume" not in labels(app)
    assert app.menu_button[0].options == ["Add a teacher", "Delete"]


def test_the_age_of_a_run_is_not_that_of_its_copied_file(changed, open_page):
    made = datetime.now(UTC) - timedelta(days=3, hours=1)
    folder = changed(f"UPDATE meta SET value = '{made.isoformat(timespec='seconds')}' WHERE key = 'created_at'")
    assert "created 3 days ago" in written(open_page("runs", folder))


def test_a_run_is_opened_on_the_page_questions(run):
    app = launch("runs")
    link = next(link for link in app.get("page_link") if link.proto.label == "Open")
    assert link.proto.page.endswith("questions")
    assert f"run={run.stem}" in link.proto.query_string


def test_a_link_to_a_run_that_is_not_here_says_so_and_keeps_the_link(run):
    app = launch("runs", run="other-00000000", colour="gain")
    assert "other-00000000" in app.warning[0].value.replace("\\", "")
    assert view_of(app).run == "other-00000000"
    assert view_of(app).colour == "gain"


def test_a_hostile_cache_is_shown_as_text(hostile, monkeypatch):
    monkeypatch.chdir(hostile)
    app = launch("runs")
    assert not app.exception
    assert "<img src=x onerror=window.hacked=1>" in written(app)
    for part in (*app.markdown, *app.caption):
        assert not re.search(r"(?<!\\)<(img|script)", part.value)  # every such bracket is escaped


def with_questions_of_gym(run):
    """A stopped run whose questions are judged by scorers of reasoning-gym."""
    with RunWriter(run.parent, run.stem) as writer:
        writer.set_meta("status", "stopped")
        writer.finish()
    change(run, "UPDATE questions SET kind = 'reasoning_gym'")


def test_a_run_that_brings_its_scorers_asks_before_it_is_resumed(run, started):
    with_questions_of_gym(run)
    app = launch("runs")
    button(app, "Resume").click().run()
    assert not started
    assert "was not started here" in written(app)
    button(app, "Leave it").click().run()
    assert not started and "was not started here" not in written(app)


def test_it_is_resumed_on_request(run, started):
    with_questions_of_gym(run)
    app = open_dialog(launch("runs"), "resume", run.stem)
    app.button(key="resume-sure").click().run()
    assert not app.exception and len(started) == 1


def test_a_stopped_run_can_be_resumed(run, started):
    with RunWriter(run.parent, run.stem) as writer:
        writer.set_meta("status", "stopped")
        writer.finish()
    app = launch("runs")
    button(app, "Resume").click().run()
    assert not app.exception
    (job,) = started
    assert job.title == "small"
    assert len((job.folder / "questions.jsonl").read_text().splitlines()) == 3


def test_a_failed_job_is_shown_with_its_last_line_and_log_and_can_be_dismissed(cache):
    folder = jobs_folder(cache) / "20260101-000000-abcdef"
    folder.mkdir(parents=True)
    Job(folder, "run", "mine", time.time(), pid=1, start_time=1e9).save()
    (folder / "log.txt").write_text("first\n\x1b[31merror: no <b>room</b>\x1b[0m")
    (folder / "exit").write_text("1")
    app = launch("runs")
    assert "no <b>room</b>" in written(app)
    assert app.code[0].value == "first\nerror: no <b>room</b>"
    assert "exit code 1" in written(app)
    button(app, "Dismiss").click().run()
    assert not list_jobs(cache)
    assert "mine" not in written(app)


def test_deleting_asks_for_confirmation(run):
    app = launch("runs")
    app.menu_button[0].click("Delete").run()
    assert run.exists()
    assert "cannot be undone" in written(app)
    the(app, "button", "Keep it").click().run()
    assert run.exists()
    open_dialog(app, "delete", run.stem)
    next(b for b in app.button if b.key == "delete-sure").click().run()
    assert not app.exception
    assert not run.exists()
    assert "no runs yet" in app.info[0].value


def test_a_run_that_is_being_written_is_not_deleted(run):
    app = launch("runs")
    with RunWriter(run.parent, run.stem):
        open_dialog(app, "delete", run.stem)
        next(b for b in app.button if b.key == "delete-sure").click().run()
        assert "being written by another process" in written(app)
    assert run.exists()


def test_the_form_starts_what_it_says(cache, started):
    app = open_dialog(launch("runs"), "new")
    the(app, "text_input", "title").set_value("mine").run()
    the(app, "number_input", "only the first").set_value(2).run()
    the(app, "number_input", "initial rollouts").set_value(30).run()
    the(app, "text_area", "more teachers").set_value("Big=./big:1c\n\nSelf=student").run()
    button(app, "Start").click().run()
    assert not app.exception
    (job,) = started
    config = load_config("demo", job.settings)
    assert (config.title, config.questions.limit, config.sampling.initial_rollouts) == ("mine", 2, 30)
    names = [teacher.name for teacher in PRESETS["demo"].teachers]
    assert [teacher.name for teacher in config.teachers] == [*names, "Big", "Self"]
    assert config.teachers[-2].model.name == "./big"
    assert "Start" not in labels(app)


@pytest.mark.parametrize(
    ("source", "questions"), [("general-number?limit=7&seed=1", 7), ("gym:chain_sum?size=5&seed=2", 5)]
)
def test_the_form_counts_the_questions_of_any_source(source, questions):
    assert count_questions(QuestionsConfig(source=source)) == questions
    assert count_questions(QuestionsConfig(source=source, limit=2)) == 2


def test_every_preset_of_the_form_is_the_preset(cache, started):
    for number, (name, preset) in enumerate(PRESETS.items()):
        app = open_dialog(launch("runs"), "new")
        the(app, "button_group", "preset").set_value(name).run()
        button(app, "Start").click().run()
        assert not app.exception
        assert load_config("demo", started[number].settings) == preset


def test_the_estimate_moves_with_the_form(cache):
    app = open_dialog(launch("runs"), "new")
    before = next(line for line in written(app).splitlines() if line.startswith("**about"))
    the(app, "number_input", "visits per pair").set_value(600).run()
    after = next(line for line in written(app).splitlines() if line.startswith("**about"))
    assert before != after
    assert "benchmark" in written(app)


def test_minillm_can_be_chosen_with_its_cost_shown(cache, started):
    app = open_dialog(launch("runs"), "new")
    assert "to read all rollouts" not in written(app)
    the(app, "toggle", "add MiniLLM's reward-to-go").set_value(True).run()
    assert "to read all rollouts" in written(app)
    button(app, "Start").click().run()
    config = load_config("demo", started[0].settings)
    assert config.analysis.objectives == (*PRESETS["demo"].analysis.objectives, objective("minillm"))


def test_the_estimate_prefers_a_run_from_this_cache(run):
    assert f"run {run.stem} on this machine" in written(open_dialog(launch("runs"), "new"))


@pytest.mark.parametrize(
    "kind, label, value, said",
    [
        ("text_input", "title", "No Title!", "config: title"),
        ("text_area", "more teachers", "Big", "NAME=MODEL"),
        ("text_area", "more teachers", "tiny-l=tiny-m", "two teachers are called 'tiny-l'"),
        ("text_area", "more teachers", "A=student:2c", "context"),
    ],
)
def test_a_mistake_in_the_form_shows_one_line_and_starts_nothing(cache, started, kind, label, value, said):
    app = open_dialog(launch("runs"), "new")
    the(app, kind, label).set_value(value).run()
    assert not app.exception
    (error,) = app.error
    assert said in error.value.replace("\\", "")
    assert "\n" not in error.value
    assert button(app, "Start").disabled
    assert not started


def test_a_teacher_is_added_from_the_form(run, started):
    app = open_dialog(launch("runs"), "add-teacher", run.stem)
    the(app, "text_input", "Name").set_value("Late").run()
    the(app, "selectbox", "Model").select("tiny-l").run()
    button(app, "Add").click().run()
    assert not app.exception
    (job,) = started
    assert (job.kind, job.run, job.title) == ("add_teachers", run.stem, "Late")
    (late,) = load_config(file=job.settings).teachers
    assert late.model == ModelConfig(name="tiny-l")


def test_a_larger_model_can_write_and_summarise_for_a_teacher_of_the_form(run, started):
    app = open_dialog(launch("runs"), "add-teacher", run.stem)
    the(app, "text_input", "Name").set_value("Late").run()
    assert not [box for box in app.selectbox if box.label in ("Responses written by", "Summarised by")]
    the(app, "selectbox", "Reads").select("sum_1c").run()
    the(app, "selectbox", "Responses written by").select("tiny-m").run()
    the(app, "selectbox", "Summarised by").select("tiny-l").run()
    button(app, "Add").click().run()
    assert not app.exception
    (late,) = load_config(file=started[0].settings).teachers
    assert (late.model, late.context) == (None, "sum_1c")
    assert (late.demonstrations.name, late.summarizer.name) == ("tiny-m", "tiny-l")


def test_a_screened_run_says_so_and_can_be_run(screened, cache, started):
    shutil.copy(screened[1], cache)
    app = launch("runs")
    assert "screened" in written(app) or any("screened" in badge.value for badge in app.get("badge"))
    button(app, "Run").click().run()
    assert not app.exception
    (job,) = started
    assert job.kind == "run"


@pytest.mark.parametrize("name, said", [("", "name"), ("Self-1C", "already"), ("<b>", "name")])
def test_a_teacher_needs_a_name_of_its_own(run, started, name, said):
    app = open_dialog(launch("runs"), "add-teacher", run.stem)
    the(app, "text_input", "Name").set_value(name).run()
    button(app, "Add").click().run()
    assert said in app.error[0].value
    assert not started


def test_many_runs_are_paginated_and_can_be_searched(cache, finished, monkeypatch):
    monkeypatch.setattr(run_list, "A_PAGE", 4)
    monkeypatch.setattr(run_list, "READING", 60.0)
    for number in range(6):
        shutil.copy(finished[1], Path(cache) / f"run-{number:02d}.duckdb")
    app = launch("runs")
    assert len(app.menu_button) == 4
    the(app, "text_input", "search").set_value("run-05").run()
    assert len(app.menu_button) == 1
    the(app, "text_input", "search").set_value("nothing like it").run()
    assert "No run matches this text" in written(app)


def test_runs_that_are_not_read_yet_are_listed_and_read_later(run, monkeypatch):
    with monkeypatch.context() as slow:
        slow.setattr("odd.store.listing.known_summary", lambda path, signature: None)
        slow.setattr("pages.parts.run_list.READING", 0.0)
        app = launch("runs")
        assert not app.exception
        assert "being read" in written(app) and "1 run is not read yet" in written(app)
    run_list._background.result(60)
    app.run()
    assert "being read" not in written(app) and "decision points" in written(app)


def test_an_unexpected_error_of_the_background_is_raised_once_in_the_page(monkeypatch):
    def fail(infos, seconds):
        if seconds == run_list.READING:
            return infos
        raise ZeroDivisionError

    monkeypatch.setattr(run_list, "read_for", fail)
    monkeypatch.setattr(run_list, "_background", None)
    entries = [SimpleNamespace(run_id="a-00000000", info="its file", is_read=False)]
    assert run_list._read(entries) == {"a-00000000"}
    assert isinstance(run_list._background.exception(60), ZeroDivisionError)
    with pytest.raises(ZeroDivisionError):
        run_list._read(entries)
    assert run_list._background is None
