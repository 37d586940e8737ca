"""Findings over all questions of a run (method §7): each a title, what it shows in words, a figure and a table.

A finding is a function of the evidence; `FINDINGS` lists those of the page, in order.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from odd.display import finding_words as words
from odd.display.queries import Run
from odd.figures.findings import Panel, outcomes, ranking, written
from odd.links import Outcome
from odd.statistics import Estimate, cluster_bootstrap, cluster_difference, positive
from odd.summary import teacher_summary

SEED = 0


@dataclass(frozen=True)
class Measure:
    """A mean over decision points.

    Attributes:
        key: its column in `odd.summary.teacher_summary`.
        name: in words.
        unit: of it.
        null: the value that means no effect.
        column: of the scores that it is the mean of.
        weighted: whether the success range weights it.
    """

    key: str
    name: str
    unit: str
    null: float = 0.0
    column: str = "alignment"
    weighted: bool = False

    def of(self, scores: pd.DataFrame) -> tuple[np.ndarray, np.ndarray | None]:
        """Values and weights of some rows."""
        values = scores[self.column].to_numpy(float)
        return self.of_values(values), scores["success_range"].to_numpy(float) if self.weighted else None

    def of_values(self, values: np.ndarray) -> np.ndarray:
        """The values whose mean it is."""
        return positive(values) if self.key == "fraction_positive" else values


MEASURES = (
    Measure("weighted_cosine", "range-weighted cosine", "−1 to 1", weighted=True),
    Measure("mean_cosine", "mean cosine", "−1 to 1"),
    Measure("fraction_positive", "fraction positive", "0 to 1", null=0.5),
    Measure("mean_gain", "mean gain", "success / step", column="gain"),
    Measure("advantage", "teacher advantage", "success", column="advantage"),
)
MAIN = MEASURES[0]


@dataclass(frozen=True)
class Evidence:
    """What all findings rest on.

    Attributes:
        scores: decision points of one objective and convention, once for each kind of path they lie on.
        teachers: names in order.
        summary: of `odd.summary.teacher_summary`.
    """

    scores: pd.DataFrame
    teachers: tuple[str, ...]
    summary: pd.DataFrame

    def estimates(self, measure: Measure, outcome: Outcome) -> dict[str, Estimate]:
        """A measure on the paths of an outcome, by teacher in order."""
        rows = self.summary[self.summary["outcome"] == outcome]
        return dict(zip(rows["teacher"], rows[measure.key], strict=True))

    def points(self, outcome: Outcome) -> pd.DataFrame:
        """The distinct decision points on the paths of an outcome, a row a teacher."""
        scores = self.scores if outcome == "all" else self.scores[self.scores["correct"] == (outcome == "correct")]
        return scores.drop_duplicates(["question", "node", "teacher"])


@dataclass(frozen=True)
class Finding:
    """Something that the run shows.

    Attributes:
        key: short name, for files.
        title: heading.
        sentences: what it shows, in plain text that holds untrusted names.
        figure: the same as a picture.
        table: its numbers, for files.
        shown: its table to read.
    """

    key: str
    title: str
    sentences: tuple[str, ...]
    figure: go.Figure
    table: pd.DataFrame
    shown: pd.DataFrame


def gather(run: Run, objective: str | None, convention: str | None) -> Evidence:
    """Read the evidence."""
    scores = run.query("decision_scores", objective=objective, convention=convention)
    teachers = tuple(run.query("teachers")["teacher"].tolist())
    return Evidence(scores, teachers, teacher_summary(scores, teachers, SEED))


def teacher_ranking(evidence: Evidence, outcome: Outcome) -> Finding:
    """All measures of all teachers on the paths of an outcome, the best range-weighted cosine first."""
    main = _falling(evidence.estimates(MAIN, outcome))
    order = list(main)
    every = {measure: evidence.estimates(measure, outcome) for measure in MEASURES}
    panels = [Panel(m.name, m.unit, m.null, {m.key: [every[m][name] for name in order]}) for m in MEASURES]
    points = evidence.points(outcome)
    sentences = [
        words.ranking_sentence(main, MAIN.name),
        words.lead_sentence(order[0], leads(evidence, order, outcome)),
        _other_leaders(every, order[0]),
        words.basis_sentence(f"{_nodes(points):,} decision points on {_kind(outcome)}", points["question"].nunique()),
    ]
    numbers = pd.DataFrame([{"teacher": name, "paths": outcome, **_flat(every, name)} for name in order])
    shown = {m.name: [written(every[m][name], 3, m.null) for name in order] for m in MEASURES}
    counted = [main[name].n for name in order], [main[name].clusters for name in order]
    table = pd.DataFrame({"teacher": order, **shown, "decision points": counted[0], "questions": counted[1]})
    title = f"Which teacher points towards success ({_kind(outcome)})"
    return Finding("ranking", title, tuple(filter(None, sentences)), ranking(order, panels), numbers, table)


def leads(evidence: Evidence, order: Sequence[str], outcome: Outcome) -> dict[str, Estimate]:
    """The main measure of the first teacher minus that of each other, on the decision points that both have."""
    points = evidence.points(outcome).set_index(["question", "node"])
    own, found = points[points["teacher"] == order[0]], {}
    for name in order[1:]:
        other = points.loc[points["teacher"] == name, "alignment"].rename("other")
        both = own.join(other, how="inner")
        difference = (both["alignment"] - both["other"]).to_numpy(float)
        if not np.isnan(difference).all():
            clusters = both.index.get_level_values("question").to_numpy()
            found[name] = cluster_bootstrap(difference, clusters, SEED, both["success_range"].to_numpy(float))
    return found


def path_outcomes(evidence: Evidence, outcome: Outcome) -> Finding:
    """Every measure on correct beside incorrect paths, and their difference, whatever outcome is chosen."""
    del outcome
    order = list(_falling(evidence.estimates(MAIN, "all")))
    kinds: tuple[Outcome, ...] = ("correct", "incorrect")
    pairs = {measure: {kind: evidence.estimates(measure, kind) for kind in kinds} for measure in MEASURES}
    gaps = {measure: outcome_gaps(evidence, measure) for measure in MEASURES}
    panels = [
        Panel(m.name, m.unit, m.null, {kind: [pairs[m][kind][name] for name in order] for kind in kinds})
        for m in MEASURES
    ]
    changes = [Panel(f"Δ {m.name}", m.unit, 0.0, {"gap": [gaps[m][name] for name in order]}) for m in MEASURES]
    counts = {kind: _nodes(evidence.points(kind)) for kind in kinds}
    both = sum(counts.values()) - _nodes(evidence.points("all"))
    basis = f"{counts['incorrect']:,} decision points on incorrect and {counts['correct']:,} on correct paths"
    shared = f" ({both:,} lie on both and count for each)" if both else ""
    sentences = [
        words.outcome_sentence({name: gaps[MAIN][name] for name in order}, MAIN.name),
        words.basis_sentence(basis + shared, evidence.scores["question"].nunique()),
    ]
    rows = [
        (name, kind, every)
        for name in order
        for kind, every in (*((k, {m: pairs[m][k] for m in MEASURES}) for k in kinds), ("incorrect − correct", gaps))
    ]
    numbers = pd.DataFrame([{"teacher": name, "paths": kind, **_flat(every, name)} for name, kind, every in rows])
    shown = pd.DataFrame(
        [
            {"teacher": name, "paths": kind}
            | {m.name: written(every[m][name], 3, m.null if kind in kinds else 0.0) for m in MEASURES}
            for name, kind, every in rows
        ]
    )
    title = "Correct against incorrect paths"
    return Finding("outcomes", title, tuple(sentences), outcomes(order, panels, changes), numbers, shown)


def outcome_gaps(evidence: Evidence, measure: Measure) -> dict[str, Estimate]:
    """A measure on incorrect paths minus that on correct ones, by teacher."""
    found = {}
    for name in evidence.teachers:
        own = evidence.scores[evidence.scores["teacher"] == name]
        values, weights = measure.of(own)
        incorrect = ~own["correct"].to_numpy(bool)
        found[name] = cluster_difference(values, own["question"].to_numpy(), incorrect, SEED, weights)
    return found


FINDINGS: tuple[Callable[[Evidence, Outcome], Finding], ...] = (teacher_ranking, path_outcomes)
WHATEVER_OUTCOME = (path_outcomes,)
"""Findings that the chosen outcome does not change."""


def _falling(estimates: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """The largest first; those without a value last."""
    return dict(sorted(estimates.items(), key=lambda item: -item[1].value if item[1].n else np.inf))


def _other_leaders(every: Mapping[Measure, Mapping[str, Estimate]], first: str) -> str:
    """A note where other measures put another teacher first."""
    leaders: dict[str, list[str]] = {}
    for measure, estimates in every.items():
        leader = next(iter(_falling(estimates)))
        if leader != first and estimates[leader].n:
            leaders.setdefault(leader, []).append(measure.name)
    parts = [f"{words.short(leader)} by {words.listed(names)}" for leader, names in leaders.items()]
    return f"Other measures put another teacher first: {'; '.join(parts)}." if parts else ""


def _nodes(points: pd.DataFrame) -> int:
    return len(points.drop_duplicates(["question", "node"]))


def _kind(outcome: Outcome) -> str:
    return "all paths" if outcome == "all" else f"{outcome} paths"


def _flat(every: Mapping[Measure, Mapping[str, Estimate]], name: str) -> dict[str, float]:
    """All numbers of a teacher, a column each."""
    return {
        f"{measure.key}_{part}".removesuffix("_value"): value
        for measure, estimates in every.items()
        for part, value in asdict(estimates[name]).items()
    }
