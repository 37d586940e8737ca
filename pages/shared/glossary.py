"""The help dialog: every quantity that the dashboard shows, with an explanation and its formula."""

import streamlit as st

from odd.views.glossary import Entry, find


def show_help() -> None:
    """Draw a button that opens the help dialog."""
    if st.button("What is this?", icon=":material/help:", key="help", help="All quantities, with formulas, and keys"):
        _explain()


# a dialog, because its content is sent only when it is opened
@st.dialog("What is this?", width="large", icon=":material/help:")
def _explain() -> None:
    st.markdown(
        "ODD asks, token by token: does the direction in which a teacher would train the student point towards "
        "correct answers? Green is helpful, purple is harmful. The full method is in `docs/method.md`."
    )
    wanted = st.text_input("search", type="search", live=True, placeholder="search terms", label_visibility="collapsed")
    found = find(wanted)
    if not found:
        st.info("No term matches these words.")
    for group, entries in found.items():
        st.markdown(f"### {group}")
        for entry in entries:
            _draw(entry)


def _draw(entry: Entry) -> None:
    words, formula = st.columns([5, 4], vertical_alignment="center", gap="medium")
    where = f"on: {entry.where}" if entry.where else ""
    small = " · ".join(part for part in (entry.range, where) if part)
    words.markdown(f"**{entry.term}.** {entry.meaning}" + (f"  \n:small[:gray[{small}]]" if small else ""))
    if entry.formula:
        formula.latex(entry.formula)
