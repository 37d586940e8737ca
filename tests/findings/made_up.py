"""Synthetic runs with known truth: rollouts are drawn from it, and each teacher knows it to a chosen degree."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import jaxtyping
import numpy as np
import pandas as pd

from odd.findings.evidence import Evidence, Filters, gather
from odd.method.alignment import cosine, gain
from odd.method.gradients import ideal_gradient

NODES = 8
"""Decision points per path; each question has two paths."""


class FakeRun:
    """A reader that answers the queries of the findings from frames."""

    run_id = "made-up"

    def __init__(self, frames: Mapping[str, pd.DataFrame]) -> None:
        self.frames = frames

    def query(self, name, /, **params):
        if name == "texts_before":
            return _texts(len(params["positions"]))
        frame = self.frames[name]
        if "convention" in frame and "convention" in params:
            return frame[frame["convention"] == params["convention"]].drop(columns="convention")
        return frame


def _texts(rows):
    """The token before each position, and the one at it."""
    spelled = ((1, b"a"), (2, b"\n"))
    return pd.DataFrame(
        [
            {"row": row, "position": at, "token": token, "bytes": spelling, "ends": False}
            for row in range(rows)
            for at, (token, spelling) in enumerate(spelled)
        ]
    )


@contextmanager
def _without_checked_shapes() -> Iterator[None]:
    """Switch off the checks of shapes, which take as long as all else for the thousands of small arrays of a run."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", before)


@_without_checked_shapes()
def make(
    effects: Mapping[str, float],
    questions: int = 20,
    visits: int = 40,
    spread: float = 0.2,
    on_incorrect: float = 0.0,
    seed: int = 0,
) -> FakeRun:
    """Create a run of at most the paper's size.

    Args:
        effects: by teacher, the share of its gradient that is the true ideal one; the rest is a random direction.
        questions: number of questions, with one correct and one incorrect path each.
        visits: rollouts per child, in two halves.
        spread: standard deviation of the true success of siblings; with 0 all measurements are noise.
        on_incorrect: added to the effects on incorrect paths.
        seed: seed of all randomness.
    """
    rng = np.random.default_rng(seed)
    scores, components, halves = [], [], []
    for question in range(questions):
        for step in range(2 * NODES):
            correct = step < NODES
            size = int(rng.integers(2, 4))
            p = rng.dirichlet(np.ones(size + 1))[:size]
            truth = np.clip(rng.normal(0.5, spread, size), 0.02, 0.98)
            half = rng.binomial(visits // 2, truth, size=(2, size))
            success = half.sum(axis=0) / (2 * (visits // 2))
            place = {"question": question, "node": step}
            draws = rng.beta(success * visits + 0.5, visits * (1 - success) + 0.5, size=(200, size))
            for teacher, effect in effects.items():
                known = effect + (0 if correct else on_incorrect)
                gradient = _gradient(rng, p, truth, known)
                scores.append(place | _score(rng, teacher, p, success, draws, gradient, correct, step, visits))
                components += [
                    place | {"teacher": teacher, "component": token, "token": token, "p_teacher": 1 / size}
                    | {"p": p[token], "success": success[token], "rest_success": np.nan, "visits": visits}
                    | {"teacher_gradient": gradient[token]}
                    for token in range(size)
                ]  # fmt: skip
                halves += [
                    place | {"teacher": teacher, "half": number} | _by(p, own / (visits // 2), gradient)
                    for number, own in enumerate(half)
                ]
    return _run(effects, questions, pd.DataFrame(scores), pd.DataFrame(components), pd.DataFrame(halves))


FEATURES = [
    "kl_student_teacher", "kl_teacher_student", "js", "l2", "probability_cosine", "entropy_student", "entropy_teacher",
    "overlap_top16", "teacher_mass_student_top16", "student_mass_teacher_top16", "p_student", "p_teacher",
]  # fmt: skip


def _gradient(rng, p, truth, known):
    """A direction that sums to 0: part true ideal gradient, part random; zero for a teacher that agrees (NaN)."""
    if known != known:
        return np.zeros(len(p))
    noise = rng.normal(size=len(p))
    noise -= noise.mean()
    ideal = ideal_gradient(p, truth)
    unit = ideal / (np.linalg.norm(ideal) or 1)
    return 0.1 * (known * unit + (1 - abs(known)) * noise / np.linalg.norm(noise))


def _score(rng, teacher, p, success, draws, gradient, correct, step, visits):
    posterior = cosine(ideal_gradient(p, draws), gradient)
    own = _by(p, success, gradient)
    align = own["alignment"]
    low, high = np.quantile(posterior, [0.025, 0.975]) if align == align else (np.nan, np.nan)
    position = step % NODES
    features = {name: float(rng.random()) for name in FEATURES}
    return {
        "teacher": teacher, "path": 0 if correct else 1, "position": position, "token": 0, "correct": correct,
        "normalised_depth": position / NODES, "decision": bool(np.ptp(success) > 0),
        "low": low, "high": high,
        "p_positive": float((posterior > 0).mean()) if align == align else np.nan,
        "gain_low": np.nan, "gain_high": np.nan, "advantage_low": np.nan, "advantage_high": np.nan,
        "children": len(p), "visits": visits * len(p), **own, **features,
    }  # fmt: skip


def _by(p, success, gradient):
    """Scores of a teacher that gives all children the same probability."""
    ideal = ideal_gradient(p, success)
    return {
        "alignment": float(cosine(ideal, gradient)),
        "gain": float(gain(ideal, gradient)),
        "advantage": float(((1 / len(p) - p / p.sum()) * success).sum()),
        "success_range": float(np.ptp(success)),
    }


def _run(effects, questions, scores, components, halves):
    conventions = scores[scores["decision"]][
        ["question", "node", "teacher", "correct", "alignment", "success_range", "children"]
    ]
    labels = ("on_policy-full-off", "on_policy-children-off")
    return FakeRun(
        {
            "finding_scores": scores.drop(columns=FEATURES).sort_values(["teacher", "question", "path", "position"]),
            "finding_features": scores[["question", "path", "position", "teacher", *FEATURES]],
            "finding_components": components,
            "finding_halves": halves,
            "finding_conventions": pd.concat([conventions.assign(convention=label) for label in labels]),
            "finding_rollouts": pd.DataFrame({"question": range(questions), "rollouts": 500}),
            "questions": pd.DataFrame(
                {
                    "question": range(questions),
                    "id": [f"q{at}" for at in range(questions)],
                    "difficulty": ["easy", "hard"] * (questions // 2) + ["easy"] * (questions % 2),
                    "kind": "number",
                }
            ),
            "teachers": pd.DataFrame({"teacher": list(effects)}),
            **_influence(effects, questions),
        }
    )


def _influence(effects, questions):
    """Influence whose mean over pairs of questions is the effect; most of its spread is that of questions."""
    rng = np.random.default_rng(7)
    matrix, norms, paths, rollouts = [], [], [], []
    for teacher, effect in effects.items():
        norms.append({"teacher": teacher, "norm": 0.0 if effect != effect else 2.0, "questions": questions})
        known = 0.0 if effect != effect else effect
        teaches, learns = rng.normal(0, 0.3, (2, questions))
        teaches, learns = teaches - teaches.mean(), learns - learns.mean()
        table = known + teaches[:, None] + learns + rng.normal(0, 0.1, (questions, questions))
        places = [(q, other) for q in range(questions) for other in range(questions)]
        matrix += [{"question": q, "target": o, "teacher": teacher, "influence": table[q, o]} for q, o in places]
        for question in range(questions):
            both = known + rng.normal(size=(2, 2 * NODES))
            ends = {"influence_low": both.min(axis=0), "influence_high": both.max(axis=0)}
            paths.append(pd.DataFrame({"question": question, "teacher": teacher, **ends}))
            shared = rng.normal(size=12)
            sums = {half: shared + rng.normal(size=12) for half in ("first", "second")}
            rollouts.append(pd.DataFrame({"question": question, "teacher": teacher, "target": "same", **sums}))
    return {
        "influence_matrix": pd.DataFrame(matrix),
        "influence_norms": pd.DataFrame(norms),
        "influence_paths": pd.concat(paths),
        "influence_rollouts": pd.concat(rollouts),
    }


META = {"config": '{"analysis": {"n_sig": 20}}'}


def evidence(effects: Mapping[str, float], *, filters: Filters | None = None, **changes) -> Evidence:
    """The evidence of a synthetic run."""
    return gather(make(effects, **changes), META, filters or Filters("reverse_kl", "on_policy-full-off"))
