"""How many targeted rollouts an estimate needs: methods compared with a ground truth (method §5).

Every method starts from the same 200 initial rollouts of a question and spends targeted rollouts, taken in random order
from `benchmarks/ground_truth.npz`. The baseline is the paper's algorithm: every edge is brought to N_min = 100 visits,
and all rollouts are pooled. Errors are root mean squares over edges (P̂), and over nodes and teachers (gain, cosine).
At many nodes little is at stake, so cosines and signs are also weighted by the range of the children's true success,
like the range-weighted cosine (method §7). Cosines and signs are skipped where even the true cosine is uncertain.

    python -m benchmarks.estimation [--repeats 40] [--truth benchmarks/ground_truth.npz]
"""

import argparse
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.allocation import INITIAL, Adaptive, uniform
from benchmarks.estimators import Estimate, Estimator, Knowledge, Shape
from benchmarks.ground_truth import FILE, Bank, load
from odd.method.alignment import ZERO_IDEAL, cosine, gain, posterior_alignment, posterior_gain
from odd.method.gradients import ideal_gradient

N_MIN = 100
SHARES = (0.1, 0.15, 0.2, 0.25, 0.33, 0.5, 0.75, 1.0)
"""Budgets, as shares of the tokens that the paper's algorithm generates."""
MEASURES = ("P̂", "gain", "cosine", "cosine at stake")
INTERVALS = ("P̂", "gain", "cosine")
KNOWN = 0.05
"""Largest error of a true cosine that is used: below a tenth of any method's error."""
ROUNDING = 1e-9
"""Tolerance of intervals: with two children a cosine has only two values, where intervals end exactly."""
RARE = 0.01
INSIDE, OUTSIDE = f"P̂ between {RARE} and {1 - RARE}", "P̂ elsewhere"


PLAIN = Estimator()


@dataclass(frozen=True)
class Method:
    """An allocation of rollouts with an estimator.

    Attributes:
        name: name in the table.
        estimator: estimator of P̂ and its uncertainty.
        allocation: adaptive allocation; None: uniform over edges.
        common: whether siblings are sampled with common uniform numbers.
    """

    name: str
    estimator: Estimator = PLAIN
    allocation: Adaptive | None = None
    common: bool = False

    @property
    def draws(self) -> tuple[Adaptive | None, bool, bool]:
        """Methods with equal values draw the same rollouts."""
        return self.allocation, self.common, self.estimator.initial


SIBLINGS = Estimator(prior="siblings")
BACKED_UP = Estimator("stratified", prior="siblings")
PAPER = Method("paper: uniform, pooled", Estimator("pooled"))
USUAL = Method("uniform, on-policy")
SHARING = Method("  sibling prior", SIBLINGS)
NOT_EXTENDED = Method("  intervals not extended to 0 and 1", Estimator(closed=False))
METHODS = (
    PAPER,
    USUAL,
    NOT_EXTENDED,
    Method("  uniform prior", Estimator(prior="uniform")),
    SHARING,
    Method("  sibling prior, P̂ its mean", Estimator(prior="siblings", shrunk=True)),
    Method("  initial rollouts not reused", Estimator(initial=False)),
    Method("  common random numbers", common=True),
    Method("  common, sibling prior", SIBLINGS, common=True),
    Method("uniform, stratified", Estimator("stratified")),
    Method("  stratified, sibling prior", BACKED_UP),
    Method("Neyman, on-policy", PLAIN, Adaptive("gain", "on_policy")),
    Method("Neyman, on-policy, siblings", SIBLINGS, Adaptive("gain", "on_policy")),
    Method("Neyman, stratified, siblings", BACKED_UP, Adaptive("gain")),
    Method("for the cosine, on-policy, siblings", SIBLINGS, Adaptive("cosine", "on_policy")),
    Method("for the cosine, stratified, siblings", BACKED_UP, Adaptive("cosine")),
    Method("OCBA for signs, on-policy, siblings", SIBLINGS, Adaptive("sign", "on_policy")),
    Method("top-two nodes, on-policy, siblings", SIBLINGS, Adaptive("top_two", "on_policy")),
    Method("Neyman, settled skipped (normal)", SIBLINGS, Adaptive("gain", "on_policy", "normal")),
    Method("Neyman, settled skipped (posterior)", SIBLINGS, Adaptive("gain", "on_policy", "posterior", 512)),
)


class Question:
    """A question and its true success."""

    def __init__(self, bank: Bank) -> None:
        """Skip nodes without a true ideal gradient, for gain and cosine."""
        self.bank, self.shape, self.truth = bank, Shape(bank), bank.success
        self.nodes = [children for children in self.shape.nodes if self._counts(children)]
        rng = np.random.default_rng(0)
        self.known = [self._known(children, rng) for children in self.nodes]

    def _counts(self, children: np.ndarray) -> bool:
        gradient = ideal_gradient(self.bank.p[children], self.truth[children])
        return len(children) > 1 and float(np.linalg.norm(gradient)) > ZERO_IDEAL

    def _known(self, children: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Teachers whose true cosine is known well enough, (M,)."""
        p, teachers, true = self.bank.p[children], self.bank.teachers[:, children], self.truth[children]
        other = rng.normal(true, self.bank.error[children], size=(200, 1, len(children)))
        errors = cosine(ideal_gradient(p, other), teachers) - cosine(ideal_gradient(p, true), teachers)
        return np.sqrt(np.mean(errors**2, axis=0)) < KNOWN

    def between(self) -> np.ndarray:
        """Mask of the edges, without the root, whose success is neither very rare nor nearly certain."""
        return (self.truth[1:] > RARE) & (self.truth[1:] < 1 - RARE)

    def judge(self, estimate: Estimate) -> dict[str, np.ndarray]:
        """Return errors, wrong signs, interval coverage and what is at stake, for all estimates."""
        truth = self.truth[1:]
        right, inside = (estimate.low[1:] <= truth) & (truth <= estimate.high[1:]), self.between()
        found = {
            "P̂": [estimate.mean[1:] - truth],
            "P̂ held": [right],
            f"{INSIDE} held": [right[inside]],
            f"{OUTSIDE} held": [right[~inside]],
        }
        for children, known in zip(self.nodes, self.known, strict=True):
            for name, values in self._at_node(children, estimate).items():
                found.setdefault(name, []).append(values if name.startswith("gain") else values[known])
        joined = {name: np.concatenate(parts) for name, parts in found.items()}
        gains = joined["gain"].reshape(-1, len(self.bank.teachers))
        return joined | {"mean gain": gains.mean(axis=0)}

    def _at_node(self, children: np.ndarray, estimate: Estimate) -> dict[str, np.ndarray]:
        """Results of `judge` at one node, (M,) each."""
        p, teachers = self.bank.p[children], self.bank.teachers[:, children]
        true, ideal = (ideal_gradient(p, success[children]) for success in (self.truth, estimate.mean))
        draws = ideal_gradient(p, estimate.draws[:, children])
        posterior, (gain_low, gain_high) = posterior_alignment(draws, teachers), posterior_gain(draws, teachers)
        gains, cosines = gain(true, teachers), cosine(true, teachers)
        # without an ideal gradient there is no cosine; 0 stands for no statement
        said = np.nan_to_num(cosine(ideal, teachers))
        settled = (posterior.p_positive < 0.025) | (posterior.p_positive > 0.975)
        return {
            "gain": gain(ideal, teachers) - gains,
            "cosine": said - cosines,
            "sign": said * cosines <= 0,
            "gain held": (gain_low - ROUNDING <= gains) & (gains <= gain_high + ROUNDING),
            "cosine held": (posterior.low - ROUNDING <= cosines) & (cosines <= posterior.high + ROUNDING),
            "stake": np.full(len(teachers), np.ptp(self.truth[children])),
            "settled": settled,
            "settled wrongly": settled & ((posterior.p_positive > 0.5) != (cosines > 0)),
        }


Outcome = tuple[int, dict[str, np.ndarray]]


def simulate(
    question: Question,
    methods: Sequence[Method],
    shares: Sequence[float],
    paper_tokens: int,
    seed: Sequence[int],
) -> list[list[Outcome]]:
    """Return tokens and results of methods that draw the same rollouts: one list per method, one entry per budget."""
    allocation, common, initial = methods[0].draws
    known = Knowledge(question.bank, question.shape, np.random.default_rng(seed), common)
    known.draw(0, INITIAL)
    outcomes: list[list[Outcome]] = [[] for _ in methods]
    for share in shares:
        if allocation is not None:
            allocation.spend(known, round(share * paper_tokens))
        else:
            uniform(known, round(share * N_MIN), initial)
        for method, found in zip(methods, outcomes, strict=True):
            found.append((known.tokens, question.judge(known.estimate(method.estimator))))
    return outcomes


def root_mean_square(values: np.ndarray) -> float:
    """Root mean square of errors."""
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def ratio(tokens: Sequence[float], errors: Sequence[float], goal: float, paper_tokens: float) -> str:
    """Return how many times fewer tokens reach the goal error, interpolated between budgets."""
    spent, best = np.maximum(tokens, 1.0), np.minimum.accumulate(errors)
    if best[-1] > goal:
        return "–"
    if best[0] <= goal:
        return f"> {paper_tokens / spent[0]:.1f}"
    needed = np.exp(np.interp(-np.log(goal), -np.log(best), np.log(spent)))
    return f"{paper_tokens / needed:.1f}"


def measured(questions: Sequence[Question], repeats: int) -> dict[str, list[tuple[float, dict[str, float]]]]:
    """Return, by method and budget, tokens per question and all figures over questions and repetitions."""
    groups: dict[tuple, list[Method]] = {}
    for method in METHODS:
        groups.setdefault(method.draws, []).append(method)
    found: dict[str, list[list[Outcome]]] = {method.name: [] for method in METHODS}
    for repeat in track(range(repeats), "repetitions"):
        for number, question in enumerate(questions):
            seed = (repeat, number)
            [[(tokens, _)]] = simulate(question, [PAPER], (1.0,), 0, seed)
            for methods in groups.values():
                runs = simulate(question, methods, SHARES, tokens, seed)
                for method, run in zip(methods, runs, strict=True):
                    found[method.name].append(run)
    return {name: [_joined(budget) for budget in zip(*runs, strict=True)] for name, runs in found.items()}


def _joined(runs: Sequence[Outcome]) -> tuple[float, dict[str, float]]:
    """Mean tokens and figures of one budget."""
    values = {name: np.concatenate([outcome[name] for _, outcome in runs]) for name in runs[0][1]}
    stake = values.pop("stake")
    errors = ("P̂", "gain", "cosine", "mean gain")
    figures = {
        name: root_mean_square(each) if name in errors else float(np.mean(each))
        for name, each in values.items()
        if len(each)
    }
    figures["cosine at stake"] = float(np.sqrt(np.average(values["cosine"] ** 2, weights=stake)))
    figures["sign at stake"] = float(np.average(values["sign"], weights=stake))
    return float(np.mean([tokens for tokens, _ in runs])), figures


def tables(found: dict[str, list[tuple[float, dict[str, float]]]]) -> list[Table]:
    """Tables of errors at the paper's budget and a third of it, and of the token savings at the paper's errors."""
    paper_tokens, paper = found[PAPER.name][-1]
    made = []
    for share in (1.0, 0.33):
        table = Table("method", "tokens", "P̂", "gain", "mean gain", "cosine", "at stake", "signs", "at stake")
        for name in (*(f"coverage: {measure}" for measure in INTERVALS), "settled", "of which wrong"):
            table.add_column(name)
        table.title = f"errors with {'a third of ' if share < 1 else ''}the paper's budget"
        for name, budgets in found.items():
            tokens, figures = budgets[SHARES.index(share)]
            errors = [f"{figures[measure]:.4f}" for measure in ("P̂", "gain", "mean gain", "cosine", "cosine at stake")]
            wrong = figures["settled wrongly"] / max(figures["settled"], 1e-9)
            shares = [figures[key] for key in ("sign", "sign at stake", *(f"{measure} held" for measure in INTERVALS))]
            percent = [f"{100 * value:.1f}%" for value in (*shares, figures["settled"], wrong)]
            table.add_row(name, f"{tokens:,.0f}", *errors, *percent)
        made.append(table)
    table = Table("method", *MEASURES, title="times fewer tokens at the error of the paper's algorithm")
    for name, budgets in found.items():
        tokens = [tokens for tokens, _ in budgets]
        table.add_row(
            name,
            *(ratio(tokens, [figures[m] for _, figures in budgets], paper[m], paper_tokens) for m in MEASURES),
        )
    return [*made, table]


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.estimation")
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--truth", type=Path, default=FILE)
    chosen = parser.parse_args()
    banks = load(chosen.truth)
    console = Console(width=190)
    questions = [Question(bank) for bank in banks]
    found = measured(questions, chosen.repeats)
    for table in tables(found):
        console.print(table)
    inside = np.concatenate([question.between() for question in questions])
    for method in (USUAL, NOT_EXTENDED, SHARING):
        _, figures = found[method.name][-1]
        shares = " and ".join(
            f"{100 * figures[f'{name} held']:.1f}% of {name}" for name in (INSIDE, OUTSIDE) if f"{name} held" in figures
        )
        console.print(f"{method.name}: intervals cover {shares}; {np.mean(~inside):.0%} of the edges are elsewhere")
    known = np.concatenate([known for question in questions for known in question.known])
    console.print(f"{np.mean(known):.0%} of the true cosines are known to within {KNOWN}")
    edges, error = sum(len(bank.p) - 1 for bank in banks), np.concatenate([bank.error[1:] for bank in banks])
    console.print(
        f"{len(banks)} questions, {edges} edges, {len(banks[0].correct.T):,} rollouts per edge, error of the truth "
        f"{root_mean_square(error):.4f}, {chosen.repeats} repetitions; {os.cpu_count()} cores, {platform.machine()}, "
        f"{date.today()}"
    )


if __name__ == "__main__":
    main()
