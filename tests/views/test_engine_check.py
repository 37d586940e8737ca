"""The engine check of a run in words."""

import json

import pytest

from odd.views.engine_check import engine_lines

FOUND = {
    "rollouts": 8,
    "tokens": 183,
    "mean": 0.001,
    "largest": 0.01,
    "bias": 0.0,
    "sections": [0.001, 0.001, 0.001, None],
    "lags": [0.1, 0.999, 0.2],
    "scorer": "transformers",
    "below": {"Large": 0.02},
}


def lines(**changes):
    return engine_lines(json.dumps(FOUND | changes))


def test_a_small_gap_is_told_without_a_warning():
    first, second = lines()
    assert "differ by 0.001 nats per token on average, 0.01 at most (8 rollouts, 183 tokens)" in first
    assert second.endswith("0.20 at lag +1")


def test_a_large_gap_says_what_to_check():
    assert any("dtype" in line for line in lines(mean=0.2))


def test_a_shift_is_named():
    assert any("shifted by a position" in line for line in lines(lags=[0.9, 0.1, 0.2]))


def test_a_teacher_within_the_gap_is_named():
    (line,) = [line for line in lines(below={"Large": 0.38, "Other": 0.01}) if "not settled" in line]
    assert "teacher Large" in line and "38.0%" in line


@pytest.mark.parametrize("stored", ["", "{}", "[]", "not JSON", json.dumps(FOUND | {"mean": "x"})])
def test_a_check_that_is_not_valid_gives_no_lines(stored):
    assert engine_lines(stored) == []
