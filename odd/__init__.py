"""ODD, On-policy Distillation Diagnostics: does a teacher's signal push a student towards correct answers?

The engine samples rollouts of a student language model, grows a tree of token choices, estimates the success
probability of every branch by targeted rollouts, and compares the *ideal* gradient of each node with the gradient
a teacher would give. Method: Armandpour et al., arXiv 2605.10889.

In a notebook, `odd.open_run` opens a run and `odd.run` computes one; `odd.method` has the mathematics on arrays.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from odd import method
    from odd.notebook import OpenedRun, open_run, run

__version__ = "0.1.0"
__all__ = ["OpenedRun", "__version__", "method", "open_run", "run"]


def __getattr__(name: str) -> Any:
    """Import a public name on first use: `import odd` itself imports nothing."""
    if name == "method":
        return import_module("odd.method")
    if name in ("OpenedRun", "open_run", "run"):
        return getattr(import_module("odd.notebook"), name)
    raise AttributeError(f"module 'odd' has no attribute {name!r}")
