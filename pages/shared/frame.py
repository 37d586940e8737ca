"""The frame around every page: navigation that keeps the view, the open run, help, and the link."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from runpy import run_path
from typing import Any
from urllib.parse import unquote, urlsplit

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from odd.errors import OddError
from odd.store import list_runs
from odd.text import markdown_escaped
from odd.views.links import ViewState
from odd.views.resolve import resolve
from pages import parts
from pages.shared.choices import choose_question, choose_run, step_question
from pages.shared.data import CACHE, OpenRun, as_it_is, named_run, open_run
from pages.shared.failures import explained, offer_others
from pages.shared.glossary import show_help
from pages.shared.layout import STYLE
from pages.shared.mount import mount
from pages.shared.state import latest_view, read_view, write_view

PAGES = {
    "pages/runs.py": ("Runs", ":material/folder_open:"),
    "pages/questions.py": ("Questions", ":material/list:"),
    "pages/tree.py": ("Tree", ":material/account_tree:"),
    "pages/rollouts.py": ("Rollouts", ":material/toc:"),
    "pages/compare.py": ("Compare", ":material/compare_arrows:"),
    "pages/findings.py": ("Findings", ":material/insights:"),
    "pages/screening.py": ("Screening", ":material/filter_alt:"),
}
ROOT = Path(__file__).parents[2]
AT_FIRST_USE = "scipy.stats", "scipy.sparse"
"""Modules that `odd.findings.statistics` imports lazily."""
WATCHED = 5.0
"""Seconds between looks for a newer state of a run that goes on."""
OF_A_QUESTION = "Tree", "Rollouts", "Compare"
"""Pages that show one question of the run."""


def load_pages() -> None:
    """Import all parts of the pages, so that the first session does not wait for them."""
    for name in (*(module.name for module in iter_modules(parts.__path__, f"{parts.__name__}.")), *AT_FIRST_USE):
        import_module(name)


def navigation() -> StreamlitPage:
    """Return the page that the address names; `sidebar` draws the links, as they must carry the view."""
    (first, (title, icon)), *others = PAGES.items()

    # Streamlit serves the first page at / only; serve it under its name, too
    def named() -> None:
        run_path(str(ROOT / first))

    start = [
        st.Page(first, title=title, icon=icon, url_path="start", default=True),
        st.Page(named, title=title, icon=icon, url_path=title.lower()),
    ]
    pages = [st.Page(path, title=title, icon=icon) for path, (title, icon) in others]
    return st.navigation([*start, *pages], position="hidden")


def unknown_page(url: str) -> str | None:
    """Name of the page that an address asks for and that does not exist; None if it exists."""
    name = urlsplit(url).path.strip("/").rsplit("/", 1)[-1]
    return None if name in {"", "start", *(title.lower() for title, _ in PAGES.values())} else unquote(name)


def sidebar(view: ViewState) -> None:
    """Draw links to all pages with the current view."""
    with st.sidebar:
        st.markdown("### ODD")
        st.caption("On-policy Distillation Diagnostics")
        for path, (title, icon) in PAGES.items():
            st.page_link(path, label=title, icon=icon, query_params=view.to_query())


def header(title: str, view: ViewState, run: OpenRun | None = None) -> None:
    """Draw the title, the pickers of run and question, the help button and the copy-link button.

    Args:
        title: title of the page.
        view: the view in the address.
        run: the open run; None: there is none to choose from.
    """
    sidebar(view)
    st.html(STYLE)
    question = view.question if title in OF_A_QUESTION else None
    st.set_page_config(page_title=" · ".join(filter(None, (question, title, view.run if run else None, "ODD"))))
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="page-header"):
        st.markdown(f"# {title}", width="content")
        if run is not None:
            choose_run(view, width=190, label_visibility="collapsed")
            if question is not None:
                choose_question(run, view, width=280, label_visibility="collapsed")
                step_question(run, view)
        st.space("stretch")
        show_help()
        mount("copy_link", "copy-link", {}, width="content")


@contextmanager
def open_page(title: str) -> Iterator[tuple[OpenRun, ViewState]]:
    """Open the run that the address names, complete the address, and draw the frame; for the whole of a page.

    If there is no such run, say so and stop the page. If the page fails, show why in one line.
    """
    with explained(f"pages/{title.lower()}.py"):
        yield _opened(title)


def _opened(title: str) -> tuple[OpenRun, ViewState]:
    asked, problems = read_view()
    run = _chosen_run(asked, title)
    for name in ("questions", "measures", "teachers"):
        run.ask(name)
    resolved = resolve(run, asked.but(run=run.run_id))
    write_view(resolved.view)
    header(title, resolved.view, run)
    if notices := [*problems, *resolved.notices]:
        st.warning("  \n".join(map(markdown_escaped, notices)), icon=":material/link_off:")
    if run.meta.get("status") != "finished":
        _watch(run)
    return run, resolved.view


def _watch(run: OpenRun) -> None:
    """Rerun the page when the file of a run that goes on is replaced by a newer state."""

    @st.fragment(run_every=WATCHED, key="watched-run")
    def look() -> None:
        with suppress(OSError):  # deleted: the next rerun says so
            if as_it_is(run.path) != run:
                st.rerun(scope="app")

    look()


def open_tree(run: OpenRun, **changes: Any) -> None:
    """Switch to the Tree page with a changed view; for callbacks.

    Fill in every id here: if the Tree page did it, that would add a step to the browser's history.
    """
    there = resolve(run, latest_view().but(run=run.run_id, **changes)).view
    st.switch_page("pages/tree.py", query_params=there.to_query())


def _chosen_run(view: ViewState, title: str) -> OpenRun:
    try:
        return named_run(view.run) if view.run is not None else _newest_run()
    except OddError as error:
        header(title, view)
        if view.run is None:
            st.info(str(error))
        else:
            st.error(markdown_escaped(str(error)))
    offer_others(view, f"pages/{title.lower()}.py")
    st.stop()


def _newest_run() -> OpenRun:
    """Open the newest readable run.

    Raises:
        OddError: there is none.
    """
    for info in list_runs(CACHE):
        if info.problem is None:
            with suppress(OddError, FileNotFoundError):  # just replaced or deleted
                return open_run(info.path)
    raise OddError("There are no runs yet. Start one on the Runs page, or with `odd run --preset demo`.")
