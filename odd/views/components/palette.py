"""Colours of tokens, branches and charts, shared by Python and JavaScript.

Scores diverge from transparent at 0 to purple (harmful) and green (helpful), success from red at 0 to blue at 1. Both
pairs are distinguishable under all common forms of colour blindness (like ColorBrewer's PRGn and RdBu). Scores are
painted with opacity |score| over the page, so 0 has the page's colour in the light and the dark theme.
"""

HARMFUL = "#8e3a9d"
HELPFUL = "#2e8b3d"
FAILURE = "#c4473a"
SUCCESS = "#2f6fb5"
IDEAL = "#2a6cb0"
TEACHER = "#df8a1d"
NEUTRAL = "#8a94a6"
HALF = "#b2a2b7"
"""Colour of success 0.5."""
PAGES = "#ffffff", "#0e1117"
"""Backgrounds of the light and the dark theme, as in `.streamlit/config.toml`."""

PALETTE = {
    "harmful": HARMFUL,
    "helpful": HELPFUL,
    "failure": FAILURE,
    "success": SUCCESS,
    "ideal": IDEAL,
    "teacher": TEACHER,
    "neutral": NEUTRAL,
    "half": HALF,
}

DIVERGING = [[0.0, HARMFUL], [0.5, "rgba(138,148,166,0.12)"], [1.0, HELPFUL]]
"""Plotly colour scale of scores from -1 to 1."""

SOLID_SCALE = [[0.0, HARMFUL], [0.5, "#e3e6ec"], [1.0, HELPFUL]]
"""The same without transparency: text on it needs a known background."""

SUCCESS_SCALE = [[0.0, FAILURE], [0.5, HALF], [1.0, SUCCESS]]
"""Plotly colour scale of success probabilities from 0 to 1."""


def mixed(share: float) -> tuple[float, ...]:
    """Red, green and blue, 0 to 1, of a score from -1 to 1 on `SOLID_SCALE`."""
    end, middle = (_channels(SOLID_SCALE[at][1]) for at in (2 if share > 0 else 0, 1))
    part = min(1.0, abs(share))
    return tuple(part * far + (1 - part) * near for far, near in zip(end, middle, strict=True))


def ink(share: float) -> str:
    """Black or white, whichever is easier to read on a score of `SOLID_SCALE`."""
    # black and white have the same contrast (WCAG 2) on a luminance of 0.179
    return "#000000" if luminance(mixed(share)) > 0.179 else "#ffffff"


def luminance(colour: tuple[float, ...]) -> float:
    """Relative luminance of red, green and blue, as defined by WCAG 2."""
    linear = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour)
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _channels(colour: str) -> tuple[float, ...]:
    return tuple(int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
