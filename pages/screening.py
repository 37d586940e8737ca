"""The Screening page: how often the student is right, alone and with each context."""

from pages.parts.screening_report import show_screening
from pages.shared.frame import open_page

with open_page("Screening") as (run, view):
    show_screening(run, view)
