"""Messages for missing scores, the same on every page. Markdown; prompts in it are escaped."""

import pandas as pd

from odd.findings.causes import likeliest_cause
from odd.store.run import Run
from odd.text import markdown_escaped

NO_TEACHER = "This run has no teacher, so nothing is scored: add one on the page Runs."
NOT_SCORED = "No question is scored yet: scores appear as the run progresses."


def no_decision_point(subject: str) -> str:
    """Explain why `subject` has no decision point, and what could change that."""
    return (
        f"{subject} has no decision point under this convention: at no token do two children with enough visits differ "
        "in success. More rollouts (`targeting.n_min`, `sampling.initial_rollouts`) or a lower `analysis.n_sig` may "
        "yield some."
    )


def why_no_scores(run: Run, decision_points: bool) -> str:
    """Why a run has no scores to show; empty if it has some.

    Args:
        run: the run.
        decision_points: whether any question has one under the chosen convention.
    """
    if run.query("teachers").empty:
        return NO_TEACHER
    if not (run.query("questions")["stage"] == "scored").any():
        return NOT_SCORED
    return "" if decision_points else why_no_decision_point(run, "This run", run.query("questions"))


def why_no_decision_point(run: Run, subject: str, questions: pd.DataFrame) -> str:
    """Explain why some questions have no decision point: the likeliest cause seen in their rollouts, if there is one.

    Args:
        run: the run.
        subject: what has none, as the start of a sentence.
        questions: rows of the query `questions`.
    """
    cause = likeliest_cause(run, questions)
    return f"{subject} has no decision point. {markdown_escaped(cause)}" if cause else no_decision_point(subject)
