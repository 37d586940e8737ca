"""Components tell a page what was done in them."""

from pages.shared.mount import _caller


def test_what_a_component_says_after_its_page_was_left_is_passed_over():
    done = []
    _caller("of a page that was left", "pin", done.append)()
    assert done == []
