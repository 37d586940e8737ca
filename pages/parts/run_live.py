"""Running jobs, with live progress and links to finished questions."""

import time

import streamlit as st

from odd.access import read_only
from odd.errors import OddError
from odd.pipeline.jobs import Job, stop, time_left
from odd.pipeline.progress import ProgressRecord
from odd.text import duration, markdown_escaped, rough, size
from odd.views.links import AT_START, ViewState
from odd.views.run_list import Entry, at_work, list_active
from pages.parts.run_state import attempt
from pages.shared.data import CACHE, OpenRun, as_it_is, kept
from pages.shared.state import view_of

EVERY = 1.5
"""Seconds between refreshes while something runs."""
IDLE = 5.0
"""Seconds between looks for runs that started elsewhere."""
LINKED_QUESTIONS = 12


def show_live(view: ViewState) -> None:
    """Show running jobs, and look for changes: often while there are any, else now and then.

    Rerun the whole page when a job starts or ends, to update the list of runs.
    """
    known = at_work(CACHE)
    if known:
        st.markdown("## Running")

    @st.fragment(run_every=EVERY if known else IDLE, key="runs-live")
    def look() -> None:
        if at_work(CACHE) != known:
            st.rerun(scope="app")
        if known:
            _cards(view)

    look()


def _cards(view: ViewState) -> None:
    listing = list_active(CACHE)
    for entry in listing.runs:
        if entry.active:
            _card(entry, view)
    for job in listing.jobs:
        if job.alive:
            _begun(job)


def _begun(job: Job) -> None:
    """Draw a job that has no run id yet."""
    with (
        st.container(border=True, key=f"live-{job.id}"),
        st.container(horizontal=True, vertical_alignment="center"),
    ):
        with st.container(gap=None, width="stretch"):
            st.markdown(f"**{markdown_escaped(job.title)}**")
            since = duration(time.time() - job.created)
            st.caption(f"loading the models and sampling the first rollouts · {since}")
        _stop_button(job)


def _card(entry: Entry, view: ViewState) -> None:
    state = entry.progress if entry.progress and entry.progress.alive else None
    with st.container(border=True, key=f"live-{entry.run_id}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            with st.container(gap=None, width="stretch"):
                st.markdown(f"**{markdown_escaped(entry.run_id)}**")
                st.caption(" · ".join(_said(entry)))
            if entry.info and not entry.info.problem:
                query = view_of(view, entry.run_id).to_query()
                st.page_link("pages/questions.py", label="Open", icon=":material/open_in_new:", query_params=query)
            if entry.job and entry.job.alive:
                _stop_button(entry.job)
        if state:
            _progress(state)
        else:
            st.caption("writing the last results" if _written_by(entry.job, entry.progress) else "loading the models")
        _browsable(entry, view)


def _written_by(job: Job | None, state: ProgressRecord | None) -> bool:
    """Whether the progress file belongs to this job rather than to an earlier one."""
    return job is not None and state is not None and state.updated > job.created


def _said(entry: Entry) -> list[str]:
    parts, facts = [], entry.facts
    if entry.job and entry.job.kind == "add_teachers":
        parts.append(f"adding teacher {markdown_escaped(entry.job.title)}")
    if facts and facts.student:
        parts.append(f"student **{markdown_escaped(facts.student)}**")
    if facts:
        parts.append(f"{len(facts.teachers)} teachers")
    if entry.size:
        parts.append(size(entry.size))
    if entry.status == "stopping":
        parts.append(":orange[stopping; finished work is kept]")
    elif entry.note:
        parts.append(markdown_escaped(entry.note))
    return parts


def _stop_button(job: Job) -> None:
    if read_only():
        return
    st.button(
        "Stop",
        icon=":material/stop_circle:",
        key=f"stop-{job.id}",
        on_click=attempt,
        args=(stop, job),
        disabled=job.state == "stopping",
        help="Finished work is kept; Resume continues from there",
    )


def _progress(state: ProgressRecord) -> None:
    now = time.time()
    speed = state.tokens_per_second
    st.progress(state.share, f"question {state.question + 1} of {state.questions}")
    within = state.done / state.total if state.total > 0 else 0.0
    st.progress(min(1.0, max(0.0, within)), f"{state.stage.label}: {state.done:,} of {state.total:,}")
    with st.container(horizontal=True, gap="large"):
        _figure("speed", f"{speed:,.0f} tokens/s" if speed else "–")
        _figure("running for", duration(now - state.started))
        _figure("time left", rough(time_left(now, state)))


def _figure(name: str, value: str) -> None:
    st.markdown(f":small[:gray[{name}]] **{value}**", width="content")


def _browsable(entry: Entry, view: ViewState) -> None:
    """Draw links to the finished questions."""
    finished = _finished(entry)
    if not finished:
        st.caption("No question is finished yet. Each one can be opened as soon as it is.")
        return
    shown = finished[-LINKED_QUESTIONS:]
    more = f", the last {len(shown)} of {len(finished)}" if len(shown) < len(finished) else ""
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key=f"browsable-{entry.run_id}"):
        st.caption(f"Finished questions{more}:", width="content")
        for name in reversed(shown):
            query = view_of(view, entry.run_id, question=name, **AT_START).to_query()
            label = markdown_escaped(name)
            st.page_link("pages/tree.py", label=label, icon=":material/account_tree:", query_params=query)


def _finished(entry: Entry) -> list[str]:
    if entry.info is None or entry.info.problem:
        return []
    try:
        return _finished_questions(as_it_is(entry.info.path))
    except (OddError, OSError):
        return []  # replaced while it was being listed; the next refresh finds it


@kept
def _finished_questions(run: OpenRun) -> list[str]:
    return [str(name) for name in run.query("questions_finished")["id"]]
