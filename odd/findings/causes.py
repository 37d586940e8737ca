"""The likeliest cause of a run without results, judged by its rollouts and prompts.

Plain text: prompts in it are untrusted and escaped on display.
"""

import pandas as pd

from odd.config.teachers import Templates
from odd.store.run import Run
from odd.text import visible_text

MANY_CUT = 0.5
"""Share of truncated responses from which on truncation is the likeliest cause."""
SHOWN = 400
"""Characters of a prompt that are shown, from its end."""


def likeliest_cause(run: Run, questions: pd.DataFrame) -> str:
    """Say why a run has no correct responses or no decision points; empty without a likely cause.

    Args:
        run: the run.
        questions: its query `questions`, or some of its rows.
    """
    drawn, cut, correct = (int(questions[f"initial_{name}"].sum()) for name in ("rollouts", "truncated", "correct"))
    if not drawn:
        return ""
    if cut >= MANY_CUT * drawn:
        return (
            f"{cut:,} of {drawn:,} initial responses were cut at the length limit, mostly before an answer: raise "
            "sampling.max_new_tokens."
        )
    if correct:
        return ""
    seen = f"None of {drawn:,} initial responses is correct, so every question is excluded."
    return f"{seen} {_prompt_cause(run, questions)}"


def _prompt_cause(run: Run, questions: pd.DataFrame) -> str:
    """Say what in the prompt may be the cause, and show it."""
    first = run.query("question", question=int(questions["question"].iloc[0]))
    text = first["prompt_text"].iloc[0]
    prompt = " ".join(text.split()) if isinstance(text, str) else ""
    shown = visible_text(prompt if len(prompt) <= SHOWN else f"…{prompt[-SHOWN:]}")
    if Templates().instruction in prompt:
        return (
            "The prompts contain ODD's default instruction, which this student may not have been trained on: set "
            f"templates.instruction to its own. The first prompt: {shown}"
        )
    return (
        f"Check the answers and how they are read with odd check, or choose easier questions. The first prompt: {shown}"
    )
