"""The ideal gradient at a node: the direction in logits that increases the student's success (method §2).

Gradients of distillation objectives are in `odd.method.objectives`. Dimension letters as in `odd.method.logspace`.
"""

import numpy as np
from jaxtyping import Float, Float64

COVERED = 1e-6
"""Student mass outside some children up to which it is treated as float32 rounding."""


def ideal_gradient(
    p: Float[np.ndarray, "*#B K"], success: Float[np.ndarray, "*#B K"], rest: Float[np.ndarray, "*#B"] | None = None
) -> Float64[np.ndarray, "*#B K"]:
    """Compute the ideal gradient over the children S_u: P_theta^j (P̂^j - P̄) (eq. 2.2-2.3).

    P̄ is the P_theta-weighted mean of P̂ over the children, as in the paper. With `rest` it is V(u), the mean over all
    tokens: only then is the gradient the first-order change of success in these logits. A child with P_theta = 0 has
    component 0 even if its success is unknown (NaN); an unknown success of any other child makes every component NaN.

    Args:
        p: student probabilities of the children; they need not sum to 1.
        success: P̂ of each child, e.g. one row per posterior draw.
        rest: P̂ of all other tokens together, which have the probability that the children leave.
    """
    p = p.astype(np.float64, copy=False)
    mass = p.sum(axis=-1, keepdims=True)
    likeliest = p == p.max(axis=-1, keepdims=True, initial=0.0)
    reference = np.where(likeliest, success, -np.inf).max(axis=-1, keepdims=True, initial=-np.inf)
    with np.errstate(invalid="ignore"):
        # a common shift of P̂ cancels; relative to the likeliest child, equal children get components of exactly 0
        shifted = success - reference
        total = np.where(p > 0, p * shifted, 0.0).sum(axis=-1, keepdims=True)
        if rest is not None:
            left = np.where(1 - mass > COVERED, 1 - mass, 0.0)
            total = total + np.where(left > 0, left * (rest[..., None] - reference), 0.0)
            mass = mass + left
        return np.where(p > 0, p * (shifted - total / mass), 0.0)
