"""The figure of a pinned token."""

import numpy as np
import pandas as pd
import pytest

from odd.views.figures.gradients import gradient_figure, token_label, unit


@pytest.fixture
def children():
    return pd.DataFrame(
        {
            "text": [" ×", "<b>x</b>", "$a$"],
            "taken": [False, True, False],
            "success": [0.7, 0.1, 0.6],
            "success_low": [0.6, 0.05, 0.4],
            "success_high": [0.8, 0.2, 0.9],
            "success_visits": [100, 1764, 31],
            "ideal": [0.1, -0.2, 0.02],
            "teacher_gradient": [0.001, -0.002, np.nan],
        }
    )


def traces(figure):
    return {trace.name: trace for trace in figure.data}


def test_both_gradients_are_of_length_one(children):
    found = traces(gradient_figure(children))
    for name in ("ideal gradient", "teacher gradient"):
        assert np.sqrt(np.nansum(np.square(found[name].x))) == pytest.approx(1)


def test_the_bars_keep_the_true_values_for_hovering(children):
    assert traces(gradient_figure(children))["ideal gradient"].customdata.tolist() == [0.1, -0.2, 0.02]


def test_success_has_its_interval_and_its_visits(children):
    dot = traces(gradient_figure(children))["P̂ success"]
    assert dot.x + dot.error_x["array"] == pytest.approx([0.8, 0.2, 0.9])
    assert dot.x - dot.error_x["arrayminus"] == pytest.approx([0.6, 0.05, 0.4])
    assert dot.text == ("n=100", "n=1,764", "n=31")


def test_axes_are_labelled(children):
    layout = gradient_figure(children).layout
    assert "pushes down ← 0 → up" in layout.xaxis.title.text
    assert "success" in layout.xaxis2.title.text
    assert layout.yaxis.title.text == "next token"


def test_without_gradients_success_is_shown_alone(children):
    figure = gradient_figure(children.assign(ideal=np.nan, teacher_gradient=np.nan))
    assert list(traces(figure)) == ["P̂ success"]
    assert "success" in figure.layout.xaxis.title.text
    assert len(figure.layout.yaxis.ticktext) == 3


def test_a_token_cannot_mark_up_its_label(children):
    labels = gradient_figure(children).layout.yaxis.ticktext
    assert labels[0] == "·×"
    assert labels[1] == "▸ <b>&lt;b&gt;x&lt;/b&gt;</b>"
    assert "$a$" not in labels[2]


def test_a_long_token_is_cut():
    assert len(token_label("x" * 500, taken=False)) < 30


def test_a_zero_gradient_stays_zero():
    assert unit(np.zeros(2)).tolist() == [0, 0]
