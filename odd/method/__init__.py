"""The mathematics of docs/method.md as functions of arrays: no files, no models, no settings.

The most useful functions can be imported from here:

* gradients, as ascent directions: `ideal_gradient`, `reverse_kl`, `forward_kl`, `jsd`, `sampled_reverse_kl`,
  `dr_grpo`, `minillm`; `objective` builds any registered objective by name, including truncated losses
* scores: `cosine`, `gain`, `posterior_alignment`, `teacher_advantage`, `success_range`, `is_decision_point`
* success probabilities: `wilson`, `jeffreys`, `posterior_draws`, `node_value`
* trees of rollouts: `build_tree`, `edge_counts`; `pooling_rule(name).success(Sample(...))` for any pooling rule
* distributions: `top_k_overlap`, `mass_on_top_k`; `odd.method.divergences.divergences` computes all others
"""

from importlib import import_module
from typing import Any

_OBJECTIVES = ("reverse_kl", "forward_kl", "jsd", "sampled_reverse_kl", "dr_grpo", "minillm")
_PLACES = {
    "alignment": ("cosine", "gain", "is_decision_point", "posterior_alignment", "success_range", "teacher_advantage"),
    "divergences": ("mass_on_top_k", "top_k_overlap"),
    "gradients": ("ideal_gradient",),
    "objectives": ("objective",),
    **{f"objectives.{name}": (name,) for name in _OBJECTIVES},
    "success": ("edge_counts", "jeffreys", "node_value", "posterior_draws", "wilson"),
    "pooling": ("Sample", "pooling_rule"),
    "tree": ("build_tree",),
}
_MODULE_OF = {name: module for module, names in _PLACES.items() for name in names}
__all__ = list(_MODULE_OF)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    """Import the module of a name on first use: settings need only some of them."""
    if name in _MODULE_OF:
        return getattr(import_module(f"odd.method.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module 'odd.method' has no attribute {name!r}")
