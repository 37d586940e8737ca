"""The form that starts a run can sample its student on servers, and tries them."""

import pytest
from streamlit.testing.v1 import AppTest

from odd.errors import OddError
from pages.parts import run_servers

HOSTILE = "<b>x</b> $a$ [l](u) \x1b[2J"


@pytest.fixture
def app():
    def script():
        import streamlit as st

        from odd.config import PRESETS
        from pages.parts.run_servers import servers

        st.json(servers(PRESETS["smollm2"].student.model_dump(mode="json"), "new"))

    return AppTest.from_function(script, default_timeout=60).run()


def filled(app, text="http://gpu1:8000, http://gpu2:8000"):
    app.text_input(key="new-servers").set_value(text)
    return app.run()


def test_without_servers_the_student_is_as_before(app):
    assert not app.exception and app.json[0].value == "{}"


def test_servers_are_settings_of_the_student(app):
    app.text_input(key="new-served").set_value("m")
    given = filled(app).json[0].value
    assert '"http://gpu1:8000"' in given and '"http://gpu2:8000"' in given
    assert '"server_model": "m"' in given.replace('":"', '": "') and "transformers" in given


def test_the_button_shows_what_is_found_as_text(app, monkeypatch):
    found = [("http://gpu1:8000", "server", "ok", f"vllm {HOSTILE}"), ("http://gpu2:8000", "server", "error", "gone")]
    monkeypatch.setattr(run_servers, "check_servers", lambda student, cache: iter(found))
    filled(app).button(key="new-try").click().run()
    first, second = (one.value for one in app.markdown[-2:])
    assert "gpu1" in first and "<b>" not in first and "\x1b" not in first
    assert "gone" in second and ":red[" in second


def test_a_process_that_fails_says_why(app, monkeypatch):
    def failing(student, cache):
        raise OddError("set the environment variable GPU_KEY")

    monkeypatch.setattr(run_servers, "check_servers", failing)
    filled(app).button(key="new-try").click().run()
    assert "GPU" in app.error[0].value


def test_an_address_that_is_none_shows_one_line(app):
    filled(app, "gpu1").button(key="new-try").click().run()
    assert "HOST" in app.error[0].value


def test_no_variable_of_the_environment_can_be_named(app):
    assert not [one.label for one in app.text_input if "key" in one.label.lower()]
    assert "api_key_env" not in filled(app).json[0].value
