"""Rollouts of the student: sampled and verified, or imported from a trainer's logs."""
