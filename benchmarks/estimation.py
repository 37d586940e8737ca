"""How many targeted rollouts an estimate needs: methods against a ground truth (method §5).

Every method starts from the same 200 initial rollouts of a question and spends targeted rollouts, taken in random order
from `benchmarks/ground_truth.npz`. The yardstick is the paper's algorithm: every edge is brought to N_min = 100 visits,
and all rollouts are pooled. Errors are root mean squares over edges (P̂), and over nodes and teachers (gain, cosine).

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
from benchmarks.estimators import Estimate, Knowledge, Rule, Shape
from benchmarks.ground_truth import FILE, Bank, load
from odd.alignment import ZERO_IDEAL, cosine, gain, posterior_alignment
from odd.gradients import ideal_gradient

N_MIN = 100
SHARES = (0.15, 0.2, 0.25, 0.33, 0.5, 0.75, 1.0)
"""Budgets, as shares of what the paper's algorithm generates."""
MEASURES = ("P̂", "gain", "cosine")
RARE = 0.01
INSIDE, OUTSIDE = f"P̂ between {RARE} and {1 - RARE}", "P̂ elsewhere"


@dataclass(frozen=True)
class Method:
    """An allocation and an estimator.

    Attributes:
        name: in the table.
        rule: of the estimator.
        allocation: the adaptive one; None: the same for every edge.
        initial: whether initial rollouts count for the estimate and for the allocation.
        common: whether siblings draw with the same uniform numbers.
    """

    name: str
    rule: Rule
    allocation: Adaptive | None = None
    initial: bool = True
    common: bool = False


PAPER = Method("paper: uniform, pooled", "pooled")
USUAL = Method("uniform, on-policy", "on_policy")
METHODS = (
    PAPER,
    USUAL,
    Method("the same, initial rollouts not used again", "on_policy", initial=False),
    Method("the same, siblings share their uniform numbers", "on_policy", common=True),
    Method("uniform, stratified", "stratified"),
    Method("adaptive for the gain, on-policy", "on_policy", Adaptive("gain", backed_up=False)),
    Method("adaptive for the cosine, on-policy", "on_policy", Adaptive("cosine", backed_up=False)),
    Method("adaptive for the gain, stratified", "stratified", Adaptive("gain")),
    Method("adaptive for the cosine, stratified", "stratified", Adaptive("cosine")),
    Method("the same, settled nodes left", "stratified", Adaptive("cosine", leave_settled=True)),
)


class Question:
    """A question and the truth about it."""

    def __init__(self, bank: Bank) -> None:
        """The truth is what all rollouts of the bank together say."""
        self.bank, self.shape = bank, Shape(bank)
        everything = Knowledge(bank, self.shape, np.random.default_rng(0))
        for edge in range(len(bank.p)):
            everything.draw(edge, bank.correct.shape[1])
        self.truth = everything.estimate("stratified", draws=1).mean
        self.nodes = [children for children in self.shape.nodes if self._counts(children)]

    def _counts(self, children: np.ndarray) -> bool:
        gradient = ideal_gradient(self.bank.p[children], self.truth[children])
        return len(children) > 1 and float(np.linalg.norm(gradient)) > ZERO_IDEAL

    def between(self) -> np.ndarray:
        """Edges but the root whose success is neither very rare nor nearly sure."""
        return (self.truth[1:] > RARE) & (self.truth[1:] < 1 - RARE)

    def judge(self, estimate: Estimate) -> dict[str, np.ndarray]:
        """Errors and whether intervals hold the truth, of every measure; and wrong signs."""
        low, high = np.quantile(estimate.draws[:, 1:], (0.025, 0.975), axis=0)
        found = {"P̂": [estimate.mean[1:] - self.truth[1:]], "gain": [], "cosine": [], "sign": []}
        right, inside = (low <= self.truth[1:]) & (self.truth[1:] <= high), self.between()
        held = {"P̂": [right], INSIDE: [right[inside]], OUTSIDE: [right[~inside]], "gain": [], "cosine": []}
        for children in self.nodes:
            p, teachers = self.bank.p[children], self.bank.teachers[:, children]
            true, ideal = (ideal_gradient(p, success[children]) for success in (self.truth, estimate.mean))
            posterior = posterior_alignment(ideal_gradient(p, estimate.draws[:, children]), teachers)
            exact = {"gain": gain(true, teachers), "cosine": cosine(true, teachers)}
            # an estimate whose ideal gradient is zero has no cosine: it says nothing, which is 0
            said = {"gain": gain(ideal, teachers), "cosine": np.nan_to_num(cosine(ideal, teachers))}
            intervals = {
                "gain": (posterior.gain_low, posterior.gain_high),
                "cosine": (posterior.align_low, posterior.align_high),
            }
            for name, (lower, upper) in intervals.items():
                found[name].append(said[name] - exact[name])
                held[name].append((lower <= exact[name]) & (exact[name] <= upper))
            found["sign"].append(said["cosine"] * exact["cosine"] <= 0)
        errors = {name: np.concatenate(parts) for name, parts in found.items()}
        return errors | {f"{name} held": np.concatenate(parts) for name, parts in held.items()}


def simulate(
    question: Question, method: Method, shares: Sequence[float], paper_tokens: int, seed: Sequence[int]
) -> list[tuple[int, dict[str, np.ndarray]]]:
    """Tokens spent and what came out, for every budget, each from the same initial rollouts on."""
    outcomes = []
    for share in shares:
        known = Knowledge(question.bank, question.shape, np.random.default_rng(seed), method.common)
        known.draw(0, INITIAL)
        if method.allocation is not None:
            method.allocation.spend(known, round(share * paper_tokens))
        else:
            uniform(known, round(share * N_MIN), method.initial)
        outcomes.append((known.tokens, question.judge(known.estimate(method.rule, method.initial))))
    return outcomes


def root_mean_square(values: np.ndarray) -> float:
    """Of errors."""
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def ratio(tokens: Sequence[float], errors: Sequence[float], goal: float, paper_tokens: float) -> str:
    """How many times fewer tokens bring the error down to the goal, interpolated between budgets."""
    spent, best = np.maximum(tokens, 1.0), np.minimum.accumulate(errors)
    if best[-1] > goal:
        return "–"
    if best[0] <= goal:
        return f"> {paper_tokens / spent[0]:.1f}"
    needed = np.exp(np.interp(-np.log(goal), -np.log(best), np.log(spent)))
    return f"{paper_tokens / needed:.1f}"


def measured(questions: Sequence[Question], repeats: int) -> dict[str, list[tuple[float, dict[str, float]]]]:
    """By method, for every budget: tokens a question, and all figures over questions and repetitions."""
    found: dict[str, list[list[tuple[int, dict[str, np.ndarray]]]]] = {method.name: [] for method in METHODS}
    for repeat in track(range(repeats), "repetitions"):
        for number, question in enumerate(questions):
            seed = (repeat, number)
            [(tokens, _)] = simulate(question, PAPER, (1.0,), 0, seed)
            for method in METHODS:
                found[method.name].append(simulate(question, method, SHARES, tokens, seed))
    return {name: [_joined(budget) for budget in zip(*runs, strict=True)] for name, runs in found.items()}


def _joined(runs: Sequence[tuple[int, dict[str, np.ndarray]]]) -> tuple[float, dict[str, float]]:
    """Mean tokens and figures of one budget."""
    figures = {}
    for name in runs[0][1]:
        values = np.concatenate([outcome[name] for _, outcome in runs])
        if len(values):
            figures[name] = root_mean_square(values) if name in MEASURES else float(np.mean(values))
    return float(np.mean([tokens for tokens, _ in runs])), figures


def tables(found: dict[str, list[tuple[float, dict[str, float]]]]) -> list[Table]:
    """Errors at the paper's budget and at a third of it; and how many times fewer tokens give the paper's errors."""
    paper_tokens, paper = found[PAPER.name][-1]
    made = []
    for share in (1.0, 0.33):
        table = Table("method", "tokens", "P̂", "gain", "cosine", "wrong signs", "held: P̂", "gain", "cosine")
        table.title = f"errors with {'a third of' if share < 1 else ''} the paper's budget"
        for name, budgets in found.items():
            tokens, figures = budgets[SHARES.index(share)]
            errors = [f"{figures[measure]:.4f}" for measure in MEASURES]
            held = [f"{100 * figures[f'{measure} held']:.1f} %" for measure in MEASURES]
            table.add_row(name, f"{tokens:,.0f}", *errors, f"{100 * figures['sign']:.1f} %", *held)
        made.append(table)
    table = Table("method", *MEASURES, title="times fewer tokens for the error of the paper's algorithm")
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
    console = Console(width=150)
    questions = [Question(bank) for bank in banks]
    found = measured(questions, chosen.repeats)
    for table in tables(found):
        console.print(table)
    _, figures = found[USUAL.name][-1]
    shares = " and ".join(
        f"{100 * figures[f'{name} held']:.1f} % of {name}" for name in (INSIDE, OUTSIDE) if f"{name} held" in figures
    )
    inside = np.concatenate([question.between() for question in questions])
    console.print(f"{USUAL.name}: intervals hold {shares}; {np.mean(~inside):.0%} of the edges are elsewhere")
    edges, rollouts = sum(len(bank.p) - 1 for bank in banks), banks[0].correct.shape[1]
    console.print(
        f"{len(banks)} questions, {edges} edges, truth from {rollouts:,} rollouts an edge, {chosen.repeats} "
        f"repetitions; {os.cpu_count()} cores, {platform.machine()}, {date.today()}"
    )


if __name__ == "__main__":
    main()
