"""Export a dashboard component as a self-contained HTML document, with its data and nothing loaded from elsewhere.

The document draws what the page draws, with the same script and style. Clicks work as on the page, as far as the
embedded data allow. Text from models and files is data of the script, which creates text nodes from it; where it is
part of the document itself, it is escaped.
"""

import base64
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Literal

from odd.errors import writing
from odd.text import to_json, visible_text
from odd.views.components import source
from odd.views.components.palette import PAGES

Theme = Literal["light", "dark"]

_THEMES: dict[Theme, dict[str, str]] = {
    "light": {"text": "#31333f", "background": PAGES[0], "secondary-background": "#f4f6fa", "primary": "#1f5fbf"},
    "dark": {"text": "#fafafa", "background": PAGES[1], "secondary-background": "#1b202b", "primary": "#3574d0"},
}
_FONTS = {"font": "system-ui, sans-serif", "code-font": "ui-monospace, monospace"}

_POLICY = "default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data: blob:"
"""Content security policy: the document loads nothing and runs only its own scripts, whatever its texts contain."""

_ACTS = """
{ // own scope
  const data = JSON.parse(document.getElementById("payload").textContent)
  const place = document.getElementById("component")
  const orNull = (number) => (number < 0 ? null : number)
  const unfolding = (nodes) => `Rarer branches are not in this drawing: draw it with unfolded=[${nodes.join(", ")}].`
  const acts = {
    start: () => ({}),
    part: () => ({}),
    position: (position) => ({ position: orNull(position) }),
    select: (node) => ({ node: orNull(node) }),
    fold: (folded) => ({ folded }),
    pin: ([path, position]) => ({ path, position: orNull(position) }),
    unfold: (nodes) => {
      document.getElementById("said").textContent = nodes.length ? unfolding(nodes) : ""
      return {}
    },
  }
  const [drawComponent] = Object.values(window.ODD)
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
    text = "".join(f'<p class="faint">{escape(visible_text(line))}</p>' for line in lines)
    body = f"""{text}
{legend}
<div id="component"><div class="odd"></div></div>
<p id="said" class="faint" role="status"></p>"""
    return document(title, body, payload, (component,), theme, (_ACTS,))


def document(
    title: str, body: str, payload: Mapping[str, Any] | None, components: Sequence[str], theme: Theme | None = None,
    scripts: Sequence[str] = ("Object.values(window.ODD).at(-1)()",),
) -> str:  # fmt: skip
    """An HTML document that loads nothing.

    Args:
        title: title of the document.
        body: trusted HTML.
        payload: data of the scripts; None without.
        components: components whose scripts the document has; `window.ODD` has their functions by name. The style of
            the last one applies to the document, those of the others are templates for their shadow roots.
        theme: light or dark; None: as the reader's system, until `data-theme` of the document element says otherwise.
        scripts: what runs after the scripts of the components; by default, the last component draws itself.
    """
    modules = [*map(_registered, components), *scripts]
    hashes = (base64.b64encode(hashlib.sha256(module.encode()).digest()).decode() for module in modules)
    policy = _POLICY.format(scripts=" ".join(f"'sha256-{one}'" for one in hashes))
    *others, last = components
    styles = "".join(f'<template id="style-{one}"><style>{source(one)[1]}</style></template>' for one in others)
    # without "<", no text in the JSON can close the script element
    data = to_json(payload).replace("<", "\\u003c")
    stored = "" if payload is None else f'<script type="application/json" id="payload">{data}</script>'
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{escape(visible_text(title))}</title>
<style>
{"".join(_theme_rules(theme))}
body {{ margin: 0; padding: 8px; background: var(--st-background-color); color: var(--st-text-color);
  font: 14px var(--st-font); }}
body > p {{ margin: 0 0 8px; overflow-wrap: anywhere; white-space: pre-wrap; }}
#said {{ position: sticky; bottom: 0; background: var(--st-background-color); }}
.odd-legend {{ margin-bottom: 8px; }}
{source(last)[1]}
</style>
</head>
<body>
{body}
{styles}
{stored}
{"".join(f'<script type="module">{module}</script>' for module in modules)}
</body>
</html>
"""


def _registered(component: str) -> str:
    """The script of a component, which puts its functions into `window.ODD`."""
    # a component exports its function; a standalone script needs a name for it
    script = source(component)[0].replace("export default function", "const drawComponent = function", 1)
    named = script.replace("export function pinnedCard", "drawComponent.card = function", 1)
    return f"{named}\n;(window.ODD ??= {{}}).{component} = drawComponent\n"


def _theme_rules(theme: Theme | None) -> Iterator[str]:
    """Yield the rules of the colours of a theme, or of both."""
    shown: dict[Theme, str] = {}
    for name, colours in _THEMES.items():
        variables = {f"{part}-color": colour for part, colour in colours.items()} | _FONTS
        rules = "; ".join(f"--st-{part}: {value}" for part, value in variables.items())
        shown[name] = f"color-scheme: {name}; {rules}"
    yield f":root {{ {shown[theme or 'light']} }}\n"
    if theme is None:
        yield f"@media (prefers-color-scheme: dark) {{ :root {{ {shown['dark']} }} }}\n"
        yield from (f":root[data-theme={name}] {{ {rules} }}\n" for name, rules in shown.items())
