"""Questions, where they come from, and how an answer is verified."""
