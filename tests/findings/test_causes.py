"""The likeliest cause of a run without results is named from what was seen."""

import pandas as pd
import pytest

from odd.config.teachers import Templates
from odd.findings.causes import likeliest_cause


class Fake:
    run_id = "fake"

    def __init__(self, prompt):
        self.prompt = prompt

    def query(self, name, /, **params):
        assert (name, params) == ("question", {"question": 4})
        return pd.DataFrame({"prompt_text": [self.prompt]})


def cause(correct, truncated, prompt="user: What is 2+3?", rollouts=200):
    counts = {"initial_rollouts": [rollouts], "initial_correct": [correct], "initial_truncated": [truncated]}
    return likeliest_cause(Fake(prompt), pd.DataFrame({"question": [4], **counts}))


def test_responses_that_were_cut_are_blamed_first():
    assert "198 of 200" in cause(0, 198) and "sampling.max_new_tokens" in cause(0, 198)


def test_the_default_instruction_is_named_and_the_prompt_shown():
    text = cause(0, 3, f"user: What is 2+3? {Templates().instruction}")
    assert "templates.instruction" in text and "What is 2+3?" in text and "n_min" not in text


def test_another_prompt_is_shown_without_blaming_the_instruction():
    text = cause(0, 3)
    assert "What is 2+3?" in text and "templates.instruction" not in text


@pytest.mark.parametrize("counts", [(50, 20), (1, 0)])
def test_a_run_with_correct_responses_that_end_has_no_such_cause(counts):
    assert cause(*counts) == ""


def test_a_run_without_rollouts_has_no_cause_yet():
    assert cause(0, 0, rollouts=0) == ""


def test_a_hostile_prompt_stays_on_one_line_and_short():
    text = cause(0, 0, "\x1b[31m\n" * 5000)
    assert "\x1b" not in text and "\n" not in text and len(text) < 3000
