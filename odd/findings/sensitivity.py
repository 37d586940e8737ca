"""How each teacher's sign and rank change with the convention: pooling rule, baseline, rest, and required visits."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from odd.findings import words
from odd.findings.components import POINT
from odd.findings.evidence import Evidence
from odd.findings.model import Cell, Found, Row
from odd.findings.statistics import Estimate
from odd.findings.summaries import MAIN, SUMMARIES
from odd.findings.written import state

FACTORS = (2, 4)
"""Multiples of the run's N_sig."""
WHOLE = "-full-off"
"""Suffix of full-vocabulary conventions without rest: restricting S_u needs no new gradients."""
SHOWN = (MAIN, SUMMARIES[1])


def find(evidence: Evidence) -> Found:
    """Range-weighted and mean cosine of every teacher under every convention, with its rank."""
    rows: list[Row] = []
    table: dict[str, dict[str, Estimate]] = {}
    for convention, points in _scores(evidence).groupby("convention", sort=False):
        at = {"convention": str(convention), "section": "teachers"}
        table[str(convention)] = _add(rows, evidence, str(convention), points, at)
    for visits, points in _stricter(evidence).items():
        text = f"{_whole(evidence)}, N_sig {visits}"
        table[text] = _add(rows, evidence, text, points, {})
    return Found(tuple(rows), _sentences(evidence, table), table)


def _scores(evidence: Evidence) -> pd.DataFrame:
    """Distinct decision points under every convention, for the selected questions and outcome."""
    scores = evidence.run.query("finding_conventions", objective=evidence.filters.objective)
    outcome = evidence.filters.outcome
    if outcome != "all":
        scores = scores[scores["correct"] == (outcome == "correct")]
    scores = scores[scores["question"].isin(evidence.asked)]
    return scores.drop_duplicates(["convention", *POINT])


def _whole(evidence: Evidence) -> str:
    """The full-vocabulary convention without rest with the selected pooling rule."""
    return (evidence.filters.convention or "").split("-")[0] + WHOLE


def _stricter(evidence: Evidence) -> dict[int, pd.DataFrame]:
    """Remaining points with their scores, by N_sig, if children need more visits than in the run."""
    if evidence.filters.convention != _whole(evidence) or evidence.n_sig is None:
        return {}
    found = {}
    chosen = evidence.on()
    for factor in FACTORS:
        scores = evidence.with_visits(factor * evidence.n_sig)
        values = {"alignment": scores.alignment, "success_range": scores.success_range}
        points = evidence.points.assign(**values).iloc[chosen]
        found[factor * evidence.n_sig] = points[points["success_range"] > 0]
    return found


def _add(
    rows: list[Row], evidence: Evidence, text: str, points: pd.DataFrame, at: Mapping[str, str]
) -> dict[str, Estimate]:
    """Append a row per scored teacher; return the main measure by teacher."""
    own = {name: points[points["teacher"] == name] for name in evidence.scored}
    every = {m: {name: m.estimate(part) for name, part in own.items()} for m in SHOWN}
    ranks = _ranks(every[MAIN])
    for name, part in own.items():
        cells = {m.key: Cell(every[m][name]) for m in SHOWN}
        rank = Estimate(ranks.get(name, np.nan), np.nan, np.nan, len(part), part["question"].nunique())
        here = {**at, "behind": f"ranking:{name}"} if at else {}
        numbers = np.empty(0, np.int64) if at else part.index.to_numpy()
        rows.append(Row((text, name), cells | {"rank": Cell(rank)}, numbers, at=here))
    return every[MAIN]


def _ranks(estimates: Mapping[str, Estimate]) -> dict[str, float]:
    """1 for the largest; teachers without a value have none."""
    order = sorted((name for name, one in estimates.items() if one.n), key=lambda name: -estimates[name].value)
    return {name: float(at) for at, name in enumerate(order, 1)}


def _counts(values: Sequence[Estimate]) -> str:
    """Text on the number of conventions in which a teacher is above and below 0."""
    above, below = (sum(one.value > 0 for one in values), sum(one.value < 0 for one in values))
    sure = sum(state(one) != "open" for one in values)
    sides = [f"{side} 0 in {count}" for side, count in (("above", above), ("below", below)) if count]
    return f"{' and '.join(sides) or 'at 0 in all'} (interval excludes 0 in {sure})"


def _sentences(evidence: Evidence, table: Mapping[str, Mapping[str, Estimate]]) -> tuple[str, ...]:
    if not evidence.scored or not table:
        return (words.NOTHING,)
    alike: dict[str, list[str]] = {}
    for name in evidence.scored:
        alike.setdefault(_counts([row[name] for row in table.values() if row[name].n]), []).append(words.short(name))
    said = [f"{words.listed(names)} {'is' if len(names) == 1 else 'are'} {counts}" for counts, names in alike.items()]
    firsts: dict[str, int] = {}
    for row in table.values():
        ranks = _ranks(row)
        if ranks:
            first = min(ranks, key=lambda name: ranks[name])
            firsts[first] = firsts.get(first, 0) + 1
    leaders = words.listed([f"{words.short(name)} in {count}" for name, count in firsts.items()])
    notes = [f"Ranked first by {MAIN.name}: {leaders}."]
    if evidence.filters.convention != _whole(evidence):
        notes.insert(1, f"Other values of N_sig are shown under {_whole(evidence)} only.")
    return (f"Of {len(table)} conventions, {'; '.join(said)}.", *notes)
