"""Shape annotations of the mathematical core are checked at run time in all tests."""

from jaxtyping import install_import_hook

_CORE = ("gradients", "logspace", "success", "alignment", "statistics", "tree", "targeting")

install_import_hook([f"odd.{module}" for module in _CORE], "beartype.beartype")
