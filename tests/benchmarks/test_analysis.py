"""The benchmark of gradients and alignment does the work it reports."""

import subprocess
import sys

import numpy as np

from benchmarks.analysis import CHILDREN, PARTS, make_block, measure, tree_of
from benchmarks.serving import ROOT
from odd.analysis.teacher_scores import score_teachers
from odd.config import AnalysisConfig


def test_every_node_has_its_children_and_so_every_score():
    config = AnalysisConfig()
    tree = tree_of(*make_block(300, 2, np.random.default_rng(0)), config)
    scores = score_teachers(tree)["scores"]
    assert len(scores) == len(tree.places) * 2 * len(config.objectives) * len(config.conventions)
    assert (scores["children"] >= CHILDREN).all() and scores["alignment"].notna().mean() > 0.9


def test_distributions_sum_to_one():
    _, _, log_p, log_q = make_block(300, 2, np.random.default_rng(0))
    for rows in (*log_p, *log_q["teacher 1"]):
        np.testing.assert_allclose(np.exp(rows, dtype=np.float64).sum(-1), 1, atol=1e-5)


def test_all_nodes_are_scored_and_all_parts_take_time():
    nodes, seconds, parts = measure(150, 200, 2)
    assert nodes >= 150 and seconds > 0
    assert set(parts) > set(PARTS) and all(spent > 0 for spent in parts.values())


def test_the_command_says_what_it_measured_and_that_it_is_a_sample():
    command = [sys.executable, "-m", "benchmarks.analysis", "--nodes", "1", "--vocabulary", "200", "--teachers", "2"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "a sample of the job of 10,000 nodes" in printed.replace("\n", " ") and "ms per node, peak memory" in printed
