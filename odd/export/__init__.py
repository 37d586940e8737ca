"""What leaves a run: weights for trainers, reports, tables."""
