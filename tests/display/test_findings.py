"""Findings: numbers of teacher_summary, differences on the same nodes, sentences that say no more than these show."""

import numpy as np
import pandas as pd
import pytest

from odd.display import finding_words as words
from odd.display.findings import FINDINGS, MAIN, MEASURES, gather, leads, outcome_gaps, path_outcomes, teacher_ranking
from odd.statistics import Estimate

NAN = float("nan")
HOSTILE = "$x$<b>|evil"


def score(question, node, teacher, alignment, correct):
    row = {"question": question, "node": node, "teacher": teacher, "correct": correct, "alignment": alignment}
    return row | {"success_range": 0.5, "gain": alignment / 10, "advantage": 0.1, "decision": True}


def scores(questions=30):
    """`good` helps, more so on incorrect paths; `bad` hurts alike on both; the check is undefined."""
    noise = np.random.default_rng(0).normal(0, 0.05, (questions, 2))
    rows = []
    for question in range(questions):
        for correct in (True, False):
            level = noise[question, int(correct)]
            rows.append(score(question, int(correct), HOSTILE, (0.2 if correct else 0.6) + level, correct))
            rows.append(
                score(question, int(correct), "bad", -0.3 + (0.1 if question % 2 == correct else -0.1), correct)
            )
            rows.append(score(question, int(correct), "check", NAN, correct))
    return pd.DataFrame(rows)


class Fake:
    run_id = "run"

    def __init__(self, rows, teachers=("check", "bad", HOSTILE)):
        self.frames = {"decision_scores": rows, "teachers": pd.DataFrame({"teacher": list(teachers)})}

    def query(self, name, /, **params):
        return self.frames[name]


def evidence(questions=30, **changes):
    return gather(Fake(scores(questions), **changes), "reverse_kl", "on_policy-full-off")


def test_the_best_teacher_stands_first_and_the_undefined_last():
    ranking = teacher_ranking(evidence(), "all")
    assert ranking.table["teacher"].tolist() == [HOSTILE, "bad", "check"]
    assert ranking.table["weighted_cosine"].round(1).tolist()[:2] == [0.4, -0.3]


def test_the_sentence_puts_each_teacher_on_its_side_of_zero():
    sentence = teacher_ranking(evidence(), "all").sentences[0]
    above, below, unknown = sentence.split("; ")
    assert HOSTILE in above and "above 0" in above
    assert "bad" in below and "below 0" in below
    assert "check" in unknown and "none that is defined" in unknown


def test_outcomes_filter_the_ranking_but_not_the_comparison_of_outcomes():
    shared = evidence()
    means = [teacher_ranking(shared, kind).table["mean_cosine"].iloc[0] for kind in ("correct", "incorrect")]
    assert means[0] < 0.3 < 0.5 < means[1]
    assert path_outcomes(shared, "all").table.equals(path_outcomes(shared, "correct").table)


def test_a_gap_is_the_difference_of_the_two_means_with_its_own_interval():
    shared = evidence()
    gaps = outcome_gaps(shared, MAIN)
    kinds = [shared.estimates(MAIN, kind)[HOSTILE].value for kind in ("incorrect", "correct")]
    assert gaps[HOSTILE].value == pytest.approx(kinds[0] - kinds[1])
    assert gaps[HOSTILE].low > 0.3 and gaps["bad"].low < 0 < gaps["bad"].high and np.isnan(gaps["check"].value)
    told = path_outcomes(shared, "all").sentences[0]
    assert f"{HOSTILE} (+0.38" in told and "higher on incorrect" in told and "cannot be told apart" in told


def test_a_lead_compares_on_the_nodes_that_both_have():
    rows = scores()
    rows.loc[(rows["teacher"] == "bad") & ~rows["correct"], "alignment"] = NAN
    lead = leads(gather(Fake(rows), "o", "c"), [HOSTILE, "bad", "check"], "all")
    assert list(lead) == ["bad"] and lead["bad"].n == 30
    assert lead["bad"].value == pytest.approx(0.5, abs=0.05)


def test_few_questions_are_called_few_and_one_has_no_interval():
    few, one = (teacher_ranking(evidence(questions), "all").sentences for questions in (5, 1))
    assert "rough" in few[-1] and "rough" not in teacher_ranking(evidence(), "all").sentences[-1]
    assert "one question gives no interval" in one[0] and "nothing follows" in one[-1]


def test_one_teacher_is_ranked_alone():
    finding = teacher_ranking(evidence(teachers=("bad",)), "all")
    assert finding.table["teacher"].tolist() == ["bad"]
    assert not any("ahead" in sentence or "told apart" in sentence for sentence in finding.sentences)


def test_a_measure_that_ranks_otherwise_is_named():
    rows = scores()
    rows.loc[rows["teacher"] == "bad", "gain"] = 0.9
    sentences = teacher_ranking(gather(Fake(rows), "o", "c"), "all").sentences
    assert any("bad by mean gain" in sentence for sentence in sentences)


@pytest.mark.parametrize("find", FINDINGS)
def test_tables_hold_every_measure_with_interval_and_n(find):
    table = find(evidence(), "all").table
    assert {f"{m.key}{part}" for m in MEASURES for part in ("", "_low", "_high", "_n", "_clusters")} <= set(table)


@pytest.mark.parametrize("find", FINDINGS)
def test_nothing_defined_gives_findings_that_say_so(find):
    rows = scores().assign(alignment=NAN, gain=NAN, advantage=NAN)
    finding = find(gather(Fake(rows), "o", "c"), "all")
    assert "defined" in finding.sentences[0]


def test_names_and_intervals_read_as_a_sentence():
    assert words.listed(["a"]) == "a" and words.listed(["a", "b", "c"]) == "a, b and c"
    assert words.valued({"a": Estimate(0.5, 0.25, 0.75, 9, 3)}, ["a"]) == "a (+0.50 [+0.25, +0.75])"
    assert words.valued({"a": Estimate(-0.001, NAN, NAN, 1, 1)}, ["a"]) == "a (0.00)"
