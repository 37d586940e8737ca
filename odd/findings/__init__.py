"""Findings over all questions of a run (method §7): one file a finding, their statistics, and their sentences."""
