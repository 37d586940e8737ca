"""The page Findings on a finished run, with one teacher, without decision points, and on hostile text."""

import json
import re
from functools import partial

import pytest

from tests.hostile import make_hostile


@pytest.fixture
def open_findings(open_page):
    return partial(open_page, "findings")


def table(app):
    (found,) = [part.proto for part in app.get("bidi_component") if part.proto.component_name == "odd_table"]
    return json.loads(found.json)


def said(app):
    return " ".join(element.value for kind in (app.info, app.markdown, app.caption) for element in kind)


def figures(app):
    return app.get("plotly_chart")


def test_each_finding_has_a_sentence_a_figure_and_a_table(open_findings, finished):
    app = open_findings(finished[0].cache.parent)
    assert len(figures(app)) == len(app.dataframe) == 2
    for teacher in ("tiny\\-m", "Self\\-1C", "Self\\-1C1W", "Self\\-check"):
        assert teacher in said(app)
    assert "decision points" in said(app) and "questions" in said(app)


def test_tokens_of_the_chosen_teacher_open_in_the_tree(open_findings, changed):
    # the signs of so small a run are hardly settled: intervals without width settle them
    app = open_findings(changed("UPDATE scores SET low = alignment, high = alignment"), teacher="Self-1C")
    drawn = table(app)
    assert drawn["rows"] and {"question", "path", "token"} == set(drawn["rows"][0]["at"])
    assert ["teacher", "Self-1C"] in drawn["link"]["query"]
    signs = [row["cells"][1]["value"] > 0 for row in drawn["rows"]]
    assert signs == sorted(signs, reverse=True)


def test_without_settled_signs_no_token_is_listed(open_findings, changed):
    app = open_findings(changed("UPDATE scores SET low = -1, high = 1"))
    assert "every 95 % interval holds 0" in said(app).replace("\\", "")
    assert not [part for part in app.get("bidi_component") if part.proto.component_name == "odd_table"]


def test_the_outcome_filter_is_in_the_address_and_in_the_title(open_findings, finished):
    app = open_findings(finished[0].cache.parent, outcome="incorrect")
    assert any("success \\(incorrect paths\\)" in markdown.value for markdown in app.markdown)
    app.selectbox(key="view-outcome").select("correct").run()
    assert "correct" in app.query_params["outcome"]
    assert any("success \\(correct paths\\)" in markdown.value for markdown in app.markdown)


def test_one_teacher_has_nobody_to_be_ranked_against(open_findings, changed):
    tables = "teachers", "contexts", "scores", "gradients", "node_teachers", "teacher_tokens"
    app = open_findings(changed(*(f"DELETE FROM {name} WHERE teacher <> 'tiny-m'" for name in tables)))
    assert "one teacher" in said(app) and len(figures(app)) == 2


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE scores SET decision = false", "n_sig"),
        ("DELETE FROM teachers", "no teacher"),
        ("UPDATE questions SET stage = 'sampled'", "No question is scored yet"),
    ],
)
def test_with_nothing_to_show_the_page_says_why(open_findings, changed, statement, words):
    app = open_findings(changed(statement))
    assert words in said(app) and not figures(app)


def test_hostile_text_stays_text(open_findings, finished, tmp_path):
    (tmp_path / "cache").mkdir()
    make_hostile(finished[1], tmp_path / "cache")
    app = open_findings(tmp_path)
    for text in [*app.markdown, *app.caption]:
        assert not re.search(r"(?<!\\)[<$]", text.value)
