"""What the checks before a run find, shown in the form that starts it."""

import streamlit as st

from odd.config import RunConfig
from odd.errors import OddError
from odd.pipeline.checks.finding import Finding
from odd.pipeline.jobs import check_run
from odd.text import markdown_escaped, visible_text

ICONS = {"ok": ":green[:material/check:]", "warning": ":orange[:material/warning:]", "error": ":red[:material/error:]"}
HEIGHT = 260
"""Pixels of a text that is shown; longer ones scroll."""


def show_checks(config: RunConfig) -> None:
    """Run the checks and show what they find, as they find it."""
    found: list[Finding] = []
    with st.status("Checking the run", expanded=True) as status:
        try:
            for finding in check_run(config):
                found.append(finding)
                st.markdown(_line(finding))
        except OddError as error:
            status.update(label="The checks failed", state="error")
            st.error(markdown_escaped(str(error)), icon=":material/error:")
            return
        errors, warnings = (sum(one.verdict == verdict for one in found) for verdict in ("error", "warning"))
        label = f"{len(found)} checks: {_counted(errors, 'error')}, {_counted(warnings, 'warning')}"
        status.update(label=label, state="error" if errors else "complete")
    with st.expander("Prompts and rollouts"):
        for finding in found:
            _show(finding)


def _line(finding: Finding) -> str:
    remedy = f"; *{markdown_escaped(finding.remedy)}*" if finding.remedy else ""
    text = markdown_escaped(visible_text(finding.text))
    return f"{ICONS[finding.verdict]} **{markdown_escaped(finding.check)}**: {text}{remedy}"


def _show(finding: Finding) -> None:
    if not finding.shown:
        return
    st.markdown(f"**{markdown_escaped(finding.check)}**")
    places = st.columns(2) if finding.is_comparison else [st.container()] * len(finding.shown)
    for place, (heading, text) in zip(places, finding.shown, strict=True):
        place.caption(markdown_escaped(visible_text(heading)))
        place.code(
            visible_text(text), language=None, wrap_lines=True, height=HEIGHT if finding.is_comparison else "content"
        )


def _counted(count: int, what: str) -> str:
    return f"{count or 'no'} {what}" + ("" if count == 1 else "s")
