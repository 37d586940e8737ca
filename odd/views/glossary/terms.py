"""Terms of tree, scores, conventions and teachers.

The formulas are those of docs/method.md, in LaTeX. All texts are trusted and may be shown as Markdown.
"""

from dataclasses import dataclass

from odd.method.measures import MEASURES
from odd.method.objectives import registered
from odd.method.pooling import RULES
from odd.views.names import objective_name


@dataclass(frozen=True)
class Entry:
    """A term.

    Attributes:
        term: name, as written on the pages.
        meaning: definition in one sentence.
        formula: LaTeX; empty if none is needed.
        range: values and unit; empty if it is not a number.
        where: pages that show it.
    """

    term: str
    meaning: str
    formula: str = ""
    range: str = ""
    where: str = ""


def entry(key: str) -> Entry:
    """Term of a measure."""
    one = MEASURES[key]
    return Entry(one.term or one.name, one.meaning, one.formula, one.range, one.where)


TREE = (
    Entry(
        "Question, pass rate",
        "Share of initial rollouts, sampled from the question itself, with an answer that is verified as correct; its "
        "interval is the 95% Jeffreys interval.",
        r"p = \frac{\text{correct initial rollouts}}{\text{initial rollouts}}", "0 to 1", "Questions, Tree",
    ),
    Entry(
        "Difficulty",
        "Bin of the pass rate; questions that the student never answers correctly are excluded from scoring.",
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
        "A rollout that is forced through a chosen token and then continued by the student, so rare tokens get enough "
        "visits.",
        "", "", "Tree",
    ),
    Entry(
        "Node u, child k, depth",
        "A node is a prefix of response tokens, a child is one next token, and depth is the number of tokens in the "
        "prefix; nodes are identified by token ids, never by text.",
        "", "tokens", "Tree",
    ),
    Entry(
        "P student",
        "Probability of the token under the student, in the exact distribution that was sampled.",
        r"P_\theta^k = \pi_\theta(k \mid q, u)", "0 to 1", "Tree, Compare",
    ),
    Entry(
        "P teacher",
        "Probability of the same token after the same response prefix under the teacher, which has its own prompt.",
        r"P_{te}^k = \pi_{te}(k \mid q', u)", "0 to 1", "Tree, Compare",
    ),
    entry("success"),
    Entry(
        "Value V(u)",
        "Probability that the student ends correct from a node on: the children's success weighted by their student "
        "probability, with an interval combined from theirs (children never visited may all succeed or all fail), or "
        "the share of successes among the node's own visits if that gives a narrower interval.",
        r"V(u) = \sum_k P_\theta^k \hat P^k", "0 to 1", "Tree",
    ),
    entry("children"),
    entry("success_range"),
    entry("decision"),
    Entry(
        "Correct and incorrect path",
        "Representative correct and incorrect responses, scored at every token; a node on paths of both kinds counts "
        "for both.",
        "", "", "Tree, Findings",
    ),
)  # fmt: skip


def counting() -> tuple[Entry, ...]:
    """Terms of conventions, including one per pooling rule."""
    rules = (Entry(f"{rule.label.capitalize()} counting", rule.meaning, rule.formula) for rule in RULES.values())
    return CONVENTION, *rules, *OUTSIDE


CONVENTION = Entry(
    "Convention",
    "Choices that the method leaves open, recorded with every score: which rollouts count, the baseline, and the "
    "treatment of all other tokens.",
    r"\text{pooling}\,\text{-}\,\text{baseline}\,\text{-}\,\text{rest}", "", "everywhere",
)  # fmt: skip

OUTSIDE = (
    Entry(
        "Baseline: full baseline or children's baseline",
        "The full baseline computes probabilities and means over the whole vocabulary and then restricts to the "
        "children; the children's baseline renormalises both distributions on the children, so with two children the "
        "cosine is always 1 or −1.",
        r"\tilde P^k = P^k \Big/ \sum_{S_u} P^j",
    ),
    Entry(
        "Rest: off or bucket",
        "Off leaves out all tokens that are not counted children; bucket merges them into one additional child with "
        "its own probability and success.",
    ),
)  # fmt: skip

GRADIENTS = (
    Entry(
        "Ideal gradient",
        "The direction in the student's logits that increases success fastest: up for tokens that succeed more often "
        "than the mean, down for the others, weighted by their probability.",
        r"\begin{gathered} g^{ideal}_j = P_\theta^j (\hat P^j - \bar P) \\ "
        r"\bar P = \frac{\sum_{S_u} P_\theta^k \hat P^k}{\sum_{S_u} P_\theta^k} \end{gathered}",
        "success per logit", "Tree, Compare",
    ),
    Entry(
        "Teacher gradient",
        "The direction in which training on the teacher would move the student's logits; the sign is always such that "
        "training follows it.",
        r"\begin{gathered} g_j = P_j (f_j - \bar f) \\ \ell_k = \log P_\theta^k - \log P_{te}^k \end{gathered}",
        "per logit", "Tree, Compare",
    ),
    Entry("Objective", "The distillation loss that the teacher's gradient comes from, such as reverse KL.", "", "",
          "everywhere"),
)  # fmt: skip


def gradients() -> tuple[Entry, ...]:
    """Terms of the gradients, with every objective."""
    # objectives that differ only in what they truncate share a title
    own = {kind.title or objective_name(name): kind for name, kind in registered().items() if kind.meaning}
    return *GRADIENTS, *(Entry(title, kind.meaning, kind.formula) for title, kind in own.items())


INTERVALS = (
    Entry(
        "Interval of a score",
        "The success of each child is drawn repeatedly from its posterior; the interval contains 95% of the resulting "
        "scores, and the score itself.",
        r"\hat P^k \sim \mathrm{Beta}(S_k + \tfrac12,\, N_k - S_k + \tfrac12)", "", "Tree, Compare",
    ),
    Entry(
        "Sign not settled",
        "The 95% interval of the score contains 0, so the rollouts do not yet show whether the teacher helps or harms; "
        "such tokens are muted.",
        r"\text{low} \le 0 \le \text{high}", "", "Tree, Compare",
    ),
)  # fmt: skip

ELSEWHERE = ("children", "success_range", "visits", "decision", "success", "kl", "difference")
"""Measures explained in other groups of terms."""


def scores() -> tuple[Entry, ...]:
    """Terms of the scores of a token."""
    first, *others = (entry(key) for key in MEASURES if key not in ELSEWHERE)
    return first, *INTERVALS, *others


ACROSS = (
    Entry("Mean cosine", "Mean alignment over the decision points, each node counted once.",
          r"\frac1n \sum_u \cos_u", "−1 to 1", "Questions, Compare, Findings"),
    Entry("Fraction positive", "Share of the decision points at which the teacher helps; chance would give 0.5.",
          r"\frac1n \sum_u [\cos_u > 0]", "0 to 1", "Compare, Findings"),
    Entry("Range-weighted cosine", "Mean alignment with each node weighted by its success range.",
          r"\frac{\sum_u \text{range}_u \cos_u}{\sum_u \text{range}_u}", "−1 to 1", "Compare, Findings"),
    Entry("At stake", "How much the choice at a decision point can change: its success range and, where two teachers "
          "are compared, that times the absolute difference of their alignments.", "", "0 to 2", "Tree, Compare"),
    Entry("Best at", "Share of the common decision points at which no compared teacher is better aligned, with ties "
          "split among those that are equal.", "", "0 to 1", "Compare"),
    Entry("Gap, incorrect − correct", "Mean alignment on incorrect paths minus that on correct paths, for a question "
          "averaged over the teachers.", r"\bar\cos_{\text{incorrect}} - \bar\cos_{\text{correct}}", "−2 to 2",
          "Questions, Findings"),
    Entry(
        "Interval across questions",
        "Scores of one question share its rollouts, so questions are the sample: the interval is Student's t with the "
        "spread between questions; it needs three questions, and a verdict six.",
        "", "", "Compare, Findings",
    ),
    Entry("Incorrect − correct", "Mean score at the nodes of incorrect paths minus that at the nodes of correct paths; "
          "if it is above 0, the teacher helps more where the student goes wrong.",
          r"\overline{\cos}_{\text{incorrect}} - \overline{\cos}_{\text{correct}}", "−2 to 2", "Questions, Findings"),
    Entry("Cannot be distinguished", "The 95% interval of the difference contains 0; the difference may be zero, or "
          "too small to detect with these questions.", "", "", "Findings"),
)  # fmt: skip

APART = (
    entry("kl"),
    Entry("KL(teacher ‖ student)", "The same in the other direction.",
          r"\sum_k P_{te}^k \log \frac{P_{te}^k}{P_\theta^k}", "nats, from 0", "Tree"),
    Entry("Jensen–Shannon divergence", "Mean KL divergence of both from their mean m; symmetric.",
          r"\tfrac12 KL(P_\theta \Vert m) + \tfrac12 KL(P_{te} \Vert m)", "0 to log 2 = 0.69 nats", "Tree"),
    Entry("L2 distance, probability cosine", "Norm of the difference of the two probability vectors, and the cosine "
          "of the angle between them.", r"\begin{gathered} \lVert P_\theta - P_{te}\rVert \\ "
          r"\frac{\langle P_\theta, P_{te}\rangle}{\lVert P_\theta\rVert \lVert P_{te}\rVert} \end{gathered}",
          "0 to √2; 0 to 1", "Tree"),
    Entry("Entropy", "Uncertainty of the student or the teacher about the next token.",
          r"-\sum_k P^k \log P^k", "nats, from 0", "Tree"),
    Entry("Top-16 overlap and mass", "Share of the 16 most likely tokens that student and teacher have in common, and "
          "the probability that each assigns to the other's.", r"|T_\theta \cap T_{te}| / 16", "0 to 1", "Tree"),
    entry("difference"),
)  # fmt: skip

TEACHERS = (
    Entry("Teacher", "A model plus a context: another model with the same vocabulary, or the student itself with a "
          "richer prompt."),
    Entry("Self-1C", "The student shown one of its own correct responses to the question."),
    Entry("Self-1C1W", "The student shown a correct response, and a wrong one marked as not to be imitated."),
    Entry("Self-3C, Self-Sum", "The student shown three correct responses, or summaries by a larger model."),
    Entry("Self-check", "The student with its own prompt: its gradient is zero, so it must have no alignment."),
)  # fmt: skip

KEYS = (
    Entry("← →", "Previous, next token; on a branch of the tree, its parent and its main child.",
          where="Tree, Compare"),
    Entry("n p", "Next, previous decision point.", where="Tree"),
    Entry("h H", "Next, previous harmful token.", where="Tree"),
    Entry("g G", "Next, previous helpful token.", where="Tree"),
    Entry("d D", "Next, previous token at which teachers disagree.", where="Compare"),
    Entry("Enter, Esc", "Pin the token or open the row of a table; unpin the token.", where="everywhere"),
    Entry("↑ ↓ Home End", "Go to another row of a table or branch of the tree.", where="Questions, Findings, Tree"),
)  # fmt: skip
