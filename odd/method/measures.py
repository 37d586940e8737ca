"""The measures of a token, each declared once: how it is computed, stored, coloured, named and explained.

The columns of the tables of scores, what payloads carry, the choice of colours, legends, cards and the glossary all
derive from `MEASURES`. A new measure is an entry there. Dimension letters as in `odd.method.logspace`; of nodes that
are scored together, N nodes, P pairs of teacher and objective (the objective moving fastest), C components.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Float, Float64, Int64, Shaped

from odd.method.alignment import (
    PosteriorAlignment,
    cosine,
    gain,
    is_decision_point,
    posterior_alignment,
    success_range,
    teacher_advantage,
)
from odd.method.gradients import ideal_gradient

Ends = tuple[str, str]
"""Columns of the lower and upper end of a 95% interval."""


@dataclass(frozen=True, eq=False)
class Nodes:
    """N nodes with equally many children under one convention: what their measures are computed from.

    Attributes:
        p: P_theta of each component.
        success: P̂ of each component, by all rollouts or by half of them.
        gradients: every pair's gradient.
        log_p: student log-probabilities of the children S_u, which come first among the components.
        log_q: teacher log-probabilities of the same.
        visits: rollouts that count for the children, together.
        draws: posterior draws of P̂; none for half of the rollouts, of which only scores without draws are computed.
        distinct: pairs whose gradients differ; what has no teacher is the same under each.
        copies: for each pair, which of the distinct ones it is.
    """

    p: Float64[np.ndarray, "N C"]
    success: Float64[np.ndarray, "N C"]
    gradients: Float64[np.ndarray, "N P C"]
    log_p: Float64[np.ndarray, "N K"]
    log_q: Float64[np.ndarray, "N M K"]
    visits: Int64[np.ndarray, " N"]
    draws: Float64[np.ndarray, "N D C"]
    distinct: Int64[np.ndarray, " _"]
    copies: Int64[np.ndarray, " P"]

    @cached_property
    def ideal(self) -> Float64[np.ndarray, "N C"]:
        """Ideal gradient of each node."""
        return ideal_gradient(self.p, self.success)

    @cached_property
    def alignment(self) -> Float64[np.ndarray, "N P"]:
        """Cosine of both gradients."""
        return cosine(self.ideal[:, None], self.gradients)

    @cached_property
    def posterior(self) -> PosteriorAlignment:
        """What the posterior draws say of alignment and gain, (N, P) each."""
        draws = ideal_gradient(self.p[:, None], self.draws)
        found = posterior_alignment(draws, self.gradients.take(self.distinct, axis=1))
        return PosteriorAlignment(*(values.take(self.copies, axis=1) for values in found))

    @property
    def of_children(self) -> Float64[np.ndarray, "N K"]:
        """P̂ of the children S_u, without the rest."""
        return self.success[:, : self.log_p.shape[-1]]

    def where_aligned(self, values: Float[np.ndarray, "N P"]) -> Float64[np.ndarray, "N P"]:
        """Values where the alignment is defined: a score without a value has no interval either."""
        return np.where(np.isnan(self.alignment), np.nan, values)


Values = Shaped[np.ndarray, "N #P"]
"""Of every node and pair, or of every node alone."""


@dataclass(frozen=True)
class Measure:
    """A number of a token, or of the node before it.

    Attributes:
        key: short name, as used in links.
        name: in words.
        meaning: one sentence for the glossary.
        short: its name where there is little room.
        symbol: the same on axes.
        unit: of it; empty for a pure number.
        suffix: what is written after a value; empty for most.
        digits: after the point.
        colour: whether tokens can be coloured by it.
        listed: whether cards list it among the scores of a token.
        kind: of its colour: diverging from `centre`, success from 0 to 1, or sequential from 0.
        low: what the low end of the colour means.
        high: what the high end means.
        better: whether more of it is better; None: neither.
        centre: of a diverging colour.
        end: upper end of the colour, unless it is scaled.
        scale: fixed; or the end is the question's own: its largest value, or its 95% quantile where a long tail would
            leave all else pale.
        table: where it is stored.
        column: its column there, and of a row of a path.
        minus: column that is subtracted from it.
        comment: meaning of the column in a run file.
        type: of the column.
        value: computes it for the table `scores`; None: it is stored elsewhere.
        ends: computes the ends of its interval.
        interval: columns with these ends, on its own scale.
        settled_by: columns of the interval that must exclude 0 for its sign to be settled.
        halves: whether it is also computed from each half of the rollouts, which takes no draws.
        term: its name in the glossary, where that is another one.
        formula: LaTeX for the glossary.
        range: of values, in the glossary.
        where: pages that show it.
    """

    key: str
    name: str
    meaning: str
    short: str = ""
    symbol: str = ""
    unit: str = ""
    suffix: str = ""
    digits: int = 3
    colour: bool = True
    listed: bool = True
    kind: Literal["diverging", "success", "sequential"] = "diverging"
    low: str = ""
    high: str = ""
    better: bool | None = None
    centre: float = 0.0
    end: float = 1.0
    scale: Literal["fixed", "largest", "quantile"] = "fixed"
    table: str = "scores"
    column: str = ""
    minus: str = ""
    comment: str = ""
    type: Literal["DOUBLE", "INTEGER", "BOOLEAN"] = "DOUBLE"
    value: Callable[[Nodes], Values] | None = None
    ends: Callable[[Nodes], tuple[Values, Values]] | None = None
    interval: Ends | None = None
    settled_by: Ends | None = None
    halves: bool = False
    term: str = ""
    formula: str = ""
    range: str = ""
    where: str = "Tree, Compare"

    def __post_init__(self) -> None:
        """Fill in what follows from the rest."""
        for name, usual in (("short", self.name), ("symbol", self.short or self.name), ("column", self.key)):
            if not getattr(self, name):
                object.__setattr__(self, name, usual)

    @property
    def signed(self) -> bool:
        """Whether its values are written with their sign."""
        return self.kind == "diverging" and self.centre == 0


def _advantage(nodes: Nodes) -> Values:
    pairs, teachers = nodes.gradients.shape[1], nodes.log_q.shape[1]
    found = teacher_advantage(nodes.log_p[:, None], nodes.log_q, nodes.of_children[:, None])
    return found.repeat(pairs // teachers, axis=1)


BUILT_IN = (
    Measure(
        "alignment", "alignment",
        "Does the teacher push towards success here: positive is helpful, negative harmful; undefined where either "
        "gradient is zero.",
        symbol="align", unit="cosine", digits=2, low="harmful", high="helpful", better=True,
        comment="cosine of ideal and teacher gradient, -1 to 1",
        value=lambda nodes: nodes.alignment,
        ends=lambda nodes: (
            nodes.where_aligned(nodes.posterior.align_low), nodes.where_aligned(nodes.posterior.align_high)
        ),
        interval=("low", "high"), settled_by=("low", "high"), halves=True,
        term="Alignment (cosine)", range="−1 to 1", where="everywhere",
        formula=r"\mathrm{Align}(u) = \frac{\langle g^{ideal}, g^{D}\rangle}"
                r"{\lVert g^{ideal}\rVert\,\lVert g^{D}\rVert}",
    ),
    Measure(
        "p_positive", "P(alignment > 0)", "Share of the posterior draws in which the alignment is positive.",
        short="P(>0)", unit="probability", low="surely harmful", high="surely helpful", better=True, centre=0.5,
        comment="posterior probability that alignment > 0",
        value=lambda nodes: nodes.where_aligned(nodes.posterior.p_positive),
        settled_by=("low", "high"), formula=r"P(\mathrm{Align} > 0)", range="0 to 1", where="Tree",
    ),
    Measure(
        "gain", "gain",
        "First-order change of success for a step of length 1 along the teacher's gradient; linear in success, so "
        "noise does not bias it as it does the cosine; like every score it is what the counts say, and may lie just "
        "outside its interval, which is of posterior draws, where few rollouts are behind it.",
        unit="success per unit step", digits=4, low="harmful", high="helpful", better=True, scale="largest",
        comment="first-order change of success per unit step along the teacher gradient",
        value=lambda nodes: gain(nodes.ideal[:, None], nodes.gradients),
        ends=lambda nodes: (nodes.posterior.gain_low, nodes.posterior.gain_high),
        interval=("gain_low", "gain_high"), settled_by=("gain_low", "gain_high"), halves=True,
        term="Gain", range="success per unit step", where="Tree, Compare, Findings",
        formula=r"\text{gain}(u) = \frac{\langle g^{ideal}, g^{D}\rangle}{\lVert g^{D}\rVert}",
    ),
    Measure(
        "advantage", "teacher advantage",
        "How much more often the student would succeed if it chose among the children as the teacher would.",
        short="advantage", symbol="adv", unit="success", low="harmful", high="helpful", better=True, scale="largest",
        comment="success under the teacher minus success under the student, on the children",
        value=_advantage, halves=True,
        term="Teacher advantage", range="−1 to 1", where="Tree, Compare, Findings",
        formula=r"\text{Adv}(u) = \sum_{S_u} \tilde P_{te}^k \hat P^k - \sum_{S_u} \tilde P_\theta^k \hat P^k",
    ),
    Measure(
        "children", "children that count",
        "The children with at least n_sig visits (20 unless the run says otherwise); |S_u| is how many there are.",
        short="|S_u|", digits=0, colour=False, listed=False, comment="|S_u|, children with enough visits",
        type="INTEGER", value=lambda nodes: np.full((len(nodes.visits), 1), nodes.log_p.shape[1]),
        term="Children that count, S_u", formula=r"S_u = \{k : N_k \ge n_{sig}\}", range="count",
    ),
    Measure(
        "success_range", "success range",
        "How much the choice of the next token decides: largest minus smallest success of the children that count.",
        short="range", digits=2, colour=False, listed=False,
        comment="largest minus smallest success of the children",
        value=lambda nodes: success_range(nodes.of_children)[:, None], halves=True,
        term="Success range", range="0 to 1", where="Tree, Compare, Findings",
        formula=r"\text{range}_u = \max_{S_u} \hat P^k - \min_{S_u} \hat P^k",
    ),
    Measure(
        "visits", "visits of the children", "Rollouts that count for the children that count, together.",
        short="visits", digits=0, colour=False, listed=False, type="INTEGER",
        comment="sum of visits over S_u, as the convention counts them", value=lambda nodes: nodes.visits[:, None],
    ),
    Measure(
        "decision", "decision point",
        "A node at which the next token matters: at least two children count, and their success differs.",
        digits=0, colour=False, listed=False, type="BOOLEAN",
        comment="decision point: at least two children, and their success differs",
        value=lambda nodes: is_decision_point(nodes.of_children)[:, None],
        term="Decision point", formula=r"|S_u| \ge 2,\quad \max \hat P > \min \hat P", where="everywhere",
    ),
    Measure(
        "success", "success after the token",
        "Estimated probability that the student ends correct once it has taken the token; the interval is the 95% "
        "Jeffreys interval, of the posterior Beta(S + ½, N − S + ½), and a Wilson interval where visits are pooled; "
        "a run made with the prior of siblings weighs a child's rollouts with what its siblings came to.",
        short="P̂", unit="probability", digits=2, listed=False, kind="success", low="fails", high="succeeds",
        better=True, table="success", interval=("success_low", "success_high"),
        term="Success P̂ (P_succ)", formula=r"\hat P^k = \frac{S_k}{N_k}", range="0 to 1",
    ),
    Measure(
        "kl", "KL(student ‖ teacher)",
        "How surprised a reader who expects the teacher is by the student, over the whole vocabulary; not symmetric.",
        short="KL", unit="nats", suffix="nats", kind="sequential", low="same", high="different", scale="quantile",
        table="node_teachers", column="kl_student_teacher",
        formula=r"\sum_k P_\theta^k \log \frac{P_\theta^k}{P_{te}^k}", range="nats, from 0", where="Tree",
    ),
    Measure(
        "difference", "P teacher − P student", "How much likelier the teacher makes the token.",
        short="ΔP", unit="probability", listed=False, low="teacher: less", high="teacher: more",
        table="teacher_tokens", column="p_teacher", minus="p_student",
        formula=r"P_{te}^k - P_\theta^k", range="−1 to 1", where="Tree",
    ),
)  # fmt: skip

MEASURES: dict[str, Measure] = {measure.key: measure for measure in BUILT_IN}
"""All measures by key, in the order in which they are offered and listed."""


def colours() -> dict[str, Measure]:
    """Those that tokens can be coloured by."""
    return {key: measure for key, measure in MEASURES.items() if measure.colour}


def scores() -> list[Measure]:
    """Those that are computed for the table `scores`."""
    return [measure for measure in MEASURES.values() if measure.value is not None]


def score_columns() -> list[str]:
    """Columns of the table `scores`, keys left out."""
    return [name for measure in scores() for name in (measure.column, *(measure.interval or ()))]


def listed() -> list[Measure]:
    """Those that cards list."""
    return [measure for measure in MEASURES.values() if measure.listed]
