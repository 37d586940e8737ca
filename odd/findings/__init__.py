"""Findings over all questions of a run (method §7): one module per finding, with its statistics and sentences."""
