"""Tokens at which two teachers disagree most, over all questions of a run."""

from typing import Any

import pandas as pd

from odd.store.run import Run
from odd.views.links import NO_BRANCH, ViewState
from odd.views.scores import settled
from odd.views.token_path import spelled

BEFORE = 6
"""Number of preceding tokens shown in a list."""
DISAGREEMENT = [
    "question", "node", "path", "position", "token", "alignment_one", "low_one", "high_one", "children",
    "success_range", "visits", "alignment_other", "low_other", "high_other", "difference", "weight", "id",
]  # fmt: skip


def disagreements(run: Run, decisions: pd.DataFrame, one: str, other: str) -> pd.DataFrame:
    """Decision points with an alignment under both teachers, ranked by |difference| × success range.

    The success range measures what is at stake: where all children have almost the same success, an alignment is mostly
    noise.
    """
    keys = ["question", "node"]
    left, right = (decisions[decisions["teacher"] == name].dropna(subset="alignment") for name in (one, other))
    columns = [*keys, "alignment", "low", "high"]
    found = left.merge(right[columns], on=keys, suffixes=("_one", "_other"))
    found["difference"] = found["alignment_one"] - found["alignment_other"]
    found["weight"] = found["difference"].abs() * found["success_range"]
    found["id"] = found["question"].map(run.query("questions").set_index("question")["id"])
    order = ["weight", *keys]
    found = found.sort_values(order, ascending=[False, True, True], ignore_index=True)
    return found[DISAGREEMENT]


def disagreement_payload(
    run: Run, found: pd.DataFrame, view: ViewState, pair: tuple[str, str], most: int
) -> dict[str, Any]:
    """Payload of the component `disagreements`: the first rows, each with the text before its token.

    Args:
        run: the run.
        found: result of `disagreements`.
        view: view whose other parameters are kept in links to the tree.
        pair: the two teachers; links open the tree of the first.
        most: maximum number of rows.
    """
    top = found.head(most)
    words: dict[int, list[list]] = {}
    if len(top):
        where = {"questions": top["question"].tolist(), "paths": top["path"].tolist()}
        texts = run.query("texts_before", positions=top["position"].tolist(), before=BEFORE, **where)
        for text in texts.to_dict("records"):
            ends = frozenset([text["token"]] if text["ends"] else [])
            words.setdefault(text["row"], []).append(spelled(text["token"], text["bytes"], ends))
    there = view.but(teacher=pair[0], **NO_BRANCH)
    rows = [_row(row, words[at]) for at, row in enumerate(top.to_dict("records"))]
    return {"pair": list(pair), "rows": rows, "found": len(found), "query": there.to_query()}


def _row(row: dict, words: list[list]) -> dict[str, Any]:
    text, mark = words[-1]
    before = "".join(word for word, _ in words[:-1])
    return {
        "question": row["id"],
        "path": row["path"],
        "position": row["position"],
        "before": f"…{before}" if row["position"] > BEFORE else before,
        "text": text,
        "mark": mark,
        "scores": [row["alignment_one"], row["alignment_other"]],
        "settled": [_settled(row, side) for side in ("one", "other")],
        "difference": row["difference"],
        "range": row["success_range"],
        "weight": row["weight"],
    }


def _settled(row: dict, side: str) -> bool | None:
    return settled("alignment", {name: row[f"{name}_{side}"] for name in ("alignment", "low", "high")})
