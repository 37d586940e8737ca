"""Statistics over nodes, with questions as clusters (method §7): pure functions of arrays, one topic per module."""

from odd.findings.statistics.clusters import (
    COSINE,
    LEAST_VERDICT,
    SHARE,
    Estimate,
    cluster_correlation,
    cluster_difference,
    cluster_estimate,
    cluster_means,
    positive,
)
from odd.findings.statistics.noise import NoiseFloor, noise_floor
from odd.findings.statistics.pairs import pair_mean
from odd.findings.statistics.power import questions_missing, smallest_effect
from odd.findings.statistics.prediction import clustered_auroc, cross_validated_scores
from odd.findings.statistics.ranks import grouped_spearman, improved, sign_changes
from odd.findings.statistics.reliability import factor_for, settled_probability, spearman_brown
from odd.findings.statistics.siblings import Scores, Siblings, node_numbers
from odd.findings.statistics.significance import holm, welch_p, wilcoxon_p
from odd.findings.statistics.winners import mixed, winners

__all__ = [
    "COSINE",
    "LEAST_VERDICT",
    "SHARE",
    "Estimate",
    "NoiseFloor",
    "Scores",
    "Siblings",
    "cluster_correlation",
    "cluster_difference",
    "cluster_estimate",
    "cluster_means",
    "clustered_auroc",
    "cross_validated_scores",
    "factor_for",
    "grouped_spearman",
    "holm",
    "improved",
    "mixed",
    "node_numbers",
    "noise_floor",
    "pair_mean",
    "positive",
    "questions_missing",
    "settled_probability",
    "sign_changes",
    "smallest_effect",
    "spearman_brown",
    "welch_p",
    "wilcoxon_p",
    "winners",
]
