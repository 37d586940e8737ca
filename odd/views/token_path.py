"""Payload of a path as coloured text, with the hover cards of its tokens."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from odd.method.conventions import REST
from odd.method.measures import MEASURES, listed, score_columns
from odd.store.run import Run, of_teacher
from odd.text import visible
from odd.views.links import ViewState
from odd.views.scores import (
    Row,
    colour_interval,
    colour_value,
    facts,
    known_measures,
    legend,
    number,
    passes,
    settled,
    short,
    shorts,
    table,
)

SHOWN = 8
"""Maximum number of children in a card; the others are counted."""
END = "⟨end⟩"
EVERYWHERE = range(10**9)
"""All positions of any path."""

VALUE = ("value", "value_low", "value_high", "value_visits")
CHILD = ("p_student", "p_teacher", "success", "success_low", "success_high", "success_visits", "ideal",
         "teacher_gradient")  # fmt: skip
CHILD_COLUMNS = ("text", "mark", "taken", "significant", *CHILD)


def shown_columns() -> list[str]:
    """Columns of `path_rows` shown in cards."""
    elsewhere = [one.column for one in MEASURES.values() if one.listed and one.table != "scores"]
    return [*(name for name in score_columns() if name != "decision"), *elsewhere]


def path_names(paths: pd.DataFrame) -> dict[int, str]:
    """Names of the paths of a question, numbered by outcome: "incorrect 1"."""
    counts: dict[bool, int] = {}
    names = {}
    for path, correct in zip(paths["path"].tolist(), paths["correct"].tolist(), strict=True):
        counts[correct] = counts.get(correct, 0) + 1
        names[path] = f"{'correct' if correct else 'incorrect'} {counts[correct]}"
    return names


def spelled(token: int, spelling: object, ends: frozenset[int] = frozenset()) -> list:
    """Text of a token, and whether it is a placeholder rather than model output."""
    if token == REST:
        return ["all other tokens", True]
    if token in ends:
        return [END, True]
    return [visible(spelling), False] if isinstance(spelling, bytes) else [f"⟨token {token}⟩", True]


def measure(question: int, view: ViewState) -> dict[str, Any]:
    """Parameters of the queries of a path: question, path, objective and convention."""
    return {"question": question} | {name: getattr(view, name) for name in ("path", "objective", "convention")}


def end_tokens(run: Run, question: int) -> frozenset[int]:
    """End tokens of the question's paths, which have no visible text."""
    return frozenset(run.query("path_ends", question=question)["token"].tolist())


def within(question: int, view: ViewState, window: range = EVERYWHERE) -> dict[str, Any]:
    """Parameters of the queries of a window of a path."""
    return measure(question, view) | {"first": window.start, "last": window.stop - 1}


def path_rows(run: Run, question: int, view: ViewState, window: range = EVERYWHERE) -> Sequence[Row]:
    """One row per token: position, probabilities, success and scores; unknown values are NULL or NaN."""
    return of_teacher(run.query("path_rows", **within(question, view, window)), view.teacher).to_dict("records")


def path_cards(run: Run, question: int, view: ViewState, window: range = EVERYWHERE) -> dict[int, dict[str, Any]]:
    """Per node of the path: its children to show, and number and visits of the others.

    A child is a list in the order of `CHILD_COLUMNS`.
    """
    ends = end_tokens(run, question)
    asked = within(question, view, window)
    children = of_teacher(run.query("path_children", most=SHOWN, **asked), view.teacher)
    cards: dict[int, dict[str, Any]] = {}
    rows = children.to_dict("records")
    for row, values in zip(rows, shorts(rows, CHILD), strict=True):
        # the first row of a node is a child: the bucket of all other tokens comes last
        new = {"children": [], "more": number(row, "siblings"), "unseen": number(row, "siblings_visits")}
        card = cards.setdefault(int(row["node"]), new)
        own = [*spelled(int(row["token"]), row["bytes"], ends), bool(row["taken"]), bool(row["significant"])]
        card["children"].append([*own, *values])
        if row["token"] != REST:
            card["more"] -= 1
            card["unseen"] -= number(row, "success_visits") or 0
    return cards


def path_payload(
    rows: Sequence[Row],
    cards: Mapping[int, dict[str, Any]],
    view: ViewState,
    scale: float,
    ends: frozenset[int],
    support: int = 1,
) -> dict[str, Any]:
    """Payload of the component `token_path`.

    Args:
        rows: result of `path_rows`, of the whole path or of a window.
        cards: result of `path_cards`.
        view: view with the colour and filters to apply.
        scale: value at the upper end of the colour scale.
        ends: result of `end_tokens`.
        support: visits from which V(u) is drawn; below, it is the outcome of a few rollouts.
    """
    columns = shown_columns()
    return {
        "first": int(rows[0]["position"]) if rows else 0,
        "support": support,
        "position": view.position,
        "path": view.path,
        "legend": legend(view.colour).payload(scale),
        "facts": facts(known_measures(listed(), rows)),
        "tokens": [_token(row, view, scale, ends) for row in rows],
        "scores": table(columns, shorts(rows, columns)),
        "values": table(VALUE, shorts(rows, VALUE) + [_outcome(row) for row in rows[-1:]]),
        "cards": {"columns": list(CHILD_COLUMNS), "of_tokens": [cards.get(int(row["node"])) for row in rows]},
    }


def _token(row: Row, view: ViewState, scale: float, ends: frozenset[int]) -> dict[str, Any]:
    """A token: text, placeholder or not, line break, colour value with interval, settled, decision point."""
    text, mark = spelled(int(row["token"]), row["bytes"], ends)
    shown = passes(row, view)
    value = colour_value(view.colour, row, scale) if shown else None
    return {
        "text": text,
        "mark": mark,
        "breaks": isinstance(row["bytes"], bytes) and row["bytes"].endswith(b"\n"),
        "value": None if value is None else float(f"{value:.4g}"),
        "interval": colour_interval(view.colour, row, scale) if shown else None,
        "settled": settled(view.colour, row) if shown else None,
        "decision": bool(number(row, "decision")),
    }


def _outcome(row: Row) -> list[float | None]:
    """The value after the last token, in the order of `VALUE`."""
    return [short(row, f"success{name.removeprefix('value')}") for name in VALUE]


def path_heading(rows: Sequence[Row], name: str) -> dict[str, Any]:
    """Title of a path and its plain means over decision points; tokens of one path allow no valid interval."""
    decisions = [row for row in rows if number(row, "decision")]
    means: dict[str, Any] = {}
    for measured in ("alignment", "gain"):
        known = [value for row in decisions if (value := number(row, measured)) is not None]
        means[measured] = [sum(known) / len(known) if known else None, len(known)]
    return {"title": f"Path, {name}", "tokens": len(rows), "decisions": len(decisions), **means}
