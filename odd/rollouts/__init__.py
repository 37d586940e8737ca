"""Student rollouts: sampled and verified, or imported from a trainer's logs."""
