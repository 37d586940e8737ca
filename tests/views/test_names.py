"""File names of exports."""

import pytest

from odd.views.names import file_name


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("demo-01234567", "q1", "tree"), "demo-01234567-q1-tree"),
        ((None, "q1", "path-0"), "q1-path-0"),
        (("run", "../../etc/passwd", 3), "run-etc-passwd-3"),
        (("run", "a b\n<x>"), "run-a-b-x"),
    ],
)
def test_files_are_named_after_run_question_and_content(parts, name):
    assert file_name(*parts) == name
