"""The terms of the page Findings."""

from odd.views.glossary.terms import Entry

FINDINGS = (
    Entry("Noise floor", "Where 95% of a number would fall if teacher and success were unrelated: the success of the "
          "children is shuffled among siblings, everything else stays.",
          r"\hat P^k \to \hat P^{\pi(k)},\; k \in S_u", "", "Findings"),
    Entry("p-value, Holm", "Twice the smaller share of resampled means on either side of no effect; Holm's correction "
          "scales it up as several teachers are tested at once.",
          r"p_{(i)}^{Holm} = \max_{j \le i} (m - j + 1)\, p_{(j)}", "0 to 1", "Findings"),
    Entry("Wilcoxon", "Signed-rank test of the means, or differences, of the questions, each of which counts once.",
          "", "0 to 1", "Findings"),
    Entry("Paper-style test", "Welch's t-test that takes the paths of all teachers for independent samples, which they "
          "are not.", "", "0 to 1", "Findings"),
    Entry("Mean signal", "Success range times cosine, averaged over decision points.",
          r"\frac1n \sum_u \text{range}_u \cos_u", "−1 to 1", "Findings"),
    Entry("Selective oracle", "Only tokens with a cosine above a threshold are kept; naive where the rollouts that "
          "choose them also measure them.", r"\{u : \cos_u > t\}", "", "Findings"),
    Entry("Honest selection", "Tokens, or teachers, are chosen by one half of the rollouts and measured on the other, "
          "both ways round, so that noise is not rewarded.", "", "", "Findings"),
    Entry("Paths improved", "Share of paths, each under each teacher, whose mean signal is higher on the kept tokens "
          "than on all.", "", "0 to 1", "Findings"),
    Entry("Oracle mix", "The best teacher at every token, against the one teacher that is best on the whole.",
          r"\arg\max_{te} \cos_u^{te}", "", "Findings"),
    Entry("Split-half correlation", "Pearson's correlation, over tokens, of the scores by either half of the rollouts.",
          "", "−1 to 1", "Findings"),
    Entry("Spearman–Brown", "What the correlation of two halves says of the reliability of all rollouts together.",
          r"\frac{2r}{1 + r}", "−1 to 1", "Findings"),
    Entry("Settled share", "Expected share of tokens whose sign would be settled with f times as many rollouts, z "
          "being the posterior mean over its standard deviation.",
          r"\Phi\!\Big(\tfrac{z - 1.96/\sqrt f}{\sqrt{1 - 1/f}}\Big) + \Phi\!\Big(\tfrac{-z - 1.96/\sqrt f}{\sqrt{1 - "
          r"1/f}}\Big)", "0 to 1", "Findings"),
    Entry("AUROC", "Probability that the predictor ranks a helpful token above a harmful one, on questions that it was "
          "not fitted on; 0.5 is guessing.", "", "0 to 1", "Findings"),
    Entry("Within-path correlation", "Spearman's rank correlation of alignment and a feature over the decision points "
          "of a path, averaged over paths.", r"\rho", "−1 to 1", "Findings"),
)  # fmt: skip

SCREENING = (
    Entry("Accuracy with a context", "Share of correct rollouts of the student that is shown something, mean over "
          "the questions kept.", "", "0 to 100%", "Screening"),
    Entry("Questions kept", "Those that the student answers at times, and for which every context could be made.",
          "", "count", "Screening"),
)  # fmt: skip
