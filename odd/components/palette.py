"""Colours of tokens, branches and charts, for Python and JavaScript alike.

Scores diverge from nothing at 0 to purple (harmful) and green (helpful), success from red at 0 to blue at 1: both
pairs stay apart for all common forms of colour blindness (as ColorBrewer's PRGn and RdBu do). Scores are painted with
opacity |score| over the page, so that 0 is the page's own colour in light and in dark.
"""

HARMFUL = "#8e3a9d"
HELPFUL = "#2e8b3d"
FAILURE = "#c4473a"
SUCCESS = "#2f6fb5"
IDEAL = "#2a6cb0"
TEACHER = "#df8a1d"
NEUTRAL = "#8a94a6"
HALF = "#b2a2b7"
"""Of a success of one half."""
PAGES = "#ffffff", "#0e1117"
"""Backgrounds of the light and the dark theme, as `.streamlit/config.toml` has them."""

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

SUCCESS_SCALE = [[0.0, FAILURE], [0.5, HALF], [1.0, SUCCESS]]
"""Plotly colour scale of success probabilities from 0 to 1."""
