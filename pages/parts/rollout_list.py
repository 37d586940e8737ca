"""The rollouts of a question: wrong answers, filters, table, pages, and the one that is read."""

from math import ceil
from typing import get_args

import streamlit as st

from odd.text import markdown_escaped
from odd.views.links import LONGEST, Ended, Stage, ViewState
from odd.views.rollouts import (
    PAGE,
    answer_filter,
    answer_table,
    listed_rollouts,
    place_in_tree,
    rollout_reading,
    rollout_table,
    wrong_answers,
)
from pages.shared.data import OpenRun, kept
from pages.shared.frame import open_tree
from pages.shared.layout import beside
from pages.shared.mount import mount
from pages.shared.state import bound, change_view

_wrong = kept(wrong_answers)
ANEW = {"page": 0, "rollout": None}
"""Parts of the view that another filter sets back."""


def show(run: OpenRun, view: ViewState, number: int) -> None:
    """Draw everything below the question card."""
    wrong = _wrong(run, number)
    if len(wrong):
        picked = {str(at): answer for at, answer in enumerate(wrong["answer"].tolist())}
        mount("table", "wrong-answers", answer_table(wrong, view), open=lambda key: _pick(picked, key))
    _filters(run, view, number)
    rows = listed_rollouts(run, number, view)
    found = int(rows["found"].iloc[0]) if len(rows) else 0
    data = rollout_table(run, number, view, rows, _caption(run, number, found, view))
    left, *right = beside([1.5, 1] if view.rollout is not None else [1], "rollouts")
    with left:
        mount("table", "rollout-table", data, open=_read)
        _pages(found, view)
    for column in right:
        with column:
            _reading(run, view, number)


def _filters(run: OpenRun, view: ViewState, number: int) -> None:
    ends = run.query("rollout_ends", question=number)
    counts = ends.drop(columns="stage").sum().to_dict()
    counts = {"all": counts["rollouts"], "no answer": counts["no_answer"], **counts}
    counts["wrong"] = counts["rollouts"] - counts["correct"] - counts["truncated"]
    stages = dict(zip(ends["stage"], ends["rollouts"], strict=True)) | {"all": counts["all"]}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        names = {name: f"{name} ({int(counts[name]):,})" for name in get_args(Ended)}
        st.selectbox(
            "outcome", list(names), format_func=names.__getitem__, width=170, **bound("ended", view.ended, also=ANEW)
        )
        names = {name: f"{name} ({int(stages.get(name, 0)):,})" for name in get_args(Stage)}
        st.selectbox(
            "stage", list(names), format_func=names.__getitem__, width=170, **bound("stage", view.stage, also=ANEW)
        )
        tied = bound("find", view.find, also=ANEW) | {"type": "search", "max_chars": LONGEST}
        st.text_input("find in the text", placeholder="text, then Enter", width=240, **tied)
        if view.answer is not None:
            label = f"answer: {markdown_escaped(view.answer)[:80]} ✕"
            st.button(label, on_click=lambda: change_view(answer=None, **ANEW), help="List all answers")


def _caption(run: OpenRun, number: int, found: int, view: ViewState) -> str:
    ends = run.query("rollout_ends", question=number)
    texts, rollouts = int(ends["texts"].sum()), int(ends["rollouts"].sum())
    sample = f" The run file has the text of {texts:,} of {rollouts:,} rollouts." if texts < rollouts else ""
    first = PAGE * view.page
    shown = f", {first + 1:,} to {min(found, first + PAGE):,} listed" if found > PAGE else ""
    return f"{found:,} rollouts{shown}. Click one to read it.{sample}"


def _pages(found: int, view: ViewState) -> None:
    last = max(0, ceil(found / PAGE) - 1)
    if last == 0 and view.page == 0:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for label, page, off in (
            ("first", 0, view.page == 0), ("previous", view.page - 1, view.page == 0),
            ("next", view.page + 1, view.page >= last), ("last", last, view.page >= last),
        ):  # fmt: skip
            st.button(label, key=f"page-{label}", disabled=off, on_click=change_view, kwargs={"page": page})
        st.caption(f"page {view.page + 1:,} of {last + 1:,}", width="content")


def _reading(run: OpenRun, view: ViewState, number: int) -> None:
    data = rollout_reading(run, number, view)
    with st.container(border=True):
        if data is None:
            st.info(f"This question has no rollout {view.rollout}.", icon=":material/link_off:")
            return
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.markdown(f"**Rollout {view.rollout}**", width="content")
            st.button(
                "Open in the tree", icon=":material/account_tree:", on_click=_open_in_tree,
                args=(run, number, view.rollout), help="Show the last node of the tree that this rollout passes",
            )  # fmt: skip
        mount("rollout_text", "rollout-text", data)


def _open_in_tree(run: OpenRun, number: int, rollout: int) -> None:
    open_tree(run, **place_in_tree(run, number, rollout))


def _pick(answers: dict, key: object) -> None:
    if isinstance(key, str) and key in answers:
        change_view(**answer_filter(answers[key]), **ANEW)


def _read(key: object) -> None:
    if isinstance(key, str) and key.isdecimal():
        change_view(rollout=int(key))
