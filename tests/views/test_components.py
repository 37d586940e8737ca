"""Scripts and styles of the components: complete, never HTML from data, and with the same colours as Python."""

import json
import re
import shutil
import subprocess
import tomllib

import numpy as np
import pytest

from odd.views.components import FOLDER, PARTS, source
from odd.views.components.palette import DIVERGING, PAGES, PALETTE, SUCCESS_SCALE, ink, mixed

SCRIPTS = sorted(FOLDER.glob("*.js"))
SHARED = {"common", *(part for parts in PARTS.values() for part in parts)}
NAMES = sorted(path.stem for path in FOLDER.glob("*.css") if path.stem not in SHARED)
UNSAFE = (
    "innerHTML",
    "outerHTML",
    "insertAdjacentHTML",
    "document.write",
    "eval(",
    "new Function",
    "createContextualFragment",
    "srcdoc",
)


def test_there_are_components():
    assert "copy_link" in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_component_exports_one_function(name):
    script, style = source(name)
    assert script.count("export default") == 1
    assert style.strip()


@pytest.mark.parametrize("name", NAMES)
def test_a_component_has_the_palette(name):
    script, _ = source(name)
    assert json.loads(re.match(r"const PALETTE = (\{.*?\});", script)[1]) == PALETTE


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_text_never_becomes_markup_or_code(path):
    text = path.read_text(encoding="utf-8")
    assert not [word for word in UNSAFE if word in text]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_component_loads_nothing_from_elsewhere(path):
    text = path.read_text(encoding="utf-8").replace("http://www.w3.org/", "")
    assert not re.search(r"https?://|\bimport\b\s*[({\w]|\bfetch\(|XMLHttpRequest|WebSocket|sendBeacon", text)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_scripts_are_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) < 300


@pytest.mark.parametrize("name", NAMES)
def test_a_component_is_a_script_that_can_be_read(name, tmp_path):
    node = node_path()
    file = tmp_path / f"{name}.mjs"
    file.write_text(source(name)[0], encoding="utf-8")
    done = subprocess.run([node, "--check", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def node_path():
    """The Node executable bundled with Playwright."""
    from playwright._impl._driver import compute_driver_executable

    return shutil.which("node") or compute_driver_executable()[0]


def test_colours_are_colours():
    assert all(re.fullmatch(r"#[0-9a-f]{6}", colour) for colour in PALETTE.values())


def test_the_themes_have_the_pages_that_colours_are_chosen_for():
    theme = tomllib.loads((FOLDER.parents[2] / ".streamlit" / "config.toml").read_text())["theme"]
    assert (theme["light"]["backgroundColor"], theme["dark"]["backgroundColor"]) == PAGES


def test_scales_run_from_end_to_end():
    for scale in (DIVERGING, SUCCESS_SCALE):
        places = [place for place, _ in scale]
        assert places == sorted(places) and (places[0], places[-1]) == (0, 1)


def srgb(colour):
    return np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])


def linear(parts):
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def luminance(colour):
    """Relative luminance of a colour, by WCAG 2."""
    return float(XYZ[1] @ linear(srgb(colour)))


# linear RGB as seen with colour blindness (Machado, Oliveira and Fernandes 2009, severity 1)
SIGHT = {
    "protanope": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deuteranope": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "tritanope": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}
XYZ = np.array([[0.4125, 0.3576, 0.1804], [0.2127, 0.7152, 0.0722], [0.0193, 0.1192, 0.9503]])


def lab(rgb):
    """CIE L*a*b* of a colour in linear RGB."""
    x = XYZ @ np.clip(rgb, 0, 1) / [0.9505, 1, 1.0888]
    f = np.where(x > 216 / 24389, np.cbrt(x), (24389 / 27 * x + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("strength", [0.46, 0.92])
@pytest.mark.parametrize(("one", "other"), [("harmful", "helpful"), ("failure", "success"), ("ideal", "teacher")])
def test_opposites_stay_apart_for_the_colour_blind(one, other, strength, page, sight):
    seen = []
    for name in (one, other):
        painted = strength * srgb(PALETTE[name]) + (1 - strength) * srgb(page)
        seen.append(lab(np.array(SIGHT[sight]) @ linear(painted)))
    assert np.linalg.norm(seen[0] - seen[1]) > 20


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("name", PALETTE)
def test_colours_stand_out_from_light_and_dark_pages(name, page):
    bright, dark = sorted((luminance(PALETTE[name]), luminance(page)), reverse=True)
    assert (bright + 0.05) / (dark + 0.05) >= 2.3


@pytest.mark.parametrize("share", np.linspace(-1, 1, 41).tolist())
def test_numbers_can_be_read_on_a_solid_colour_of_any_score(share):
    parts = sorted([float(XYZ[1] @ linear(np.array(mixed(share)))), luminance(ink(share))])
    assert (parts[1] + 0.05) / (parts[0] + 0.05) >= 4.5
