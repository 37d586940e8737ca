"""Engine based on transformers: one machine, exact, continuous batching over a KV cache."""
