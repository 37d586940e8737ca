"""Format numbers and estimates, the same way in figures, tables and sentences."""

from odd.findings.statistics import Estimate


def state(estimate: Estimate, null: float = 0.0) -> str:
    """Position of the interval relative to the null: above, below, or open if it contains it or allows no verdict."""
    if not estimate.has_verdict:
        return "open"
    if estimate.low > null:
        return "above"
    return "below" if estimate.high < null else "open"


def signed(value: float, digits: int = 2) -> str:
    """Format a number with its sign, none at zero; an en dash for NaN."""
    if value != value:
        return "–"
    text = f"{abs(value):,.{digits}f}"
    sign = "" if float(text.replace(",", "")) == 0 else "−" if value < 0 else "+"
    return sign + text


def number(value: float, digits: int = 2, null: float = 0.0) -> str:
    """Format a number, with a plus sign if the null value is 0."""
    text = signed(value, digits)
    return text if null == 0 else text.removeprefix("+")


def written(estimate: Estimate, digits: int = 2, null: float = 0.0) -> str:
    """Format an estimate with its interval, if it has one; with plus signs if the null value is 0."""
    value, low, high = (number(one, digits, null) for one in (estimate.value, estimate.low, estimate.high))
    return value if estimate.low != estimate.low else f"{value} [{low}, {high}]"


def p_value(p: float) -> str:
    """Format a p-value; an en dash for NaN."""
    if p != p:
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"
