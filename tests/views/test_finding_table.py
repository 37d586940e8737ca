"""The table of a finding: each row links to the tokens behind it, and these to the tree."""

import numpy as np
import pytest

from odd.findings.compose import find
from odd.findings.kinds import BY_KEY
from odd.views.finding_table import destination, merged, row_name, table_payload
from odd.views.finding_tokens import along, behind, tokens_export, tokens_payload
from odd.views.links import ViewState
from tests.findings.made_up import evidence

VIEW = ViewState(run="made-up", objective="reverse_kl", convention="on_policy-full-off")
HOSTILE = "\u202e<b>x"


@pytest.fixture
def found():
    return evidence({"good": 0.6, HOSTILE: 0.0}, questions=6)


def test_a_row_has_labels_estimates_in_words_and_an_n(found):
    payload = table_payload(find(BY_KEY["ranking"], {"run": found}, "0.6B-BoolQ"), VIEW)
    assert len(payload["columns"]) == 1 + 5 + 1 and all(len(row["cells"]) == 7 for row in payload["rows"])
    name, first, *_, count = payload["rows"][0]["cells"]
    assert name == "good" and first[0].startswith("+0.") and any(line.startswith("noise ") for line in first)
    assert count == f"{len(found.on(teacher='good')):,}"
    assert "\u202e" not in payload["rows"][1]["cells"][0]


def test_all_rows_of_a_table_change_the_same_parts_of_the_view(found):
    for key in ("ranking", "sensitivity"):
        payload = table_payload(find(BY_KEY[key], {"run": found}, "none"), VIEW)
        parts = {tuple(row["at"]) for row in payload["rows"]}
        assert len(parts) == 1 and set(*parts) == {"convention", "section", "behind"}


def test_a_row_of_another_convention_leads_to_the_teacher_under_it(found):
    finding = find(BY_KEY["sensitivity"], {"run": found}, "none")
    row = merged(finding)["on_policy-children-off", "good"]["run"]
    there = destination(finding, row, VIEW)
    assert there == {"convention": "on_policy-children-off", "section": "teachers", "behind": "ranking:good"}
    ranking = find(BY_KEY["ranking"], {"run": found}, "none")
    assert any(row_name(ranking, one) == "ranking:good" for one in ranking.founds["run"].rows)


def test_runs_have_columns_beside_each_other(found):
    payload = table_payload(find(BY_KEY["ranking"], {"a": found, "b": found}, "none"), VIEW)
    assert len(payload["columns"]) == 1 + 10 + 1 and "· b" in payload["columns"][2]["note"]


def test_the_tokens_behind_a_row_are_its_points_with_most_at_stake_first(found):
    row = next(row for row in BY_KEY["selection"].find(found).rows if row.labels[1] == "cosine > 0.3")
    tokens = behind(found, row, 5)
    assert tokens.total == len(row.points) and len(tokens.rows) == 5 and (tokens.rows["alignment"] > 0.3).all()
    stake = (tokens.rows["success_range"] * tokens.rows["alignment"].abs()).tolist()
    assert stake == sorted(stake, reverse=True)
    assert len(behind(found, row).rows) == tokens.total


def test_tokens_of_incorrect_paths_are_shown_on_incorrect_paths(found):
    row = next(row for row in BY_KEY["outcomes"].find(found).rows if row.labels == ("good", "incorrect paths"))
    assert not behind(found, row).rows["correct"].any()


def test_a_token_opens_the_tree_of_its_run_question_path_and_teacher(found):
    row = BY_KEY["ranking"].find(found).rows[0]
    tokens = behind(found, row, 3)
    payload = tokens_payload(tokens, "made-up", VIEW)
    first, at = tokens.rows.iloc[0], payload["rows"][0]["at"]
    assert at == {"run": "made-up", "question": first["id"], "path": first["path"], "token": first["position"],
                  "teacher": "good"}  # fmt: skip
    assert payload["link"]["page"] == "tree" and "3 of" in payload["caption"]
    assert payload["rows"][0]["cells"][0][-1]["text"] == "⏎"
    assert list(tokens_export(tokens)["token"]) == ["⏎"] * 3


def test_a_path_is_told_in_order(found):
    rows = along(found, 0, 1, "good").rows
    assert rows["position"].is_monotonic_increasing and (rows["path"] == 1).all() and len(rows) > 3


def test_an_undefined_score_is_none_in_the_payload():
    nothing = evidence({"check": float("nan")}, questions=2)
    cells = tokens_payload(along(nothing, 0, 0, "check"), "r", VIEW)["rows"][0]["cells"]
    assert cells[2]["value"] is None and cells[2]["low"] is None and not np.isnan(cells[3])
