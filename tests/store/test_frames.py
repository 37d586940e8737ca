"""Rows are read as they were inserted; values that cannot be stored exactly are refused."""

import math
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from odd.store import tables
from odd.store.frames import from_duckdb
from tests.store.example_run import ROWS, RUN


def plain(value):
    """A cell without its container: arrays as lists, every kind of missing value as None."""
    if isinstance(value, np.ndarray | list):
        return [plain(cell) for cell in value]
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return None
    return pytest.approx(value, rel=1e-6) if isinstance(value, float) else value


def test_the_example_fills_every_table():
    assert set(ROWS) == set(tables()) - {"meta"}


@pytest.fixture(scope="module")
def connection(filled_cache):
    with duckdb.connect(str(filled_cache / f"{RUN}.duckdb"), read_only=True) as connection:
        yield connection


@pytest.mark.parametrize("table", ROWS)
def test_every_table_gives_back_what_was_put_in(connection, table):
    stored = from_duckdb(connection.execute(f"SELECT * FROM {table}").df())
    assert list(stored.columns) == list(tables()[table][1])
    expected = [{name: plain(row.get(name)) for name in stored.columns} for row in ROWS[table]]
    assert [{name: plain(value) for name, value in row.items()} for row in stored.to_dict("records")] == expected


@pytest.mark.parametrize("missing", [float("nan"), None, np.float32("nan"), pd.NA])
@pytest.mark.parametrize("container", [list, pd.DataFrame])
def test_a_missing_number_is_null_and_not_nan(writer, missing, container):
    writer.insert("timings", container([{"stage": "a", "seconds": missing}, {"stage": "a", "seconds": 1.0}]))
    assert writer.query("SELECT count(*) AS n, count(seconds) AS known FROM timings").values.tolist() == [[2, 1]]


@pytest.mark.parametrize("cell", [[None, 1.5], [float("nan"), 1.5], np.array([np.nan, 1.5], dtype=np.float32)])
def test_a_missing_number_in_a_list_is_null(writer, cell):
    writer.insert("rollouts", [ROWS["rollouts"][0] | {"log_probs": cell}])
    assert writer.query("SELECT log_probs[1] IS NULL AS a, log_probs[2] AS b FROM rollouts").values.tolist() == [
        [True, 1.5]
    ]


def test_long_runs_of_empty_lists_do_not_hide_the_type_of_a_column(writer):
    empty, full = ROWS["rollouts"][4], ROWS["rollouts"][0]
    writer.insert("rollouts", [empty] * 5999 + [full])
    writer.insert("questions", [ROWS["questions"][1]] * 5999 + [ROWS["questions"][0]])
    assert writer.query("SELECT sum(len(log_probs)) AS n FROM rollouts").n[0] == 2
    assert writer.query("SELECT choices FROM questions ORDER BY question LIMIT 1").choices[0].tolist() == [
        "2", None, "Ünï",
    ]  # fmt: skip


def test_a_lone_surrogate_is_replaced(writer):
    writer.insert("vocabulary", [{"token": 1, "text": "a\ud800b"}])
    assert writer.query("SELECT text FROM vocabulary").text[0] == "a?b"


def test_a_categorical_column_is_text(writer):
    kind: Any = object
    names = pd.CategoricalDtype(pd.Index(["a\ud800b", "c"], dtype=kind))
    text = pd.Categorical.from_codes([1, 0, -1], dtype=names)
    writer.insert("vocabulary", pd.DataFrame({"token": [1, 2, 3], "text": text}))
    assert writer.query("SELECT text FROM vocabulary ORDER BY token").text.tolist() == ["c", "a?b", None]


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("nodes", {"question": 0, "node": 1, "visits": 1.5}),
        ("nodes", {"question": 0, "node": 1, "no_such": 1}),
        ("no_such", {"a": 1}),
        ("rollouts", ROWS["rollouts"][0] | {"token_ids": [1.5]}),
        ("rollouts", ROWS["rollouts"][0] | {"token_ids": [2**40]}),
        ("rollouts", ROWS["rollouts"][0] | {"token_ids": [None]}),
        ("rollouts", ROWS["rollouts"][0] | {"token_ids": 5}),
        ("rollouts", ROWS["rollouts"][0] | {"log_probs": [[1.0], [2.0]]}),
        ("timings", {"stage": {"a": 1}}),
        ("timings", {"stage": "a", "question": 2**40}),
        ("timings", {"seconds": 1.0}),
        ("timings", {"stage": "a", "seconds": "soon"}),
    ],
)
def test_a_value_that_a_column_cannot_hold_is_refused(writer, table, row):
    with pytest.raises(ValueError, match=table):
        writer.insert(table, [row])
