"""The list of rollouts: filtered, searched and paged in the database; wrong answers; places in the tree."""

import pytest

from odd.views.links import ViewState
from odd.views.resolve import resolve
from odd.views.rollouts import (
    PAGE,
    answer_table,
    listed_rollouts,
    marked,
    place_in_tree,
    rollout_reading,
    rollout_table,
    wrong_answers,
)


@pytest.fixture(scope="module")
def view(run):
    return resolve(run, ViewState(question="sum")).view


@pytest.fixture(scope="module")
def rollouts(run):
    return run.query("rollouts", question=0)


def every(run, view):
    pages = [listed_rollouts(run, 0, view.but(page=0))]
    while pages[-1]["found"].max() > PAGE * len(pages):
        pages.append(listed_rollouts(run, 0, view.but(page=len(pages))))
    return [number for page in pages for number in page["rollout"].tolist()]


def test_all_rollouts_are_listed_page_by_page(run, view, rollouts):
    assert every(run, view) == rollouts["rollout"].tolist()


@pytest.mark.parametrize(
    ("filters", "passes"),
    [
        ({"ended": "correct"}, lambda row: row["correct"]),
        ({"ended": "wrong"}, lambda row: not row["correct"] and not row["truncated"]),
        ({"ended": "truncated"}, lambda row: row["truncated"]),
        ({"stage": "initial"}, lambda row: row["stage"] == "initial"),
        ({"answer": "11"}, lambda row: row["answer"] == "11"),
        ({"ended": "no answer"}, lambda row: not isinstance(row["answer"], str)),
        ({"find": "8"}, lambda row: "8" in row["text"]),
        ({"find": "%"}, lambda row: "%" in row["text"]),
        ({"find": "_"}, lambda row: "_" in row["text"]),
        ({"find": "\\"}, lambda row: "\\" in row["text"]),
    ],
)
def test_a_filter_keeps_what_it_names(run, view, rollouts, filters, passes):
    wanted = [row["rollout"] for row in rollouts.to_dict("records") if passes(row)]
    assert (every(run, view.but(**filters)) if wanted else []) == wanted
    assert len(listed_rollouts(run, 0, view.but(**filters))) == min(PAGE, len(wanted))


def test_found_text_is_marked_in_any_case():
    assert marked("So WAIT, wait", "wait") == [
        {"text": "So ", "hit": False}, {"text": "WAIT", "hit": True}, {"text": ", ", "hit": False},
        {"text": "wait", "hit": True}]  # fmt: skip


def test_special_characters_are_searched_for_as_they_are():
    assert [piece["text"] for piece in marked("a.b axb", "a.b") if piece["hit"]] == ["a.b"]


def test_wrong_answers_are_counted_and_shares_are_of_initial_rollouts(run, rollouts):
    rows = wrong_answers(run, 0)
    initial = rollouts[rollouts["stage"] == "initial"]
    wrong = initial[~initial["correct"] & ~initial["truncated"]]
    counts = wrong["answer"].value_counts(dropna=False).to_dict()
    for row in rows.to_dict("records"):
        key = row["answer"] if isinstance(row["answer"], str) else None
        assert row["initial"] == next((n for answer, n in counts.items() if answer == key or key is None != answer), 0)
        assert row["share"] == pytest.approx(row["initial"] / len(initial))
        assert row["low"] <= row["share"] <= row["high"]
    assert rows["initial"].is_monotonic_decreasing


def test_a_wrong_answer_leads_to_its_rollouts(run, view):
    rows = wrong_answers(run, 0)
    for row, drawn in zip(rows.to_dict("records"), answer_table(rows, view)["rows"], strict=True):
        if isinstance(row["answer"], str):
            assert len(every(run, view.but(**drawn["at"]))) == row["rollouts"]


def test_a_row_of_the_table_has_a_cell_for_each_column(run, view):
    data = rollout_table(run, 0, view, listed_rollouts(run, 0, view), "")
    assert data["rows"] and all(len(row["cells"]) == len(data["columns"]) for row in data["rows"])


def test_the_whole_text_of_a_rollout_is_read(run, view, rollouts):
    row = rollouts.iloc[3]
    data = rollout_reading(run, 0, view.but(rollout=3))
    assert "".join(piece["text"] for piece in data["answer"]).replace("\u2423", " ").strip() == row["text"].strip()
    assert rollout_reading(run, 0, view.but(rollout=10**6)) is None


def test_a_rollout_that_is_a_path_opens_the_path(run):
    paths = run.query("paths", question=0)
    for row in paths.to_dict("records"):
        assert place_in_tree(run, 0, row["rollout"])["path"] == row["path"]


def test_a_rollout_opens_at_the_last_node_of_the_tree_on_it(run, rollouts):
    nodes = run.query("nodes", question=0).set_index("node")
    stored = {(row["parent"], row["token"]): node for node, row in nodes.iterrows()}
    paths = run.query("paths", question=0)["rollout"].tolist()
    for row in rollouts[~rollouts["rollout"].isin(paths)].head(20).to_dict("records"):
        node = 0
        for token in row["token_ids"]:
            if (node, token) not in stored:
                break
            node = stored[node, token]
        assert place_in_tree(run, 0, row["rollout"])["node"] == (node or None)
