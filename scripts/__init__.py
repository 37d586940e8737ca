"""Maintenance scripts, such as for the bundled models and questions. Run `python -m scripts.NAME` at the root."""
