"""The tables of the Compare page alone, in a real browser: their contents are readable in the available space."""

import json
from base64 import b64encode
from itertools import pairwise
from pathlib import Path

import pytest
import streamlit

from odd.views.components import source

DRAW = """async ([script, payload]) => {
  const { default: draw } = await import(URL.createObjectURL(new Blob([script], { type: 'text/javascript' })))
  draw({ data: { payload }, parentElement: document.body, setTriggerValue() {} })
}"""
FONT = next((Path(streamlit.__file__).parent / "static").rglob("SourceSansVF-Upright*.woff2"))
PAIRS, LIST, TEACHERS = 409, 543, 1000
"""Pixels left for each table in a window of 1280."""
UNCERTAIN = {"value": -0.123, "low": -0.456, "high": 0.234, "n": 96, "clusters": 4}
ZERO = {"value": 0.0, "low": 0.0, "high": 0.0, "n": 96, "clusters": 4}


@pytest.fixture
def drawn(page):
    """Draw a component at a given width and return the page."""

    def draw(component, payload, width):
        script, style = source(component)
        page.goto("about:blank")
        place = f'<div class="odd" style="width: {width}px"></div>'
        font = f"data:font/woff2;base64,{b64encode(FONT.read_bytes()).decode()}"
        look = f"@font-face {{ font-family: page; src: url({font}) }} body {{ --st-font: page; margin: 0 }} {style}"
        page.set_content(f"<style>{look}</style>{place}")
        page.evaluate("document.fonts.load('14px page')")
        page.evaluate(DRAW, [script, json.dumps(payload)])
        page.wait_for_timeout(200)  # for parts drawn once the size is known
        return page

    return draw


def overflowing(page, selector):
    """Texts that overflow their elements."""
    return page.locator(selector).evaluate_all(
        "parts => parts.filter(part => part.scrollWidth > part.clientWidth + 1).map(part => part.textContent)"
    )


@pytest.mark.parametrize("count", [2, 5, 7, 8, 16])
def test_a_difference_of_two_teachers_fits_its_cell(drawn, count):
    order = [f"teacher-{at}-with-a-long-name" for at in range(count)]
    cells = [[None if row == column else UNCERTAIN for column in range(count)] for row in range(count)]
    page = drawn("pair_matrix", {"order": order, "cells": cells, "end": 0.2}, PAIRS)
    assert page.locator("tbody td").count() == count**2
    assert overflowing(page, "tbody td") == []
    assert overflowing(page, ".odd") == []


def disagreement(before, text):
    return {"before": before, "text": text, "mark": False, "question": "t005-level5", "path": 0, "position": 53,
            "scores": [-1.0, 1.0], "settled": [True, False], "range": 1.0, "weight": 2.0}  # fmt: skip


@pytest.mark.parametrize("name", ["tiny-l", "a teacher with a name that is very long"])
def test_a_disagreement_and_its_link_are_seen_without_scrolling(drawn, name):
    rows = [disagreement("…1. 61 is", " not"), disagreement("…some words that come before it", " unquestionably")]
    page = drawn("disagreements", {"query": {}, "pair": ["Self-1C1W", name], "rows": rows}, LIST)
    assert overflowing(page, ".scroll") == []
    for at in range(len(rows)):
        cell, token = (page.locator(part).nth(at).bounding_box() for part in (".text > div", ".token"))
        assert token["x"] + token["width"] <= cell["x"] + cell["width"] + 1


@pytest.mark.parametrize("difference", [ZERO, UNCERTAIN, UNCERTAIN | {"value": 0.9, "low": -0.9, "high": 1.9}])
def test_numbers_at_an_axis_do_not_cover_each_other(drawn, difference):
    measured = ("mean", "positive", "weighted", "gain", "advantage", "best")
    rows = [
        {"teacher": name} | dict.fromkeys(measured, UNCERTAIN) | {"difference": difference} for name in ("one", "other")
    ]
    page = drawn("teacher_table", {"rows": rows, "baseline": "one"}, TEACHERS)
    axes = page.locator(".axis").evaluate_all(
        """axes => axes.map(axis => [...axis.querySelectorAll('text')].map(text => {
          const { left, right } = text.getBoundingClientRect()
          return [left, right]
        }))"""
    )
    assert len(axes) == 2
    for axis in axes:
        assert len(axis) >= 2
        assert all(before[1] < after[0] for before, after in pairwise(axis))
