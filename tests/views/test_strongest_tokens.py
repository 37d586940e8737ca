"""A teacher's strongest tokens: only settled ones, the strongest of each sign, each with its position."""

import json

import pytest

from odd.store import RunReader, RunWriter
from odd.views.links import ViewState, parameters
from odd.views.strongest_tokens import export, payload, place, row_key, sentence, strongest_tokens
from tests.store.example_run import KEY, MEASURE, ROWS, RUN

VIEW = ViewState(teacher="big", objective="reverse_kl", convention="on_policy-full-off", search="kept")


def score(node, alignment, low, high, **other):
    row = {**KEY, **MEASURE, "node": node, "alignment": alignment, "low": low, "high": high, "success_range": 0.5}
    return row | {"p_positive": 0.5, "children": 2, "visits": 40, "decision": True} | other


@pytest.fixture
def run(tmp_path):
    """Node 0 is at the start of both paths, node 1 after it on both."""

    def make(*scores):
        rows = ROWS | {"scores": list(scores), "components": [components(0), components(1)]}
        rows |= {"gradients": [gradient(0), gradient(1)]}
        with RunWriter(tmp_path, RUN) as writer:
            for name, content in rows.items():
                writer.insert(name, content)
            writer.publish()
        return RunReader(tmp_path / f"{RUN}.duckdb")

    return make


def gradient(node):
    return {**KEY, **MEASURE, "node": node, "teacher_gradient": [0.1, 0.2, 0.4]}


def components(node):
    row = {"question": 0, "node": node, "convention": MEASURE["convention"], "tokens": [5, 6, -1]}
    return row | {"ideal": [-0.1, 0.3, None]}


def test_only_settled_signs_are_listed_and_counted(run):
    found = strongest_tokens(run(score(0, 0.5, -0.1, 0.9), score(1, -0.5, -0.9, -0.1)), VIEW, 8, [0])
    assert found.rows["node"].tolist() == [1] and (found.helpful, found.harmful) == (0, 1)
    assert "1 decision point" in sentence(found, "big", 8)


def test_helpful_ones_come_first_and_no_more_than_asked_for(run):
    reader = run(score(0, -0.5, -0.9, -0.1), score(1, 0.5, 0.1, 0.9))
    assert strongest_tokens(reader, VIEW, 8, [0]).rows["node"].tolist() == [1, 0]
    assert strongest_tokens(reader, VIEW, 0, [0]).rows.empty


def test_the_stronger_is_where_more_is_at_stake(run):
    reader = run(score(0, 0.9, 0.1, 1, success_range=0.1), score(1, 0.5, 0.1, 0.9))
    assert strongest_tokens(reader, VIEW, 8, [0]).rows["node"].tolist() == [1, 0]


def test_the_outcome_of_the_paths_filters(run):
    reader = run(score(1, 0.5, 0.1, 0.9))
    paths = [
        strongest_tokens(reader, VIEW.but(outcome=outcome), 8, [0]).rows["path"].tolist()
        for outcome in ("all", "correct", "incorrect")
    ]
    assert paths == [[0], [0], [1]]


def test_a_row_names_its_place_its_text_and_what_is_raised(run):
    found = strongest_tokens(run(score(1, 0.5, 0.1, 0.9)), VIEW, 8, [0])
    (row,) = found.rows.to_dict("records")
    assert place(row) == {"question": "q-0", "path": 0, "position": 1}
    (drawn,) = payload(found, VIEW)["rows"]
    assert drawn["key"] == row_key(row) and drawn["at"] == parameters(place(row))
    assert drawn["cells"][0][0]["text"] == "a␀b"
    assert drawn["cells"][3][0]["text"] == "⟨FF⟩" and drawn["cells"][4][0]["text"] == "all others"


def test_the_payload_is_json_and_its_links_keep_the_view(run):
    drawn = payload(strongest_tokens(run(score(1, 0.5, 0.1, 0.9)), VIEW, 8, [0]), VIEW)
    json.dumps(drawn, allow_nan=False)
    assert ["search", "kept"] in drawn["link"]["query"]


def test_a_lack_of_settled_signs_is_reported(run):
    found = strongest_tokens(run(score(0, 0.5, -0.1, 0.9)), VIEW, 8, [0])
    assert "every 95% interval contains 0" in sentence(found, "big", 8) and not payload(found, VIEW)["rows"]


def test_the_export_has_the_token_in_its_context(run):
    table = export(strongest_tokens(run(score(1, 0.5, 0.1, 0.9)), VIEW, 8, [0]))
    assert table["before"].tolist() == ["a␀b"] and table["teacher_raises"].tolist() == ["all others"]
