"""Screenings: which questions are kept and why others are not, and accuracy on the same questions for every context."""

import io

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from odd.cli.screening_tables import print_screening
from odd.config import ModelConfig
from odd.config.teachers import SELF_3C, TeacherConfig
from odd.findings.screening import UNFINISHED, accuracies, counts, read_screening

THREE = SELF_3C.model_copy(update={"name": "A"})
LARGER = TeacherConfig(name="B", context="1c", demonstrations=ModelConfig(name="tiny-l"))
# correct of 20 rollouts: alone, with A, with B; None: the context is unavailable
QUESTIONS = {
    "easy": (18, 20, 19),
    "medium": (10, 15, 10),
    "hard": (2, 10, 6),
    "never": (0, None, None),
    "one": (20, 20, None),
}


def made_row(question, context, alone, count):
    reason = None if count is not None else "nothing is right" if alone == 0 else "no response"
    row = {"question": question, "context": context, "available": count is not None, "reason": reason}
    drawn = count is not None
    return row | {"rollouts": 20 * drawn, "correct": count or 0, "truncated": int(drawn)}


class Run:
    """A reader that answers the queries of a screening."""

    run_id = "x-00000000"

    def __init__(self, right, contexts=(THREE, LARGER), skip=()):
        rows = [(at, name, *of) for at, (name, of) in enumerate(right.items())]
        made = [
            made_row(at, context.name, alone, count)
            for at, _, alone, *behind in rows
            for context, count in zip(contexts, behind, strict=True)
            if (at, context.name) not in skip
        ]
        columns = ["question", "context", "available", "reason", "rollouts", "correct", "truncated"]
        self.answers = {
            "screening_contexts": pd.DataFrame(
                [(one.name, at, one.model_dump_json()) for at, one in enumerate(contexts)],
                columns=["context", "ordinal", "config"],
            ),
            "screening": pd.DataFrame(made, columns=columns),
            "screening_baseline": pd.DataFrame(
                [{"question": at, "id": name, "text": f"{name}?", "stage": "new", "rollouts": 20, "correct": alone,
                  "truncated": 2} for at, name, alone, *_ in rows]
            ),
        }  # fmt: skip

    def query(self, name, /, **_):
        return self.answers[name]


@pytest.fixture
def screening():
    found = read_screening(Run(QUESTIONS))
    assert found is not None
    return found


def test_a_run_without_a_screening_has_none():
    assert read_screening(Run({}, contexts=())) is None


def test_a_question_is_kept_if_it_is_answered_and_every_context_is_available(screening):
    assert screening.kept["id"].tolist() == ["easy", "medium", "hard"]
    reasons = screening.questions.set_index("id")["reason"]
    assert reasons["never"] == "nothing is right"
    assert reasons["one"] == "B: no response"
    assert reasons[["easy", "medium", "hard"]].isna().all()
    assert screening.complete


def test_questions_that_are_excluded_are_counted(screening):
    assert counts(screening) == {"easy": 2, "medium": 1, "hard": 1, "never": 1}


def test_accuracy_is_the_mean_over_the_questions_kept(screening):
    found = {(one.context, one.difficulty): one for one in accuracies(screening)}
    assert found["Baseline", "all"].accuracy.value == pytest.approx((18 + 10 + 2) / 60)
    assert found["A", "all"].accuracy.value == pytest.approx((20 + 15 + 10) / 60)
    assert found["A", "all"].difference.value == pytest.approx(15 / 60)
    assert found["A", "hard"].accuracy.value == pytest.approx(0.5)
    assert found["A", "all"].rollouts == 60 and found["A", "all"].truncated == pytest.approx(0.05)
    assert {one.accuracy.n for one in found.values() if one.difficulty == "all"} == {3}


def test_intervals_are_over_questions_and_one_question_has_none(screening):
    found = {(one.context, one.difficulty): one for one in accuracies(screening)}
    overall, alone = found["B", "all"], found["B", "easy"]
    assert overall.accuracy.low < overall.accuracy.value < overall.accuracy.high
    # if a context changes every question equally, the difference has no spread however much questions differ
    assert overall.difference.high - overall.difference.low < overall.accuracy.high - overall.accuracy.low
    assert alone.accuracy.n == 1 and np.isnan(alone.accuracy.low)


def test_a_bin_without_questions_is_unknown_not_zero():
    found = read_screening(Run({"easy": QUESTIONS["easy"]}))
    hard = next(one for one in accuracies(found) if one.difficulty == "hard" and one.context == "A")
    assert np.isnan(hard.accuracy.value) and hard.accuracy.n == 0 and np.isnan(hard.truncated)


def test_what_is_not_sampled_yet_is_reported_and_not_counted():
    found = read_screening(Run(QUESTIONS, skip=[(1, "B")]))
    assert not found.complete
    assert found.questions.set_index("id")["reason"]["medium"] == UNFINISHED
    assert found.kept["id"].tolist() == ["easy", "hard"]


def test_contexts_are_matched_with_the_papers_by_what_they_show(screening):
    assert screening.in_paper == {"A": "Self-3C", "B": "Self-1C (32B)"}


def test_settings_that_say_nothing_match_nothing():
    run = Run(QUESTIONS)
    run.answers["screening_contexts"]["config"] = ["{", '{"name": "B", "context": "9c"}']
    assert read_screening(run).in_paper == {}


def test_the_tables_name_every_context_and_every_question_left_out(screening):
    text = io.StringIO()
    print_screening(screening, Console(file=text, width=130))
    said = text.getvalue()
    assert all(word in said for word in ("Baseline", "p = 0, excluded", "n = 1", "+25.0"))
    assert "question never: nothing is right" in said and "question one: B: no response" in said


def test_tables_of_a_screening_that_keeps_nothing(screening):
    text = io.StringIO()
    print_screening(read_screening(Run({"never": QUESTIONS["never"]})), Console(file=text, width=130))
    assert "0 questions kept" in text.getvalue() and "–" in text.getvalue()
