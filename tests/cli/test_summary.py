"""Output of `show`: every node once, every teacher in order, and a reason where there is nothing to show."""

import io

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from odd.cli.summary import decision_points, print_summary, teacher_summary
from odd.store import RunWriter
from tests.store.example_run import ROWS, RUN


def score(question, node, teacher, alignment, correct=True, decision: bool | None = True):
    row = {"question": question, "node": node, "teacher": teacher, "alignment": alignment, "correct": correct}
    return row | {"decision": decision, "success_range": 0.5, "gain": alignment / 10, "advantage": 0.1}


SCORES = pd.DataFrame(
    [
        score(0, 0, "late", 0.5),
        score(0, 0, "late", 0.5, correct=False),
        score(0, 3, "late", -0.5, correct=False),
        score(1, 0, "late", 0.75),
        score(1, 7, "late", 1.0, decision=None),
        score(1, 8, "late", 1.0, decision=False),
        score(0, 0, "early", np.nan),
    ]
)


def test_a_node_that_paths_share_counts_once_for_all_and_once_for_each_outcome():
    summary = teacher_summary(SCORES, ["late"]).set_index("outcome")
    assert summary.decision_points.to_dict() == {"all": 3, "correct": 2, "incorrect": 2}
    assert summary.mean_cosine["all"].value == pytest.approx(0.25)
    assert summary.mean_cosine["incorrect"].value == 0


def test_teachers_are_in_the_given_order_even_without_decision_points():
    summary = teacher_summary(SCORES, ["none", "late", "early"])
    assert summary.teacher.tolist() == ["none"] * 3 + ["late"] * 3 + ["early"] * 3
    none, early = summary.iloc[0], summary.iloc[6]
    assert none.decision_points == 0 and np.isnan(none.mean_cosine.value)
    assert early.decision_points == 1 and np.isnan(early.mean_cosine.value)


def test_decision_points_of_a_question_are_distinct_nodes_whatever_the_teacher():
    assert decision_points(SCORES) == {0: 2, 1: 1}
    assert decision_points(SCORES.iloc[:0]) == {}


def printed(folder, convention="on_policy-full-off", **replaced):
    with RunWriter(folder, RUN) as writer:
        for table, rows in (ROWS | {"screening_contexts": []} | replaced).items():
            writer.insert(table, rows)
        writer.set_meta("objectives", "reverse_kl")
        writer.set_meta("conventions", "on_policy-full-off,pooled-full-off")
        writer.publish()
    text = io.StringIO()
    print_summary(writer.published, "reverse_kl", convention, Console(file=text, width=118))
    return text.getvalue()


def cells(text, name):
    return next(line.split() for line in text.splitlines() if line.split()[:1] == [name])


def test_the_table_counts_under_the_convention_that_is_shown(tmp_path):
    assert cells(printed(tmp_path / "a"), "q-0")[-1] == "1"
    other = printed(tmp_path / "b", "pooled-full-off")
    assert cells(other, "q-0")[-1] == "0"
    assert "No question has a decision point under pooled-full-off" in other
    assert all(name in other for name in ("targeting.n_min", "sampling.initial_rollouts", "analysis.n_sig"))


def test_teachers_go_by_their_ordinal_and_dashes_stand_for_what_is_undefined(tmp_path):
    big, own = ROWS["teachers"]
    text = printed(tmp_path, teachers=[big | {"ordinal": 5}, own])
    assert text.index("self ") < text.index("big ")
    assert cells(text, "self") == ["self", "all", "0", *"–––––"]
    assert "No question has" not in text


def test_a_screening_is_printed_before_the_rest_or_alone(tmp_path):
    contexts = ROWS["screening_contexts"]
    both = printed(tmp_path / "a", screening_contexts=contexts)
    assert both.index("Screening: accuracy") < both.index("Teachers: reverse_kl")
    asked = [question | {"stage": "new"} for question in ROWS["questions"]]
    alone = printed(tmp_path / "b", screening_contexts=contexts, questions=asked)
    assert "Screening: accuracy" in alone and "Teachers:" not in alone


def test_an_unfinished_run_and_one_without_teachers_say_why_nothing_is_scored(tmp_path):
    waiting = [ROWS["questions"][0] | {"stage": "sampled"}]
    assert "No question is scored yet" in printed(tmp_path / "a", questions=waiting, scores=[])
    assert "no teacher" in printed(tmp_path / "b", teachers=[], contexts=[], scores=[])


def test_text_of_a_run_cannot_control_the_terminal(tmp_path):
    attack = "\x1b]0;title\x07\x1b[2J\x9b31m\u202e"
    questions = [row | {"id": f"{row['id']}{attack}", "note": attack} for row in ROWS["questions"]]
    contexts = [row | {"available": False, "reason": attack} for row in ROWS["contexts"]]
    text = printed(tmp_path, questions=questions, contexts=contexts)
    assert "␛]0;title" in text
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(text)
