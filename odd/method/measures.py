"""The measures of a token, each declared once: how it is computed, stored, coloured, named and explained.

The columns of the score tables, payloads, the choice of colours, legends, cards and the glossary all derive from
`MEASURES`. To add a measure, add an entry there. Dimension letters as in `odd.method.logspace`; for nodes that are
scored together: N nodes, P pairs of teacher and objective (the objective varies fastest), C components.
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
    posterior_advantage,
    posterior_alignment,
    posterior_gain,
    success_range,
    teacher_advantage,
)
from odd.method.gradients import ideal_gradient

Ends = tuple[str, str]
"""Columns of the lower and the upper end of a 95% interval."""


@dataclass(frozen=True, eq=False)
class Nodes:
    """Input of the measures: N nodes with the same number of children under one convention.

    Attributes:
        p: P_theta of each component.
        success: P̂ of each component, from all rollouts or from half of them.
        gradients: gradient of every pair.
        q: teacher probabilities of the children S_u, which come first among the components; NaN where unknown.
        rest: P̂ of everything outside S_u.
        visits: total number of rollouts that count for the children.
        draws: posterior draws of `success`; empty for half of the rollouts, for which only scores without draws are
            computed.
        rest_draws: posterior draws of `rest`.
        distinct: indices of pairs with different gradients; an objective without a teacher has one for all teachers.
        copies: for each pair, its index among the distinct ones.
    """

    p: Float64[np.ndarray, "N C"]
    success: Float64[np.ndarray, "N C"]
    gradients: Float64[np.ndarray, "N P C"]
    q: Float64[np.ndarray, "N M K"]
    rest: Float64[np.ndarray, " N"]
    visits: Int64[np.ndarray, " N"]
    draws: Float64[np.ndarray, "N D C"]
    rest_draws: Float64[np.ndarray, "N D"]
    distinct: Int64[np.ndarray, " _"]
    copies: Int64[np.ndarray, " P"]

    @cached_property
    def ideal(self) -> Float64[np.ndarray, "N C"]:
        """Ideal gradient of each node, relative to the mean of its components."""
        return ideal_gradient(self.p, self.success)

    @cached_property
    def alignment(self) -> Float64[np.ndarray, "N P"]:
        """Cosine of the ideal and the teacher gradient."""
        return cosine(self.ideal[:, None], self.gradients)

    @cached_property
    def posterior(self) -> PosteriorAlignment:
        """Uncertainty of the alignment from the posterior draws, (N, P) each."""
        draws = ideal_gradient(self.p[:, None], self.draws)
        found = posterior_alignment(draws, self.gradients.take(self.distinct, axis=1))
        return PosteriorAlignment(*(values.take(self.copies, axis=1) for values in found))

    @property
    def gain(self) -> Float64[np.ndarray, "N P"]:
        """First-order change of V(u), to which the rest contributes."""
        return gain(ideal_gradient(self.p, self.success, self.rest)[:, None], self.gradients)

    @property
    def gain_ends(self) -> tuple[Float64[np.ndarray, "N P"], Float64[np.ndarray, "N P"]]:
        """Ends of the interval of the gain."""
        draws = ideal_gradient(self.p[:, None], self.draws, self.rest_draws)
        low, high = posterior_gain(draws, self.gradients.take(self.distinct, axis=1)).take(self.copies, axis=2)
        return low, high

    @property
    def advantage(self) -> Float64[np.ndarray, "N P"]:
        """Teacher advantage, the same for all objectives."""
        found = teacher_advantage(self.p_children[:, None], self.q, self.of_children[:, None], self.rest[:, None])
        return found.repeat(self._objectives, axis=1)

    @property
    def advantage_ends(self) -> tuple[Float64[np.ndarray, "N P"], Float64[np.ndarray, "N P"]]:
        """Ends of the interval of the teacher advantage."""
        success = self.draws[..., : self.children]
        found = posterior_advantage(self.p_children, self.q, success, self.rest_draws)
        low, high = found.repeat(self._objectives, axis=2)
        return low, high

    @property
    def children(self) -> int:
        """Number of children, K."""
        return self.q.shape[-1]

    @property
    def p_children(self) -> Float64[np.ndarray, "N K"]:
        """P_theta of the children S_u, without the rest."""
        return self.p[:, : self.children]

    @property
    def of_children(self) -> Float64[np.ndarray, "N K"]:
        """P̂ of the children S_u, without the rest."""
        return self.success[:, : self.children]

    @property
    def _objectives(self) -> int:
        return self.gradients.shape[1] // self.q.shape[1]

    def where_aligned(self, values: Float[np.ndarray, "N P"]) -> Float64[np.ndarray, "N P"]:
        """Set values to NaN where the alignment is undefined: a score without a value has no interval either."""
        return np.where(np.isnan(self.alignment), np.nan, values)


Values = Shaped[np.ndarray, "N #P"]
"""One value per node and pair, or per node."""


@dataclass(frozen=True)
class Measure:
    """A quantity of a token, or of the node before it.

    Attributes:
        key: short name, as used in links.
        name: full name.
        meaning: one sentence for the glossary.
        short: name where space is limited.
        symbol: name on axes.
        unit: unit; empty for a pure number.
        suffix: text after a value; usually empty.
        digits: digits after the decimal point.
        colour: whether tokens can be coloured by it.
        listed: whether cards list it among the scores of a token.
        kind: type of colour scale: diverging from `centre`, success from 0 to 1, or sequential from 0.
        low: meaning of the low end of the colour scale.
        high: meaning of the high end.
        better: whether higher is better; None: neither.
        centre: centre of a diverging colour scale.
        end: upper end of the colour scale, if `scale` is fixed.
        scale: fixed; or the end depends on the question: its largest value, or its 95% quantile where a long tail would
            make all other values pale.
        table: table that stores it.
        column: its column in that table and in a row of a path.
        minus: column that is subtracted from it.
        comment: description of the column in a run file.
        type: type of the column.
        value: computes it for the table `scores`; None: it is stored elsewhere.
        ends: computes the ends of its interval.
        interval: columns of these ends, on the scale of the measure.
        settled_by: columns of the interval that must exclude 0 for its sign to be settled.
        optional: whether it is computed apart from the scores, so that many runs lack it; pages then leave it out.
        halves: whether it is also computed from each half of the rollouts, without draws.
        term: its name in the glossary, if different.
        formula: LaTeX for the glossary.
        range: range of values for the glossary.
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
    optional: bool = False
    halves: bool = False
    term: str = ""
    formula: str = ""
    range: str = ""
    where: str = "Tree, Compare"

    def __post_init__(self) -> None:
        """Fill in defaults that derive from other fields."""
        for name, usual in (("short", self.name), ("symbol", self.short or self.name), ("column", self.key)):
            if not getattr(self, name):
                object.__setattr__(self, name, usual)

    def bounds(self, nodes: Nodes) -> tuple[Values, ...]:
        """Return the ends of the interval, or nothing without one.

        The value comes from the counts and the interval from posterior draws: it is extended to the value where a prior
        moved it away.
        """
        if self.ends is None or self.value is None:
            return ()
        low, high = self.ends(nodes)
        value = np.where(np.isnan(low), np.nan, self.value(nodes))
        return np.fmin(low, value), np.fmax(high, value)

    @property
    def signed(self) -> bool:
        """Whether values are shown with a sign."""
        return self.kind == "diverging" and self.centre == 0


BUILT_IN = (
    Measure(
        "alignment", "alignment",
        "Whether the teacher pushes towards success here: positive is helpful, negative harmful; undefined where "
        "either gradient is zero.",
        symbol="align", unit="cosine", digits=2, low="harmful", high="helpful", better=True,
        comment="cosine of ideal and teacher gradient, -1 to 1",
        value=lambda nodes: nodes.alignment,
        ends=lambda nodes: (
            nodes.where_aligned(nodes.posterior.low), nodes.where_aligned(nodes.posterior.high)
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
        "First-order change of success for a step of length 1 along the teacher's gradient at the children that count; "
        "success is that of all tokens, the rest included, which may all fail or all succeed where no rollout took "
        "it; linear in success, so unlike the cosine it is not biased by noise.",
        unit="success per unit step", digits=4, low="harmful", high="helpful", better=True, scale="largest",
        comment="first-order change of success per unit step along the teacher gradient",
        value=lambda nodes: nodes.gain, ends=lambda nodes: nodes.gain_ends,
        interval=("gain_low", "gain_high"), settled_by=("gain_low", "gain_high"), halves=True,
        term="Gain", range="success per unit step", where="Tree, Compare, Findings",
        formula=r"\text{gain}(u) = \frac{\sum_{S_u} P_\theta^k (\hat P^k - V(u))\, g^D_k}{\lVert g^{D}\rVert}",
    ),
    Measure(
        "advantage", "teacher advantage",
        "How much more often the student would succeed if it chose the next token as the teacher would; what the "
        "teacher would choose outside the children that count may fail or succeed.",
        short="advantage", symbol="adv", unit="success", low="harmful", high="helpful", better=True, scale="largest",
        comment="success if the teacher chose the next token minus success of the student",
        value=lambda nodes: nodes.advantage, ends=lambda nodes: nodes.advantage_ends,
        interval=("advantage_low", "advantage_high"), settled_by=("advantage_low", "advantage_high"), halves=True,
        term="Teacher advantage", range="−1 to 1", where="Tree, Compare, Findings",
        formula=r"\text{Adv}(u) = \sum_k P_{te}^k \hat P^k - V(u)",
    ),
    Measure(
        "influence", "influence",
        "First-order change of success on the questions of the run if all parameters move as this token's distillation "
        "term asks: how the student's logits move here when it improves, times where the teacher pushes them; the "
        "mean of two values from disjoint rollouts, neither with this token's own, and muted where their signs differ.",
        short="infl.", symbol="infl.", unit="success per unit of learning rate", digits=4, low="harmful",
        high="helpful", better=True, scale="quantile", table="token_influence",
        settled_by=("influence_low", "influence_high"), optional=True, where="Tree, Compare, Findings",
        term="Influence", range="success per unit of learning rate",
        formula=r"\text{influence}(u) = \langle \dot z(u), g^{D}(u)\rangle, \quad \dot z(u) = "
                r"\frac{\partial z(u)}{\partial\theta} \nabla_\theta J",
    ),
    Measure(
        "influence_other", "influence on other questions",
        "Influence on success on all questions of the run but the token's own: what carries over from it.",
        short="infl. others", symbol="infl.", unit="success per unit of learning rate", digits=4, low="harmful",
        high="helpful", better=True, scale="quantile", table="token_influence",
        settled_by=("influence_other_low", "influence_other_high"), optional=True,
        term="Influence on other questions", range="success per unit of learning rate",
    ),
    Measure(
        "children", "children that count",
        "The children with at least n_sig visits (20 by default); |S_u| is their number.",
        short="|S_u|", digits=0, colour=False, listed=False, comment="|S_u|, children with enough visits",
        type="INTEGER", value=lambda nodes: np.full((len(nodes.visits), 1), nodes.children),
        term="Children that count, S_u", formula=r"S_u = \{k : N_k \ge n_{sig}\}", range="count",
    ),
    Measure(
        "success_range", "success range",
        "How much depends on the choice of the next token: largest minus smallest success of the children that count.",
        short="range", digits=2, colour=False, listed=False,
        comment="largest minus smallest success of the children",
        value=lambda nodes: success_range(nodes.of_children)[:, None], halves=True,
        term="Success range", range="0 to 1", where="Tree, Compare, Findings",
        formula=r"\text{range}_u = \max_{S_u} \hat P^k - \min_{S_u} \hat P^k",
    ),
    Measure(
        "visits", "visits of the children", "Total number of rollouts that count for the children that count.",
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
        "Estimated probability that the student ends correct after taking the token; the interval is the 95% "
        "Jeffreys interval, from the posterior Beta(S + ½, N − S + ½), or a Wilson interval where visits are pooled; "
        "with the siblings prior, a child's rollouts are weighed against the results of its siblings.",
        short="P̂", unit="probability", digits=2, listed=False, kind="success", low="fails", high="succeeds",
        better=True, table="success", interval=("success_low", "success_high"),
        term="Success P̂ (P_succ)", formula=r"\hat P^k = \frac{S_k}{N_k}", range="0 to 1",
    ),
    Measure(
        "kl", "KL(student ‖ teacher)",
        "How far the student's distribution is from the teacher's, over the whole vocabulary; not symmetric.",
        short="KL", unit="nats", suffix="nats", kind="sequential", low="same", high="different", scale="quantile",
        table="node_teachers", column="kl_student_teacher",
        formula=r"\sum_k P_\theta^k \log \frac{P_\theta^k}{P_{te}^k}", range="nats, from 0", where="Tree",
    ),
    Measure(
        "difference", "P teacher − P student", "How much more likely the token is under the teacher.",
        short="ΔP", unit="probability", listed=False, low="teacher: less", high="teacher: more",
        table="teacher_tokens", column="p_teacher", minus="p_student",
        formula=r"P_{te}^k - P_\theta^k", range="−1 to 1", where="Tree",
    ),
)  # fmt: skip

MEASURES: dict[str, Measure] = {measure.key: measure for measure in BUILT_IN}
"""All measures by key, in display order."""


def colours() -> dict[str, Measure]:
    """Return the measures that tokens can be coloured by."""
    return {key: measure for key, measure in MEASURES.items() if measure.colour}


def scores() -> list[Measure]:
    """Return the measures that are computed for the table `scores`."""
    return [measure for measure in MEASURES.values() if measure.value is not None]


def score_columns() -> list[str]:
    """Return the columns of the table `scores`, without keys."""
    return [name for measure in scores() for name in (measure.column, *(measure.interval or ()))]


def listed() -> list[Measure]:
    """Return the measures that cards list."""
    return [measure for measure in MEASURES.values() if measure.listed]
