"""Stages of a run, their execution and cost estimates, and dashboard jobs."""
