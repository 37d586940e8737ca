"""The stages of a run, where they are executed, what they will cost, and jobs of the dashboard."""
