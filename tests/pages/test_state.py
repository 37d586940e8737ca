"""What a click changes, where the browser has not heard yet of what the click before it changed."""

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
    """The buttons, after a click on the first."""
    app = AppTest.from_function(two_buttons).run()
    app.query_params["run"] = "of-an-address"
    app.run()
    app.button[0].click().run()
    assert app.query_params["sort"] == "-pass_rate"
    return app


def test_a_click_sent_before_the_browser_heard_of_the_one_before_keeps_what_that_changed(clicked):
    clicked.query_params.clear()
    clicked.query_params["run"] = "of-an-address"
    clicked.button[1].click().run()
    assert (clicked.query_params["sort"], clicked.query_params["search"]) == ("-pass_rate", "sum")


def test_a_click_after_a_step_back_does_not_bring_back_what_was_left(clicked):
    clicked.query_params.clear()
    clicked.query_params["run"] = "another"
    clicked.run()
    clicked.button[1].click().run()
    assert clicked.query_params.get("sort") != "-pass_rate"
    assert clicked.query_params["run"] == "another"
