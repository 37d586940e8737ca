"""The success of edges in two random halves of the rollouts, for estimates that must not judge by what they chose by.

Choosing tokens by a noisy score and measuring them on the same rollouts rewards the noise (method §7, honest
selection). Two halves are two independent estimates: one chooses, the other measures, and how well they agree is the
reliability of the scores.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from odd.analysis.question_tree import QuestionTree
from odd.method.success import edge_counts, launch_edges, random_halves, stratified
from odd.rollouts.sampling import derived_seed


def half_rows(question: QuestionTree) -> pd.DataFrame:
    """Two rows an edge that leaves a path node: its counts, and its stratified success, in each half."""
    edges = question.path_edges()
    forced = np.array([rollout.launch for rollout in question.rollouts])
    launch = question.tree.rollout_nodes[np.arange(len(forced)), forced]
    rng = np.random.default_rng([question.config.seed, derived_seed(question.question, "halves")])
    second = random_halves(launch, rng)
    return pd.concat([_half(question, edges, forced, second == bool(half), half) for half in (0, 1)], ignore_index=True)


def _half(question: QuestionTree, edges: np.ndarray, forced: np.ndarray, part: np.ndarray, half: int) -> pd.DataFrame:
    """Counts as if only the rollouts of one half had been drawn, on the nodes of the whole tree."""
    tree = replace(question.tree, rollout_nodes=question.tree.rollout_nodes[part])
    forced, correct = forced[part], np.array([rollout.correct for rollout in question.rollouts])[part]
    on_policy = edge_counts(tree, forced, correct, "on_policy")
    pooled = edge_counts(tree, forced, correct, "pooled")
    natural = edge_counts(tree, forced, correct, "natural")
    backed_up = stratified(tree, on_policy, launch_edges(tree, forced), np.exp(question.log_p))
    return pd.DataFrame(
        {
            "node": edges,
            "half": half,
            "visits": on_policy.visits[edges],
            "successes": on_policy.successes[edges],
            "pooled_visits": pooled.visits[edges],
            "pooled_successes": pooled.successes[edges],
            "natural_visits": natural.visits[edges],
            "natural_successes": natural.successes[edges],
            "stratified": backed_up[edges],
        }
    )
