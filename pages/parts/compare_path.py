"""The same path under each teacher, as strips of tokens and as a teacher × token heat map."""

from collections.abc import Sequence

import plotly.graph_objects as go
import streamlit as st

from odd.text import markdown_escaped
from odd.views.comparison_path import path_payload, path_table, strips_overview
from odd.views.figures.comparison import heat_map
from odd.views.links import AT_PATH, NO_BRANCH, NO_ROLLOUT, ViewState
from odd.views.missing import no_decision_point
from odd.views.names import file_name
from odd.views.path_window import UNDER_TEACHERS, path_extent, pinning
from odd.views.resolve import question_number
from odd.views.token_path import path_names
from pages.parts import token_path
from pages.parts.compare_panel import heading
from pages.shared.data import OpenRun, kept
from pages.shared.layout import figure
from pages.shared.mount import mount
from pages.shared.state import change_view, latest_view

HEAT_MAP = "compare-heat-map"

_payload = kept(path_payload)
_extent = kept(path_extent)
_overview = kept(strips_overview)


@kept
def _heat_map(
    run: OpenRun, view: ViewState, teachers: tuple[str, ...], window: range, position: int | None
) -> go.Figure:
    return heat_map(_payload(run, view, teachers, window), position)


def show(run: OpenRun, view: ViewState, teachers: Sequence[str]) -> None:
    """Draw the strips and the heat map, with the teachers in the given order."""
    number = question_number(run, view)
    extent = _extent(run, number, view.path)
    window = extent.window(view, UNDER_TEACHERS)
    # clear what the payload does not depend on, so that one cached payload serves every pinned token and filter
    elsewhere = {"outcome": "all", "search": "", "sort": "", "find": "", "ended": "all", "stage": "all"}
    part = view.but(teacher=None, part="all", **elsewhere, **AT_PATH, **NO_BRANCH, **NO_ROLLOUT)
    data = _payload(run, part, tuple(teachers), window)
    overview = _overview(run, number, part, extent, window) | {"part": view.part}
    names = path_names(run.query("paths", question=number))
    decisions = len(overview["decisions"]["rows"])
    path = names[view.path or 0]
    saved = file_name(run.run_id, view.question, f"path-{view.path}")
    what = f"question {view.question} · {path} · {extent.length} tokens · {decisions} decision points"
    with st.container(border=True):
        title = f"**The same path under each teacher** :gray[· {markdown_escaped(what)}]"
        heading(run, title, f"path-{view.path}-teachers", lambda: path_table(data), view.question)
        if not decisions:
            st.info(no_decision_point("This path"), icon=":material/info:")
        if view.show == "difference" and view.colour == "success":
            st.info("Success is the student's, so it is the same under every teacher.", icon=":material/info:")
        mount(
            "token_strips",
            "token-strips",
            data | {"position": view.position, "overview": overview},
            position=pin,
            start=token_path.move,
            part=token_path.choose_part,
        )
    with st.container(border=True):
        st.markdown(f"**Teacher × token** :gray[· {markdown_escaped(data['legend']['name'])} · click to pin a token]")
        drawn = _heat_map(run, part, tuple(teachers), window, view.position)
        name = f"{saved}-heat-map"
        figure(drawn, name, HEAT_MAP, on_select=pin_clicked, selection_mode="points")


def show_without(run: OpenRun, view: ViewState) -> None:
    """Explain why a question has no path."""
    rows = run.query("questions").set_index("id")
    row = rows.loc[view.question]
    reason = row["note"] if isinstance(row["note"], str) else f"its stage is {row['stage']}"
    st.info(markdown_escaped(f"Question {view.question} has no path: {reason}."), icon=":material/info:")


def pin(position: int) -> None:
    """Pin the token at a position, or unpin with -1; called by the strips."""
    change_view(**pinning(latest_view(), None if position < 0 else position, UNDER_TEACHERS))


def pin_clicked() -> None:
    """Pin the token whose tile was clicked; a click on the pinned tile only clears plotly's selection."""
    points = st.session_state[HEAT_MAP].selection.points
    if points:
        change_view(position=int(points[0]["x"]))
