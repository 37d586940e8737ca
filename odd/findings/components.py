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
    shares = [_shares(np.where(inside, part, 0.0)) for part in (padded(found["p_teacher"], 0.0), p)]
    siblings = Siblings(
        p=p,
        shift=np.where(inside, shares[0] - shares[1], 0.0),
        success=padded(found["success"], np.nan),
        gradient=padded(found["teacher_gradient"], 0.0),
        inside=inside,
        node=node_numbers(*(points[name].to_numpy(np.int64) for name in ("question", "node"))),
    )
    return Components(siblings, padded(found["visits"].fillna(0), 0.0))


def _shares(values: np.ndarray) -> np.ndarray:
    """Normalise rows to sum to 1; NaN for rows of zeros."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return values / values.sum(axis=1, keepdims=True)


def at_least(components: Components, visits: int) -> Components:
    """Restrict S_u to children with at least `visits` visits; for full-vocabulary conventions without rest only."""
    siblings = components.siblings
    kept = siblings.inside & (components.visits >= visits)
    teacher = siblings.shift + _shares(siblings.p)
    shares = [_shares(np.where(kept, part, 0.0)) for part in (teacher, siblings.p)]
    cut = Siblings(
        p=np.where(kept, siblings.p, 0.0),
        shift=np.where(kept, shares[0] - shares[1], 0.0),
        success=np.where(kept, siblings.success, np.nan),
        gradient=np.where(kept, siblings.gradient, 0.0),
        inside=kept,
        node=siblings.node,
    )
    return Components(cut, np.where(kept, components.visits, 0))
