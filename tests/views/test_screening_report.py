"""The sentences, figures and tables of the Screening page."""

import json

import pytest

from odd.findings.screening import read_screening
from odd.store import RunReader
from odd.views.links import ViewState
from odd.views.screening import chosen, export, in_paper, payload, report
from tests.findings.test_screening import QUESTIONS, Run


@pytest.fixture
def screening():
    found = read_screening(Run(QUESTIONS))
    assert found is not None
    return found


def test_sentences_say_how_many_are_kept_and_what_each_context_does(screening):
    first, second, *others = report(screening, "none").sentences
    assert "2 easy, 1 medium and 1 hard questions, and 1 never answered correctly." in first
    assert "3 of 5 questions are kept" in first
    assert "50.0" in second
    assert any("A (+25.0" in text for text in others)


def test_the_papers_numbers_are_next_to_their_contexts(screening):
    beside = in_paper(screening, "0.6B-MMLU")
    assert beside["Baseline", "all"] == pytest.approx(0.638)
    assert beside["A", "hard"] == pytest.approx(0.982)
    assert beside["B", "all"] == pytest.approx(0.988)
    shown = report(screening, "0.6B-MMLU").shown.set_index("context")
    assert shown.loc["A", "paper, hard"] == "98.2"
    assert not any("paper" in column for column in report(screening, "none").shown)


def test_the_table_for_files_has_every_number(screening):
    table = report(screening, "0.6B-MMLU").table
    assert len(table) == 3 * 4
    row = table[(table["context"] == "B") & (table["difficulty"] == "all")].iloc[0]
    assert row["difference"] == pytest.approx(row["accuracy"] - 0.5)
    assert row["accuracy_low"] < row["accuracy"] < row["accuracy_high"]
    assert row["published_accuracy"] == pytest.approx(0.988)


def test_every_question_is_in_the_histogram_once(screening):
    figure = report(screening, "none").pass_rates
    assert sum(count for bar in figure.data for count in bar.y if count) == len(QUESTIONS)
    never = next(bar for bar in figure.data if bar.name.startswith("never"))
    assert [x for x, count in zip(never.x, never.y, strict=True) if count] == [pytest.approx(-0.025)]
    assert any("left out" in bar.name and bar.name.startswith("easy") for bar in figure.data)


def test_the_figure_has_a_dot_for_each_context_in_each_bin(screening):
    figure = report(screening, "0.6B-MMLU").accuracy
    here = [trace for trace in figure.data if trace.legendgroup == "here"]
    assert [len(trace.x) for trace in here] == [3, 3, 3, 3]
    assert list(here[0].x) == pytest.approx([50, 75, 100 * 35 / 60])
    paper = [trace for trace in figure.data if trace.legendgroup == "paper"]
    assert list(paper[0].x) == pytest.approx([63.8, 99.4, 98.8])


def test_a_screening_that_keeps_nothing_is_drawn_all_the_same():
    empty = read_screening(Run({"never": QUESTIONS["never"]}))
    drawn = report(empty, "1.7B-BoolQ")
    assert "No question is kept" in " ".join(drawn.sentences)
    assert all(len(trace.x) == 0 for trace in drawn.accuracy.data if trace.legendgroup == "here")


def test_questions_are_listed_with_their_reasons(screening):
    assert chosen(screening, "left out")["id"].tolist() == ["never", "one"]
    drawn = payload(screening, ViewState(run="x", screened="all"))
    json.dumps(drawn, allow_nan=False)
    rows = {row["key"]: row["cells"] for row in drawn["rows"]}
    assert rows["one"][1]["note"] == "B: no response"
    assert rows["one"][-1] == {"value": None, "low": None, "high": None, "n": 0}
    assert rows["hard"][3]["value"] == 0.1 and rows["hard"][3]["low"] < 0.1 < rows["hard"][3]["high"]
    assert len(drawn["columns"]) == len(rows["hard"])


def test_the_export_has_a_row_per_question(screening):
    table = export(screening).set_index("id")
    assert table.loc["hard", "accuracy:A"] == 0.5 and table.loc["one", "reason"] == "B: no response"


def test_a_screened_run_file_is_read(screened):
    with RunReader(screened[1]) as reader:
        found = read_screening(reader)
    assert found.complete and found.contexts == ("Self-1C", "Self-1C1W", "Self-Sum-1C1W", "Self-1C (tiny-m)")
    assert found.in_paper == {
        "Self-1C": "Self-1C",
        "Self-1C1W": "Self-1C1W",
        "Self-Sum-1C1W": "Self-Sum-1C1W",
        "Self-1C (tiny-m)": "Self-1C (32B)",
    }
    assert (found.questions["rollouts"] == 32).all()
    report(found, "0.6B-BoolQ")
