"""The list of runs, and what the page offers when there are none."""

import math
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Literal

import streamlit as st

from odd.access import read_only
from odd.config import PRESETS
from odd.pipeline.estimate import benchmark_speed, estimate
from odd.pipeline.jobs import Job, remove_job, resume, start_run, tail
from odd.places import example_run, the_example_run
from odd.store import RunInfo, accept_run, read_for
from odd.text import age, markdown_escaped, rough, size
from odd.views.links import ViewState
from odd.views.run_list import SORTS, Entry, Facts, Listing, sort_entries
from pages.parts.run_state import ask, attempt, restart
from pages.shared.choices import answer_kinds
from pages.shared.data import CACHE, open_run
from pages.shared.state import view_of

Badge = tuple[Literal["blue", "orange", "violet", "green", "gray", "red"], str]

BADGES: dict[str, Badge] = {
    "running": ("blue", ":material/progress_activity:"),
    "stopping": ("orange", ":material/hourglass_top:"),
    "screened": ("violet", ":material/filter_alt:"),
    "finished": ("green", ":material/check_circle:"),
    "stopped": ("gray", ":material/pause_circle:"),
    "failed": ("red", ":material/error:"),
    "unreadable": ("red", ":material/broken_image:"),
}
NEEDS_FACTS = ("student", "status", "questions", "decision points")
"""Orders that need the status or contents of every run."""
MENU = {"Add a teacher": "add-teacher", "Delete": "delete"}
A_PAGE = 20
READING = 1.0
"""Seconds of a rerun in which runs that have no summary yet are read."""
AHEAD = 50
"""Runs that are then read in the background, so that looking again does not wait for them."""
READ_ON = 0.5
"""Seconds until the next rerun if some are left."""
SCORED_BY_GYM = "reasoning_gym"
"""Kind of answer that scorers of reasoning-gym judge, as the question asks them to."""
SHOWN_TEACHERS = 5
READERS = ThreadPoolExecutor(1, thread_name_prefix="read-runs")
_background: Future[list[RunInfo]] | None = None


def show_list(view: ViewState, listing: Listing) -> None:
    """List all runs that are not running, with the actions for each.

    Run files without a summary are read, a part of them in each rerun: those shown, or all if the list is searched or
    sorted by something that is in the files. Until it is read, a run is found by its name only and comes last.
    """
    # keep a run's text readable beside its buttons; on narrow windows the buttons wrap below it
    st.html('<style>div:has(> [class*="st-key-said-"]) { min-width: 22rem; }</style>')
    entries = [entry for entry in listing.runs if not entry.active]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.markdown(f"## Runs :gray[{len(entries)}]", width="stretch")
        search = st.text_input("search", placeholder="name, student, teacher", width=220, key="runs-search")
        order = st.selectbox("sort", list(SORTS), width=160, key="runs-sort")
        _new_buttons()
    if entries:
        st.caption(
            "A run contains questions, the tree of the student's responses to each, and the direction in which every "
            "teacher would push the student at each token. Open one to see its questions."
        )
    found, unread = _found(entries, order, search)
    pages = max(1, -(-len(found) // A_PAGE))
    page = st.session_state.get("runs-page", 1) if pages > 1 else 1
    page = min(page, pages)
    shown = found[(page - 1) * A_PAGE : page * A_PAGE]
    unread = unread or _read(shown)
    for entry in shown:
        if entry.run_id in unread:
            _unread_row(entry)
        else:
            _row(entry, entry.facts, view)
    if unread:
        _read_on(len(unread))
    if entries and not found:
        st.info("No run matches this text in its name, student or teachers.")
    if pages > 1:
        st.pagination(pages, key="runs-page")


def _found(entries: Sequence[Entry], order: str, search: str) -> tuple[list[Entry], set[str]]:
    """Search and sort the runs; return them, and the ids of those that had to be read for it and are not yet."""
    if not search and order not in NEEDS_FACTS:
        return sort_entries(entries, {}, order), set()
    unread = _read(entries)
    read = [entry for entry in entries if entry.run_id not in unread]
    left = [entry for entry in entries if entry.run_id in unread]
    facts = {entry.run_id: entry.facts for entry in read}
    return sort_entries(read, facts, order, search) + sort_entries(left, {}, "newest first", search), unread


def _read(entries: Sequence[Entry]) -> set[str]:
    """Read runs without a summary for a limited time, and some more in the background; return the ids of those left.

    An unexpected error in the background is raised here, in the next rerun.
    """
    global _background
    before = _background
    if before is None or before.done():
        _background = None
        if before is not None:
            before.result()
        left = read_for([entry.info for entry in entries if entry.info], READING)
        _background = READERS.submit(read_for, left[:AHEAD], math.inf) if left else None
    return {entry.run_id for entry in entries if not entry.is_read}


def _read_on(left: int) -> None:
    """Say how many runs are not read yet, and rerun the page soon to read further ones."""
    drawn = time.monotonic()

    @st.fragment(run_every=READ_ON, key="runs-read")
    def look() -> None:
        if time.monotonic() - drawn >= READ_ON:
            st.rerun(scope="app")
        st.caption(f"{left:,} {'run is' if left == 1 else 'runs are'} not read yet")

    look()


def _new_buttons() -> None:
    if read_only():
        return
    st.button("Upload", icon=":material/upload:", on_click=ask, args=("upload",), help="Add a run file from others")
    st.button("New run", icon=":material/add:", type="primary", on_click=ask, args=("new",))


def _unread_row(entry: Entry) -> None:
    with st.container(border=True, key=f"run-{entry.run_id}"):
        st.markdown(f"**{markdown_escaped(entry.run_id)}**", width="content")
        st.caption(f"being read · {size(entry.size)}")


def _row(entry: Entry, facts: Facts | None, view: ViewState) -> None:
    colour, icon = BADGES[entry.status]
    with (
        st.container(border=True, key=f"run-{entry.run_id}"),
        st.container(horizontal=True, vertical_alignment="center"),
    ):
        with st.container(gap=None, width="stretch", key=f"said-{entry.run_id}"):
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.markdown(f"**{markdown_escaped(entry.run_id)}**", width="content")
                st.badge(entry.status, color=colour, icon=icon)
            st.caption(" · ".join(_facts(entry, facts)))
            if entry.note:
                colour = "gray" if entry.status == "screened" else "red"
                st.markdown(f":small[:{colour}[{markdown_escaped(entry.note)}]]")
        _actions(entry, view)
        if entry.status == "failed" and entry.job:
            _log(entry.job)


def _facts(entry: Entry, facts: Facts | None) -> list[str]:
    parts = []
    if facts:
        parts += [f"student **{markdown_escaped(facts.student)}**"] if facts.student else []
        parts += [_questions(facts), _teachers(facts.teachers)]
        parts += [f"{facts.decision_points:,} decision points"] if facts.finished else []
    # copying a file changes its date, so prefer the date in the run
    since = facts.made if facts and facts.made is not None else entry.changed
    when = f"created {age(time.time() - since)}" if since else ""
    # no line breaks inside the short facts
    return [part for part in (*parts, *(text.replace(" ", "\u00a0") for text in (size(entry.size), when))) if part]


def _questions(facts: Facts) -> str:
    noun = "question" if facts.questions == 1 else "questions"
    if facts.finished == facts.questions:
        return f"{facts.questions} {noun}"
    return f"{facts.finished} of {facts.questions} {noun} finished"


def _teachers(names: tuple[str, ...]) -> str:
    if not names:
        return "no teacher"
    more = f" and {len(names) - SHOWN_TEACHERS} more" if len(names) > SHOWN_TEACHERS else ""
    shown = ", ".join(markdown_escaped(name) for name in names[:SHOWN_TEACHERS])
    return f"{len(names)} {'teacher' if len(names) == 1 else 'teachers'}: {shown}{more}"


def _actions(entry: Entry, view: ViewState) -> None:
    run_id = entry.run_id
    if entry.info and entry.status != "unreadable":
        query = view_of(view, run_id).to_query()
        st.page_link("pages/questions.py", label="Open", icon=":material/open_in_new:", query_params=query)
    if entry.status in ("screened", "stopped", "failed") and entry.valid and not read_only():
        label = "Run" if entry.status == "screened" else "Resume"
        st.button(label, icon=":material/play_arrow:", on_click=attempt, args=(_resume, entry), key=f"resume-{run_id}")
    if entry.info:
        path = entry.info.path
        st.download_button(
            "Download",
            # called on click, so that large files are not read on every rerun
            data=lambda: path.read_bytes(),
            file_name=path.name,
            mime="application/octet-stream",
            icon=":material/download:",
            on_click="ignore",
            key=f"download-{run_id}",
        )
    if read_only():
        return
    if entry.valid:
        choices = MENU if entry.status == "finished" else {"Delete": "delete"}
        key = f"more-{run_id}"
        st.menu_button("More", list(choices), key=key, on_click=_chosen, args=(key, run_id))
    else:
        st.caption("rename or remove this file by hand", width="content")


def _chosen(key: str, run_id: str) -> None:
    ask(MENU[st.session_state[key]], run_id)


def _resume(entry: Entry) -> None:
    """Resume a run; ask first if it came as a file and its questions bring their own scorers."""
    if entry.job is None and entry.info is not None and SCORED_BY_GYM in answer_kinds(open_run(entry.info.path)):
        ask("resume", entry.run_id)
    else:
        restart(entry)


def offer_first_run() -> None:
    """For an empty cache: explain what a run is, and offer the demo, the example run, the form and upload."""
    demo = PRESETS["demo"]
    speed = benchmark_speed(demo.student)
    how_long = rough(estimate(demo, 8, speed).seconds if speed else None)
    if read_only():
        st.info("There are no runs yet, and this dashboard is read-only: whoever runs it can add some.")
        return
    with st.container(border=True):
        st.info(
            "There are no runs yet. A run samples a student on some questions, grows the tree of its choices, and "
            "measures, token by token, whether each teacher would push it towards correct answers. It is stored as one "
            "file in the cache, which you can send to others."
        )
        st.markdown(
            f"The demo asks the embedded student eight arithmetic questions and compares four teachers: {how_long} on "
            "two cores, without downloads. On the command line: `odd run --preset demo`."
        )
        with st.container(horizontal=True):
            demo_icon = ":material/play_arrow:"
            st.button("Run the demo", icon=demo_icon, type="primary", on_click=attempt, args=(_start_demo,))
            # not in a callback: callbacks run before st.navigation has registered the pages
            if example_run() is not None and st.button(
                "Open the example run",
                icon=":material/open_in_new:",
                help="A finished run that comes with ODD, with four questions and four teachers",
            ):
                attempt(_open_example)
                st.rerun()
            st.button("Set up a run", icon=":material/tune:", on_click=ask, args=("new",))
            st.button("Upload a run file", icon=":material/upload:", on_click=ask, args=("upload",))


def _open_example() -> None:
    """Copy the example run into the cache and switch to its questions."""
    file = the_example_run()
    with file.open("rb") as source:
        run_id = accept_run(CACHE, source, file.name, file.stat().st_size)
    st.switch_page("pages/questions.py", query_params=ViewState(run=run_id).to_query())


def _start_demo() -> None:
    start_run(PRESETS["demo"].model_copy(update={"cache": CACHE}))


def show_failures(listing: Listing) -> None:
    """List jobs that failed before their run existed, with the end of their logs, to retry or dismiss."""
    failed = [job for job in listing.jobs if job.state == "failed"]
    if failed:
        st.markdown("## Failed before the run began")
    for job in failed:
        with st.container(border=True, key=f"job-{job.id}"):
            with st.container(horizontal=True, vertical_alignment="center"):
                label = f"**{markdown_escaped(job.title)}** · {age(time.time() - job.created)}"
                st.markdown(label, width="stretch")
                if not read_only():
                    st.button("Try again", on_click=attempt, args=(_again, job), key=f"again-{job.id}")
                    st.button("Dismiss", on_click=attempt, args=(remove_job, job), key=f"forget-{job.id}")
            st.markdown(f":small[:red[{markdown_escaped(job.reason)}]]")
            _log(job)


def _again(job: Job) -> None:
    resume(job, CACHE)
    remove_job(job)


def _log(job: Job) -> None:
    with st.expander("Log"):
        code = job.exit_code
        st.caption(f"exit code {'–' if code is None else code}")
        st.code(tail(job.log) or "no output", language=None, wrap_lines=True)
