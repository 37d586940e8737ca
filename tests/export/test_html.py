"""Standalone documents: their contents, and that their texts cannot break out of their place."""

import json
import re
from html.parser import HTMLParser

import pytest

from odd.errors import OddError
from odd.export.html import Drawing, component_document
from odd.views.components import source
from tests.hostile import TEXTS


class Elements(HTMLParser):
    """Element names of a document, and the texts of its scripts by type."""

    def __init__(self, document):
        super().__init__()
        self.names, self.scripts, self.type, self.frames = [], {}, None, []
        self.feed(document)

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        self.type = dict(attrs)["type"] if tag == "script" else None
        if tag == "iframe":
            self.frames.append(dict(attrs))

    def handle_data(self, data):
        if self.type:
            self.scripts[self.type] = self.scripts.get(self.type, "") + data


def document(text="plain", payload=None, **arguments):
    return component_document("token_path", payload or {"text": text}, text, [text], **arguments)


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_adds_no_element(text):
    assert Elements(document(text)).names == Elements(document()).names


@pytest.mark.parametrize("text", TEXTS)
def test_the_data_arrive_unchanged(text):
    assert json.loads(Elements(document(text)).scripts["application/json"]) == {"text": text}


@pytest.mark.parametrize("text", TEXTS)
def test_a_frame_is_one_element_that_contains_its_document(text):
    drawing = Drawing(text, document(text), 400)
    shown = Elements(drawing._repr_html_())
    assert shown.names == ["iframe"]
    assert shown.frames[0]["srcdoc"] == drawing.document


def test_a_frame_gives_its_scripts_no_access_to_the_notebook():
    (frame,) = Elements(Drawing("", document(), 400)._repr_html_()).frames
    assert frame["sandbox"].split() == ["allow-scripts", "allow-downloads"]


def test_a_document_loads_nothing_from_elsewhere():
    found = document()
    assert "default-src 'none'" in found
    assert not re.search(r"""(src|href)=["']""", found)


def test_a_document_has_the_script_and_the_style_of_the_page():
    script, style = source("token_path")
    found = document()
    assert style in found
    assert script.split("export default function")[0] in found


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_document_has_the_theme_that_is_asked_for(theme):
    assert f"color-scheme: {theme}" in document(theme=theme)


def test_a_drawing_is_saved_as_a_file_that_a_browser_opens(tmp_path):
    drawing = Drawing("a path", document(), 400)
    assert drawing.save(tmp_path / "path.html").read_text(encoding="utf-8") == drawing.document


def test_a_path_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(OddError, match="nowhere"):
        Drawing("a path", document(), 400).save(tmp_path / "nowhere" / "path.html")
