"""Numbers and estimates as texts, alike in figures, tables and sentences."""

from odd.findings.statistics import Estimate


def state(estimate: Estimate, null: float = 0.0) -> str:
    """Where the interval lies: above, below, or open for across or unknown."""
    if estimate.low > null:
        return "above"
    return "below" if estimate.high < null else "open"


def signed(value: float, digits: int = 2) -> str:
    """A number with its sign, none at zero; an en dash where it is unknown."""
    if value != value:
        return "–"
    text = f"{abs(value):,.{digits}f}"
    sign = "" if float(text.replace(",", "")) == 0 else "−" if value < 0 else "+"
    return sign + text


def number(value: float, digits: int = 2, null: float = 0.0) -> str:
    """A number, signed where 0 means no effect."""
    text = signed(value, digits)
    return text if null == 0 else text.removeprefix("+")


def written(estimate: Estimate, digits: int = 2, null: float = 0.0) -> str:
    """An estimate with its interval, where it has one; signed where 0 means no effect."""
    value, low, high = (number(one, digits, null) for one in (estimate.value, estimate.low, estimate.high))
    return value if estimate.low != estimate.low else f"{value} [{low}, {high}]"


def p_value(p: float) -> str:
    """A p-value with two digits; an en dash where it is unknown."""
    if p != p:
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"
