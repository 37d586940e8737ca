"""Export a dashboard component as a self-contained HTML document, with its data and nothing loaded from elsewhere.

The document draws what the page draws, with the same script and style. Clicks work as on the page, as far as the
embedded data allow. Text from models and files is data of the script, which creates text nodes from it; where it is
part of the document itself, it is escaped.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Literal

from odd.errors import writing
from odd.text import visible_text
from odd.views.components import source
from odd.views.components.palette import PAGES

Theme = Literal["light", "dark"]

_THEMES: dict[Theme, dict[str, str]] = {
    "light": {"text": "#31333f", "background": PAGES[0], "secondary-background": "#f4f6fa", "primary": "#1f5fbf"},
    "dark": {"text": "#fafafa", "background": PAGES[1], "secondary-background": "#1b202b", "primary": "#3574d0"},
}
_FONTS = {"font": "system-ui, sans-serif", "code-font": "ui-monospace, monospace"}

_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
"""Content security policy: the document loads nothing, whatever its texts contain."""

_ACTS = """
{ // own scope
  const data = JSON.parse(document.getElementById("payload").textContent)
  const place = document.getElementById("component")
  const orNull = (number) => (number < 0 ? null : number)
  const unfolding = (nodes) => `Rarer branches are not in this drawing: draw it with unfolded=[${nodes.join(", ")}].`
  const acts = {
    token: (token) => ({ token: orNull(token) }),
    select: (node) => ({ node: orNull(node) }),
    fold: (folded) => ({ folded }),
    pin: ([path, token]) => ({ path, token: orNull(token) }),
    unfold: (nodes) => {
      document.getElementById("said").textContent = nodes.length ? unfolding(nodes) : ""
      return {}
    },
  }
  const show = () => drawComponent({
    data: { payload: JSON.stringify(data) },
    parentElement: place,
    setTriggerValue: (act, value) => {
      Object.assign(data, acts[act](value))
      setTimeout(show)
    },
  })
  show()
}
"""
"""Replaces the server of a page: a click changes the data and redraws the component."""


@dataclass(frozen=True)
class Drawing:
    """A drawing that Jupyter shows in a sandboxed frame.

    Attributes:
        title: what it shows, in a few words.
        document: the HTML document.
        height: height of the frame in pixels; it can be resized by dragging.
    """

    title: str
    document: str
    height: int

    def _repr_html_(self) -> str:
        """The frame. Its sandbox keeps scripts from accessing the notebook."""
        return (
            f'<iframe title="{escape(visible_text(self.title))}" srcdoc="{escape(self.document)}" '
            'sandbox="allow-scripts allow-downloads" loading="lazy" '
            f'style="width: 100%; height: {self.height}px; border: 0; resize: vertical; overflow: auto"></iframe>'
        )

    def __repr__(self) -> str:
        """The title only, as the document is long."""
        return f"<Drawing of {self.title}: shown as the last line of a notebook cell; save(file) writes it as HTML>"

    def save(self, file: str | os.PathLike[str]) -> Path:
        """Write the document to a file and return its path.

        Raises:
            OddError: the file cannot be written.
        """
        path = Path(file)
        with writing(path):
            path.write_text(self.document, encoding="utf-8")
        return path


def component_document(
    component: str, payload: Mapping[str, Any], title: str, lines: Sequence[str] = (), legend: str = "",
    theme: Theme = "light",
) -> str:  # fmt: skip
    """An HTML document that draws a component.

    Args:
        component: name of the component.
        payload: what it draws.
        title: title of the document.
        lines: plain text above the drawing, untrusted.
        legend: trusted HTML between the lines and the drawing.
        theme: light or dark.
    """
    script, style = source(component)
    # a component exports its function; a standalone script needs a name for it
    script = script.replace("export default function", "const drawComponent = function", 1)
    colours = {f"{name}-color": colour for name, colour in _THEMES[theme].items()}
    variables = "; ".join(f"--st-{name}: {value}" for name, value in (colours | _FONTS).items())
    text = "".join(f'<p class="faint">{escape(visible_text(line))}</p>' for line in lines)
    # without "<", no text in the JSON can close the script element
    data = json.dumps(payload, separators=(",", ":")).replace("<", "\\u003c")
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{escape(visible_text(title))}</title>
<style>
:root {{ color-scheme: {theme}; {variables} }}
body {{ margin: 0; padding: 8px; background: var(--st-background-color); color: var(--st-text-color);
  font: 14px var(--st-font); }}
body > p {{ margin: 0 0 8px; overflow-wrap: anywhere; white-space: pre-wrap; }}
#said {{ position: sticky; bottom: 0; background: var(--st-background-color); }}
.odd-legend {{ margin-bottom: 8px; }}
{style}
</style>
</head>
<body>
{text}
{legend}
<div id="component"><div class="odd"></div></div>
<p id="said" class="faint" role="status"></p>
<script type="application/json" id="payload">{data}</script>
<script type="module">
{script}
{_ACTS}
</script>
</body>
</html>
"""
