"""Windows of a long path, its thinking part, and the overview of the whole path."""

import pytest

from odd.views import path_window
from odd.views.links import ViewState
from odd.views.path_overview import overview_payload, overview_rows
from odd.views.path_window import Extent, path_extent, path_hits, pinning, run_settings, support, thinking_end
from odd.views.resolve import resolve
from odd.views.scores import colour_scale, records
from odd.views.token_path import end_tokens, path_cards, path_payload, path_rows

LONG = Extent(4000, answer=3000)


@pytest.fixture(scope="module")
def view(run):
    return resolve(run, ViewState(question="sum")).view


def test_a_short_path_is_shown_whole():
    assert Extent(30).window(ViewState(position=7)) == range(30)
    assert not Extent(30).windowed(ViewState())


@pytest.mark.parametrize("position", [0, 479, 480, 2999, 3000, 3999])
@pytest.mark.parametrize("part", ["all", "thinking", "answer"])
def test_a_pinned_token_is_always_in_the_window(position, part):
    window = LONG.window(ViewState(position=position, part=part))
    assert position in window
    assert len(window) <= path_window.WINDOW


@pytest.mark.parametrize("start", [0, 100, 2900, 3999, 10**8])
def test_a_window_is_within_the_part_that_is_shown(start):
    for part, whole in (("all", range(4000)), ("thinking", range(3000)), ("answer", range(3000, 4000))):
        window = LONG.window(ViewState(start=start, part=part))
        assert len(window) == path_window.WINDOW
        assert window.start in whole and window.stop - 1 in whole


def test_a_page_can_show_smaller_windows():
    view = ViewState(start=1000)
    assert LONG.window(view, 100) == range(1000, 1100)
    assert 1150 in LONG.window(view.but(**pinning(view, 1150, 100)), 100)


def test_a_path_without_thinking_part_has_no_parts():
    assert Extent(4000).window(ViewState(part="answer")) == range(path_window.WINDOW)


def test_a_chosen_window_stays_while_tokens_in_it_are_pinned():
    view = ViewState(start=1000)
    assert pinning(view, 1100) == {"position": 1100, "start": 1000}
    assert pinning(view, 1600) == {"position": 1600, "start": None}
    assert pinning(view, None) == {"position": None, "start": 1000}


@pytest.mark.parametrize(
    ("tokens", "inside", "answer"),
    [
        ([b"<think>", b" hm", b"</think>", b" 4"], False, 3),
        ([b" hm", b"</think>", b" 4"], True, 2),
        ([b"<th", b"ink>", b"\xe2\x82", b"\xac</thi", b"nk>", b"4"], False, 5),
        ([b"<think>", b" hm", b" hm"], False, 3),
        ([b"no", b" thought"], False, None),
        ([b"unclosed"], True, 1),
        ([b"[r]", b"x", b"[/r]", b"4"], False, 3),
        ([], False, None),
    ],
)
def test_the_answer_begins_after_the_thinking_part(tokens, inside, answer):
    assert thinking_end(tokens, inside, ("[r]", "[/r]")) == answer


def test_the_parts_of_a_window_are_those_of_the_whole_path(run, view):
    whole, part = path_rows(run, 0, view), path_rows(run, 0, view, range(3, 8))
    assert [row["node"] for row in part] == [row["node"] for row in whole[3:8]]
    cards = path_cards(run, 0, view)
    assert path_cards(run, 0, view, range(3, 8)) == {row["node"]: cards[row["node"]] for row in part}


def test_the_overview_knows_all_decision_points_and_scores(run, view):
    rows, extent = path_rows(run, 0, view), path_extent(run, 0, view.path)
    scale, ends = colour_scale(run, 0, view), end_tokens(run, 0)
    whole = overview_payload(rows, view, scale, ends, extent, 1)
    assert overview_payload(overview_rows(run, 0, view), view, scale, ends, extent, 1) == whole
    tokens = path_payload(rows, {}, view, scale, ends)["tokens"]
    decisions = [at for at, token in enumerate(tokens) if token["decision"]]
    assert [one["position"] for one in records(whole["decisions"])] == decisions
    coloured = [at for at, token in enumerate(tokens) if token["value"] is not None]
    assert [one["position"] for one in records(whole["scored"])] == coloured
    assert extent.length == len(rows)


def test_v_is_shown_where_enough_rollouts_support_it(run, view):
    rows, visits = path_rows(run, 0, view), support(run)
    assert visits == run_settings(run).analysis.n_sig == 6
    shown = overview_payload(rows, view, 1.0, frozenset(), path_extent(run, 0, view.path), visits)["values"]
    assert [position for position, _ in shown] == [
        row["position"] for row in rows if row["value"] == row["value"] and row["value_visits"] >= visits
    ]
    assert 0 < len(shown) < len(rows)


@pytest.mark.parametrize(
    ("tokens", "find", "hits"),
    [
        ([b" so", b" wa", b"it", b" then"], "wait", [[1, 3]]),
        ([b"a", b"A", b"b"], "a", [[0, 1], [1, 2]]),
        ([b"\xe2\x82", b"\xac", b"x"], "\u20acx", [[0, 3]]),
        ([b"a.c", b"abc"], "a.c", [[0, 1]]),
        ([b"a", None, b"b"], "ab", [[0, 3]]),
        ([b"abc"], "", []),
        ([], "a", []),
    ],
)
def test_a_text_is_found_across_tokens(tokens, find, hits):
    assert path_hits(tokens, find) == hits
