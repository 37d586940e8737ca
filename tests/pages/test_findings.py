"""The Findings page: every section on a finished run, filters, runs side by side, tokens behind rows, hostile text."""

import re
import shutil
from functools import partial

import pytest

from odd.findings.kinds import KINDS, SECTIONS
from tests.pages.drawn import payload_of
from tests.runs import change


@pytest.fixture
def open_findings(open_page):
    return partial(open_page, "findings")


def tables(app):
    """The payloads of the page's tables, by label."""
    return dict(drawn_tables(app))


def drawn_tables(app):
    """Label and payload of each table, in order."""
    found = [part.proto for part in app.get("bidi_component") if part.proto.component_name == "odd_table"]
    return [(payload["label"], payload) for payload in map(payload_of, found)]


def said(app):
    elements = (app.info, app.markdown, app.caption, app.warning)
    return " ".join(element.value for kind in elements for element in kind).replace("\\", "")


def figures(app):
    return app.get("plotly_chart")


@pytest.mark.parametrize("section", SECTIONS)
def test_each_finding_has_a_sentence_a_figure_and_a_table(open_findings, finished, influenced, section):
    run = influenced if section == "training" else finished
    app = open_findings(run[0].cache.parent, section=section)
    kinds = [kind for kind in KINDS if kind.section == section]
    for kind in kinds:
        assert kind.title in said(app)
        assert kind.title in tables(app) and tables(app)[kind.title]["rows"]
    assert len(figures(app)) == len(kinds) + (section == "scores")
    assert "decision points" in said(app) and "questions" in said(app)


def test_the_section_is_chosen_in_the_address(open_findings, finished):
    app = open_findings(finished[0].cache.parent)
    assert "Which teacher points towards success" in said(app)
    app.segmented_control(key="view-section").set_value("trust").run()
    assert "trust" in app.query_params["section"] and "Effect of the conventions" in said(app)


def test_a_row_leads_to_the_tokens_behind_it_and_these_to_the_tree(open_findings, finished):
    app = open_findings(finished[0].cache.parent)
    ranking = tables(app)["Which teacher points towards success"]
    row = next(row for row in ranking["rows"] if row["cells"][0] == "Self-1C")
    assert ranking["link"]["page"] == "findings" and row["at"]["behind"] == "ranking:Self-1C"
    app = open_findings(finished[0].cache.parent, **row["at"])
    tokens = tables(app)["Tokens"]
    assert "The tokens behind Self-1C" in said(app) and tokens["link"]["page"] == "tree"
    assert set(tokens["rows"][0]["at"]) == {"run", "question", "path", "token", "teacher"}
    assert {part["cells"][1] for part in tokens["rows"]} == {"Self-1C"}


def test_a_row_of_an_unknown_finding_shows_no_tokens(open_findings, finished):
    for missing, why in {"ranking:nobody": "no row 'nobody'", "nothing:Self-1C": "no finding 'nothing'"}.items():
        app = open_findings(finished[0].cache.parent, behind=missing)
        assert "Tokens" not in tables(app) and why in said(app).replace("\\", "")
    assert not open_findings(finished[0].cache.parent, behind="sensitivity:Self-1C").warning  # another section


@pytest.mark.parametrize(
    ("part", "value", "words"),
    [
        ("outcome", "incorrect", "success (incorrect paths)"),
        ("kind", "yes_no", "in one question"),
        ("objective", "forward_kl", "Which teacher"),
        ("convention", "pooled-children-off", "Which teacher"),
    ],
)
def test_filters_are_in_the_address_and_change_the_numbers(open_findings, finished, part, value, words):
    plain, filtered = (open_findings(finished[0].cache.parent, **query) for query in ({}, {part: value}))
    assert words in said(filtered)
    title = "Which teacher points towards success"
    assert tables(plain)[title]["rows"][0]["cells"] != tables(filtered)[title]["rows"][0]["cells"]


def test_a_choice_in_a_widget_is_in_the_address(open_findings, finished):
    app = open_findings(finished[0].cache.parent)
    app.selectbox(key="view-outcome").select("correct").run()
    app.selectbox(key="view-kind").select("number").run()
    assert "correct" in app.query_params["outcome"] and "number" in app.query_params["kind"]
    assert "success (correct paths)" in said(app)


def test_a_filter_that_leaves_nothing_says_so(open_findings, finished):
    app = open_findings(finished[0].cache.parent, kind="choice")
    assert "No question of this run has the chosen difficulty" in said(app) and not figures(app)


def test_the_paper_s_numbers_are_shown_or_not(open_findings, finished):
    with_paper, without = (
        open_findings(finished[0].cache.parent, reference=reference) for reference in ("1.7B-MMLU", "none")
    )
    assert "CC BY 4.0" in said(with_paper) and len(with_paper.dataframe) == 4
    assert "CC BY 4.0" not in said(without) and not without.dataframe
    cells = tables(with_paper)["Which teacher points towards success"]["rows"]
    assert any("paper +0.010 ± 0.024" in line for row in cells for cell in row["cells"] for line in cell)


def test_runs_are_shown_side_by_side(open_findings, changed, finished):
    folder = changed()
    shutil.copy(finished[1], folder / "cache" / "other-00000000.duckdb")
    app = open_findings(folder, run=finished[1].stem, runs="other-00000000")
    title = "Which teacher points towards success"
    assert len(tables(app)[title]["columns"]) == 1 + 10 + 1
    assert "tiny-s on questions.jsonl (other-00000000): By range-weighted cosine" in said(app)
    row = tables(app)[title]["rows"][0]
    app = open_findings(folder, run=finished[1].stem, runs="other-00000000", **row["at"])
    assert [label for label, _ in drawn_tables(app)].count("Tokens") == 2


def test_a_run_that_cannot_be_compared_is_left_out_and_named(open_findings, changed, finished):
    folder = changed()
    other = folder / "cache" / "other-00000000.duckdb"
    shutil.copy(finished[1], other)
    change(
        other,
        "DELETE FROM scores WHERE objective = 'jsd_0.5'",
        "UPDATE meta SET value = 'reverse_kl' WHERE key = 'objectives'",
    )
    app = open_findings(folder, run=finished[1].stem, runs=["other-00000000", "gone"], objective="jsd_0.5")
    assert "Run other-00000000 has no objective 'jsd_0.5'" in said(app) and "There is no run 'gone' here" in said(app)
    assert len(tables(app)["Which teacher points towards success"]["columns"]) == 7


def test_the_strongest_tokens_of_the_chosen_teacher_open_in_the_tree(open_findings, changed):
    # a run this small has hardly any settled signs; zero-width intervals settle them
    app = open_findings(changed("UPDATE scores SET low = alignment, high = alignment"), teacher="Self-1C")
    drawn = tables(app)["Strongest tokens"]
    assert drawn["rows"] and {"question", "path", "token"} == set(drawn["rows"][0]["at"])
    assert ["teacher", "Self-1C"] in drawn["link"]["query"]
    signs = [row["cells"][1]["value"] > 0 for row in drawn["rows"]]
    assert signs == sorted(signs, reverse=True)


def test_strongest_tokens_follow_the_filter_of_questions(open_findings, changed):
    folder = changed("UPDATE scores SET low = alignment, high = alignment")
    app = open_findings(folder, teacher="Self-1C", kind="yes_no")
    assert {row["at"]["question"] for row in tables(app)["Strongest tokens"]["rows"]} == {"compare"}


def test_without_settled_signs_no_token_is_listed(open_findings, changed):
    app = open_findings(changed("UPDATE scores SET low = -1, high = 1"))
    assert "every 95% interval contains 0" in said(app) and "Strongest tokens" not in tables(app)


def test_one_path_is_shown_token_by_token(open_findings, finished):
    app = open_findings(finished[0].cache.parent, section="scores", question="sum", path="1", teacher="Self-1C")
    assert "tokens are decision points with a score" in said(app)
    positions = [row["cells"][6] for row in tables(app)["Tokens"]["rows"]]
    assert positions == sorted(positions) and len(positions) > 1


def test_a_single_teacher_has_no_ranking(open_findings, changed):
    names = "teachers", "contexts", "scores", "gradients", "node_teachers", "teacher_tokens"
    folder = changed(*(f"DELETE FROM {name} WHERE teacher <> 'tiny-m'" for name in names))
    assert "one teacher" in said(open_findings(folder))
    assert "Fewer than two teachers" in said(open_findings(folder, section="choosing"))


NOTHING = {
    "UPDATE scores SET decision = false": "n_sig",
    "DELETE FROM teachers": "no teacher",
    "UPDATE questions SET stage = 'sampled'": "No question is scored yet",
}


@pytest.fixture(scope="module", params=NOTHING)
def nothing(request, finished, tmp_path_factory):
    """A folder with a run that has nothing to show, and the reason that the page gives."""
    folder = tmp_path_factory.mktemp("nothing")
    (folder / "cache").mkdir()
    change(shutil.copy(finished[1], folder / "cache"), request.param)
    return folder, NOTHING[request.param]


@pytest.mark.parametrize("section", SECTIONS)
def test_with_nothing_to_show_the_page_says_why(open_findings, nothing, section):
    folder, words = nothing
    app = open_findings(folder, section=section)
    assert words in said(app) and not figures(app)


@pytest.mark.parametrize("section", SECTIONS)
def test_hostile_text_stays_text(open_findings, hostile, section):
    app = open_findings(hostile, section=section)
    for text in [*app.markdown, *app.caption]:
        assert not re.search(r"(?<!\\)[<$]", text.value)
    for figure in figures(app):
        assert not re.search(r"<(script|img|svg|a |iframe)", figure.proto.spec)


def test_a_run_that_is_not_offered_can_be_named(run, open_findings, monkeypatch):
    monkeypatch.setattr("pages.parts.findings_choices.OFFERED", 1)
    shutil.copy(run, run.with_name("other-00000001.duckdb"))
    app = open_findings(run.parents[1], run=run.stem)
    choice = next(box for box in app.multiselect if box.label == "and other runs")
    choice.set_value(["no such run"]).run()
    assert not app.exception
    assert "left out" in said(app)
