"""Checks before a run: what would otherwise be found after a night (docs/check.md lists them with public reports).

Each check yields findings in plain words. They need no run file, and write nothing.
"""

from odd.pipeline.checks.all import check
from odd.pipeline.checks.finding import Finding, Verdict

__all__ = ["Finding", "Verdict", "check"]
