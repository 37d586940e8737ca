"""Reasons why there is nothing to show."""

import pandas as pd
import pytest

from odd.views.missing import NO_TEACHER, NOT_SCORED, no_decision_point, why_no_scores

COUNTS = {"initial_rollouts": 100, "initial_correct": 40, "initial_truncated": 0}


class Fake:
    run_id = "fake"

    def __init__(self, teachers, stages):
        self.tables = {
            "teachers": pd.DataFrame({"teacher": teachers}),
            "questions": pd.DataFrame({"stage": stages, **COUNTS}),
        }

    def query(self, name, /, **params):
        return self.tables[name]


@pytest.mark.parametrize(
    ("teachers", "stages", "found", "why"),
    [
        ([], ["scored"], True, NO_TEACHER),
        (["big"], ["sampled", "sampled"], False, NOT_SCORED),
        (["big"], ["sampled", "scored"], False, no_decision_point("This run")),
        (["big"], ["sampled", "scored"], True, ""),
    ],
)
def test_the_first_thing_that_is_missing_is_named(teachers, stages, found, why):
    assert why_no_scores(Fake(teachers, stages), found) == why
