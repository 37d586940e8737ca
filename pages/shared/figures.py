"""Settings that all plotly figures share."""

from typing import Any


def plot(name: str) -> dict[str, Any]:
    """Settings of a figure that is saved as SVG under this name."""
    return {"toImageButtonOptions": {"format": "svg", "filename": name}, "displaylogo": False}
