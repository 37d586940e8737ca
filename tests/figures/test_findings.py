"""Figures of the findings: a dot where there is a value, intervals as given, hostile names as text."""

from odd.components.palette import HARMFUL, HELPFUL, NEUTRAL
from odd.figures.findings import Panel, outcomes, ranking, signed, state, written
from odd.statistics import Estimate

NAN = float("nan")
ABOVE, ACROSS = Estimate(0.5, 0.25, 0.75, 9, 3), Estimate(0.1, -0.25, 0.5, 9, 3)
BELOW, UNKNOWN = Estimate(-0.5, -0.75, -0.25, 9, 3), Estimate(NAN, NAN, NAN, 0, 0)
TEACHERS = ["2024-01-01", "<b>$x$</b>", "c", "d"]
PANEL = Panel("mean cosine", "cosine", 0.0, {"mean": [ABOVE, ACROSS, BELOW, UNKNOWN]})


def drawn(figure):
    """Traces with data: not those that only stand in the legend."""
    return [trace for trace in figure.data if trace.x and any(x is not None for x in trace.x)]


def test_colour_and_shape_say_on_which_side_the_interval_lies():
    dots = {trace.marker.color: trace for trace in drawn(ranking(TEACHERS, [PANEL]))}
    assert [dots[colour].x for colour in (HELPFUL, NEUTRAL, HARMFUL)] == [(0.5,), (0.1,), (-0.5,)]
    assert len({trace.marker.symbol for trace in dots.values()}) == 3


def test_an_interval_runs_from_low_to_high():
    dot = next(trace for trace in drawn(ranking(TEACHERS, [PANEL])) if trace.marker.color == HELPFUL)
    assert (dot.error_x.arrayminus, dot.error_x.array) == ((0.25,), (0.25,))


def test_an_undefined_value_is_said_not_drawn():
    figure = ranking(TEACHERS, [PANEL])
    assert sum(len(trace.x) for trace in drawn(figure)) == 3
    assert [note.y for note in figure.layout.annotations if note.text == "–"] == [3]


def test_names_are_escaped_and_never_read_as_dates():
    axis = ranking(TEACHERS, [PANEL]).layout.yaxis
    assert axis.ticktext[0] == "2024-01-01" and axis.tickvals == (0, 1, 2, 3)
    assert "<b>" not in axis.ticktext[1] and "$x$" not in axis.ticktext[1]


def test_axes_have_names_units_and_the_line_of_no_effect():
    high = Panel("fraction positive", "share", 0.5, {"mean": [Estimate(0.8, 0.7, 0.9, 9, 3)] * 4})
    figure = ranking(TEACHERS, [PANEL, high])
    assert "share" in figure.layout.xaxis2.title.text and figure.layout.yaxis.title.text == "teacher"
    assert figure.layout.xaxis2.range[0] < 0.5 < figure.layout.xaxis2.range[1]


def test_pairs_stand_beside_each_other_with_their_difference_below():
    pair = Panel("mean cosine", "cosine", 0.0, {"correct": [ABOVE] * 4, "incorrect": [BELOW] * 3 + [UNKNOWN]})
    change = Panel("Δ mean cosine", "cosine", 0.0, {"gap": [BELOW] * 3 + [UNKNOWN]})
    figure = outcomes(TEACHERS, [pair], [change])
    dots = [trace for trace in drawn(figure) if trace.mode == "markers"]
    assert [len(trace.x) for trace in dots] == [4, 3, 3]
    assert [trace.xaxis for trace in dots] == ["x", "x", "x2"]


def test_the_side_is_that_of_the_whole_interval():
    assert [state(one) for one in (ABOVE, BELOW, ACROSS, UNKNOWN)] == ["above", "below", "open", "open"]


def test_numbers_have_a_true_minus_and_no_sign_at_zero():
    assert (signed(-0.5), signed(0.001), signed(-0.001), signed(NAN)) == ("−0.50", "0.00", "0.00", "–")
    assert written(Estimate(0.6, 0.4, 0.8, 1, 2), null=0.5) == "0.60 [0.40, 0.80]"
    assert written(UNKNOWN) == "–"
