"""The dialogs of the Runs page: start a run, add a teacher, upload a file, delete a run."""

from collections.abc import Mapping

import streamlit as st

from odd.access import read_only
from odd.config import CONTEXTS, TeacherConfig, parse_config
from odd.errors import OddError
from odd.models.embedded import EMBEDDED
from odd.pipeline.jobs import delete_run, start_adding_teachers
from odd.store import accept_run
from odd.text import markdown_escaped, size
from odd.views.links import ViewState
from odd.views.run_list import Entry, Listing
from pages.parts.run_form import run_form
from pages.parts.run_state import DIALOG, close_dialog, done, entry_of, restart
from pages.shared.data import CACHE
from pages.shared.state import change_view

STUDENT = "student"
REFUSED = "runs-refused"


def show_dialog(view: ViewState, listing: Listing) -> None:
    """Draw the open dialog, if any."""
    kind, run_id = st.session_state.get(DIALOG, (None, None))
    entry = entry_of(listing, run_id)
    if read_only():
        close_dialog()
    elif kind == "new":
        _new()
    elif kind == "upload":
        _upload()
    elif kind == "delete" and entry:
        _delete(entry, view)
    elif kind == "resume" and entry:
        _resume(entry)
    elif kind == "add-teacher" and entry:
        _teach(entry)
    else:
        close_dialog()


@st.dialog("New run", width="medium", on_dismiss=close_dialog)
def _new() -> None:
    run_form()


@st.dialog("Upload a run file", on_dismiss=close_dialog)
def _upload() -> None:
    limit = int(st.get_option("server.maxUploadSize"))
    st.write(
        "The file is checked and opened read-only. Nothing in it is executed, and an existing run is never replaced. "
        "Run files are DuckDB files, and DuckDB does not promise to withstand crafted files: open a file from an "
        "untrusted source in a container only."
    )
    file = st.file_uploader(f"Run file, at most {limit} MB", type=["duckdb"], max_upload_size=limit, key="upload-file")
    if file is None:
        return
    refused = st.session_state.get(REFUSED, {}).get(file.file_id)
    if refused is None:
        try:
            run_id = accept_run(CACHE, file, file.name, limit * 1_000_000)
        except OddError as error:
            refused = str(error)
            st.session_state[REFUSED] = {file.file_id: refused}  # so that reruns do not read it again
        else:
            change_view(run=run_id)
            done(f"Run {run_id} was added")
    st.error(markdown_escaped(refused), icon=":material/error:")


@st.dialog("Delete this run?", on_dismiss=close_dialog)
def _delete(entry: Entry, view: ViewState) -> None:
    st.markdown(f"**{markdown_escaped(entry.run_id)}**, {size(entry.size)}")
    st.write("This removes its file, the data needed to resume it, and its logs. This cannot be undone.")
    sure, keep = st.columns(2)
    if keep.button("Keep it", type="primary", width="stretch", key="delete-keep"):
        close_dialog()
        st.rerun()
    if sure.button("Delete", icon=":material/delete:", width="stretch", key="delete-sure"):
        try:
            delete_run(CACHE, entry.run_id)
        except OddError as error:
            st.error(markdown_escaped(str(error)), icon=":material/error:")
            return
        if view.run == entry.run_id:
            change_view(**vars(ViewState()))
        done(f"Run {entry.run_id} was deleted")


@st.dialog("Resume this run?", on_dismiss=close_dialog)
def _resume(entry: Entry) -> None:
    st.markdown(f"**{markdown_escaped(entry.run_id)}** was not started here.")
    st.write(
        "Its answers are judged by scorers of reasoning-gym that its questions choose. They run isolated, without "
        "files, network or other processes. Resume it only if you trust whoever made the file."
    )
    sure, leave = st.columns(2)
    if leave.button("Leave it", type="primary", width="stretch", key="resume-leave"):
        close_dialog()
        st.rerun()
    if sure.button("Resume", icon=":material/play_arrow:", width="stretch", key="resume-sure"):
        try:
            restart(entry)
        except OddError as error:
            st.error(markdown_escaped(str(error)), icon=":material/error:")
            return
        done(f"Run {entry.run_id} is resumed")


@st.dialog("Add a teacher", on_dismiss=close_dialog)
def _teach(entry: Entry) -> None:
    st.markdown(
        f"to **{markdown_escaped(entry.run_id)}**. The teacher reads each path once. No rollouts are sampled, only the "
        "responses that it is shown, if the run does not have them yet."
    )
    name = st.text_input("Name", placeholder="Self-1C", max_chars=60, key="teacher-name")
    model = st.selectbox(
        "Model",
        [STUDENT, *EMBEDDED],
        accept_new_options=True,
        help="The student itself, an embedded model, a folder, or a hub name. It must share the student's vocabulary.",
        key="teacher-model",
    )
    context = st.selectbox(
        "Reads", list(CONTEXTS), format_func=lambda context: CONTEXTS[context].label, key="teacher-context"
    )
    writers = {
        "demonstrations": _writer("Responses written by", "source") if CONTEXTS[context].correct else STUDENT,
        "summarizer": _writer("Summarised by", "summarizer") if CONTEXTS[context].summarized else STUDENT,
    }
    if not st.button("Add", type="primary", icon=":material/person_add:", key="teacher-start"):
        return
    try:
        start_adding_teachers(
            CACHE, entry.run_id, [_teacher(entry, name, context, {"model": model or STUDENT, **writers})]
        )
    except OddError as error:
        st.error(markdown_escaped(str(error)), icon=":material/error:")
        return
    close_dialog()
    st.rerun()


def _writer(label: str, key: str) -> str:
    """Choose the model that writes what the teacher is shown."""
    helps = "The student itself, an embedded model, a folder, or a hub name. It may have any vocabulary."
    chosen = st.selectbox(label, [STUDENT, *EMBEDDED], accept_new_options=True, help=helps, key=f"teacher-{key}")
    return chosen or STUDENT


def _teacher(entry: Entry, name: str, context: str, models: Mapping[str, str]) -> TeacherConfig:
    facts = entry.facts
    if facts and name in facts.teachers:
        raise OddError(f"run {entry.run_id} already has a teacher {name!r}: choose another name")
    named = {key: None if model == STUDENT else {"name": model} for key, model in models.items()}
    return parse_config({"teachers": [{"name": name.strip(), "context": context, **named}]}).teachers[0]
