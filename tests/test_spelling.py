"""Model output is never hidden and never interpreted as markup."""

import re
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from odd.text import markdown_escaped, plotly_escaped, to_json, visible, visible_text

INVISIBLE = ("Cc", "Cf", "Co", "Cs", "Zl", "Zp", "Cn")
JOINING = "\u200d\ufe0f"


@pytest.mark.parametrize(
    ("token", "shown"),
    [
        (b" the", " the"),
        (b"\n", "⏎"),
        (b"\r\n\t", "␍⏎⇥"),
        (b"\x00\x1b[31m\x7f", "␀␛[31m␡"),
        (b"\x07", "⟨U+0007⟩"),
        (b"", "∅"),
        (b"\xe2\x82", "⟨E2⟩⟨82⟩"),
        (b"a\xff", "a⟨FF⟩"),
        (b"\xed\xa0\x80", "⟨ED⟩⟨A0⟩⟨80⟩"),
        ("\u202eevil".encode(), "⟨U+202E⟩evil"),
        ("\u200b\ufeff\u00ad".encode(), "⟨U+200B⟩⟨U+FEFF⟩⟨U+00AD⟩"),
        ("\u2028".encode(), "⟨U+2028⟩"),
        ("שלום".encode(), "שלום"),
        ("漢字".encode(), "漢字"),
        ("👩‍👩‍👧".encode(), "👩‍👩‍👧"),
        (b"<script>alert(1)</script>", "<script>alert(1)</script>"),
    ],
)
def test_a_token_is_spelled_out(token, shown):
    assert visible(token) == shown


@given(st.binary(max_size=30))
def test_a_spelled_token_hides_nothing(token):
    assert visible(token)
    assert not [c for c in visible(token) if unicodedata.category(c) in INVISIBLE and c not in JOINING]


def test_a_text_keeps_its_lines():
    assert visible_text("a\tb\nc\u202e") == "a⇥b\nc⟨U+202E⟩"


@pytest.mark.parametrize(
    "text",
    [
        "# no heading",
        "*a* _b_ ~c~ `d`",
        "[a](http://x) ![b](http://y)",
        "<b>x</b> &lt;",
        "$x^2$ $$y$$",
        ":red[x] :smile: :material/home:",
        "1. one",
        "- one",
        "> quote",
        "| a | b |",
        "http://x.y www.x.y a@b.c",
        "\\$x\\$",
        "---",
        "{{7*7}}",
        "\"quoted\" 'too'",
    ],
)
def test_markdown_marks_are_all_escaped(text):
    escaped = markdown_escaped(text)
    assert not re.search(r"(?<!\\)(?:\\\\)*[*_`\[\]()<>#~$:!|&@{}]", escaped)
    assert re.sub(r"\\(.)", r"\1", escaped).replace("\u2060", "") == text


@pytest.mark.parametrize("text", ["http://x", "www.x", "a@b.c", "->", "<-", ">=", "--", "~=", ":streamlit:"])
def test_patterns_that_streamlit_rewrites_are_broken_up(text):
    assert "\u2060" in markdown_escaped(text)


def test_markdown_becomes_one_line():
    assert "\n" not in markdown_escaped("a\n\n# b\r\n\n    code")


def test_plotly_parses_no_tags_entities_or_formulas():
    shown = plotly_escaped("<b>x</b> &amp; $a$ <a href='javascript:x'>y</a>\n")
    assert not re.search(r"<|>|&(?!amp;|lt;|gt;)|\$[^\u200b]", shown)
    assert shown.endswith("⏎")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), np.float64("inf")])
def test_json_for_browsers_has_null_for_numbers_that_are_not_finite(value):
    assert to_json({"rows": [(1.5, value), {"low": value}], "n": 2}) == '{"rows":[[1.5,null],{"low":null}],"n":2}'
