"""The findings of the page, in order: what each is and how it is found."""

from odd.findings import (
    best,
    correlations,
    distribution,
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
    "scores": "Scores along paths",
    "choosing": "Choosing tokens and teachers",
    "trust": "How far to trust it",
}
"""Parts of the page and their names."""

KINDS: tuple[Kind, ...] = (
    Kind(
        "ranking", "teachers", "Which teacher points towards success",
        "Means over decision points, with 95% intervals from resampling whole questions.",
        ("teacher",), _MEASURED, ranking.find, tables=(1, 3), published=published.ranking,
    ),
    Kind(
        "outcomes", "teachers", "Correct against incorrect paths",
        "The same measures where the student ends right and where it ends wrong.",
        ("teacher", "paths"), _MEASURED, outcomes.find, "outcomes", outcomes=False, tables=(4, 6),
        published=published.outcomes,
    ),
    Kind(
        "distribution", "scores", "Distribution of the scores",
        "The alignment of single tokens, teacher by teacher.",
        ("teacher", "alignment"), (Quantity("share", "share", "0 to 1", NAN, judged=False),),
        distribution.find, "distribution",
    ),
    Kind(
        "oscillation", "scores", "From token to token the sign changes",
        "How often two neighbouring decision points of a path have opposite signs.",
        ("teacher",), (Quantity("changes", "share of sign changes", "0 to 1", NAN, judged=False),),
        oscillation.find,
    ),
    Kind(
        "correlations", "scores", "Does alignment follow depth or divergence",
        "Spearman's rank correlation within each path, averaged over paths.",
        ("teacher",), tuple(Quantity(key, name, "ρ, −1 to 1", judged=False) for key, name in
                            correlations.FEATURES.items()),
        correlations.find, tables=(5,), published=published.correlations,
    ),
    Kind(
        "selection", "choosing", "Selective oracle, naive and honest",
        "Training only on tokens whose cosine is above a threshold. Measured on the rollouts that chose the tokens, "
        "noise counts as signal; measured on the other half of the rollouts it does not.",
        ("teacher", "tokens", "measured on"),
        (*_SIGNAL, Quantity("kept", "tokens kept", "0 to 1", NAN, judged=False),
         Quantity("improved", "paths improved", "0 to 1", NAN, judged=False)),
        selection.find, "all_teachers", tables=(2,), published=published.selection,
    ),
    Kind(
        "shares", "choosing", "Best teacher per token",
        "The share of tokens at which each teacher has the highest cosine, and how often the other half of the "
        "rollouts says the same.",
        ("teacher",), (Quantity("won", "share won", "0 to 1", NAN, judged=False),
                       Quantity("again", "won again by the other half", "0 to 1", NAN, judged=False)),
        best.find_shares,
    ),
    Kind(
        "mix", "choosing", "Oracle mix against the best single teacher",
        "What always taking the best teacher would yield.",
        ("teacher", "measured on"), _SIGNAL, best.find_mix,
    ),
    Kind(
        "prediction", "choosing", "What predicts alignment",
        "A logistic regression tells helpful from harmful tokens by what a single forward pass of student and teacher "
        "shows, judged on questions that it was not fitted on; below it, single features.",
        ("predictor", "teacher"), (Quantity("all", "AUROC", "0 to 1", 0.5, judged=False),
                                   Quantity("settled", "AUROC where the sign is settled", "0 to 1", 0.5, judged=False)),
        prediction.find, "all_teachers",
    ),
    Kind(
        "sensitivity", "trust", "What the conventions change",
        "Sign and rank of each teacher under every pooling, baseline and rest of the run, and where children need more "
        "visits to count (N_sig). ● marks an interval that does not hold 0.",
        ("convention", "teacher"), (_MEASURED[0], _MEASURED[1], Quantity("rank", "rank", "1 is best", NAN, 0, False)),
        sensitivity.find, "sensitivity",
    ),
    Kind(
        "opposite", "trust", "Where the baselines disagree",
        "How often the full and the children's baseline give the cosine of a token opposite signs.",
        ("children in S_u", "teacher pushes"), (Quantity("opposite", "share of opposite signs", "0 to 1", NAN,
                                                         judged=False),),
        opposite.find,
    ),
    Kind(
        "reliability", "trust", "Do two halves of the rollouts agree",
        "Every score computed from each half of the rollouts, and compared.",
        ("teacher", "visits"), (
            Quantity("alignment", "correlation of alignments", "r, −1 to 1", judged=False),
            Quantity("whole", "reliability of the whole", "Spearman-Brown", judged=False),
            Quantity("agree", "agreement of signs", "0 to 1", 0.5, judged=False),
            Quantity("gain", "correlation of gains", "r, −1 to 1", judged=False),
        ),
        reliability.find, "all_teachers",
    ),
    Kind(
        "open", "trust", "How many rollouts would settle the open signs",
        "The expected share of signs that are settled, with so many times as many rollouts.",
        ("teacher",), (*(Quantity(f"x{factor:g}", "settled now" if factor == 1 else f"with {factor:g} times", "0 to 1",
                                  NAN, judged=False) for factor in open_signs.FACTORS),
                       Quantity("factor", f"factor that settles {percent(open_signs.GOAL)}", "times", NAN, 1, False)),
        open_signs.find, "settling",
    ),
)  # fmt: skip
"""All kinds of findings."""

BY_KEY = {kind.key: kind for kind in KINDS}
