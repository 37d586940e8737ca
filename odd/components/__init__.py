"""The dashboard's own pieces: scripts and styles that draw a payload in the browser.

A component is `<name>.js` with `<name>.css`; both are put after `common.js` and `common.css`. A script exports one
function that draws `data` into its element, and may be called again with newer data at any time. Text out of models
and files reaches the page as text nodes only, never as HTML.
"""

import json
from functools import cache
from pathlib import Path

from odd.components.palette import PALETTE

FOLDER = Path(__file__).parent


@cache
def source(name: str) -> tuple[str, str]:
    """Script and style of a component, complete in themselves."""
    script, style = (
        "\n".join((FOLDER / f"{part}.{kind}").read_text(encoding="utf-8") for part in ("common", name))
        for kind in ("js", "css")
    )
    return f"const PALETTE = {json.dumps(PALETTE)};\n{script}", style


__all__ = ["source"]
