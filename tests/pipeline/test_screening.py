"""A screening samples rollouts that the run reuses, records why a question is left out, and can be interrupted."""

import shutil
from pathlib import Path

import pytest

from odd.errors import OddError
from odd.pipeline.screening import screen
from odd.pipeline.worker import run
from tests.models.bigram_engine import Bigrams
from tests.runs import ROLLOUTS, SCREENING, assert_same_results, quick_screening_config, rows, small_config

STATUS = "SELECT value FROM meta WHERE key = 'status'"


class Stop(Exception):
    """Simulates the death of a worker."""


@pytest.fixture
def copied(quick_screened, tmp_path):
    """The screened run in its own cache."""
    config = quick_screening_config(tmp_path)
    config.cache.mkdir()
    return config, Path(shutil.copy(quick_screened[1], config.cache))


def test_the_baseline_is_the_first_of_the_initial_rollouts(quick_screened, quick):
    first = ROLLOUTS.replace("FROM rollouts", "FROM rollouts WHERE stage = 'initial' AND rollout < 32")
    assert repr(rows(quick_screened[1], ROLLOUTS)) == repr(rows(quick[1], first))
    assert rows(quick_screened[1], STATUS) == [("screened",)]


def test_a_run_continues_from_a_screening_to_the_same_result(copied, quick):
    config, path = copied
    whole = run(config.model_copy(update={"teachers": quick[0].teachers}), lambda step: None)
    assert whole == path
    assert_same_results(quick[1], whole)
    tries = "SELECT * FROM demonstrations WHERE source = 'c [bigrams]' AND attempt < 10 ORDER BY ALL"
    assert rows(whole, tries) == rows(quick[1], tries)


def test_a_run_is_screened_without_drawing_its_rollouts_again(quick, quick_screened, tmp_path):
    config = quick_screening_config(tmp_path)
    config.cache.mkdir()
    shutil.copy(quick[1], config.cache)
    path = screen(config, lambda step: None)
    assert path.stem == quick[1].stem
    assert repr(rows(path, ROLLOUTS)) == repr(rows(quick[1], ROLLOUTS))
    # the run may have sampled more tries, to skip responses that are its paths
    assert_same_results(quick_screened[1], path, SCREENING[1:])
    assert rows(path, STATUS) == [("finished",)]
    assert_same_results(quick[1], path)


@pytest.mark.parametrize("after", [1, 3, 6])
def test_resumed_screening_equals_uninterrupted_screening(quick_screened, tmp_path, after):
    seen = []

    def die(step):
        seen.append(step)
        if len(seen) == after:
            raise Stop

    config = quick_screening_config(tmp_path)
    with pytest.raises(Stop):
        screen(config, die)
    path = screen(config, lambda step: None)
    assert_same_results(quick_screened[1], path, SCREENING)
    assert repr(rows(path, ROLLOUTS)) == repr(rows(quick_screened[1], ROLLOUTS))


def test_a_finished_screening_is_not_sampled_again(copied, quick_screened, monkeypatch):
    monkeypatch.setattr(Bigrams, "sample", lambda *_, **__: pytest.fail("sampled"))
    assert_same_results(quick_screened[1], screen(copied[0], lambda step: None), SCREENING)


def test_every_context_has_its_rollouts_or_a_reason(quick_screened):
    counted = rows(
        quick_screened[1],
        "SELECT context, available, reason IS NULL, rollouts FROM screening_accuracy WHERE question < 2",
    )
    assert len(counted) == 8
    assert all(
        (available, told, drawn) in ((True, True, 16), (False, False, 0)) for _, available, told, drawn in counted
    )
    assert any(available for _, available, *_ in counted)


def test_a_question_that_is_never_answered_is_shown_nothing(quick_screened):
    told = rows(quick_screened[1], "SELECT DISTINCT available, reason FROM screening WHERE question = 2")
    assert told == [(False, "no correct rollout among 32: excluded")]
    assert rows(quick_screened[1], "SELECT count(*) FROM demonstrations WHERE question = 2") == [(0,)]
    assert rows(quick_screened[1], "SELECT difficulty FROM questions WHERE question = 2") == [("never",)]


def test_a_context_that_is_added_leaves_the_others_alone(copied, quick_screened):
    config, _ = copied
    three = {"name": "Self-3C", "context": "3c"}
    more = config.screening.model_dump(mode="json") | {"teachers": [three]}
    path = screen(quick_screening_config(config.cache.parent, screening=more), lambda step: None)
    names = [name for (name,) in rows(path, "SELECT context FROM screening_contexts ORDER BY ordinal")]
    assert names == ["Self-1C", "Self-1C1W", "Self-Sum-1C1W", "Self-1C (other)", "Self-3C"]
    drawn = "SELECT * FROM screening_rollouts WHERE context <> 'Self-3C' ORDER BY ALL"
    assert rows(path, drawn) == rows(quick_screened[1], drawn)
    assert rows(path, "SELECT count(*) > 0 FROM screening_rollouts WHERE context = 'Self-3C'") == [(True,)]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"screening": {"context_rollouts": 8}}, "context_rollouts=16"),
        (
            {"screening": {"context_rollouts": 16, "teachers": [{"name": "Self-Sum-1C1W", "context": "1c"}]}},
            "'Self-Sum-1C1W'",
        ),
        ({"templates": {"heading": "Others"}, "screening": {"context_rollouts": 16}}, "templates"),
    ],
)
def test_a_screening_does_not_change_its_meaning(copied, changes, said):
    config, _ = copied
    with pytest.raises(OddError, match=said):
        screen(quick_screening_config(config.cache.parent, **changes), lambda step: None)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"teachers": [], "screening": {"teachers": []}}, "Self-1C=student:1c"),
        ({"teachers": [{"name": "Baseline", "context": "1c"}]}, "Baseline"),
    ],
)
def test_a_screening_without_anything_to_compare_is_refused(tmp_path, changes, said):
    with pytest.raises(OddError, match=said):
        screen(small_config(tmp_path, **changes), lambda step: None)


def test_a_context_that_does_not_fit_the_window_is_left_out_with_the_reason(tmp_path):
    long = [{"name": "Long", "context": "1c", "template": {"closing": "Think. " * 600}}]
    config = small_config(tmp_path, teachers=long, screening={"teachers": [], "context_rollouts": 8})
    path = screen(config, lambda step: None)
    told = rows(path, "SELECT available, reason FROM screening WHERE question < 2")
    assert all(
        not available and "and response of 48 tokens do not fit the window of 1024" in why for available, why in told
    )


def test_a_stopped_screening_reports_it_and_continues(tmp_path):
    def stop(step):
        if step.stage == "contexts":
            raise KeyboardInterrupt

    config = quick_screening_config(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        screen(config, stop)
    (published,) = config.cache.glob("*.duckdb")
    assert rows(published, STATUS) == [("stopped",)]
    assert rows(screen(config, lambda step: None), STATUS) == [("screened",)]
