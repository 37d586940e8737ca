"""The Questions page: which ones the student can answer, and where each teacher points."""

from pages.parts.question_list import show_questions
from pages.shared.frame import open_page

with open_page("Questions") as (run, view):
    show_questions(run, view)
