"""The Screening page: how often the student is right, alone and with each context."""

from pages.parts.screening_report import show_screening
from pages.shared.frame import open_page

show_screening(*open_page("Screening"))
