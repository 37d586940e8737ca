"""Times and sizes in words."""

STEPS = ((60, "second"), (60, "minute"), (24, "hour"), (365, "day"))


def age(seconds: float) -> str:
    """How long ago something was: "5 minutes ago"; the future, by a clock that is wrong, is now."""
    if seconds < 10:
        return "just now"
    amount = seconds
    for size, unit in STEPS:
        if amount < size:
            return f"{_counted(amount, unit)} ago"
        amount /= size
    return f"{_counted(amount, 'year')} ago"


def _counted(amount: float, unit: str) -> str:
    whole = int(amount)
    return f"{whole} {unit}" if whole == 1 else f"{whole} {unit}s"


def duration(seconds: float | None) -> str:
    """A time to wait: "45 s", "3 min 20 s", "2 h 5 min"; an en dash where it is unknown."""
    if seconds is None:
        return "–"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    minutes = round(whole / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours = f"{minutes // 60} h"
    return f"{hours} {minutes % 60} min" if minutes % 60 else hours


def rough(seconds: float | None) -> str:
    """A time to wait that is only known roughly: "about 3 min"; an en dash where it is unknown."""
    if seconds is None:
        return "–"
    step = 5 if seconds < 60 else 10 if seconds < 300 else 60
    return f"about {duration(max(step, step * round(seconds / step)))}"


def size(count: int) -> str:
    """Bytes as kB, MB or GB."""
    if count < 1e6:
        return f"{count / 1e3:.0f} kB"
    return f"{count / 1e6:.1f} MB" if count < 1e9 else f"{count / 1e9:.2f} GB"
