"""The question at the top of a page: its text, its answer, and how often the student gets it right."""

import numpy as np
import streamlit as st

from odd.method.success import jeffreys
from odd.text import markdown_escaped, visible_text
from odd.views.links import ViewState
from pages.shared.data import OpenRun
from pages.shared.layout import beside

STYLE = """<style>
.st-key-question-text { max-height: 3.2rem; overflow-y: auto; resize: vertical; font-size: 1rem; font-weight: 600; }
.st-key-question-card [data-testid="stCaptionContainer"] { margin-bottom: 0; }
.st-key-question-card [data-testid="stCaptionContainer"] p { margin: 0; font-size: 0.8rem; line-height: 1.25; }
.st-key-question-text * { font: inherit; white-space: pre-wrap; overflow-wrap: anywhere; }
</style>"""


def show(run: OpenRun, view: ViewState, number: int) -> None:
    """Draw the card of question `number`."""
    row = run.query("question", question=number).iloc[0].to_dict()
    st.html(STYLE)
    with st.container(key="question-card"):
        left, right = beside([1.6, 1], "question")
        choices = row["choices"] if row["choices"] is not None else ()
        options = [f"{letter}) {choice}" for letter, choice in zip("ABCDEFGHIJKLMNOP", choices, strict=False)]
        answer = f"answer {row['answer']}" if isinstance(row["answer"], str) else "no gold answer"
        with left.container(gap="xxsmall"):
            st.container(key="question-text").text(visible_text(row["text"]))
            if options:
                st.caption(markdown_escaped(" · ".join(options)))
        right.caption(f"{markdown_escaped(answer)} · {facts(run, view, number)}")
        if isinstance(row["note"], str):
            right.caption(f":material/info: {markdown_escaped(row['note'])}")


def facts(run: OpenRun, view: ViewState, number: int) -> str:
    """Pass rate with interval and n, difficulty, rollouts and decision points, as Markdown."""
    questions = run.query("questions")
    row = questions[questions["question"] == number].iloc[0].to_dict()
    counts = run.query("score_scales", question=number, objective=view.objective, convention=view.convention)
    passed = "pass rate –"
    if row["initial_rollouts"]:
        ends = jeffreys(np.array(row["initial_correct"]), np.array(row["initial_rollouts"]))
        passed = f"pass rate **{row['pass_rate']:.2f}** \\[{float(ends[0]):.2f}, {float(ends[1]):.2f}\\]"
        passed += f" (n={row['initial_rollouts']:,})"
    rollouts = f"{row['initial_rollouts']:,} initial + {row['targeted_rollouts']:,} targeted rollouts"
    points = f"{int(counts['decision_points'].iloc[0]):,}" if row["stage"] == "scored" else "–"
    difficulty = row["difficulty"] if isinstance(row["difficulty"], str) else f"stage: {row['stage']}"
    return " · ".join([passed, markdown_escaped(difficulty), rollouts, f"{points} decision points"])
