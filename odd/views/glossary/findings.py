"""Terms of the pages Findings and Screening."""

from odd.views.glossary.terms import Entry

FINDINGS = (
    Entry("Noise floor", "The range of 95% of the estimates if teacher and success were unrelated: success is shuffled "
          "among siblings, and everything else stays the same.",
          r"\hat P^k \to \hat P^{\pi(k)},\; k \in S_u", "", "Findings"),
    Entry("p-value, Holm", "How often the mean would be as far from no effect if the sign of every question were "
          "chance; Holm's correction increases it because several teachers are tested at once.",
          r"p_{(i)}^{Holm} = \max_{j \le i} (m - j + 1)\, p_{(j)}", "0 to 1", "Findings"),
    Entry("Wilcoxon", "Signed-rank test of the per-question means or differences; each question counts once.",
          "", "0 to 1", "Findings"),
    Entry("Paper-style test", "Welch's t-test that treats the paths of all teachers as independent samples, which they "
          "are not.", "", "0 to 1", "Findings"),
    Entry("Mean signal", "Success range times cosine, averaged over decision points.",
          r"\frac1n \sum_u \text{range}_u \cos_u", "−1 to 1", "Findings"),
    Entry("Selective oracle", "Keeps only tokens with a cosine above a threshold; it is naive if the same rollouts "
          "choose and measure the tokens.", r"\{u : \cos_u > t\}", "", "Findings"),
    Entry("Honest selection", "Tokens or teachers are chosen on one half of the rollouts and measured on the other, in "
          "both directions, so noise is not rewarded.", "", "", "Findings"),
    Entry("Paths improved", "Share of (path, teacher) pairs with a higher mean signal on the kept tokens than on all "
          "tokens.", "", "0 to 1", "Findings"),
    Entry("Oracle mix", "The best teacher at every token, compared with the single teacher that is best overall.",
          r"\arg\max_{te} \cos_u^{te}", "", "Findings"),
    Entry("Split-half correlation", "Pearson's correlation over tokens between the scores from two halves of the "
          "rollouts.", "", "−1 to 1", "Findings"),
    Entry("Spearman–Brown", "Reliability of all rollouts together, estimated from the correlation of two halves.",
          r"\frac{2r}{1 + r}", "−1 to 1", "Findings"),
    Entry("Settled share", "Expected share of tokens with a settled sign given f times as many rollouts; z is the "
          "posterior mean divided by the posterior standard deviation.",
          r"\Phi\!\Big(\tfrac{z - 1.96/\sqrt f}{\sqrt{1 - 1/f}}\Big) + \Phi\!\Big(\tfrac{-z - 1.96/\sqrt f}{\sqrt{1 - "
          r"1/f}}\Big)", "0 to 1", "Findings"),
    Entry("AUROC", "Probability that the predictor ranks a helpful token above a harmful one, on held-out questions; "
          "0.5 is chance.", "", "0 to 1", "Findings"),
    Entry("Within-path correlation", "Spearman's rank correlation between alignment and a feature over the decision "
          "points of a path, averaged over paths.", r"\rho", "−1 to 1", "Findings"),
)  # fmt: skip

SCREENING = (
    Entry("Accuracy with a context", "Share of correct rollouts of the student given the context, averaged over the "
          "kept questions.", "", "0 to 100%", "Screening"),
    Entry("Questions kept", "Questions that the student answers correctly at least once, and for which every context "
          "could be built.", "", "count", "Screening"),
)  # fmt: skip
