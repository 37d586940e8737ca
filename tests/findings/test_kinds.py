"""Every kind of finding: no effect in noise, the planted truth where there is one, tokens behind rows."""

import re
from dataclasses import replace

import numpy as np
import pytest

from odd.findings.compose import find, numbers, shown
from odd.findings.evidence import Filters
from odd.findings.influence import STEP
from odd.findings.kinds import BY_KEY, KINDS
from odd.findings.model import ALL_TEACHERS
from odd.findings.outcomes import GAP
from odd.findings.paper import published
from odd.findings.selection import EVERY, OTHER, SAME
from odd.views.finding_figures import figure_of
from tests.findings.made_up import FakeRun, evidence

NAN = float("nan")
HOSTILE = "$x$<b>|evil"
KEPT = "cosine > 0"


@pytest.fixture(scope="module")
def planted():
    """`good` knows the truth, `bad` its opposite, `chance` neither; the check agrees with the student."""
    return evidence({"good": 0.6, "bad": -0.6, "chance": 0.0, "check": NAN}, questions=24)


@pytest.fixture(scope="module")
def noise():
    """Teachers and success are pure noise: all differences in success are chance."""
    return evidence({"a": 0.0, "b": 0.0, "c": 0.0}, questions=60, spread=0.0, seed=3)


@pytest.fixture(scope="module")
def hostile():
    """A smaller run, with a teacher whose name is markup."""
    return evidence({"good": 0.2, HOSTILE: 0.0}, questions=6, seed=5)


@pytest.fixture(scope="module")
def without_scores():
    """A run whose only teacher agrees with the student everywhere."""
    return evidence({"check": NAN}, questions=3)


@pytest.fixture(scope="module")
def empty():
    """A run of which the filters leave nothing."""
    return evidence({"a": 0.5}, questions=3, filters=Filters("o", "on_policy-full-off", kind="none"))


@pytest.fixture(scope="module")
def named():
    """Teachers with names from the paper."""
    return evidence({"Self-1C": 0.3, "Self-1C(L)": 0.2, "mine": 0.0}, questions=6)


def rows(key, found):
    return {row.labels: row.cells for row in BY_KEY[key].find(found).rows}


def value(cell):
    return cell.estimate


def test_the_ranking_puts_each_teacher_on_its_side_and_outside_its_noise_floor(planted):
    found = BY_KEY["ranking"].find(planted)
    assert [row.labels[0] for row in found.rows] == ["good", "chance", "bad", "check"]
    good, chance, bad, check = (row.cells["weighted_cosine"] for row in found.rows)
    assert good.estimate.low > good.floor[1] and bad.estimate.high < bad.floor[0]
    assert chance.estimate.low < 0 < chance.estimate.high and np.isnan(check.estimate.value)
    assert good.tests["Holm"] < 0.05 < chance.tests["Holm"] and np.isnan(check.tests["Holm"])
    assert good.tests["Wilcoxon"] < 0.01
    first = found.sentences[0]
    above, below, unsure, unknown = first.split("; ")
    assert "good" in above and "bad" in below and "chance" in unsure and "check" in unknown


def test_holm_counts_the_teachers_that_have_a_score(planted):
    cells = {row.labels[0]: row.cells["mean_cosine"] for row in BY_KEY["ranking"].find(planted).rows}
    assert cells["good"].tests["Holm"] == pytest.approx(3 * cells["good"].estimate.p, rel=0.5)


def test_an_effect_on_incorrect_paths_only_is_found_there():
    found = rows("outcomes", evidence({"a": 0.0, "b": 0.0}, questions=24, on_incorrect=0.6))
    gap, sides = (
        found["a", GAP]["mean_cosine"],
        [found["a", f"{k} paths"]["mean_cosine"] for k in ("correct", "incorrect")],
    )
    assert gap.estimate.value == pytest.approx(sides[1].estimate.value - sides[0].estimate.value)
    assert gap.estimate.low > 0 and gap.tests["Holm"] < 0.01 and gap.tests["Wilcoxon"] < 0.01
    assert found[ALL_TEACHERS, GAP]["mean_cosine"].tests["paper-style over paths"] < gap.tests["paper-style over paths"]


def test_shares_of_the_distribution_add_up(planted):
    found = rows("distribution", planted)
    assert sum(value(cells["share"]).value for (name, _), cells in found.items() if name == "good") == pytest.approx(1)
    assert value(found["good", "above 0.5"]["share"]).low > found["good", "above 0.5"]["share"].floor[1]


def test_signs_of_noise_change_as_often_as_chance(noise):
    cell = rows("oscillation", noise)[(ALL_TEACHERS,)]["changes"]
    assert cell.floor[0] < 0.5 < cell.floor[1] and cell.estimate.low < 0.5 < cell.estimate.high


def test_features_unrelated_to_alignment_have_no_correlation(planted):
    cells = rows("correlations", planted)[(ALL_TEACHERS,)]
    assert sum(cell.estimate.low <= 0 <= cell.estimate.high for cell in cells.values()) >= 4


def test_on_pure_noise_the_naive_oracle_gains_and_the_honest_one_does_not(noise):
    cells = rows("selection", noise)
    naive, honest = cells[ALL_TEACHERS, KEPT, SAME]["signal"], cells[ALL_TEACHERS, KEPT, OTHER]["signal"]
    assert naive.estimate.low > 0.05 and naive.estimate.value == pytest.approx(np.mean(naive.floor), rel=0.06)
    assert honest.estimate.low < 0 < honest.estimate.high and abs(honest.estimate.value) < 0.01
    assert cells[ALL_TEACHERS, KEPT, SAME]["improved"].estimate.value > 0.95
    assert cells[ALL_TEACHERS, KEPT, OTHER]["improved"].estimate.value == pytest.approx(0.5, abs=0.1)


def test_where_teachers_know_the_truth_honest_selection_gains_too(planted):
    cells = rows("selection", planted)
    whole, honest = (cells[ALL_TEACHERS, kept, OTHER]["gain"].estimate for kept in (EVERY, KEPT))
    assert honest.low > whole.high
    assert "above 0" in BY_KEY["selection"].find(planted).sentences[1]


def test_the_best_teacher_wins_and_the_other_half_says_so_too(planted):
    found = rows("shares", planted)
    won = {name: cells["won"] for (name,), cells in found.items()}
    assert won["good"].estimate.low > won["good"].floor[1] and won["bad"].estimate.high < won["bad"].floor[0]
    assert found["good",]["again"].estimate.value > found["bad",]["again"].estimate.value
    assert sum(cell.estimate.value for cell in won.values()) == pytest.approx(1)


def test_on_pure_noise_a_mix_gains_on_the_rollouts_that_chose_only(noise):
    cells = rows("mix", noise)
    naive, honest = (cells["mix − best single", where]["gain"].estimate for where in (SAME, OTHER))
    assert naive.low > 0 and honest.low < 0 < honest.high


def test_halves_of_noise_do_not_agree_and_those_of_a_truth_do(noise, planted):
    none, some = (rows("reliability", one)[ALL_TEACHERS, "any"] for one in (noise, planted))
    assert none["alignment"].estimate.low < 0 < none["alignment"].estimate.high
    assert some["alignment"].estimate.low > 0.2 and some["agree"].estimate.low > 0.5
    assert some["whole"].estimate.value > some["alignment"].estimate.value


def test_more_visits_are_more_reliable():
    few, many = (
        rows("reliability", evidence({"a": 0.5}, questions=16, visits=visits))[ALL_TEACHERS, "any"]["alignment"]
        for visits in (20, 400)
    )
    assert many.estimate.low > few.estimate.high


def test_the_expected_share_of_settled_signs_is_what_more_rollouts_then_settle():
    now, then = (
        rows("open", evidence({"a": 0.5}, questions=60, visits=visits))[(ALL_TEACHERS,)] for visits in (40, 160)
    )
    assert now["x4"].estimate.value == pytest.approx(then["x1"].estimate.value, abs=0.08)
    assert now["factor"].estimate.value > then["factor"].estimate.value > 1


def test_an_informative_feature_is_found_and_others_are_not(planted):
    found = rows("prediction", planted)
    auroc = found["logistic regression", ALL_TEACHERS]["all"].estimate
    assert auroc.low < 0.5 < auroc.high
    place = ["question", "path", "position", "teacher"]
    features = planted.run.query("finding_features").merge(planted.steps[[*place, "alignment"]], on=place)
    features = features.assign(js=features["alignment"] + 1).drop(columns="alignment")
    told = FakeRun({**planted.run.frames, "finding_features": features})
    telling = rows("prediction", replace(planted, run=told))
    assert telling["logistic regression", ALL_TEACHERS]["all"].estimate.low > 0.9
    assert telling["JS divergence", ALL_TEACHERS]["all"].estimate.value == 1


def test_teachers_of_whom_the_conventions_say_the_same_share_a_sentence():
    said = BY_KEY["sensitivity"].find(evidence({"a": 0.9, "b": 0.9, "c": -0.9}, questions=12)).sentences[0]
    assert re.search(r"a and b are above 0 in (\d+) \(interval excludes 0 in \1\)", said)
    assert re.search(r"c is below 0 in (\d+) \(interval excludes 0 in \1\)", said)


def test_conventions_are_compared_with_ranks_and_more_visits(planted):
    found = rows("sensitivity", planted)
    assert {name for name, _ in found} == {
        "on_policy-full-off", "on_policy-children-off", "on_policy-full-off, N_sig 40", "on_policy-full-off, N_sig 80"
    }  # fmt: skip
    assert found["on_policy-full-off", "good"]["rank"].estimate.value == 1
    same = rows("ranking", planted)[("good",)]["weighted_cosine"].estimate
    assert found["on_policy-full-off", "good"]["weighted_cosine"].estimate == same


def test_baselines_disagree_where_their_signs_differ():
    found = evidence({"a": 0.5}, questions=12)
    table = found.run.frames["finding_conventions"]
    children = table["convention"] == "on_policy-children-off"
    two = children & (table["children"] == 2)
    table.loc[two, "alignment"] *= -1
    cells = rows("opposite", found)
    shares = {labels[0]: cell["opposite"].estimate.value for labels, cell in cells.items()}
    assert shares["2"] == 1 and shares["3"] == 0 and 0 < shares["any"] < 1
    found.run.frames["finding_conventions"] = table[~children]
    assert "does not have both" in BY_KEY["opposite"].find(found).sentences[0]


def test_the_predicted_gain_of_a_step_is_the_planted_one(planted):
    found = BY_KEY["influence"].find(planted)
    assert [row.labels[0] for row in found.rows] == ["good", "chance", "bad"]
    for row, effect in zip(found.rows, (0.6, 0.0, -0.6), strict=True):
        for key, pairs in (("same", 24 * 24), ("other", 24 * 23)):
            one = row.cells[key].estimate
            assert one.low < STEP * effect / 2 < one.high and (one.n, one.clusters) == (pairs, 24)
    assert found.rows[0].cells["same"].estimate.low > 0 > found.rows[2].cells["same"].estimate.high
    assert found.sentences[0].startswith("By predicted gain from a step of length 0.01 in the parameters")


def test_halves_of_the_influence_agree_as_planted(planted):
    good, chance, _ = BY_KEY["influence"].find(planted).rows
    assert chance.cells["agree"].estimate.low < 0.5 < chance.cells["agree"].estimate.high
    assert good.cells["agree"].estimate.low > 0.5
    assert good.cells["halves"].estimate.low < 0.5 < good.cells["halves"].estimate.high


def test_filters_choose_the_questions_whose_success_is_predicted(planted):
    hard = replace(planted, asked=frozenset(range(1, 24, 2)))
    found = BY_KEY["influence"].find(hard)
    assert {row.cells["same"].estimate.n for row in found.rows} == {24 * 12}
    assert {row.cells["other"].estimate.n for row in found.rows} == {24 * 12 - 12}


def test_questions_teach_as_planted(planted):
    table = planted.run.query("influence_matrix")
    own = table[table["teacher"] == "good"].pivot(index="question", columns="target", values="influence").to_numpy()
    cells = rows("lessons", planted)["good", "q3"]
    others = np.arange(24) != 3
    expected = {"own": own[3, 3], "others": own[3, others].mean(), "from": own[others, 3].mean()}
    for key, effect in expected.items():
        assert cells[key].estimate.value == pytest.approx(STEP * effect / 2)


def test_a_run_without_influence_says_how_to_get_it(planted):
    frames = planted.run.frames
    bare = {name: frame[:0] if name.startswith("influence") else frame for name, frame in frames.items()}
    for key in ("influence", "lessons"):
        found = BY_KEY[key].find(replace(planted, run=FakeRun(bare)))
        assert not found.rows and found.sentences[0].endswith("compute it with odd influence RUN.")


def test_a_teacher_that_equals_the_student_predicts_nothing(without_scores):
    for key in ("influence", "lessons"):
        (sentence,) = BY_KEY[key].find(without_scores).sentences
        assert sentence.startswith("Every teacher equals the student")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.key)
def test_rows_lead_to_points_that_exist_and_have_texts(kind, planted):
    found = kind.find(planted)
    assert found.rows and found.sentences
    for row in found.rows:
        assert len(row.labels) == len(kind.labels) and set(row.cells) <= {q.key for q in kind.quantities}
        assert set(row.points) <= set(range(len(planted.points))) and len(set(row.points)) == len(row.points)
    assert len({row.labels for row in found.rows}) == len(found.rows)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.key)
def test_every_estimate_has_an_n_and_is_in_both_tables(kind, planted):
    finding = find(kind, {"run": planted}, "none")
    table, written = numbers(finding), shown(finding)
    assert len(table) == len(written) == len(finding.founds["run"].rows)
    for quantity in kind.quantities:
        assert {quantity.key, f"{quantity.key}_n"} <= set(table) and quantity.name in written
    drawn = figure_of(finding)
    assert drawn is not None and drawn.to_json()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.key)
def test_a_run_without_scores_gives_a_sentence_and_no_figure(kind, without_scores, empty):
    finding = find(kind, {"run": without_scores}, "0.6B-BoolQ")
    assert len(finding.sentences) == 1 and finding.sentences[0].endswith(".")
    assert find(kind, {"run": empty}, "none").sentences


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.key)
def test_runs_are_shown_side_by_side(kind, planted, hostile):
    finding = find(kind, {"small": planted, "<b>large": hostile}, "1.7B-MMLU")
    assert set(numbers(finding)["run"]) == {"small", "<b>large"}
    assert len(finding.sentences) == 2 and finding.sentences[1].startswith("<b>large: ")
    assert all(f"{kind.quantities[0].name}, {name}" in shown(finding) for name in finding.founds)
    drawn = figure_of(finding)
    assert drawn is not None and "<b>large" not in drawn.to_json()


def test_the_paper_s_numbers_are_next_to_teachers_of_the_same_name(named):
    finding = find(BY_KEY["ranking"], {"run": named}, "0.6B-BoolQ")
    table = numbers(finding).set_index("teacher")
    first = published(1).query("student == 'Qwen3-0.6B' and benchmark == 'BoolQ'").set_index("teacher")
    for ours, theirs in (("Self-1C", "Self-1C"), ("Self-1C(L)", "Self-1C (32B)")):
        assert table.loc[ours, "mean_cosine_published"] == first.loc[theirs, "mean_cosine"]
    assert np.isnan(table.loc["mine", "mean_cosine_published"])
    assert "mean_cosine_published" not in numbers(find(BY_KEY["ranking"], {"run": named}, "none"))


def test_the_paper_s_differences_have_the_sign_of_ours(named):
    marks = find(BY_KEY["outcomes"], {"run": named}, "0.6B-BoolQ").marks
    of = marks[ALL_TEACHERS, GAP]["mean_cosine"]
    sides = [marks[ALL_TEACHERS, f"{kind} paths"]["mean_cosine"].value for kind in ("correct", "incorrect")]
    assert of.value == pytest.approx(sides[1] - sides[0]) and of.note == "p 7e-8"


@pytest.mark.parametrize("reference", ["0.6B-BoolQ", "0.6B-MMLU", "1.7B-BoolQ", "1.7B-MMLU"])
def test_every_table_of_the_paper_finds_its_rows(reference, named):
    for key, labels, quantity in (
        ("ranking", ("Self-1C",), "mean_cosine"),
        ("outcomes", (ALL_TEACHERS, GAP), "advantage"),
        ("correlations", (ALL_TEACHERS,), "normalised_depth"),
        ("selection", (ALL_TEACHERS, "cosine > 0.3", SAME), "signal"),
    ):
        finding = find(BY_KEY[key], {"run": named}, reference)
        assert quantity in finding.marks[labels]
        if key != "outcomes":
            assert any(row.labels == labels for row in finding.founds["run"].rows)
