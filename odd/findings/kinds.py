"""All kinds of findings, in page order: texts, quantities and the functions that compute them."""

from odd.findings import (
    best,
    correlations,
    distribution,
    influence,
    open_signs,
    opposite,
    oscillation,
    outcomes,
    prediction,
    published,
    ranking,
    reliability,
    selection,
    sensitivity,
)
from odd.findings.choices import Section
from odd.findings.model import Kind, Quantity
from odd.findings.summaries import SUMMARIES
from odd.findings.words import percent
from odd.method.measures import MEASURES

NAN = float("nan")
_MEASURED = tuple(Quantity(m.key, m.name, m.unit, m.null, judged=m.judged) for m in SUMMARIES)
_SIGNAL = (
    Quantity("signal", "mean signal", "range × cosine"),
    Quantity("gain", "mean gain", MEASURES["gain"].unit, digits=4),
)

SECTIONS: dict[Section, str] = {
    "teachers": "Teachers",
    "training": "What training will do",
    "scores": "Scores along paths",
    "choosing": "Choosing tokens and teachers",
    "trust": "How far to trust it",
}
"""Sections of the page and their headings."""

KINDS: tuple[Kind, ...] = (
    Kind(
        "ranking", "teachers", "Which teacher points towards success",
        "Means over decision points, with 95% intervals over questions.",
        ("teacher",), _MEASURED, ranking.find, tables=(1, 3), published=published.ranking,
    ),
    Kind(
        "outcomes", "teachers", "Correct vs. incorrect paths",
        "The same measures, separately on correct and on incorrect paths.",
        ("teacher", "paths"), _MEASURED, outcomes.find, "outcomes", outcomes=False, tables=(4, 6),
        published=published.outcomes,
    ),
    Kind(
        "influence", "training", "What a step of training will do",
        "First-order change of success for a small step on all tokens of the run's rollouts, when all tokens share the "
        "parameters. Same questions: those trained on; other questions: all but the one of the token.",
        ("teacher",),
        (Quantity("same", "same questions", f"success per step of {influence.STEP:g}", digits=4),
         Quantity("other", "other questions", f"success per step of {influence.STEP:g}", digits=4),
         Quantity("agree", "tokens with a settled sign", "0 to 1", 0.5, judged=False),
         Quantity("halves", "correlation of two halves", "r, −1 to 1", judged=False)),
        influence.find, outcomes=False,
    ),
    Kind(
        "lessons", "training", "Which questions teach which",
        "The same prediction by question: on the question itself, on the others, and from training on the others.",
        ("teacher", "question"),
        tuple(Quantity(key, name, f"success per step of {influence.STEP:g}", digits=4) for key, name in
              {"own": "on itself", "others": "on the others", "from": "from the others"}.items()),
        influence.find_questions, "all_teachers", outcomes=False,
    ),
    Kind(
        "distribution", "scores", "Distribution of the scores",
        "Alignment of single tokens, per teacher.",
        ("teacher", "alignment"), (Quantity("share", "share", "0 to 1", NAN, judged=False),),
        distribution.find, "distribution",
    ),
    Kind(
        "oscillation", "scores", "The sign changes from token to token",
        "How often consecutive decision points of a path have opposite signs.",
        ("teacher",), (Quantity("changes", "share of sign changes", "0 to 1", NAN, judged=False),),
        oscillation.find,
    ),
    Kind(
        "correlations", "scores", "Correlation of alignment with depth and divergence",
        "Spearman's rank correlation within each path, averaged over paths.",
        ("teacher",), tuple(Quantity(key, name, "ρ, −1 to 1", judged=False) for key, name in
                            correlations.FEATURES.items()),
        correlations.find, tables=(5,), published=published.correlations,
    ),
    Kind(
        "selection", "choosing", "Selective oracle, naive and honest",
        "Training only on tokens with a cosine above a threshold. Measured on the rollouts that chose the tokens, "
        "noise counts as signal; measured on the other half of the rollouts, it does not.",
        ("teacher", "tokens", "measured on"),
        (*_SIGNAL, Quantity("kept", "tokens kept", "0 to 1", NAN, judged=False),
         Quantity("improved", "paths improved", "0 to 1", NAN, judged=False)),
        selection.find, "all_teachers", tables=(2,), published=published.selection,
    ),
    Kind(
        "shares", "choosing", "Best teacher per token",
        "The share of tokens at which each teacher has the highest cosine, and how often the other half of the "
        "rollouts agrees.",
        ("teacher",), (Quantity("won", "share won", "0 to 1", NAN, judged=False),
                       Quantity("again", "also won on the other half", "0 to 1", NAN, judged=False)),
        best.find_shares,
    ),
    Kind(
        "mix", "choosing", "Oracle mix vs. the best single teacher",
        "Signal and gain from taking the best teacher at every token.",
        ("teacher", "measured on"), _SIGNAL, best.find_mix,
    ),
    Kind(
        "prediction", "choosing", "What predicts alignment",
        "A logistic regression separates helpful from harmful tokens, using features of a single forward pass of "
        "student and teacher. It is evaluated on held-out questions. Below it: single features.",
        ("predictor", "teacher"), (Quantity("all", "AUROC", "0 to 1", 0.5, judged=False),
                                   Quantity("settled", "AUROC where the sign is settled", "0 to 1", 0.5, judged=False)),
        prediction.find, "all_teachers",
    ),
    Kind(
        "sensitivity", "trust", "Effect of the conventions",
        "Sign and rank of each teacher under every pooling rule, baseline and rest in the run, and with more visits "
        "required per child (N_sig). ● marks an interval that excludes 0.",
        ("convention", "teacher"), (_MEASURED[0], _MEASURED[1], Quantity("rank", "rank", "1 is best", NAN, 0, False)),
        sensitivity.find, "sensitivity",
    ),
    Kind(
        "opposite", "trust", "Where the baselines disagree",
        "How often the full and the children's baseline give a token's cosine opposite signs.",
        ("children in S_u", "teacher pushes"), (Quantity("opposite", "share of opposite signs", "0 to 1", NAN,
                                                         judged=False),),
        opposite.find,
    ),
    Kind(
        "reliability", "trust", "Agreement of two halves of the rollouts",
        "Every score, computed from each half of the rollouts and compared.",
        ("teacher", "visits"), (
            Quantity("alignment", "correlation of alignments", "r, −1 to 1", judged=False),
            Quantity("whole", "reliability of all rollouts", "Spearman-Brown", judged=False),
            Quantity("agree", "sign agreement", "0 to 1", 0.5, judged=False),
            Quantity("gain", "correlation of gains", "r, −1 to 1", judged=False),
        ),
        reliability.find, "all_teachers",
    ),
    Kind(
        "open", "trust", "How many rollouts would settle the remaining signs",
        "Expected share of settled signs with a multiple of the current number of rollouts.",
        ("teacher",), (*(Quantity(f"x{factor:g}", "settled now" if factor == 1 else f"with {factor:g}× rollouts",
                                  "0 to 1", NAN, judged=False) for factor in open_signs.FACTORS),
                       Quantity("factor", f"factor that settles {percent(open_signs.GOAL)}", "times", NAN, 1, False)),
        open_signs.find, "settling",
    ),
)  # fmt: skip
"""All kinds of findings, in page order."""

BY_KEY = {kind.key: kind for kind in KINDS}
