"""What a number of questions can show: the smallest visible effect, and how many more questions are needed."""

import math

from scipy.special import ndtri

from odd.findings.statistics.clusters import Estimate

LEVEL = 0.05


def smallest_effect(estimate: Estimate, power: float) -> float:
    """Smallest distance from the null value that is found with this probability, (z_{α/2} + z_β) standard errors."""
    return float(ndtri(1 - LEVEL / 2) + ndtri(power)) * estimate.error


def questions_missing(estimate: Estimate, power: float, null: float = 0.0) -> int:
    """Number of further questions with which an effect as large as the estimate is found with this probability.

    The standard error falls with the square root of the number of questions. 0 if there are enough.
    """
    distance = abs(estimate.value - null)
    needed = estimate.clusters * (smallest_effect(estimate, power) / distance) ** 2
    return max(0, math.ceil(needed) - estimate.clusters)
