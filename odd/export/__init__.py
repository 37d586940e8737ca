"""Exports of a run: loss weights for trainers, reports, tables."""
