import json

import numpy as np
import pandas as pd
import pytest

from odd.cli.summary import teacher_summary
from odd.store import RunReader
from odd.views.comparison import compare, other_teacher, pair_payload, pair_table, payload, table
from odd.views.comparison_gradients import gradient_table, gradients_at
from odd.views.comparison_pairs import disagreement_payload, disagreements
from odd.views.comparison_path import path_payload, path_table, shown_legend
from odd.views.links import ViewState
from odd.views.resolve import resolve
from odd.views.scores import records

NAN = float("nan")


def test_teachers_disagree_along_a_path_where_their_signs_differ(run):
    chosen = {"objective": "reverse_kl", "convention": "on_policy-full-off"}
    scores = run.query("scores", **chosen)
    names = sorted(scores["teacher"].unique())
    counts = 0
    for path in scores.loc[scores["question"] == 0, "path"].unique().tolist():
        found = run.query("path_disagreements", question=0, path=path, teachers=names, **chosen)
        own = scores[(scores["question"] == 0) & (scores["path"] == path)].groupby("position")["alignment"]
        differ = (own.min() < 0) & (own.max() > 0)
        assert sorted(found["position"]) == sorted(differ.index[differ])
        counts += len(found)
    assert counts


def decisions(**alignments):
    """Decision points by teacher: lists of alignments, two nodes per question; None: not scored there."""
    rows = []
    for teacher, values in alignments.items():
        for at, value in enumerate(values):
            if value is not None:
                score = {"alignment": value, "gain": value / 10, "advantage": 0.01, "success_range": 0.5 + at % 2}
                where = {"question": at // 2, "node": at % 2, "path": 0, "position": at % 2, "token": 1}
                rows.append({**where, "teacher": teacher, "low": value, "high": value, "p_positive": 0.5, **score})
    columns = ["question", "node", "path", "position", "token", "teacher", "low", "high", "p_positive", "alignment"]
    return pd.DataFrame(rows, columns=[*columns, "gain", "advantage", "success_range", "children", "visits"])


def compared(baseline="b", **alignments):
    return compare(decisions(**alignments), list(alignments), baseline)


def test_the_best_aligned_teacher_comes_first_and_one_without_alignment_last():
    found = compared(a=[0.1] * 4, none=[NAN] * 4, b=[0.3] * 4, c=[-0.2] * 4)
    assert found.order == ["b", "a", "c", "none"]


def test_a_difference_is_taken_on_the_nodes_that_both_have():
    found = compared(a=[0.5, 0.5, 0.5, None], b=[0.2, 0.1, 0.0, -1.0])
    pair = found.pairs["a", "b"]
    assert pair.value == pytest.approx((0.3 + 0.4 + 0.5) / 3)
    assert (pair.n, pair.clusters) == (3, 2)


def test_a_difference_the_other_way_round_is_the_opposite():
    found = compared(a=[0.5, 0.1, 0.3, 0.9, 0.2, 0.4], b=[0.2, 0.1, 0.0, -1.0, 0.1, 0.2])
    one, other = found.pairs["a", "b"], found.pairs["b", "a"]
    assert (one.value, one.low, one.high) == (-other.value, -other.high, -other.low)


def test_the_baseline_has_no_difference_to_itself():
    found = compared(a=[0.5] * 4, b=[0.2] * 4)
    assert {row.teacher: row.difference is None for row in found.rows} == {"a": False, "b": True}


def test_a_difference_that_is_the_same_everywhere_has_an_interval_without_width():
    pair = compared(a=[0.9, 0.3, -0.2, 0.4, 0.1, 0.5], b=[0.8, 0.2, -0.3, 0.3, 0.0, 0.4]).pairs["a", "b"]
    assert pair.low == pytest.approx(0.1) and pair.high == pytest.approx(0.1)


def test_best_at_splits_ties_and_sums_to_one():
    found = compared(a=[0.5, 0.5, 0.5, 0.1], b=[0.5, 0.2, 0.9, 0.1], c=[-1.0, -1.0, -1.0, 0.1])
    best = {row.teacher: row.best.value for row in found.rows}
    assert best == pytest.approx({"a": (0.5 + 1 + 0 + 1 / 3) / 4, "b": (0.5 + 0 + 1 + 1 / 3) / 4, "c": 1 / 12})
    assert sum(best.values()) == pytest.approx(1)


def test_a_teacher_without_any_alignment_takes_no_node_from_the_others():
    found = compared(a=[0.5] * 4, b=[0.2] * 4, none=[NAN] * 4)
    assert (found.common, found.nodes) == (4, 4)
    none = found.rows[-1]
    assert np.isnan([none.mean.value, none.best.value, none.difference.value]).all()


def test_a_teacher_that_misses_a_question_leaves_its_nodes_out_of_the_common_ones():
    assert compared(a=[0.5] * 4, b=[0.2, 0.2, None, None]).common == 2


def test_one_question_has_no_interval():
    row = compared(a=[0.5, 0.1], b=[0.2, 0.1]).rows[0]
    assert np.isnan([row.mean.low, row.difference.low, row.best.low]).all()


def test_rows_given_twice_count_once_in_a_difference():
    twice = pd.concat([decisions(a=[0.5, 0.1], b=[0.2, 0.1])] * 2)
    assert compare(twice, ["a", "b"], "b").pairs["a", "b"].n == 2


def test_nothing_scored_gives_unknown_values():
    found = compare(decisions(a=[]), ["a", "b"], "b")
    assert (found.nodes, found.common) == (0, 0)
    assert all(np.isnan(row.mean.value) for row in found.rows)


def test_means_agree_with_the_summary_that_show_prints(finished):
    with RunReader(finished[1]) as run:
        view = resolve(run, ViewState()).view
        measure = {"objective": view.objective, "convention": view.convention}
        summary = teacher_summary(run.query("scores", **measure), view.teachers)
        found = compare(run.query("decisions", **measure), view.teachers, view.baseline)
    everywhere = summary[summary["outcome"] == "all"].set_index("teacher")
    for row in found.rows:
        for ours, theirs in (("mean", "mean_cosine"), ("weighted", "weighted_cosine"), ("gain", "mean_gain")):
            one, other = getattr(row, ours), everywhere.loc[row.teacher, theirs]
            np.testing.assert_allclose([one.value, one.low, one.high], [other.value, other.low, other.high])


def test_payloads_are_plain_json_with_null_for_unknown():
    found = compared(a=[0.5] * 4, b=[0.2] * 4, none=[NAN] * 4)
    data = json.loads(json.dumps([payload(found), pair_payload(found)], allow_nan=False))
    assert data[0]["rows"][-1]["mean"]["value"] is None
    assert data[1]["cells"][0][0] is None


def test_files_hold_every_interval_and_n():
    found = compared(a=[0.5] * 4, b=[0.2] * 4)
    assert {"mean_low", "difference_high", "best_n", "gain_clusters"} <= set(table(found).columns)
    assert len(pair_table(found)) == 2


@pytest.mark.parametrize(("wanted", "other"), [("a", "a"), (None, "far"), ("b", "far"), ("unknown", "far")])
def test_the_other_teacher_is_the_one_asked_for_or_the_one_that_differs_most(wanted, other):
    found = compared(a=[0.3] * 4, b=[0.2] * 4, far=[-0.9] * 4, none=[NAN] * 4)
    assert other_teacher(found, wanted) == other


def test_a_teacher_alone_has_no_other():
    assert other_teacher(compared(b=[0.2] * 4), None) is None


@pytest.fixture(scope="module")
def view(run):
    """A complete view of a path with decision points."""
    return resolve(run, ViewState(baseline="tiny-m")).view


def found_between(run, view, one="Self-1C", other="tiny-m"):
    rows = run.query("decisions", objective=view.objective, convention=view.convention)
    return disagreements(run, rows, one, other)


def test_disagreements_are_ranked_by_what_is_at_stake(run, view):
    found = found_between(run, view)
    at_stake = (found["alignment_one"] - found["alignment_other"]).abs() * found["success_range"]
    assert len(found) > 3
    assert at_stake.tolist() == sorted(at_stake, reverse=True)


def test_two_teachers_disagree_only_where_both_have_an_alignment(run, view):
    assert found_between(run, view, "Self-check").empty


def test_a_row_names_the_token_at_its_position(run, view):
    found = found_between(run, view)
    data = disagreement_payload(run, found, view, ("Self-1C", "tiny-m"), most=3)
    row = data["rows"][0]
    there = view.but(question=row["question"], path=row["path"])
    assert path_payload(run, there, ["tiny-m"])["tokens"][row["position"]]["text"] == row["text"]
    assert (len(data["rows"]), data["found"]) == (3, len(found))
    assert data["query"]["teacher"] == ["Self-1C"]
    json.dumps(data, allow_nan=False)


def test_a_list_without_rows_is_empty(run, view):
    assert disagreement_payload(run, found_between(run, view, "Self-check"), view, ("a", "b"), 3)["rows"] == []


def test_every_strip_has_a_cell_for_every_token(run, view):
    data = path_payload(run, view, view.teachers)
    assert [teacher["name"] for teacher in data["teachers"]] == list(view.teachers)
    assert {len(teacher["cells"]["rows"]) for teacher in data["teachers"]} == {len(data["tokens"])}
    json.dumps(data, allow_nan=False)


def cells(data, teacher, part):
    own = next(one for one in data["teachers"] if one["name"] == teacher)
    return [cell[part] for cell in records(own["cells"])]


def test_a_difference_is_the_score_minus_that_of_the_baseline(run, view):
    data = path_payload(run, view.but(show="difference"), view.teachers)
    scores = zip(cells(data, "Self-1C", "alignment"), cells(data, "tiny-m", "alignment"), strict=True)
    expected = [None if None in pair else pair[0] - pair[1] for pair in scores]
    found = cells(data, "Self-1C", "difference")
    assert [value is None for value in found] == [value is None for value in expected]
    known = [value for value in expected if value is not None]
    assert known and [value for value in found if value is not None] == pytest.approx(known, abs=1e-3)


def test_the_baseline_differs_nowhere_from_itself(run, view):
    data = path_payload(run, view.but(show="difference"), view.teachers)
    assert set(cells(data, "tiny-m", "colour")) == {0.0, None}


def test_a_difference_is_coloured_between_its_ends_and_never_called_settled(run, view):
    data = path_payload(run, view.but(show="difference", colour="gain"), view.teachers)
    known = [value for value in cells(data, "Self-1C", "colour") if value is not None]
    assert known and max(map(abs, known)) <= 1
    assert set(cells(data, "Self-1C", "settled")) == {None}
    assert data["legend"]["ends"][0] == -data["legend"]["ends"][1]


@pytest.mark.parametrize("colour", ["alignment", "p_positive", "kl", "success"])
def test_the_legend_of_a_difference_diverges_around_zero(colour):
    legend = shown_legend(ViewState(colour=colour, show="difference")).payload(1.0)
    assert (legend["kind"], legend["ends"]) == ("diverging", [-1.0, 1.0])


def test_a_teacher_without_alignment_has_no_colour(run, view):
    assert set(cells(path_payload(run, view, view.teachers), "Self-check", "colour")) == {None}


def test_filters_of_the_view_take_colours_away(run, view):
    data = path_payload(run, view.but(children=99), view.teachers)
    assert set(cells(data, "tiny-m", "colour")) == {None}
    assert any(value is not None for value in cells(data, "tiny-m", "alignment"))


def test_disagreements_of_a_path_have_opposite_signs_and_are_in_reading_order(run, view):
    views = [resolve(run, ViewState(question=name)).view for name in ("sum", "compare")]
    paths = [path_payload(run, there, view.teachers) for there in views]
    assert any(data["disagreements"] for data in paths)
    for data in paths:
        assert data["disagreements"] == sorted(data["disagreements"])
        for at in data["disagreements"]:
            scores = [cells(data, name, "alignment")[at] for name in view.teachers]
            known = [score for score in scores if score is not None]
            assert min(known) < 0 < max(known)


class WithoutContext:
    """A run in which a teacher has no context for any question."""

    def __init__(self, run, teacher):
        self.run, self.teacher, self.run_id = run, teacher, run.run_id

    def query(self, name, /, **params):
        rows = self.run.query(name, **params)
        if name == "contexts":
            own = rows["teacher"] == self.teacher
            reason = rows["reason"].mask(own, "no correct rollout")
            rows = rows.assign(available=rows["available"] & ~own, reason=reason)
        return rows


def test_a_teacher_that_is_unavailable_says_why_and_has_no_cells(run, view):
    data = path_payload(WithoutContext(run, "Self-1C"), view, view.teachers)
    own = next(teacher for teacher in data["teachers"] if teacher["name"] == "Self-1C")
    assert own["note"] == "not available: no correct rollout"
    assert set(own["cells"]["rows"]) == {None}


def test_the_file_of_a_path_has_a_row_per_token_and_teacher(run, view):
    data = path_payload(run, view, view.teachers)
    assert len(path_table(data)) == len(data["tokens"]) * len(view.teachers)


def scored(run, view):
    """Position of the first token of the path with an alignment under the baseline."""
    values = cells(path_payload(run, view, view.teachers), "tiny-m", "alignment")
    return next(at for at, value in enumerate(values) if value is not None)


def test_gradients_have_length_one_and_their_product_is_the_alignment(run, view):
    found = gradients_at(run, view.but(position=scored(run, view)), view.teachers)
    ideal = np.array(found["ideal"]["components"])
    assert np.linalg.norm(ideal) == pytest.approx(1)
    for teacher in found["teachers"]:
        if teacher["name"] != "Self-check":
            assert ideal @ np.array(teacher["components"]) == pytest.approx(teacher["alignment"], abs=1e-4)
    assert len(gradient_table(found)) == len(found["children"]) * len(found["teachers"])


def test_a_gradient_that_is_zero_has_no_direction(run, view):
    found = gradients_at(run, view.but(position=scored(run, view)), ["Self-check"])
    assert set(found["teachers"][0]["components"]) == {None}
    assert found["teachers"][0]["alignment"] is None


def test_a_token_without_scores_has_no_gradients(run, view):
    length = len(path_payload(run, view, view.teachers)["tokens"])
    assert gradients_at(run, view.but(position=length - 1), view.teachers) is None
