"""The legend of the token colours as HTML. It contains trusted text only."""

from html import escape

from odd.views.components.palette import FAILURE, HALF, HARMFUL, HELPFUL, SUCCESS, TEACHER
from odd.views.scores import Legend

RAMPS = {
    "diverging": f"{HARMFUL}, transparent, {HELPFUL}",
    "success": f"{FAILURE}, {HALF}, {SUCCESS}",
    "sequential": f"transparent, {TEACHER}",
}
_STYLE = f"""<style>
.odd-legend {{ display: flex; flex-wrap: wrap; gap: 2px 14px; align-items: center; justify-content: flex-end;
  font-size: 13px; line-height: 20px; }}
.odd-legend .ramp {{ display: inline-block; width: 150px; height: 11px; border-radius: 6px; vertical-align: middle;
  border: 1px solid rgba(138,148,166,0.5); }}
.odd-legend .muted {{ padding: 0 6px; border-radius: 3px; background: repeating-linear-gradient(-45deg,
  color-mix(in srgb, {HELPFUL} 55%, transparent) 0 2px, color-mix(in srgb, {HELPFUL} 15%, transparent) 2px 4.5px); }}
.odd-legend .decision {{ padding: 0 4px; border-bottom: 2px solid currentColor; }}
.odd-legend span {{ white-space: nowrap; }}
</style>"""


def legend_html(legend: Legend, scale: float) -> str:
    """The colour ramp with its ends, and samples of the other token marks."""
    low, high = legend.payload(scale)["ends"]
    sign = "+" if low < 0 else ""
    beyond = "≥ " if legend.kind == "sequential" else ""
    digits = 0 if high == 1 else 3 if high < 0.1 else 2
    ends = f"{low:.{digits}f}".replace("-", "−"), f"{beyond}{sign}{high:.{digits}f}"
    unit = f", {legend.unit}" if legend.unit else ""
    ramp = (
        f"<span>{escape(legend.low)} {ends[0]} "
        f'<span class="ramp" style="background:linear-gradient(90deg,{RAMPS[legend.kind]})"></span> '
        f"{ends[1]} {escape(legend.high)}</span>"
    )
    settled = '<span><span class="muted">abc</span> sign not settled</span>' if legend.interval else ""
    decision = '<span><span class="decision">abc</span> decision point</span>'
    name = f"<span><b>{escape(legend.name)}</b>{escape(unit)}</span>"
    return f'{_STYLE}<div class="odd-legend">{name}{ramp}{settled}{decision}</div>'
