"""Times and sizes in words."""

import pytest

from odd.text import age, duration, rough, size


@pytest.mark.parametrize(
    "seconds, words",
    [(-5, "just now"), (9, "just now"), (59, "59 seconds ago"), (60, "1 minute ago"), (7199, "1 hour ago"),
     (86_400 * 2, "2 days ago"), (86_400 * 400, "1 year ago")],
)  # fmt: skip
def test_ages(seconds, words):
    assert age(seconds) == words


@pytest.mark.parametrize(
    "seconds, words",
    [(None, "–"), (0, "0 s"), (59.6, "1 min"), (200, "3 min 20 s"), (599, "9 min 59 s"), (1500, "25 min"),
     (7500, "2 h 5 min"), (7200, "2 h")],
)  # fmt: skip
def test_durations(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize(
    "seconds, words",
    [(None, "–"), (0, "about 5 s"), (43, "about 45 s"), (113, "about 1 min 50 s"), (3700, "about 1 h 2 min")],
)
def test_rough_durations_are_rounded(seconds, words):
    assert rough(seconds) == words


@pytest.mark.parametrize("count, words", [(0, "0 kB"), (111_222, "111 kB"), (15_822_848, "15.8 MB"), (2e9, "2.00 GB")])
def test_sizes(count, words):
    assert size(count) == words
