"""Messages for missing scores, the same on every page. Trusted Markdown, without untrusted text."""

from odd.store.run import Run

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
    return "" if decision_points else no_decision_point("This run")
