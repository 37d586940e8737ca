"""Decision points of a run: each once, filtered as requested, with exactly the stored scores."""

import numpy as np
import pytest

from odd.config import load_config
from odd.findings.components import POINT
from odd.findings.evidence import Filters, gather
from odd.findings.statistics import cluster_estimate
from odd.store import RunReader
from tests.findings.made_up import META, evidence, make

NAN = float("nan")


@pytest.fixture(scope="module")
def reader(finished):
    with RunReader(finished[1]) as reader:
        yield reader


CONVENTIONS = [convention.label for convention in load_config().analysis.conventions]


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("objective", ["reverse_kl", "dr_grpo", "sampled_reverse_kl"])
def test_scores_made_anew_from_their_components_are_those_that_are_stored(reader, objective, convention):
    found = gather(reader, reader.meta, Filters(objective, convention))
    again = found.components.siblings.scores()
    assert len(found.points) > 10
    for name in ("alignment", "gain", "advantage", "success_range"):
        stored = found.points[name].to_numpy(float)
        np.testing.assert_allclose(getattr(again, name), stored, atol=2e-4, err_msg=name)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_halves_are_the_scores_that_are_stored_of_them(reader, convention):
    found = gather(reader, reader.meta, Filters("reverse_kl", convention))
    stored = reader.query("finding_halves", objective="reverse_kl", convention=convention)
    for number, half in enumerate(found.halves):
        own = stored[stored["half"] == number].set_index(POINT)
        for at in (0, len(found.points) - 1):
            row = own.loc[tuple(found.points.loc[at, POINT])]
            np.testing.assert_equal(half.alignment[at], row.alignment)
            np.testing.assert_equal(half.success_range[at], row.success_range)


def test_a_point_that_paths_share_counts_once_and_is_on_both_kinds(reader):
    found = gather(reader, reader.meta, Filters("reverse_kl", "on_policy-full-off"))
    assert not found.points.duplicated(["question", "node", "teacher"]).any()
    both = (found.points["on_correct"] & found.points["on_incorrect"]).sum()
    assert len(found.on("correct")) + len(found.on("incorrect")) - both == len(found.on("all"))
    assert len(found.steps) > len(found.points) and set(found.steps["point"]) == set(range(len(found.points)))


def test_filters_choose_questions_and_paths():
    run = make({"a": 0.5}, questions=6)
    hard = gather(run, META, Filters("o", "on_policy-full-off", "incorrect", "hard", "number"))
    assert hard.asked == {1, 3, 5} and set(hard.points["question"]) <= hard.asked
    assert not hard.chosen_steps()["correct"].any() and hard.questions == 3
    none = gather(run, META, Filters("o", "on_policy-full-off", kind="yes_no"))
    assert not none.asked and len(none.points) == 0 and none.nodes == 0


def test_a_teacher_that_agrees_with_the_student_has_no_score_in_halves_or_shuffles_either():
    found = evidence({"a": 0.5, "check": NAN}, questions=4)
    assert found.scored == ("a",) and found.teachers == ("a", "check")
    check = found.on(teacher="check")
    assert found.halves is not None
    assert np.isnan(found.floor.alignment[:, check]).all() and np.isnan(found.halves[0].gain[check]).all()


@pytest.mark.parametrize(("objective", "known"), [("dr_grpo", False), ("sampled_reverse_kl", True)])
def test_an_objective_made_of_outcomes_has_no_independent_halves(reader, objective, known):
    found = gather(reader, reader.meta, Filters(objective, "on_policy-full-off"))
    assert found.scored and (found.halves is not None) == known


def test_more_visits_needed_leave_fewer_children(reader):
    found = gather(reader, reader.meta, Filters("reverse_kl", "on_policy-full-off"))
    same, fewer = found.with_visits(found.n_sig or 0), found.with_visits(4 * (found.n_sig or 0))
    np.testing.assert_allclose(same.alignment, found.points["alignment"], atol=2e-4)
    assert np.isnan(fewer.success_range).sum() >= np.isnan(same.success_range).sum()
    assert np.nansum(fewer.success_range) < np.nansum(same.success_range)


def test_the_noise_floor_of_unrelated_teachers_holds_their_mean():
    found = evidence({"a": 0.0}, questions=40)
    floor = np.nanmean(found.floor.alignment, axis=1)
    own = cluster_estimate(found.points["alignment"].to_numpy(float), found.points["question"].to_numpy())
    assert abs(floor.mean()) < 0.05 and floor.min() - 0.02 < own.value < floor.max() + 0.02
