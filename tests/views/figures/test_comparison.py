import json

import pytest

from odd.views.components.palette import IDEAL, TEACHER
from odd.views.figures.comparison import gradient_bars, heat_map, label
from odd.views.figures.gradients import token_label
from odd.views.scores import table

HOSTILE = "<b onclick=1>$x$</b>"
NAMES = ("colour", "settled", "value", "difference")
DIVERGING = {"name": "alignment", "unit": "cosine", "low": "harmful", "high": "helpful", "kind": "diverging"}


def path(scores, legend=DIVERGING, ends=(-1.0, 1.0), settled=True, text="a"):
    """A payload of strips: a list of scores per teacher, None without estimate."""
    teachers = [
        {"name": f"{HOSTILE}{at}", "cells": table(NAMES, [[value, value and settled, value, value] for value in row])}
        for at, row in enumerate(scores)
    ]
    tokens = [{"text": text, "decision": True} for _ in scores[0]]
    legend = legend | {"ends": list(ends)}
    return {"first": 0, "tokens": tokens, "teachers": teachers, "legend": legend, "difference": False}


def gradients(count, alignment=0.5):
    score = {"alignment": alignment, "low": 0.1, "high": 0.9, "p_positive": 1.0, "known": True}
    children = [{"text": f"{HOSTILE}{at}", "p_student": 0.5, "success": None, "visits": 20.0} for at in range(3)]
    panel = {"components": [0.6, -0.8, 0.0], "length": 0.1}
    teachers = [{"name": f"t{at}"} | panel | score for at in range(count)]
    return {"children": children, "ideal": panel, "teachers": teachers}


def test_the_colours_of_a_heat_map_are_centred_on_zero_and_its_legend_is_shown():
    heat = heat_map(path([[0.5, -0.2]]), None).data[0]
    assert (heat.zmin, heat.zmax) == (-1, 1)
    assert heat.showscale is not False
    assert list(heat.colorbar.ticktext) == ["−1 harmful", "0", "+1 helpful"]


@pytest.mark.parametrize("teachers", [1, 2, 16])
def test_the_legend_of_a_heat_map_has_room_however_few_teachers_there_are(teachers):
    figure = heat_map(path([[0.5, -0.2]] * teachers), None)
    bar = figure.data[0].colorbar
    assert bar.lenmode == "pixels"
    assert 150 <= bar.len < figure.layout.height


def test_a_probability_has_one_half_in_the_middle_of_its_legend():
    ticks = heat_map(path([[0.5]], ends=(0.0, 1.0)), None).data[0].colorbar.ticktext
    assert ticks[1] == "0.5"


def test_a_token_without_estimate_has_a_mark_instead_of_a_tile():
    figure = heat_map(path([[0.0, None], [None, 0.3]]), None)
    assert [list(row) for row in figure.data[0].z] == [[0.0, None], [None, 0.3]]
    mark = next(trace for trace in figure.data if trace.name == "no estimate")
    assert list(zip(mark.y, mark.x, strict=True)) == [(0, 1), (1, 0)]
    assert mark.showlegend and mark.marker.opacity > 0


def test_a_sign_that_is_not_settled_is_marked():
    figure = heat_map(path([[0.4, 0.5]], settled=False), None)
    mark = next(trace for trace in figure.data if trace.name == "sign not settled")
    assert len(mark.x) == 2


def test_the_pinned_token_is_framed():
    assert not heat_map(path([[0.5, 0.1]]), None).layout.shapes
    frame = heat_map(path([[0.5, 0.1]]), 1).layout.shapes[0]
    assert (frame.x0, frame.x1) == (0.5, 1.5)


def test_axes_have_names():
    figure = heat_map(path([[0.5]]), None)
    assert figure.layout.xaxis.title.text and figure.layout.yaxis.title.text
    panels = gradient_bars(gradients(2))
    assert panels.layout.xaxis.title.text and panels.layout.yaxis.title.text


@pytest.mark.parametrize("figure", [heat_map(path([[0.5, None]], text=HOSTILE), 0), gradient_bars(gradients(2))])
def test_nothing_from_outside_is_markup(figure):
    written = json.dumps(json.loads(figure.to_json()), ensure_ascii=False)
    assert "<b onclick" not in written and "<b·onclick" not in written
    assert "&lt;b" in written


def test_blanks_of_a_label_can_be_seen_and_long_ones_are_cut():
    assert label(" a") == token_label(" a", taken=False) == "·a"
    assert label("x" * 50, 8) == "xxxxxxx…"


def test_every_teacher_has_a_panel_beside_the_ideal_one():
    figure = gradient_bars(gradients(3))
    assert [trace.marker.color for trace in figure.data] == [IDEAL, TEACHER, TEACHER, TEACHER]
    assert {trace.yaxis for trace in figure.data} == {"y", "y2", "y3", "y4"}
    assert {tuple(figure.layout[axis].range) for axis in ("yaxis", "yaxis2", "yaxis4")} == {(2.5, -0.5)}


def test_nine_teachers_take_two_rows_and_each_starts_with_the_ideal_gradient():
    figure = gradient_bars(gradients(9))
    assert [trace.marker.color for trace in figure.data].count(IDEAL) == 2
    domains = {figure.layout[f"yaxis{at}"].domain for at in range(2, 12)}
    (low, middle), (_, top) = sorted(domains)
    assert (low, top) == pytest.approx((0.0, 1.0))
    assert middle < 0.5


def test_the_cosine_with_its_interval_is_below_a_panel():
    assert gradient_bars(gradients(1)).layout.xaxis2.title.text.startswith("cosine +0.50<br>[+0.10, +0.90]")
    nothing = gradients(1, alignment=None)
    nothing["teachers"][0] |= {"components": [None] * 3, "low": None, "high": None}
    assert gradient_bars(nothing).layout.xaxis2.title.text.startswith("cosine –<br>the gradient is zero")
