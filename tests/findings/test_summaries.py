"""Summaries: means over questions, with and without shuffled success."""

import numpy as np
import pandas as pd
import pytest

from odd.errors import OddError
from odd.findings.summaries import MAIN, chosen_measure, estimates

POINTS = pd.DataFrame(
    {
        "question": [0, 0, 1, 2],
        "alignment": [1.0, -0.5, 0.2, np.nan],
        "success_range": [0.6, 0.2, 0.2, 0.9],
        "gain": [0.1, -0.1, 0.3, np.nan],
        "advantage": [0.0, 0.1, 0.2, 0.3],
    }
)


def test_every_summary_is_the_mean_it_is_named_after():
    values = {key: one.value for key, one in estimates(POINTS).items()}
    expected = {"weighted_cosine": 0.54, "mean_cosine": 0.7 / 3, "fraction_positive": 2 / 3, "mean_gain": 0.1}
    assert values == pytest.approx(expected | {"advantage": 0.15})


def test_a_difference_is_of_the_group_to_the_others_and_tested_in_each_question():
    both = pd.concat([POINTS, POINTS.assign(alignment=POINTS["alignment"] - 0.1)], ignore_index=True)
    group = np.arange(len(both)) < len(POINTS)
    assert MAIN.difference(both, group).value == pytest.approx(0.1)
    # two questions have both sides, differing the same way: 2 of 4 sign patterns are as extreme
    assert MAIN.wilcoxon_difference(POINTS, both[~group]) == pytest.approx(0.5)


def test_an_unknown_measure_lists_those_of_the_run():
    known = pd.DataFrame({"objective": ["a", "b"], "convention": ["c", "c"]})
    assert chosen_measure(known, "run", "a", "c") == ("a", "c")
    assert chosen_measure(known.iloc[:0], "run", "anything", "c") == ("anything", "c")
    with pytest.raises(OddError, match="run run: no convention 'd'; it has c"):
        chosen_measure(known, "run", "b", "d")


def test_the_default_measure_is_shown_if_none_is_chosen():
    usual = pd.DataFrame({"objective": ["jsd_0.5", "reverse_kl"], "convention": ["pooled-full-off"] * 2})
    assert chosen_measure(usual, "run", None, None) == ("reverse_kl", "pooled-full-off")
    assert chosen_measure(usual.iloc[:1], "run", None, None) == ("jsd_0.5", "pooled-full-off")
    assert chosen_measure(usual.iloc[:0], "run", None, None) == ("reverse_kl", "on_policy-full-off")
