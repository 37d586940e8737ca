"""The children behind scores, from a run file to the padded arrays of `odd.findings.statistics.siblings`."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from odd.findings.statistics import Siblings, node_numbers

NODE = ["question", "node"]
POINT = ["question", "node", "teacher"]
REST = -1
"""Token of the bucket that holds everything outside S_u."""
COUNTS = ("rest", "first_rest", "second_rest")
RATES = {"rest": "success", "first_rest": "first", "second_rest": "second"}


@dataclass(frozen=True, eq=False)
class Components:
    """Siblings of some scores, and what else is known of each component; arrays (N, C).

    Attributes:
        siblings: with the success of all rollouts.
        halves: success in each half of them; NaN where a half has no visit.
        visits: rollouts that count for each child; 0 for the rest and where nothing is there.
    """

    siblings: Siblings
    halves: tuple[np.ndarray, np.ndarray]
    visits: np.ndarray


def build(points: pd.DataFrame, components: pd.DataFrame, edges: pd.DataFrame, convention: str) -> Components:
    """The components behind scores.

    Args:
        points: a row a score, with its question, node and teacher.
        components: of the query `finding_components`.
        edges: of the query `finding_edges`.
        convention: its label; says what the student's probabilities are of.
    """
    rows = points[POINT].assign(row=np.arange(len(points)))
    found = components.merge(rows, on=POINT).merge(_with_rest(components, edges), on=[*NODE, "token"], how="left")
    width = int(found["component"].max() + 1) if len(found) else 1
    at = found["row"].to_numpy(), found["component"].to_numpy()

    def padded(values: np.ndarray | pd.Series, empty: float) -> np.ndarray:
        array = np.full((len(points), width), empty)
        array[at] = values
        return array

    inside = padded(found["token"] != REST, 0).astype(bool)
    p, q = padded(found["p_student"], 0.0), padded(found["p_teacher"].fillna(np.nan), 0.0)
    shares = np.where(inside, p, 0.0)
    mass = shares.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        known = np.where(inside, q, 0.0)
        shift = np.where(inside, known / known.sum(axis=1, keepdims=True) - shares / mass, 0.0)
        p = np.where((found_rest(found, at, p.shape)), np.clip(1 - mass, 0, 1), p)
        p = p / mass if convention.endswith("children-off") else p
    siblings = Siblings(
        p=np.nan_to_num(p),
        shift=shift,
        success=padded(found["success"], np.nan),
        gradient=padded(found["teacher_gradient"], 0.0),
        inside=inside,
        node=node_numbers(*(points[name].to_numpy(np.int64) for name in NODE)),
    )
    halves = padded(found["first"], np.nan), padded(found["second"], np.nan)
    return Components(siblings, halves, padded(found["visits"].fillna(0), 0.0))


def found_rest(found: pd.DataFrame, at: tuple[np.ndarray, np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """Where the rest stands among the components."""
    rest = np.zeros(shape, dtype=bool)
    rest[at] = (found["token"] == REST).to_numpy()
    return rest


def _with_rest(components: pd.DataFrame, edges: pd.DataFrame) -> pd.DataFrame:
    """The edges, and for every node a row of token -1 with the success of all outside S_u."""
    inside = components.loc[components["token"] != REST, [*NODE, "token"]].drop_duplicates()
    outside = edges.merge(inside, on=[*NODE, "token"], how="left", indicator=True)
    outside = outside[outside["_merge"] == "left_only"]
    counts = [f"{name}_{count}" for name in COUNTS for count in ("visits", "successes")]
    sums = outside.groupby(NODE)[counts].sum().astype(float)
    rest = pd.DataFrame({RATES[name]: sums[f"{name}_successes"] / sums[f"{name}_visits"] for name in COUNTS})
    return pd.concat([edges, rest.reset_index().assign(token=REST)], ignore_index=True)


def at_least(components: Components, visits: int) -> Components:
    """The same with S_u cut down to children with more visits; for conventions of the whole vocabulary without rest."""
    siblings = components.siblings
    kept = siblings.inside & (components.visits >= visits)
    teacher = siblings.shift + siblings.p / siblings.p.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = [np.where(kept, part, 0.0) for part in (teacher, siblings.p)]
        one, other = (part / part.sum(axis=1, keepdims=True) for part in shares)
    cut = Siblings(
        p=np.where(kept, siblings.p, 0.0),
        shift=np.where(kept, one - other, 0.0),
        success=np.where(kept, siblings.success, np.nan),
        gradient=np.where(kept, siblings.gradient, 0.0),
        inside=kept,
        node=siblings.node,
    )
    return Components(cut, components.halves, np.where(kept, components.visits, 0))
