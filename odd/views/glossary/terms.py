"""The terms of the tree, the scores and the teachers: a sentence, its formula, its range, and where it is shown.

The formulas are those of docs/method.md, in LaTeX. All texts here are our own and may be shown as Markdown.
"""

from dataclasses import dataclass

from odd.method.measures import MEASURES
from odd.method.pooling import RULES


@dataclass(frozen=True)
class Entry:
    """A term.

    Attributes:
        term: its name, as the pages write it.
        meaning: a sentence.
        formula: LaTeX; empty where a sentence says it all.
        range: values and unit; empty for what is not a number.
        where: pages that show it.
    """

    term: str
    meaning: str
    formula: str = ""
    range: str = ""
    where: str = ""


def entry(key: str) -> Entry:
    """The term of a measure."""
    one = MEASURES[key]
    return Entry(one.term or one.name, one.meaning, one.formula, one.range, one.where)


TREE = (
    Entry(
        "Question, pass rate",
        "The share of the initial rollouts, sampled from the question itself, whose answer is verified as correct; its "
        "interval is the 95% Jeffreys interval.",
        r"p = \frac{\text{correct initial rollouts}}{\text{initial rollouts}}", "0 to 1", "Questions, Tree",
    ),
    Entry(
        "Difficulty",
        "The bin of the pass rate; questions that the student never answers are excluded from scoring.",
        r"\begin{gathered} \text{easy: } p \ge 0.8 \quad \text{medium: } p \ge 0.25 \\ \text{hard: } p > 0 \quad "
        r"\text{never: } p = 0 \end{gathered}", "bins of p", "Questions",
    ),
    Entry(
        "Rollout, visits n",
        "A rollout is one sampled response; the visits of a token are the rollouts that count for it under the chosen "
        "convention.",
        "", "count", "everywhere",
    ),
    Entry(
        "Targeted rollout",
        "A rollout that is forced through a chosen token and then continued by the student, so that rare tokens get "
        "enough visits.",
        "", "", "Tree",
    ),
    Entry(
        "Node u, child k, depth",
        "A node is a prefix of response tokens, a child is one next token, and depth counts the tokens of the prefix; "
        "nodes are told apart by token ids, never by text.",
        "", "tokens", "Tree",
    ),
    Entry(
        "P student",
        "Probability of the token under the student, from the very distribution that was sampled.",
        r"P_\theta^k = \pi_\theta(k \mid q, u)", "0 to 1", "Tree, Compare",
    ),
    Entry(
        "P teacher",
        "Probability of the same token after the same response prefix under the teacher, which reads its own prompt.",
        r"P_{te}^k = \pi_{te}(k \mid q', u)", "0 to 1", "Tree, Compare",
    ),
    entry("success"),
    Entry(
        "Value V(u)",
        "The student's probability of ending correct from a node on: its children's success, weighted by how likely it "
        "takes them, with an interval made of theirs (children that were never visited may all succeed or fail), or "
        "the share of successes among the node's own visits where these give a narrower interval.",
        r"V(u) = \sum_k P_\theta^k \hat P^k", "0 to 1", "Tree",
    ),
    entry("children"),
    entry("success_range"),
    entry("decision"),
    Entry(
        "Correct and incorrect path",
        "Representative responses whose every token is studied, told apart by how they end; a node that both share "
        "counts for both.",
        "", "", "Tree, Findings",
    ),
)  # fmt: skip


def counting() -> tuple[Entry, ...]:
    """The terms of conventions; a pooling rule brings its own."""
    rules = (Entry(f"{rule.label.capitalize()} counting", rule.meaning, rule.formula) for rule in RULES.values())
    return CONVENTION, *rules, *OUTSIDE


CONVENTION = Entry(
    "Convention",
    "What the method leaves open, recorded with every score: which rollouts count, the baseline, and what becomes of "
    "all other tokens.",
    r"\text{pooling}\,\text{-}\,\text{baseline}\,\text{-}\,\text{rest}", "", "everywhere",
)  # fmt: skip

OUTSIDE = (
    Entry(
        "Baseline: full or children",
        "Full takes probabilities and means over the whole vocabulary and then looks at the children; children's "
        "renormalises both distributions on them, and with two children the cosine is then always 1 or −1.",
        r"\tilde P^k = P^k \Big/ \sum_{S_u} P^j",
    ),
    Entry(
        "Rest: off or bucket",
        "Off leaves out the tokens outside the children that count; bucket joins them into one more child with its own "
        "probability and success.",
    ),
)  # fmt: skip

GRADIENTS = (
    Entry(
        "Ideal gradient",
        "The direction in the student's logits that raises success fastest: up for tokens that succeed more often than "
        "the mean, down for the others, weighted by their probability.",
        r"\begin{gathered} g^{ideal}_j = P_\theta^j (\hat P^j - \bar P) \\ "
        r"\bar P = \frac{\sum_{S_u} P_\theta^k \hat P^k}{\sum_{S_u} P_\theta^k} \end{gathered}",
        "success per logit", "Tree, Compare",
    ),
    Entry(
        "Teacher gradient",
        "The direction in which training on the teacher would move the student's logits; always written so that "
        "following it is what training does.",
        r"\begin{gathered} g_j = P_j (f_j - \bar f) \\ \ell_k = \log P_\theta^k - \log P_{te}^k \end{gathered}",
        "per logit", "Tree, Compare",
    ),
    Entry("reverse KL", "Minimises KL(student ‖ teacher); the paper calls it forward.",
          r"-P_\theta^j (\ell_j - \bar\ell), \quad \bar\ell = \sum_k P_\theta^k \ell_k"),
    Entry("forward KL", "Minimises KL(teacher ‖ student).", r"P_{te}^j - P_\theta^j"),
    Entry("JSD (β)", "Minimises the generalised Jensen–Shannon divergence to the mixture M of both.",
          r"\begin{gathered} P_\theta^j (f_j - \bar f), \quad f = -(1-\beta) \log\frac{P_\theta}{M} \\ "
          r"M = \beta P_{te} + (1-\beta) P_\theta \end{gathered}"),
    Entry("sampled reverse KL", "Estimates the reverse KL from the token r that each rollout drew.",
          r"\operatorname{mean}_r\, (\log P_{te}^r - \log P_\theta^r - 1)(\delta_{rj} - P_\theta^j)"),
    Entry("Dr. GRPO", "The policy gradient of the rewards themselves, without a teacher: a check, whose cosine must "
          "tend to 1.", r"\begin{gathered} \operatorname{mean}_i\, A_i (\delta_{rj} - P_\theta^j) \\ "
          r"A_i = \frac{R_i - \bar R}{\operatorname{std} R} \end{gathered}"),
    Entry("MiniLLM (γ)", "The policy gradient whose reward is how much likelier the teacher finds the rest of the "
          "response, each token counting γ times as much as the one before.",
          r"\begin{gathered} P_\theta^j (f_j - \bar f) \\ f_k = \operatorname{mean} \sum_{t' \ge t} \gamma^{t'-t} "
          r"(\log P_{te} - \log P_\theta) \end{gathered}"),
    Entry("top-k KL", "The same on the k likeliest tokens; the label says whose, and whether the rest is one bucket, "
          "renormalised away, or dropped."),
)  # fmt: skip

INTERVALS = (
    Entry(
        "Interval of a score",
        "Success of each child is drawn from its posterior again and again; 95% of the scores that follow lie in the "
        "interval.",
        r"\hat P^k \sim \mathrm{Beta}(S_k + \tfrac12,\, N_k - S_k + \tfrac12)", "", "Tree, Compare",
    ),
    Entry(
        "Sign not settled",
        "The 95% interval of the score contains 0, so the rollouts do not yet tell helpful from harmful; such tokens "
        "are muted.",
        r"\text{low} \le 0 \le \text{high}", "", "Tree, Compare",
    ),
)  # fmt: skip

ELSEWHERE = ("children", "success_range", "visits", "decision", "success", "kl", "difference")
"""Measures that other groups of terms explain."""


def scores() -> tuple[Entry, ...]:
    """The terms of the scores of a token."""
    first, *others = (entry(key) for key in MEASURES if key not in ELSEWHERE)
    return first, *INTERVALS, *others


ACROSS = (
    Entry("Mean cosine", "Mean alignment over the decision points, every node counted once.",
          r"\frac1n \sum_u \cos_u", "−1 to 1", "Questions, Compare, Findings"),
    Entry("Fraction positive", "Share of the decision points at which the teacher helps; a coin would give 0.5.",
          r"\frac1n \sum_u [\cos_u > 0]", "0 to 1", "Compare, Findings"),
    Entry("Range-weighted cosine", "Mean alignment in which a node counts as much as its choice decides.",
          r"\frac{\sum_u \text{range}_u \cos_u}{\sum_u \text{range}_u}", "−1 to 1", "Compare, Findings"),
    Entry(
        "Interval across questions",
        "Scores of one question share its rollouts, so whole questions are resampled; the interval holds 95% of 2,000 "
        "means, and with few questions it is rough and rather too short.",
        "", "", "Compare, Findings",
    ),
    Entry("Incorrect − correct", "Mean score at the nodes of incorrect paths minus that at the nodes of correct paths: "
          "above 0, the teacher helps more where the student goes wrong.",
          r"\overline{\cos}_{\text{incorrect}} - \overline{\cos}_{\text{correct}}", "−2 to 2", "Questions, Findings"),
    Entry("Cannot be told apart", "The 95% interval of the difference contains 0; it may be zero, or too small for "
          "these questions to show.", "", "", "Findings"),
)  # fmt: skip

APART = (
    entry("kl"),
    Entry("KL(teacher ‖ student)", "The same the other way round.",
          r"\sum_k P_{te}^k \log \frac{P_{te}^k}{P_\theta^k}", "nats, from 0", "Tree"),
    Entry("Jensen–Shannon divergence", "Mean divergence of both to their middle m; symmetric.",
          r"\tfrac12 KL(P_\theta \Vert m) + \tfrac12 KL(P_{te} \Vert m)", "0 to log 2 = 0.69 nats", "Tree"),
    Entry("L2 distance, probability cosine", "Length of the difference of the two probability vectors, and the cosine "
          "of the angle between them.", r"\begin{gathered} \lVert P_\theta - P_{te}\rVert \\ "
          r"\frac{\langle P_\theta, P_{te}\rangle}{\lVert P_\theta\rVert \lVert P_{te}\rVert} \end{gathered}",
          "0 to √2; 0 to 1", "Tree"),
    Entry("Entropy", "How undecided the student, or the teacher, is about the next token.",
          r"-\sum_k P^k \log P^k", "nats, from 0", "Tree"),
    Entry("Top-16 overlap and mass", "Share of the 16 likeliest tokens that student and teacher have in common, and "
          "the probability that each gives to the other's.", r"|T_\theta \cap T_{te}| / 16", "0 to 1", "Tree"),
    entry("difference"),
)  # fmt: skip

TEACHERS = (
    Entry("Teacher", "A model plus a context: another model of the same vocabulary, or the student itself with a "
          "richer prompt."),
    Entry("Self-1C", "The student that sees one of its own correct responses to the question."),
    Entry("Self-1C1W", "The student that sees a correct response, and a wrong one marked as not to be imitated."),
    Entry("Self-3C, Self-Sum", "The student that sees three correct responses, or summaries by a larger model."),
    Entry("Self-check", "The student with its own prompt: its gradient is zero, so it must have no alignment."),
)  # fmt: skip

KEYS = (
    Entry("← →", "The token before, the token after; on a branch of the tree, its parent and its main child.",
          where="Tree, Compare"),
    Entry("n p", "The next, the previous decision point.", where="Tree"),
    Entry("h H", "The next, the previous harmful token.", where="Tree"),
    Entry("g G", "The next, the previous helpful token.", where="Tree"),
    Entry("d D", "The next, the previous token at which teachers disagree.", where="Compare"),
    Entry("Enter, Esc", "Pins the token, or opens the row of a table; takes the pin away.", where="everywhere"),
    Entry("↑ ↓ Home End", "Another row of a table, or another branch of the tree.", where="Questions, Findings, Tree"),
)  # fmt: skip
