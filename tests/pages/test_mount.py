"""Components send events to their page."""

from pages.shared.mount import _caller


def test_events_of_a_component_on_a_page_that_was_left_are_ignored():
    done = []
    _caller("of a page that was left", "pin", done.append)()
    assert done == []
