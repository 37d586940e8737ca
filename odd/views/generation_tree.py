"""Payload of the component `generation_tree`: branches, paths, and decision points.

Consecutive nodes without a drawn branching are merged into one branch. Branches form a second networkx graph, numbered
with parents first and siblings in descending order of success.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import networkx as nx

from odd.method.measures import listed, score_columns
from odd.method.pooling import pooling_rule
from odd.store.run import Run, of_teacher
from odd.views.generation_graph import Display, Single
from odd.views.links import ViewState
from odd.views.scores import colour_value, facts, legend, passes, raw_value, settled, short, shorts, table
from odd.views.token_path import path_names, spelled

PLACE = ("path", "position", "node", "child")
COLOUR = ("value", "settled", "own")
"""Displayed fields of a decision point: colour, whether its sign is settled, and the value in the measure's unit."""


def branch_graph(display: Display) -> nx.DiGraph:
    """Merge drawn nodes into branches.

    Returns:
        Branches numbered from 0, the root; edges from a branch to those that start at its end. Attributes: `nodes`, or
        `single` for a single rollout; `depth` of the node at which the branch starts.
    """
    merged = nx.DiGraph()
    graph = display.graph
    if 0 not in graph:
        return merged
    merged.add_node(0, nodes=[0], depth=-1)
    waiting = list(_leaving(display, 0, 0))
    while waiting:
        parent, head = waiting.pop()
        number, depth = len(merged), _end_depth(merged, parent)
        merged.add_edge(parent, number)
        if isinstance(head, Single):
            merged.add_node(number, single=head, depth=depth)
            continue
        nodes = [head]
        while graph.out_degree(nodes[-1]) == 1 and nodes[-1] not in display.singles:
            nodes.append(next(iter(graph[nodes[-1]])))
        merged.add_node(number, nodes=nodes, depth=depth)
        waiting.extend(_leaving(display, nodes[-1], number))
    return merged


def _end_depth(merged: nx.DiGraph, branch: int) -> int:
    row = merged.nodes[branch]
    return row["depth"] + len(row["nodes"])


def _leaving(display: Display, node: int, branch: int) -> Iterator[tuple[int, int | Single]]:
    """Branches that start at a node, the least successful first, as the last one is popped first."""
    rows = display.graph.nodes
    heads: list[tuple[float, int, int | Single]] = [
        (rows[child]["success"] if rows[child]["success"] is not None else 0.5, -child, child)
        for child in display.graph[node]
    ]
    heads += [(float(single.correct), -single.rollout, single) for single in display.singles.get(node, [])]
    return ((branch, head) for _, _, head in sorted(heads, key=lambda entry: entry[:2]))


def tree_payload(run: Run, question: int, convention: str, display: Display) -> dict[str, Any]:
    """The part of the payload that does not depend on teacher, colour or selection.

    Args:
        run: the run.
        question: number of the question.
        convention: label.
        display: result of `odd.views.generation_graph.display`.
    """
    merged, graph, size = branch_graph(display), display.graph, display.size
    spelling = _Spelling(run, display)
    through: dict[int, list[int]] = {}
    for path, nodes in display.paths.items():
        for node in nodes:
            through.setdefault(node, []).append(path)
    records = [_record(display, merged, branch, spelling, through) for branch in merged]
    hidden = sum(branches for node in graph for branches in display.hidden(node)[:1])
    seen = sum(graph.nodes[node]["success_visits"] for node in graph if node != 0)
    seen += sum(single.visits * len(single.tokens) for singles in display.singles.values() for single in singles)
    paths, rule = run.query("paths", question=question), pooling_rule(convention)
    names = path_names(paths)
    return {
        "branches": records,
        "tokens": table(("text", "mark"), spelling.texts),
        "depth": max((record["depth"] + max(1, len(record["n"])) for record in records), default=0),
        "counts": {"name": rule.visits, "about": rule.about},
        "hidden": {"branches": hidden, "share": max(0.0, 1 - seen / size.visits) if size.visits else 0.0},
        "rollouts": {"initial": size.initial, "targeted": size.rollouts - size.initial, "whole": size.whole},
        "paths": [
            {"path": row["path"], "name": names[row["path"]], "correct": row["correct"], "length": row["length"]}
            for row in paths.to_dict("records")
        ],
    }


class _Spelling:
    """Indices of token texts, so each text is sent once."""

    def __init__(self, run: Run, display: Display) -> None:
        used = {row["token"] for node, row in display.graph.nodes.items() if node != 0}
        used |= {token for singles in display.singles.values() for single in singles for token in single.tokens}
        ordered = sorted(used)
        rows = run.query("token_bytes", tokens=ordered)
        known: Mapping[int, object] = dict(zip(rows["token"].tolist(), rows["bytes"], strict=True))
        self.texts = [spelled(token, known.get(token), display.size.ends) for token in ordered]
        self.numbers = {token: place for place, token in enumerate(ordered)}


def _record(
    display: Display, merged: nx.DiGraph, branch: int, spelling: _Spelling, through: Mapping[int, list[int]]
) -> dict[str, Any]:
    """A branch: its place, its tokens, visits and success per node, and interval and counts of its first node."""
    row = merged.nodes[branch]
    place = {"parent": next(iter(merged.predecessors(branch)), None), "depth": row["depth"]}
    if "single" in row:
        return place | _single_record(row["single"], spelling)
    nodes, graph = row["nodes"], display.graph.nodes
    head, last = graph[nodes[0]], graph[nodes[-1]]
    hidden = [
        dict(zip(("at", "branches", "rollouts"), (at, *display.hidden(node)), strict=True))
        for at, node in enumerate(nodes)
    ]
    ended = display.ended(nodes[-1])
    return place | {
        "nodes": nodes,
        "tokens": [spelling.numbers[graph[node]["token"]] for node in nodes] if nodes[0] else [],
        "n": [graph[node]["success_visits"] for node in nodes],
        "p": [_rounded(graph[node]["success"]) for node in nodes],
        "low": _rounded(head["success_low"]),
        "high": _rounded(head["success_high"]),
        "right": head["correct"],
        "student": short(head, "p_student"),
        "paths": through.get(nodes[0], []),
        "hidden": [one for one in hidden if one["branches"]],
        "ended": ended,
        "cut": ended and last["token"] not in display.size.ends,
    }


def _single_record(single: Single, spelling: _Spelling) -> dict[str, Any]:
    length = len(single.tokens)
    success = float(single.correct) if single.visits else None
    return {
        "rollout": single.rollout,
        "nodes": [],
        "tokens": [spelling.numbers[token] for token in single.tokens],
        "n": [single.visits] * length,
        "p": [success] * length,
        "low": _rounded(single.low),
        "high": _rounded(single.high),
        "right": int(single.correct) * single.visits,
        "student": None,
        "paths": [],
        "hidden": [],
        "ended": True,
        "cut": single.truncated,
        "missing": single.missing,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def decision_payload(run: Run, question: int, view: ViewState, scale: float) -> dict[str, Any]:
    """The decision points on the paths, coloured like the tokens of the text.

    Args:
        run: the run.
        question: number of the question.
        view: view with teacher, objective, convention, colour and filters.
        scale: value at the upper end of the colour scale, from `odd.views.scores.colour_scale`.
    """
    asked = {"question": question, "objective": view.objective, "convention": view.convention}
    rows = of_teacher(run.query("tree_decisions", **asked), view.teacher).to_dict("records")
    shown = [row for row in rows if passes(row, view)]
    return {
        "legend": legend(view.colour).payload(scale),
        "facts": facts([one for one in listed() if one.table == "scores"]),
        "decisions": _decisions(shown, view, scale),
        "filtered": len({row["node"] for row in rows}) - len({row["node"] for row in shown}),
    }


def _decisions(rows: Sequence[Mapping[Any, Any]], view: ViewState, scale: float) -> dict[str, Any]:
    columns = [name for name in score_columns() if name != "decision"]
    decisions = []
    for row, scores in zip(rows, shorts(rows, columns), strict=True):
        value, own = colour_value(view.colour, row, scale), raw_value(view.colour, row)
        colour = [None if value is None else round(value, 3), settled(view.colour, row)]
        own = None if own is None else float(f"{own:.4g}")
        decisions.append([*(int(row[name]) for name in PLACE), *colour, own, *scores])
    return table([*PLACE, *COLOUR, *columns], decisions)
