"""Questions, question sources and answer verifiers."""
