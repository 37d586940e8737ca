"""Figures of the findings: a dot where there is a value, intervals as given, hostile names as text."""

import numpy as np
import pytest

from odd.findings.statistics import Estimate
from odd.findings.written import p_value, signed, state, written
from odd.views.components.palette import HARMFUL, HELPFUL, NEUTRAL, ink
from odd.views.figures.conventions import convention_map
from odd.views.figures.distribution import histograms
from odd.views.figures.findings import PATHS, dots, run_looks
from odd.views.figures.panels import Panel
from odd.views.figures.path_scores import Step, path_scores
from odd.views.figures.settling import settling_curves

NAN = float("nan")
ABOVE, ACROSS = Estimate(0.5, 0.25, 0.75, 9, 6), Estimate(0.1, -0.25, 0.5, 9, 6)
BELOW, UNKNOWN = Estimate(-0.5, -0.75, -0.25, 9, 6), Estimate(NAN, NAN, NAN, 0, 0)
TEACHERS = ["2024-01-01", "<b>$x$</b>", "c", "d"]
PANEL = Panel("mean cosine", "cosine", 0.0, {"mean": [ABOVE, ACROSS, BELOW, UNKNOWN]})


def drawn(figure, mode="markers"):
    """Traces with data, without those that are only in the legend."""
    lines = [trace for trace in figure.data if trace.type == "scatter" and trace.mode == mode]
    return [trace for trace in lines if trace.x is not None and any(x is not None for x in trace.x)]


def test_colour_and_shape_show_on_which_side_the_interval_is():
    found = {trace.marker.color: trace for trace in drawn(dots(TEACHERS, [[PANEL]]))}
    assert [found[colour].x for colour in (HELPFUL, NEUTRAL, HARMFUL)] == [(0.5,), (0.1,), (-0.5,)]
    assert len({trace.marker.symbol for trace in found.values()}) == 3


def test_what_neither_helps_nor_harms_has_one_colour():
    plain = Panel("share", "0 to 1", NAN, {"share": [ABOVE, ACROSS, BELOW, UNKNOWN]}, judged=False)
    assert [len(trace.x) for trace in drawn(dots(TEACHERS, [[plain]]))] == [3]


def test_an_interval_runs_from_low_to_high():
    dot = next(trace for trace in drawn(dots(TEACHERS, [[PANEL]])) if trace.marker.color == HELPFUL)
    assert (dot.error_x.arrayminus, dot.error_x.array) == ((0.25,), (0.25,))


def test_an_undefined_value_is_written_not_drawn_and_a_missing_one_is_neither():
    figure = dots(TEACHERS, [[Panel("m", "u", 0.0, {"m": [ABOVE, None, BELOW, UNKNOWN]})]])
    assert sum(len(trace.x) for trace in drawn(figure)) == 2
    assert [note.y for note in figure.layout.annotations if note.text == "–"] == [3]


def test_names_are_escaped_and_never_read_as_dates():
    axis = dots(TEACHERS, [[PANEL]]).layout.yaxis
    assert axis.ticktext[0] == "2024-01-01" and axis.tickvals == (0, 1, 2, 3)
    assert "<b>" not in axis.ticktext[1] and "$x$" not in axis.ticktext[1]


def test_axes_have_names_units_and_the_line_of_no_effect():
    high = Panel("fraction positive", "share", 0.5, {"mean": [Estimate(0.8, 0.7, 0.9, 9, 3)] * 4})
    figure = dots(TEACHERS, [[PANEL, high]])
    assert "share" in figure.layout.xaxis2.title.text and figure.layout.yaxis.title.text == "teacher"
    assert figure.layout.xaxis2.range[0] < 0.5 < figure.layout.xaxis2.range[1]


def test_the_noise_floor_and_the_paper_s_numbers_are_behind_and_in_the_legend():
    panel = Panel("m", "u", 0.0, {"m": [ABOVE, BELOW]}, {"m": [(-0.9, 0.2), None]}, [None, (0.04, 0.02)])
    figure = dots(["a", "b"], [[panel]], published="Qwen3-0.6B, BoolQ")
    (floor,) = drawn(figure, "lines")
    assert floor.x == (-0.9, 0.2, None) and figure.layout.xaxis.range[0] < -0.9
    assert any(trace.x == (0.04,) and trace.error_x.array == (0.02,) for trace in drawn(figure))
    names = [trace.name for trace in figure.data if trace.name]
    assert any("noise floor" in name for name in names) and any("Qwen3-0.6B" in name for name in names)


def test_pairs_are_side_by_side_with_their_difference_below():
    pair = Panel("m", "u", 0.0, {"correct": [ABOVE] * 4, "incorrect": [BELOW] * 3 + [UNKNOWN]})
    change = Panel("Δ", "u", 0.0, {"gap": [BELOW] * 3 + [UNKNOWN]})
    figure = dots(TEACHERS, [[pair], [change]], {**PATHS, **run_looks(["gap"])})
    found = drawn(figure)
    assert [len(trace.x) for trace in found] == [4, 3, 3]
    assert [trace.xaxis for trace in found] == ["x", "x", "x2"]


def test_runs_differ_in_each_row_by_colour_shape_and_position():
    panel = Panel("m", "u", 0.0, {"<b>a": [ABOVE], "b": [BELOW]})
    found = drawn(dots(["row"], [[panel]], run_looks(["<b>a", "b"])))
    assert len({trace.marker.color for trace in found}) == len({trace.y for trace in found}) == 2
    assert "<b>" not in run_looks(["<b>a"])["<b>a"].name


def test_the_histogram_has_a_panel_per_teacher_and_run():
    edges, bars = np.linspace(-1, 1, 5).tolist(), ([0.1, 0.2, 0.3, 0.4], [0.25] * 4)
    figure = histograms(edges, {"one": {"<b>x": bars, "y": bars}, "two": {"y": bars}})
    found = [trace for trace in figure.data if trace.type == "bar"]
    assert len(found) == 3 and list(found[0].y) == bars[0]
    assert "<b>" not in figure.to_json() and len(drawn(figure, "lines")) == 3


def test_the_map_of_conventions_marks_settled_and_unknown_cells():
    figure = convention_map({"run": {"full": {"<b>x": ABOVE, "y": ACROSS}, "children": {"<b>x": BELOW, "y": UNKNOWN}}})
    heat, numbers = figure.data
    texts = dict(zip(zip(numbers.x, numbers.y, strict=True), numbers.text, strict=True))
    assert texts[0, 0].endswith("●") and not texts[1, 0].endswith("●") and texts[1, 1] == "–"
    assert heat.zmin == -0.5 and heat.zmax == 0.5 and "<b>x" not in figure.to_json()


def test_numbers_on_the_map_contrast_with_their_cells():
    figure = convention_map({"run": {"full": {"x": ABOVE, "y": ACROSS}, "children": {"x": BELOW, "y": UNKNOWN}}})
    heat, numbers = figure.data
    known = [(heat.z[y][x], colour) for x, y, colour in zip(numbers.x, numbers.y, numbers.textfont.color, strict=True)
             if heat.z[y][x] is not None]  # fmt: skip
    assert len(known) == 3
    assert all(colour == ink(value / heat.zmax) for value, colour in known)
    assert all(colour.startswith("#") for _, colour in heat.colorscale)


def test_curves_of_settled_signs_are_shared_by_runs():
    figure = settling_curves([1, 2, 4], {"a": {"x": [0.1, 0.2, 0.3]}, "b": {"x": [0.2, 0.3, 0.4]}}, 0.9)
    assert [trace.showlegend for trace in figure.data] == [True, False]
    assert figure.layout.xaxis.type == "log"


def test_a_path_has_a_dot_per_scored_token_sized_by_what_is_at_stake():
    steps = [Step(0, "<b>", 1.0, 0.5, 1.0, 1.0), Step(3, "x", -0.5, -1.0, 0.5, 0.1), Step(5, "y", NAN, NAN, NAN, 0.2)]
    figure = path_scores(steps, 9)
    found = drawn(figure)
    assert sum(len(trace.x) for trace in found) == 2 and found[0].marker.size[0] > found[-1].marker.size[0]
    assert figure.layout.xaxis.range[1] == 8.5 and "<b><b>" not in figure.to_json()


def test_the_side_is_that_of_the_whole_interval():
    assert [state(one) for one in (ABOVE, BELOW, ACROSS, UNKNOWN)] == ["above", "below", "open", "open"]


def test_numbers_have_a_true_minus_and_no_sign_at_zero():
    assert (signed(-0.5), signed(0.001), signed(-0.001), signed(NAN)) == ("−0.50", "0.00", "0.00", "–")
    assert written(Estimate(0.6, 0.4, 0.8, 1, 2), null=0.5) == "0.60 [0.40, 0.80]"
    assert written(UNKNOWN) == "–" and signed(12345.6, 0) == "+12,346"


@pytest.mark.parametrize(("p", "text"), [(0.0001, "< 0.001"), (0.0123, "0.012"), (0.5, "0.50"), (NAN, "–")])
def test_p_values_have_the_digits_that_matter(p, text):
    assert p_value(p) == text
