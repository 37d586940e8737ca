"""The Findings page: which teacher points towards success, and where."""

from pages.parts.findings_list import show_findings
from pages.shared.frame import open_page

with open_page("Findings") as (run, view):
    show_findings(run, view)
