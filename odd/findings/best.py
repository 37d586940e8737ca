"""The best teacher at each token: how many tokens each teacher wins, and what an oracle mix of them would gain."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from odd.findings import words
from odd.findings.evidence import Evidence
from odd.findings.model import Cell, Found, Row, interval_of
from odd.findings.statistics import SHARE, Estimate, Scores, cluster_estimate, mixed, winners

SINGLE, MIX, MORE = "best single teacher", "oracle mix", "mix − best single"
SAME, OTHER = "the same rollouts", "the other half"


@dataclass(frozen=True, eq=False)
class _Board:
    """Nodes at which every scored teacher has a score.

    Attributes:
        points: point number of each node and teacher, (U, M).
        questions: question of each node, (U,).
        teachers: the M names.
    """

    points: np.ndarray
    questions: np.ndarray
    teachers: tuple[str, ...]

    def of(self, values: np.ndarray) -> np.ndarray:
        """Arrange values of points, (..., N), as (..., U, M)."""
        return values[..., self.points]


def board(evidence: Evidence, ties: bool = False) -> _Board:
    """Nodes that all scored teachers share: decision points scored for each, or with `ties`, all nodes."""
    chosen = evidence.points.iloc[evidence.on(ties=ties)]
    if not ties:
        chosen = chosen[chosen["alignment"].notna()]
    index = pd.Series(chosen.index.to_numpy(), index=pd.MultiIndex.from_frame(chosen[["question", "node", "teacher"]]))
    wide = index.unstack("teacher").reindex(columns=list(evidence.scored)).dropna()
    questions = wide.index.get_level_values("question").to_numpy()
    return _Board(wide.to_numpy().astype(np.int64), questions, evidence.scored)


def find_shares(evidence: Evidence) -> Found:
    """Share of the nodes that each teacher wins, and how often the other half of the rollouts agrees."""
    shared = board(evidence)
    if len(shared.teachers) < 2 or not len(shared.points):
        return Found((), (_too_few(shared),))
    won = winners(shared.of(evidence.points["alignment"].to_numpy(float)))
    chance = winners(shared.of(evidence.floor.alignment.astype(np.float64))).mean(axis=1)
    again = _again(evidence)
    rows = []
    for at, name in enumerate(shared.teachers):
        cells = {"won": Cell(cluster_estimate(won[:, at], shared.questions, limits=SHARE), interval_of(chance[:, at]))}
        if again is not None:
            cells["again"] = Cell(again[at])
        rows.append(Row((name,), cells, shared.points[won[:, at] > 0, at]))
    rows.sort(key=lambda row: -row.cells["won"].estimate.value)
    first = rows[0].cells["won"]
    outside = [row.labels[0] for row in rows if (f := row.cells["won"].floor) and not _inside(row.cells["won"], f)]
    said = f"outside their noise floor: {words.listed(list(map(words.short, outside)))}" if outside else (
        "every share is inside its noise floor")  # fmt: skip
    sentence = (
        f"{words.short(rows[0].labels[0])} most often has the highest cosine, at {words.share(first.estimate)} of "
        f"{len(shared.points):,} tokens (ties are split); {said}."
    )
    return Found(tuple(rows), (sentence,))


def _inside(cell: Cell, floor: tuple[float, float]) -> bool:
    return floor[0] <= cell.estimate.value <= floor[1]


def _again(evidence: Evidence) -> list[Estimate] | None:
    """Of the nodes that a teacher wins on one half of the rollouts, the share it also wins on the other."""
    if evidence.halves is None:
        return None
    shared = board(evidence, ties=True)
    first, second = (winners(shared.of(half.alignment)) for half in evidence.halves)
    by, then = np.concatenate([first, second]), np.concatenate([second, first])
    questions = np.concatenate([shared.questions, shared.questions])
    return [cluster_estimate(then[:, at], questions, by[:, at], limits=SHARE) for at in range(by.shape[1])]


def find_mix(evidence: Evidence) -> Found:
    """Signal and gain of the best teacher at every node vs. the best single teacher; naive and on halves."""
    shared = board(evidence)
    if len(shared.teachers) < 2 or not len(shared.points):
        return Found((), (_too_few(shared),))
    own = Scores(
        *(evidence.points[name].to_numpy(float) for name in ("alignment", "gain", "advantage", "success_range"))
    )
    rows = _rows(shared, SAME, [(own, own)], evidence.floor)
    if evidence.halves is not None:
        first, second = evidence.halves
        rows += _rows(board(evidence, ties=True), OTHER, [(first, second), (second, first)], None)
    naive, last = rows[2].cells["signal"], rows[-1].cells["signal"].estimate
    floor = naive.floor or (float("nan"), float("nan"))
    text = (
        f"Taking the best teacher at every token adds {words.value(naive.estimate)} to the mean signal of the best "
        "single teacher, measured on the rollouts that chose it; with success shuffled, it would add "
        f"{floor[0]:.3f} to {floor[1]:.3f}."
    )
    if evidence.halves is not None:
        text += f" Chosen on one half and measured on the other, it adds {words.value(last)} ({words.side(last)})."
    return Found(tuple(rows), (text,))


def _rows(shared: _Board, measured: str, ways: list[tuple[Scores, Scores]], floor: Scores | None) -> list[Row]:
    values: dict[str, dict[str, list[np.ndarray]]] = {name: {"signal": [], "gain": []} for name in (SINGLE, MIX)}
    for by, then in ways:
        best, single = _choice(shared, by)
        for key in ("signal", "gain"):
            yields = shared.of(getattr(then, key))
            values[MIX][key].append(mixed(best, yields))
            values[SINGLE][key].append(mixed(single, yields))
    questions = np.concatenate([shared.questions] * len(ways))
    joined = {name: {key: np.concatenate(parts) for key, parts in found.items()} for name, found in values.items()}
    joined[MORE] = {key: joined[MIX][key] - joined[SINGLE][key] for key in ("signal", "gain")}
    chance = _chance(shared, floor) if floor is not None else {}
    points = np.unique(shared.points)
    return [
        Row(
            (name, measured),
            {key: Cell(cluster_estimate(v, questions), chance.get(name) if key == "signal" else None)
             for key, v in found.items()},
            points,
        )
        for name, found in joined.items()
    ]  # fmt: skip


def _choice(shared: _Board, by: Scores) -> tuple[np.ndarray, np.ndarray]:
    """The best teacher at each node, and the one with the largest mean signal over all nodes."""
    signal = shared.of(by.signal)
    n = (~np.isnan(signal)).sum(axis=-2)
    # on half of the rollouts, a teacher may have no signal at all: it is never the best single one
    means = np.divide(np.nansum(signal, axis=-2), n, out=np.full(n.shape, -np.inf), where=n > 0)
    single = np.broadcast_to(np.eye(len(shared.teachers))[means.argmax(axis=-1)][..., None, :], signal.shape)
    return winners(shared.of(by.alignment).astype(np.float64)), single


def _chance(shared: _Board, floor: Scores) -> dict[str, tuple[float, float] | None]:
    best, single = _choice(shared, floor)
    yields = shared.of(floor.signal)
    means = {name: mixed(chosen, yields).mean(axis=1) for name, chosen in ((MIX, best), (SINGLE, single))}
    means[MORE] = means[MIX] - means[SINGLE]
    return {name: interval_of(values) for name, values in means.items()}


def _too_few(shared: _Board) -> str:
    if len(shared.teachers) < 2:
        return "Fewer than two teachers have scores here, so there is nothing to choose between."
    return "No decision point has a score for every teacher, so they cannot be compared token by token."
