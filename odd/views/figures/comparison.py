"""Figures of the page Compare: a heat map of teacher × token, and gradients side by side."""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

import plotly.graph_objects as go

from odd.text import plotly_escaped
from odd.views.components.palette import DIVERGING, IDEAL, NEUTRAL, SUCCESS_SCALE, TEACHER
from odd.views.scores import records

MANY = 48
"""With more scored tokens, the token axis shows positions only."""
SIDE_BY_SIDE = 5
"""Teachers per row of gradients."""
BAR, BETWEEN = 26, 122
"""Pixels per child, and between two rows of gradients."""
LONGEST = 18
TICK = 8
"""Maximum length of a name, and of a token at a tick, in characters."""
SCALE = 190
"""Height of the colour bar with its title, in pixels."""
SEQUENTIAL = [[0.0, "rgba(223,138,29,0.06)"], [1.0, TEACHER]]
MARKS: dict[str, dict[str, Any]] = {
    "score": {"opacity": 0, "size": 20, "symbol": "square"},
    "sign not settled": {"opacity": 0.9, "size": 9, "symbol": "line-ne-open", "line": {"width": 2, "color": "#d9dde4"}},
    "no estimate": {"opacity": 0.45, "size": 5, "symbol": "line-ew-open"},
}
"""Marks over the tiles; those of scores with a settled sign are invisible hover targets."""
SCALES = {"diverging": DIVERGING, "success": SUCCESS_SCALE, "sequential": SEQUENTIAL}


def label(text: str, longest: int = LONGEST) -> str:
    """Truncate and escape a token for an axis, with spaces visible as on the pages."""
    shown = text if len(text) <= longest else text[: longest - 1] + "…"
    return plotly_escaped(shown.replace(" ", "·"))


def name(text: str) -> str:
    """Truncate and escape a teacher's name."""
    return plotly_escaped(text if len(text) <= LONGEST else text[: LONGEST - 1] + "…")


def signed(value: float | None, digits: int = 2) -> str:
    """Format a number with its sign; an en dash if unknown."""
    return "–" if value is None or value != value else f"{value:+.{digits}f}".replace("-", "−")


def bounds(low: float | None, high: float | None, digits: int = 2) -> str:
    """Format an interval in brackets; empty if unknown."""
    known = low is not None and high is not None and low == low and high == high
    return f"[{signed(low, digits)}, {signed(high, digits)}]" if known else ""


def heat_map(path: Mapping[str, Any], token: int | None) -> go.Figure:
    """Heat map of teacher × token for a path: tiles where there is a score, small marks where there is none.

    Args:
        path: result of `odd.views.comparison_path.path_payload`.
        token: position of the pinned token.
    """
    legend, teachers = path["legend"], path["teachers"]
    first, size = path["first"], len(path["tokens"])
    cells = [records(teacher["cells"]) for teacher in teachers]
    z = [[cell.get("colour") for cell in row] for row in cells]
    low, high = (-1, 1) if legend["kind"] == "diverging" else (0, 1)
    heat = go.Heatmap(
        z=z, x=list(range(first, first + size)), y=list(range(len(teachers))), zmin=low, zmax=high, xgap=1, ygap=2,
        colorscale=SCALES[legend["kind"]], colorbar=_colour_bar(legend), hoverinfo="skip",
    )  # fmt: skip
    box = {"type": "rect", "y0": -0.5, "y1": len(teachers) - 0.5, "line": {"width": 2, "color": IDEAL}}
    names = [name(teacher["name"]) for teacher in teachers]
    plain = {"showgrid": False, "zeroline": False}
    across = {"title": {"text": "token of the path (position, text)"}, "range": [first - 0.5, first + size - 0.5]}
    up = {"title": {"text": "teacher"}, "range": [len(names) - 0.5, -0.5], "tickvals": list(range(len(names)))}
    layout = {
        "xaxis": across | plain | _token_ticks(path),
        "yaxis": up | plain | {"ticktext": names},
        "shapes": [] if token is None else [box | {"x0": token - 0.5, "x1": token + 0.5}],
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 1, "xanchor": "right"},
        "height": max(SCALE + 60, 190 + 30 * len(teachers)),
        "margin": {"l": 0, "r": 0, "t": 30, "b": 0},
    }
    return go.Figure([heat, *_marks(path, cells)], layout)


def _colour_bar(legend: Mapping[str, Any]) -> dict[str, Any]:
    low, high = legend["ends"]
    middle = [(low + high) / 2] if legend["kind"] == "diverging" else []
    unit = f"<br>({plotly_escaped(legend['unit'])})" if legend["unit"] else ""
    written = [f"{value:+.3g}" if low < 0 and value else f"{value:.3g}" for value in (low, *middle, high)]
    written[0], written[-1] = f"{written[0]} {legend['low']}", f"{written[-1]} {legend['high']}"
    return {
        "title": {"text": plotly_escaped(legend["name"]).replace(", ", ",<br>") + unit},
        "tickvals": [-1, 0, 1] if middle else [0, 1],
        "ticktext": [plotly_escaped(text.replace("-", "−")) for text in written],
        "thickness": 12,
        # as a fraction of the figure it would be too short for its labels with few teachers
        "lenmode": "pixels",
        "len": SCALE,
        "outlinewidth": 0,
    }


Cells = Sequence[Sequence[Mapping[str, Any]]]
"""Cells by teacher and token."""


def _marks(path: Mapping[str, Any], cells: Cells) -> list[go.Scatter]:
    """Hover and click targets, one trace per kind of mark."""
    labels = [label(token["text"]) for token in path["tokens"]]
    places: dict[str, list[tuple[int, int]]] = {kind: [] for kind in MARKS}
    for row, of_teacher in enumerate(cells):
        for at, cell in enumerate(of_teacher):
            unsure = cell.get("settled") is False
            known = cell.get("colour") is not None
            places["no estimate" if not known else "sign not settled" if unsure else "score"].append((row, at))
    return [_mark(path, cells, labels, kind, found) for kind, found in places.items()]


def _mark(
    path: Mapping[str, Any], cells: Cells, labels: list[str], kind: str, places: list[tuple[int, int]]
) -> go.Scatter:
    look = {"color": NEUTRAL} | MARKS[kind]
    # the frame shows the pinned token, so selected marks keep their look
    same = {"marker": {"opacity": look["opacity"]}}
    return go.Scatter(
        x=[path["first"] + at for _, at in places], y=[row for row, _ in places],
        mode="markers", marker=look, name=kind,
        showlegend=kind != "score" and bool(places), selected=same, unselected=same,
        customdata=[_hover(path, cells[row][at], labels[at], row, at) for row, at in places],
        hovertemplate="%{customdata}<extra></extra>",
    )  # fmt: skip


def _hover(path: Mapping[str, Any], cell: Mapping[str, Any], token: str, row: int, at: int) -> str:
    teacher = path["teachers"][row]
    shown = signed(cell.get("difference" if path["difference"] else "value"), 3)
    measured = f"{plotly_escaped(path['legend']['name'])} {shown}"
    return f"token {path['first'] + at} {token}<br>{name(teacher['name'])}<br>{measured}"


def _token_ticks(path: Mapping[str, Any]) -> dict[str, Any]:
    scored = [at for at, token in enumerate(path["tokens"]) if token["decision"]]
    if not scored or len(scored) > MANY:
        return {"dtick": 10}
    first = path["first"]
    texts = [f"{first + at} {label(path['tokens'][at]['text'], TICK)}" for at in scored]
    return {
        "tickvals": [first + at for at in scored],
        "ticktext": texts,
        "tickangle": -90,
        "tickfont": {"family": "monospace", "size": 11},
    }


def gradient_bars(found: Mapping[str, Any]) -> go.Figure:
    """Ideal and teacher gradients over the same children, one panel each; every row starts with the ideal one.

    Args:
        found: result of `odd.views.comparison_gradients.gradients_at`.
    """
    teachers, children = found["teachers"], found["children"]
    across = min(SIDE_BY_SIDE, len(teachers)) + 1
    rows = ceil(len(teachers) / SIDE_BY_SIDE)
    places = [(row, 0, found["ideal"] | {"name": "ideal"}) for row in range(rows)]
    places += [(at // SIDE_BY_SIDE, at % SIDE_BY_SIDE + 1, teacher) for at, teacher in enumerate(teachers)]
    labels = [f"{label(child['text'])}  P̂ {_plain(child['success'])}" for child in children]
    bars, axes, titles = [], {}, []
    inside = rows * BAR * len(children) + (rows - 1) * BETWEEN
    for at, (row, column, panel) in enumerate(places):
        number = "" if at == 0 else str(at + 1)
        bars.append(_bars(found, panel, number))
        top = 1 - row * (BAR * len(children) + BETWEEN) / inside
        domains = [column / across, (column + 0.86) / across], [max(0.0, top - BAR * len(children) / inside), top]
        axes |= _axes(number, panel, labels, *domains)
        corner = {"x": column / across, "y": top, "xref": "paper", "yref": "paper", "yanchor": "bottom"}
        titles.append({"text": f"<b>{name(panel['name'])}</b>", "showarrow": False, "xanchor": "left"} | corner)
    margin = {"l": 0, "r": 0, "t": 34, "b": 86}
    layout = {"height": inside + margin["t"] + margin["b"], "margin": margin, "bargap": 0.35, "showlegend": False}
    return go.Figure(bars, {**layout, **axes, "annotations": titles})


def _axes(
    number: str, panel: Mapping[str, Any], labels: list[str], width: list[float], height: list[float]
) -> dict[str, Any]:
    """Axes of one panel in its part of the figure; children are labelled next to the ideal gradient only."""
    first = panel["name"] == "ideal" and "alignment" not in panel
    across = {"range": [-1.08, 1.08], "tickvals": [-1, 0, 1], "zerolinecolor": NEUTRAL}
    up = {"range": [len(labels) - 0.5, -0.5], "zeroline": False, "showgrid": False, "showticklabels": first}
    up |= {"tickvals": list(range(len(labels))), "ticktext": labels}
    up |= {"title": {"text": "child, success after it"}} if first else {}
    return {
        f"xaxis{number}": across | {"title": {"text": _under(panel)}, "domain": width, "anchor": f"y{number}"},
        f"yaxis{number}": up | {"domain": height, "anchor": f"x{number}"},
    }


def _bars(found: Mapping[str, Any], panel: Mapping[str, Any], number: str) -> dict[str, Any]:
    hover = [
        f"{label(child['text'])}<br>component {signed(value)}<br>P student {_plain(child['p_student'])}"
        f"<br>success {_plain(child['success'])}, {_plain(child['visits'], 0)} visits"
        for child, value in zip(found["children"], panel["components"], strict=True)
    ]
    return {
        "type": "bar",
        "x": panel["components"],
        "y": list(range(len(hover))),
        "orientation": "h",
        "marker": {"color": TEACHER if "alignment" in panel else IDEAL},
        "customdata": hover,
        "hovertemplate": "%{customdata}<extra></extra>",
        "name": name(panel["name"]),
        "xaxis": f"x{number}",
        "yaxis": f"y{number}",
    }


def _under(panel: Mapping[str, Any]) -> str:
    """Text under a panel: the cosine with its interval, and the length before scaling."""
    length = "–" if panel["length"] is None else f"{panel['length']:.3g}"
    if "alignment" not in panel:
        return f"success per logit<br>scaled to length 1<br>length {length}"
    if not panel["known"]:
        return "cosine –<br>not available"
    undefined = "the gradient is zero" if all(value is None for value in panel["components"]) else "undefined"
    interval = bounds(panel["low"], panel["high"]) or undefined
    return f"cosine {signed(panel['alignment'])}<br>{interval}<br>length {length}"


def _plain(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
