"""Convert the children of scored nodes from a run file to the padded arrays of `odd.findings.statistics.siblings`."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from odd.findings.statistics import Siblings, node_numbers
from odd.method.conventions import REST

POINT = ["question", "node", "teacher"]


@dataclass(frozen=True, eq=False)
class Components:
    """Inputs of scores, and the visits of each component; arrays (N, C).

    Attributes:
        siblings: inputs of the scores.
        visits: rollouts that count for each child; 0 for the rest and in padding.
    """

    siblings: Siblings
    visits: np.ndarray


def build(points: pd.DataFrame, components: pd.DataFrame) -> Components:
    """Build the components of scores.

    Args:
        points: one row per score, with question, node and teacher.
        components: result of the query `finding_components`.
    """
    found = components.merge(points[POINT].assign(row=np.arange(len(points))), on=POINT)
    width = int(found["component"].max() + 1) if len(found) else 1
    at = found["row"].to_numpy(), found["component"].to_numpy()

    def padded(values: pd.Series, empty: float) -> np.ndarray:
        array = np.full((len(points), width), empty)
        array[at] = values.to_numpy(float)
        return array

    p, inside = padded(found["p"], 0.0), padded(found["token"] != REST, 0.0).astype(bool)
    rest = np.full(len(points), np.nan)
    rest[at[0]] = found["rest_success"].to_numpy(float)
    q = np.where(inside, padded(found["p_teacher"], 0.0), 0.0)
    siblings = Siblings(
        p=p,
        shift=_shift(p, q, inside, rest),
        success=padded(found["success"], np.nan),
        gradient=padded(found["teacher_gradient"], 0.0),
        inside=inside,
        node=node_numbers(*(points[name].to_numpy(np.int64) for name in ("question", "node"))),
        rest=rest,
    )
    return Components(siblings, padded(found["visits"].fillna(0), 0.0))


def _shift(p: np.ndarray, q: np.ndarray, inside: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Teacher minus student probability, (N, C); renormalised on S_u where the rest has no part in the score.

    Args:
        p: student probabilities.
        q: teacher probabilities of the children, 0 elsewhere.
        inside: which components are children.
        rest: success of the rest, NaN where it has no part.
    """
    alone = _shares(q) - _shares(np.where(inside, p, 0.0))
    # a bucket has what the teacher leaves
    bucket = (p > 0) & ~inside
    among = np.where(bucket, 1 - q.sum(axis=1, keepdims=True), q) - p
    return np.where(np.isnan(rest)[:, None], np.where(inside, alone, 0.0), np.where(inside | bucket, among, 0.0))


def _shares(values: np.ndarray) -> np.ndarray:
    """Normalise rows to sum to 1; NaN for rows of zeros."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return values / values.sum(axis=1, keepdims=True)


def at_least(components: Components, visits: int) -> Components:
    """Restrict S_u to children with at least `visits` visits; for full-vocabulary conventions without rest only."""
    siblings = components.siblings
    kept = siblings.inside & (components.visits >= visits)
    dropped = siblings.inside & ~kept
    known = ~np.isnan(siblings.rest)
    q = siblings.shift + np.where(known[:, None], siblings.p, _shares(siblings.p))
    with np.errstate(invalid="ignore", divide="ignore"):
        left = 1 - siblings.p.sum(axis=1)
        lost = np.where(dropped, siblings.p, 0.0)
        rest = (left * siblings.rest + np.where(dropped, lost * siblings.success, 0.0).sum(axis=1)) / (
            left + lost.sum(axis=1)
        )
    # without mass outside the children, their mean is that of all tokens
    rest = np.where(known & np.isnan(rest), siblings.rest, rest)
    p = np.where(kept, siblings.p, 0.0)
    cut = Siblings(
        p=p,
        shift=_shift(p, np.where(kept, q, 0.0), kept, rest),
        success=np.where(kept, siblings.success, np.nan),
        gradient=np.where(kept, siblings.gradient, 0.0),
        inside=kept,
        node=siblings.node,
        rest=rest,
    )
    return Components(cut, np.where(kept, components.visits, 0))
