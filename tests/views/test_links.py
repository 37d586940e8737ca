"""A link contains the full view, and its values are validated."""

from dataclasses import fields, replace
from types import NoneType
from typing import Literal, get_args, get_origin, get_type_hints
from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odd.method.measures import colours
from odd.views.links import LONGEST, MOST, ViewState, parameters

DEFAULT = ViewState()
PARTS = list(parameters({field.name: None for field in fields(ViewState)}))
NUMBERS = [name for name, kind in parameters(get_type_hints(ViewState)).items() if int in (kind, *get_args(kind))]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)


def values(kind):
    """All valid values of a part of this type."""
    if get_origin(kind) is tuple:
        return st.lists(values(get_args(kind)[0]), max_size=5).map(tuple)
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    if NoneType in get_args(kind):
        return st.none() | values(next(part for part in get_args(kind) if part is not NoneType))
    return {int: st.integers(0, 10**9 - 1), bool: st.booleans(), str: TEXT}[kind]


PARTS_OF_A_VIEW = {name: values(kind) for name, kind in get_type_hints(ViewState).items()}
VIEWS = st.builds(ViewState, **PARTS_OF_A_VIEW | {"colour": st.sampled_from(list(colours()))})


@given(VIEWS)
def test_decoding_undoes_encoding(view):
    assert ViewState.from_query(view.to_query()) == (view, [])


@given(VIEWS)
def test_a_link_survives_the_address_bar(view):
    address = urlencode(view.to_query(), doseq=True)
    assert ViewState.from_query(parse_qs(address, keep_blank_values=True)) == (view, [])


@given(VIEWS)
def test_every_part_is_written_out(view):
    assert list(view.to_query()) == PARTS
    assert all(view.to_query().values())


@given(VIEWS, VIEWS)
def test_different_views_have_different_links(one, other):
    assert (one.to_query() == other.to_query()) == (one == other)


def test_the_position_of_the_pinned_token_is_called_token_in_an_address():
    assert ViewState.from_query({"token": ["3"]}) == (replace(DEFAULT, position=3), [])


def test_an_empty_address_is_the_default_view():
    assert ViewState.from_query({}) == (DEFAULT, [])


def test_unknown_parts_are_ignored():
    assert ViewState.from_query({"embed": ["true"], "__class__": ["x"], "but": ["1"]}) == (DEFAULT, [])


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize(
    "text", ["-1", "1.0", "1e3", "0x1", " 1", "1_0", "٣", "²", "1" * 10, "NaN", "1; DROP TABLE nodes"]
)
def test_a_value_that_is_not_a_number_stays_at_its_default(name, text):
    view, problems = ViewState.from_query({name: [text]})
    assert view == DEFAULT
    assert len(problems) == 1 and name in problems[0]


@pytest.mark.parametrize(
    "name", ["colour", "outcome", "difficulty", "show", "decisions", "having", "screened", "reference"]
)
@pytest.mark.parametrize("text", ["other", "Alignment", "yes ", "1", "../../etc/passwd"])
def test_a_choice_that_does_not_exist_is_left_at_its_default(name, text):
    view, problems = ViewState.from_query({name: [text]})
    assert view == DEFAULT
    assert len(problems) == 1 and name in problems[0] and repr(text) in problems[0]


@pytest.mark.parametrize("query", [{"search": ["x" * (LONGEST + 1)]}, {"folded": ["1"] * (MOST + 1)}])
def test_values_that_are_too_long_are_ignored(query):
    view, problems = ViewState.from_query(query)
    assert view == DEFAULT
    assert "too long" in problems[0]


def test_one_bad_part_does_not_spoil_the_others():
    view, problems = ViewState.from_query({"token": ["x"], "path": ["2"], "teacher": ["big"]})
    assert view == replace(DEFAULT, path=2, teacher="big")
    assert len(problems) == 1


@given(st.dictionaries(st.sampled_from(PARTS), st.lists(TEXT | st.just(""), max_size=3)))
def test_no_address_at_all_breaks_the_page(query):
    view, problems = ViewState.from_query(query)
    assert ViewState.from_query(view.to_query()) == (view, [])
    assert len(problems) <= len(query)


def test_changing_a_part_leaves_the_others():
    view = replace(DEFAULT, run="a", teacher="big")
    assert view.but(teacher="other") == replace(view, teacher="other")
