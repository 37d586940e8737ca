"""The published numbers are complete and as printed, and no caller can change them for others."""

import pytest

from odd.findings.paper import CREDIT, FOLDER, published, tables


def test_every_table_is_there_and_described():
    assert tables() == [1, 2, 3, 4, 5, 6, 8, 9]
    readme = (FOLDER / "README.md").read_text()
    for number in tables():
        assert len(published(number)) > 0
        assert f"| {number} |" in readme
    assert "CC BY 4.0" in readme and "CC BY 4.0" in CREDIT


@pytest.mark.parametrize(("table", "rows"), [(1, 32), (2, 12), (3, 16), (4, 12), (5, 40), (6, 16), (8, 28), (9, 84)])
def test_no_row_is_lost(table, rows):
    assert len(published(table)) == rows


def test_numbers_are_numbers_and_bounds_of_p_values_stay_what_was_printed():
    assert published(8)["accuracy_pct"].dtype == float
    assert "<1e-19" in set(published(4)["p_value"])


def test_changes_stay_local_to_the_caller():
    mine = published(8)
    mine["accuracy_pct"] = 0.0
    assert published(8)["accuracy_pct"].min() > 0


def test_an_unknown_table_lists_the_existing_ones():
    with pytest.raises(ValueError, match="1, 2, 3"):
        published(7)
