"""A click sent before the browser has applied the change of the previous click."""

import pytest
from streamlit.testing.v1 import AppTest


def two_buttons():
    import streamlit as st

    from pages.shared.state import change_view, read_view

    read_view()
    st.button("sort", on_click=lambda: change_view(sort="-pass_rate"))
    st.button("search", on_click=lambda: change_view(search="sum"))


@pytest.fixture
def clicked():
    """The two buttons after a click on the first one."""
    app = AppTest.from_function(two_buttons).run()
    app.query_params["run"] = "of-an-address"
    app.run()
    app.button[0].click().run()
    assert app.query_params["sort"] == "-pass_rate"
    return app


def test_a_click_sent_before_the_previous_one_is_applied_keeps_its_change(clicked):
    clicked.query_params.clear()
    clicked.query_params["run"] = "of-an-address"
    clicked.button[1].click().run()
    assert (clicked.query_params["sort"], clicked.query_params["search"]) == ("-pass_rate", "sum")


def test_a_click_after_going_back_does_not_restore_later_changes(clicked):
    clicked.query_params.clear()
    clicked.query_params["run"] = "another"
    clicked.run()
    clicked.button[1].click().run()
    assert clicked.query_params.get("sort") != "-pass_rate"
    assert clicked.query_params["run"] == "another"
