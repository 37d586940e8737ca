"""Our own engine on transformers: one machine, exact, continuous batching over a KV cache."""
