"""The ideal gradient at a node: which way its logits must move for the student to succeed more often (method §2).

Those of distillation objectives are in `odd.method.objectives`. Dimension letters as in `odd.method.logspace`.
"""

import numpy as np
from jaxtyping import Float, Float64


def ideal_gradient(p: Float[np.ndarray, "*#B K"], success: Float[np.ndarray, "*#B K"]) -> Float64[np.ndarray, "*#B K"]:
    """Ideal gradient over the children S_u: P_theta^j (P̂^j - P̄), P̄ the P_theta-weighted mean of P̂ (eq. 2.2-2.3).

    A child with P_theta = 0 has component 0 whatever its success, even an unknown one; the unknown (NaN) success
    of any other child makes every component NaN.

    Args:
        p: student probabilities of the children; they need not sum to 1.
        success: P̂ of each child, e.g. one row per posterior draw.
    """
    p = p.astype(np.float64, copy=False)
    mass = p.sum(axis=-1, keepdims=True)
    likeliest = p == p.max(axis=-1, keepdims=True, initial=0.0)
    reference = np.where(likeliest, success, -np.inf).max(axis=-1, keepdims=True, initial=-np.inf)
    with np.errstate(invalid="ignore"):
        # the gradient ignores a common shift of P̂; against the likeliest child's, equal children are 0 to the last bit
        shifted = success - reference
        mean = np.where(p > 0, p * shifted, 0.0).sum(axis=-1, keepdims=True) / mass
        return np.where(p > 0, p * (shifted - mean), 0.0)
