"""Data behind the findings of a run: its decision points under one objective and convention, filtered.

A *point* is a distinct (question, node, teacher) with at least two children in S_u. Most points are decision points;
at a *tie*, all children have the same success over all rollouts, and there is no score. A *step* is a position on a
path with a point; paths share their first nodes, so a point may occur at several steps.

Ties count when halves of the rollouts are compared: leaving out nodes because the two halves cancel would make the
rest look as if they agreed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import get_args

import numpy as np
import pandas as pd

from odd.config import stored_config
from odd.findings.choices import Difficulty, Outcome
from odd.findings.components import POINT, Components, at_least, build
from odd.findings.statistics import NoiseFloor, Scores, node_numbers, noise_floor
from odd.findings.summaries import SUMMARIES, Summary, floors
from odd.store.run import Run

SEED = 0
"""Seed of all random draws for findings: the same run gives the same numbers."""
SHUFFLES = 200
"""Permutations of success per noise floor."""
SCORES = tuple(one.name for one in fields(Scores))


@dataclass(frozen=True)
class Filters:
    """Selection of decision points.

    Attributes:
        objective: label of the objective; None if the run has none.
        convention: label of the convention; None if the run has none.
        outcome: outcome of their paths.
        difficulty: difficulty of their questions.
        kind: answer kind of their questions; None for all.
    """

    objective: str | None = None
    convention: str | None = None
    outcome: Outcome = "all"
    difficulty: Difficulty = "all"
    kind: str | None = None


@dataclass(frozen=True, eq=False)
class Evidence:
    """The points of a run.

    Attributes:
        run: the run.
        filters: selection of points.
        teachers: names in order.
        n_sig: minimum visits of a child in S_u; None if unknown.
        asked: numbers of the selected questions, with or without points.
        steps: one row per step: question, path, position, teacher, outcome and scores; `point` is its row in `points`.
        points: one row per point; `on_correct` and `on_incorrect` are whether any of its paths, selected or not, has
            that outcome.
    """

    run: Run
    filters: Filters
    teachers: tuple[str, ...]
    n_sig: int | None
    asked: frozenset[int]
    steps: pd.DataFrame
    points: pd.DataFrame = field(init=False)

    def __post_init__(self) -> None:
        """Number the points."""
        first = self.steps.drop_duplicates(POINT).reset_index(drop=True)
        numbers = pd.MultiIndex.from_frame(first[POINT])
        point = numbers.get_indexer(pd.MultiIndex.from_frame(self.steps[POINT]))
        steps = self.steps.assign(point=point)
        correct = steps["correct"].to_numpy(bool)
        seen = {f"on_{kind}": np.zeros(len(first), bool) for kind in ("correct", "incorrect")}
        seen["on_correct"][point[correct]] = True
        seen["on_incorrect"][point[~correct]] = True
        object.__setattr__(self, "steps", steps)
        object.__setattr__(self, "points", first.assign(**seen))

    def on(self, outcome: Outcome | None = None, teacher: str | None = None, ties: bool = False) -> np.ndarray:
        """Numbers of the decision points on paths of an outcome.

        Args:
            outcome: outcome of the paths; None for the selected one.
            teacher: only points of this teacher; None for all.
            ties: whether to include ties.
        """
        outcome = outcome or self.filters.outcome
        mask = np.ones(len(self.points), bool) if ties else self.points["decision"].to_numpy(bool)
        if outcome != "all":
            mask = mask & self.points[f"on_{outcome}"].to_numpy()
        if teacher is not None:
            mask = mask & self.of_teacher[teacher]
        return np.flatnonzero(mask)

    @cached_property
    def of_teacher(self) -> dict[str, np.ndarray]:
        """Mask of the points of each teacher, (N,) each."""
        own = self.points["teacher"].to_numpy()
        return {name: own == name for name in self.teachers}

    def scores(self, points: np.ndarray) -> pd.DataFrame:
        """Question and scores of the given points, one row per point, as needed by `odd.findings.summaries`."""
        return self._scores.take(points)

    @cached_property
    def _scores(self) -> pd.DataFrame:
        return self.points[["question", "success_range", *dict.fromkeys(one.column for one in SUMMARIES)]]

    @cached_property
    def path_numbers(self) -> np.ndarray:
        """Number of the (path, teacher) pair of every step."""
        steps = self.steps
        return steps.groupby(["question", "path", "teacher"], sort=False).ngroup().to_numpy()

    @cached_property
    def every_path(self) -> pd.DataFrame:
        """Teacher and outcome of every (path, teacher) pair, in the order of `path_numbers`."""
        return self.steps[["teacher", "correct"]].groupby(self.path_numbers, sort=True).first()

    def places(self, outcome: Outcome) -> pd.DataFrame:
        """Steps on paths of an outcome, including ties, in order along each path."""
        return self.steps if outcome == "all" else self.steps[self.steps["correct"] == (outcome == "correct")]

    def chosen_steps(self) -> pd.DataFrame:
        """Steps at decision points on paths of the selected outcome, in order along each path."""
        steps = self.places(self.filters.outcome)
        return steps[steps["decision"]]

    def with_features(self, steps: pd.DataFrame) -> pd.DataFrame:
        """Add features from a single forward pass of student and teacher to steps."""
        asked = {"objective": self.filters.objective, "convention": self.filters.convention}
        features = self.run.query("finding_features", **asked)
        return steps.merge(features, how="left", on=["question", "path", "position", "teacher"])

    @property
    def nodes(self) -> int:
        """Number of distinct nodes among the selected points."""
        return self.count_nodes(self.on())

    def count_nodes(self, points: np.ndarray) -> int:
        """Number of distinct nodes among the given points."""
        return len(np.unique(self._node_numbers[points]))

    @cached_property
    def _node_numbers(self) -> np.ndarray:
        return node_numbers(self.points["question"].to_numpy(), self.points["node"].to_numpy())

    @property
    def questions(self) -> int:
        """Number of questions with a selected point."""
        return self.points["question"].iloc[self.on()].nunique()

    @cached_property
    def scored(self) -> tuple[str, ...]:
        """Teachers with a defined score among the selected points, in order."""
        rows = self.points[["teacher", "alignment"]].iloc[self.on()]
        known = set(rows.loc[rows["alignment"].notna(), "teacher"])
        return tuple(name for name in self.teachers if name in known)

    @cached_property
    def components(self) -> Components:
        """Children of every point."""
        return self.components_under(self.filters.convention, self.points)

    def components_under(self, convention: str | None, points: pd.DataFrame) -> Components:
        """Children of the given points under another convention."""
        asked = {"objective": self.filters.objective, "convention": convention}
        return build(points, self.run.query("finding_components", **asked))

    @cached_property
    def halves(self) -> tuple[Scores, Scores] | None:
        """Scores of every point from each half of the rollouts; None for an objective that uses the outcomes."""
        asked = {"objective": self.filters.objective, "convention": self.filters.convention}
        rows = self.run.query("finding_halves", **asked)
        if rows.empty:
            return None
        points = pd.MultiIndex.from_frame(self.points[POINT])
        halves = (rows[rows["half"] == half].set_index(POINT).reindex(points) for half in (0, 1))
        first, second = (Scores(*(half[name].to_numpy(float) for name in SCORES)) for half in halves)
        return first, second

    @cached_property
    def noise(self) -> NoiseFloor:
        """Scores of every point under permutations of success among siblings."""
        undefined = self.points["alignment"].isna().to_numpy()
        return noise_floor(self.components.siblings, SHUFFLES, np.random.default_rng(SEED), undefined)

    @cached_property
    def floor(self) -> Scores:
        """Scores of every point in each permutation, (B, N)."""
        return self.noise.scores()

    @cached_property
    def floors(self) -> dict[tuple[Summary, Outcome, str | None], np.ndarray]:
        """Every summary per outcome and teacher in each permutation, (B,); teacher None stands for all."""
        asked = [(outcome, teacher) for outcome in get_args(Outcome) for teacher in (None, *self.teachers)]
        sets = [self.on(*one) for one in asked]
        means = floors(self.noise, sets)
        return {(m, *one): mean for m in SUMMARIES for one, mean in zip(asked, means[m], strict=True)}

    def with_visits(self, visits: int) -> Scores:
        """Scores of every point if children needed more visits; for full-vocabulary conventions only."""
        return at_least(self.components, visits).siblings.scores()

    @cached_property
    def rollouts(self) -> int:
        """Number of rollouts of the questions with a selected point."""
        counts = self.run.query("finding_rollouts")
        wanted = self.points["question"].iloc[self.on()].unique()
        return int(counts.loc[counts["question"].isin(wanted), "rollouts"].sum())


def gather(run: Run, meta: Mapping[str, str], filters: Filters) -> Evidence:
    """Read the decision points of a run.

    Args:
        run: the run.
        meta: its table `meta`.
        filters: selection of points.
    """
    steps = run.query("finding_scores", objective=filters.objective, convention=filters.convention)
    steps = steps.assign(decision=steps["decision"].fillna(False).astype(bool))
    questions = run.query("questions")
    kept = np.ones(len(questions), bool)
    if filters.difficulty != "all":
        kept &= (questions["difficulty"] == filters.difficulty).to_numpy()
    if filters.kind is not None:
        kept &= (questions["kind"] == filters.kind).to_numpy()
    asked = frozenset(questions["question"][kept].tolist())
    steps = steps[steps["question"].isin(asked)].reset_index(drop=True)
    teachers = tuple(run.query("teachers")["teacher"].tolist())
    return Evidence(run, filters, teachers, n_sig(meta), asked, steps)


def n_sig(meta: Mapping[str, str]) -> int | None:
    """Minimum visits of a child in S_u in this run; None if its settings cannot be read."""
    config = stored_config(meta.get("config"))
    return None if config is None else config.analysis.n_sig
