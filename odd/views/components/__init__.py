"""Components of the dashboard: scripts and styles that draw a payload in the browser.

A component is `<name>.js` with `<name>.css`, appended to `common.js` and `common.css`. A script exports one function
that draws the JSON in `data.payload` into its element; it may be called again with newer data at any time. Text from
models and files is inserted as text nodes only, never as HTML.
"""

import json
from functools import cache
from pathlib import Path

from odd.views.components.palette import PAGES, PALETTE

FOLDER = Path(__file__).parent
PARTS = {
    "generation_tree": (
        "token_path_staff",
        "generation_tree_chains",
        "generation_tree_layout",
        "generation_tree_draw",
        "generation_tree_marks",
        "generation_tree_words",
        "generation_tree_moves",
    ),
    "token_path": ("token_path_staff", "token_path_card", "token_cursor", "path_overview", "picture"),
    "token_strips": (
        "token_path_staff",
        "token_path_card",
        "token_cursor",
        "path_overview",
        "picture",
        "token_strips_card",
    ),
    "copy_link": ("scroll_memory",),
    "teacher_table": ("picture",),
    "pair_matrix": ("picture",),
    "figure_picture": ("picture",),
}
"""Further scripts, with their styles if they have one, that a component uses, placed before its own."""


@cache
def source(name: str) -> tuple[str, str]:
    """Self-contained script and style of a component."""
    parts = ("common", *PARTS.get(name, ()), name)
    script, style = (
        "\n".join(path.read_text(encoding="utf-8") for part in parts if (path := FOLDER / f"{part}.{kind}").exists())
        for kind in ("js", "css")
    )
    return f"const PALETTE = {json.dumps(PALETTE)};\nconst PAGES = {json.dumps(PAGES)};\n{script}", style


__all__ = ["source"]
