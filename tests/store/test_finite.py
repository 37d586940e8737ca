"""Numbers of a run file that are not finite are refused, wherever the method does not produce them."""

import shutil

import duckdb
import pytest

from odd.store import tables
from odd.store.consistency import LIST_CHECKS, ROW_CHECKS
from odd.store.schema import column_types, quote

MAY_BE_INFINITE = {
    ("nodes", "log_p"): "-inf",  # a token that the student never samples
    ("teacher_tokens", "log_q"): "-inf",
    ("rollouts", "log_probs"): "-inf",
    ("rollout_log_probs", "log_probs"): "-inf",
    ("node_teachers", "kl_student_teacher"): "inf",  # where the teacher rules out what the student samples
    ("node_teachers", "kl_teacher_student"): "inf",
}
COLUMNS = [
    (table, name, kind)
    for table in tables()
    for name, kind in column_types(table).items()
    if kind.startswith(("FLOAT", "DOUBLE"))
]


@pytest.fixture(scope="module")
def connection(quick, tmp_path_factory):
    copy = shutil.copy(quick[1], tmp_path_factory.mktemp("finite"))
    with duckdb.connect(copy) as connection:
        yield connection


def accepted(connection, table, name, kind, value):
    """Whether a table passes its checks with a value in every row of a column; None if it has no rows."""
    holds = " AND ".join(f"({check.holds})" for check in (*ROW_CHECKS, *LIST_CHECKS) if check.table == table)
    connection.begin()
    new = f"list_transform({quote(name)}, lambda x: '{value}'::FLOAT)" if kind.endswith("[]") else f"'{value}'"
    count = connection.execute(f"UPDATE {quote(table)} SET {quote(name)} = {new}").fetchall()[0][0]
    try:
        wrong = connection.execute(f"SELECT count(*) FROM {quote(table)} WHERE ({holds}) IS NOT TRUE").fetchall()[0][0]
        return wrong == 0 if count else None
    finally:
        connection.rollback()


def test_nan_and_infinity_are_refused_in_every_column_of_numbers(connection):
    found = {
        (table, name, value): accepted(connection, table, name, kind, value)
        for table, name, kind in COLUMNS
        for value in ("nan", "inf", "-inf")
        if MAY_BE_INFINITE.get((table, name)) != value
    }
    assert [place for place, passed in found.items() if passed] == []
    assert sum(passed is False for passed in found.values()) > 90


def test_infinities_that_the_method_produces_are_accepted(connection):
    kinds = {(table, name): kind for table, name, kind in COLUMNS}
    found = [accepted(connection, *place, kinds[place], value) for place, value in MAY_BE_INFINITE.items()]
    assert False not in found and True in found
