"""Details of a pinned token: all children of its node, and sample continuations of each."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from odd.method.conventions import REST
from odd.method.pooling import pooling_rule
from odd.store.run import Run, of_teacher
from odd.text import visible, visible_text
from odd.views.links import ViewState
from odd.views.scores import number, short
from odd.views.token_path import end_tokens, measure, spelled

EVERY = 10_000
"""Limit on the children of a node, high enough for all of them."""
BEFORE = 12
"""Number of preceding tokens shown with continuations."""
TABLE = {
    "p_student": "P student",
    "p_teacher": "P teacher",
    "success": "P̂ success",
    "success_low": "P̂ low",
    "success_high": "P̂ high",
    "success_visits": "visits",
    "ideal": "ideal gradient",
    "teacher_gradient": "teacher gradient",
}
"""Columns of `token_children` in the table, with their headings."""


def token_children(run: Run, question: int, view: ViewState) -> pd.DataFrame:
    """All children of the pinned token's node, with `text` and `mark`; those in S_u first."""
    place = measure(question, view) | {"position": view.position}
    children = of_teacher(run.query("token_children", most=EVERY, **place), view.teacher)
    ends = end_tokens(run, question)
    spellings = [
        spelled(int(token), spelling, ends)
        for token, spelling in zip(children["token"], children["bytes"], strict=True)
    ]
    return children.assign(
        text=pd.Series([text for text, _ in spellings], index=children.index, dtype=object),
        mark=[mark for _, mark in spellings],
    )


def drawn_children(children: pd.DataFrame, most: int = 16) -> pd.DataFrame:
    """Children in the figure: S_u and the bucket; without any estimate, the most visited ones."""
    significant = children[children["significant"]]
    return (significant if len(significant) else children).head(most)


def children_table(children: pd.DataFrame, truncated: Mapping[int, int] | None = None) -> pd.DataFrame:
    """The children as a table for display and download. Tokens are JSON strings: exact, and never read as formulas.

    Args:
        children: result of `token_children`.
        truncated: result of `odd.views.truncation.truncated_children`; a column if there are any.
    """
    tokens = [json.dumps(text, ensure_ascii=False) for text in children["text"]]
    frame = pd.DataFrame({"token": tokens, "taken": children["taken"], "in S_u": children["significant"]})
    shown = frame.assign(**{heading: children[name] for name, heading in TABLE.items()})
    if truncated:
        shown["truncated"] = [truncated.get(int(token), 0) for token in children["token"]]
    return shown.reset_index(drop=True)


def read_table(table: pd.DataFrame) -> pd.DataFrame:
    """Compact `children_table` for display: success and its interval in one column."""
    ends = ("P̂ success", "P̂ low", "P̂ high")
    written = [
        "–" if pd.isna(value) else f"{value:.2f}" + ("" if pd.isna(low) else f" [{low:.2f}, {high:.2f}]")
        for value, low, high in zip(*(table[name] for name in ends), strict=True)
    ]
    return table.assign(**{ends[0]: written}).drop(columns=list(ends[1:]))


def continuations(
    run: Run, question: int, view: ViewState, children: pd.DataFrame, draw: int, each: int = 2, groups: int = 6
) -> dict[str, Any]:
    """Payload of the component `continuations`: some correct and some incorrect rollouts through each child.

    Args:
        run: the run.
        question: number of the question.
        view: view with a pinned token; its convention decides which rollouts count.
        children: result of `token_children`.
        draw: seed; another number draws other rollouts.
        each: maximum number of correct and of incorrect rollouts per child.
        groups: maximum number of children; those in S_u and the taken one come first.
    """
    known = children[children["token"] != REST]
    known = known.sort_values(["significant", "taken"], ascending=False, kind="stable").head(groups)
    place = {"question": question, "path": view.path, "position": view.position}
    prefix = run.query("path_prefix", **place)["token"].tolist()
    launches = run.query("rollout_lengths", question=question)["launch"].unique()
    counted = pooling_rule(view.convention or "on_policy").counted(launches, np.array(len(prefix) + 1))
    found = run.query(
        "continuations", question=question, prefix=prefix, depth=len(prefix), launches=launches[counted].tolist(),
        draw=draw, each=each, tokens=known["token"].tolist(),
    )  # fmt: skip
    texts = _texts(run, question, [prefix[-BEFORE:], *found["continuation"]])
    lines: dict[int, list[dict[str, Any]]] = {}
    for row, text in zip(found.to_dict("records"), texts[1:], strict=True):
        lines.setdefault(int(row["token"]), []).append(_line(row, text))
    before = ("…" if len(prefix) > BEFORE else "") + texts[0]
    return {"before": before, "groups": [_group(row, lines) for row in known.to_dict("records")]}


def _line(row: dict, text: str) -> dict[str, Any]:
    counts = {name: int(row[name]) for name in ("found", "kept")}
    return {name: bool(row[name]) for name in ("correct", "truncated")} | {"text": text} | counts


def _group(row: dict, lines: dict[int, list[dict[str, Any]]]) -> dict[str, Any]:
    rate = {name: short(row, f"success{end}") for name, end in (("value", ""), ("low", "_low"), ("high", "_high"))}
    visits = int(number(row, "success_visits") or 0)
    token = {"text": row["text"], "mark": bool(row["mark"]), "taken": bool(row["taken"])}
    return token | {"rate": rate, "visits": visits, "lines": lines.get(int(row["token"]), [])}


def _texts(run: Run, question: int, sequences: Sequence[Sequence[int]]) -> list[str]:
    """Texts of token sequences, with characters split across tokens rejoined; end tokens have no text."""
    ends = end_tokens(run, question)
    wanted = sorted({int(token) for sequence in sequences for token in sequence} - ends)
    rows = run.query("token_bytes", tokens=wanted)
    spelling = dict(zip(rows["token"].tolist(), rows["bytes"], strict=True))
    spelling |= {token: b"" for token in ends}
    joined = (b"".join(spelling.get(int(token), b"\xff") for token in sequence) for sequence in sequences)
    return [visible(text) if text else "" for text in joined]


def drawn_rollouts(run: Run, question: int, draw: int, each: int = 4) -> dict[str, Any]:
    """Payload of the component `continuations`: some correct and incorrect initial rollouts of a question."""
    rows = run.query("rollouts_drawn", question=question, draw=draw, each=each).to_dict("records")
    lines = [_line(row, visible_text(row["text"] or "").replace("\n", "⏎")) for row in rows]
    return {"before": "", "groups": [{"text": None, "lines": lines}] if lines else []}
