"""Open the work file of a run for its writer: use the existing one, create one, or replace a damaged one.

An existing file is read to its end first, since a writer reads little of it, and would publish the damage in the rest.
All of this happens under the writer's lock, so no other process touches the files meanwhile.
"""

import os
import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from odd import __version__
from odd.errors import OddError, os_error_in
from odd.store.attach import DamagedError, attach, check_run, explain, read_table, read_to_end, reading
from odd.store.files import log_of, remove_leftovers, temporary_of
from odd.store.question_stage import QuestionStage
from odd.store.run_status import RunStatus
from odd.store.schema import (
    APP,
    SCHEMA_VERSION,
    absent_columns,
    column_types,
    create_tables,
    measured,
    quote,
    stored_tables,
    supplied_columns,
    tables,
)
from odd.store.signals import deferred
from odd.store.views import create_views


def open_work(work: Path, published: Path, run_id: str) -> duckdb.DuckDBPyConnection:
    """Open the work file of a run for writing; create it if missing or damaged.

    A damaged file is renamed with a warning, never deleted. A new file contains the published state, if there is one.

    Args:
        work: path of the work file.
        published: path of the published file of the run; may be missing.
        run_id: id of the run.

    Returns:
        A connection with the run as its current database.

    Raises:
        OddError: a file cannot be opened or contains another run.
    """
    remove_leftovers(published)
    remove_leftovers(work)
    if work.exists():
        try:
            return _open_existing(work, run_id)
        except DamagedError:
            aside = _set_aside(work)
            source = "the last published state" if published.exists() else "the beginning"
            warnings.warn(f"{work} is damaged: kept as {aside.name}, the run continues from {source}", stacklevel=3)
    log_of(work).unlink(missing_ok=True)  # without its file a log is useless, and would be applied to the new one
    _make(work, published, run_id)
    return _open_existing(work, run_id)


def _open_existing(work: Path, run_id: str) -> duckdb.DuckDBPyConnection:
    """Open the work file, read it to its end, and update its columns and views.

    Raises:
        DamagedError: it cannot be read, or not be written for another reason than the disk.
        OddError: it contains another run, or the disk is full.
    """
    connection = attach({"run": work}, writable="run")
    try:
        meta = check_run(connection, work)
        _check_same_run(meta, work, run_id)
        read_to_end(connection, work, meta)
        with reading(work, connection):
            connection.execute("USE run.main")
            connection.begin()
            _add_tables(connection, meta)
            _add_columns(connection, meta)
            connection.execute(create_views())
            # only replacing a row reads the index of `meta`, and only a checkpoint all that it keeps
            connection.execute("INSERT OR REPLACE INTO meta VALUES ('run_id', ?)", [run_id])
            connection.commit()
            connection.execute("CHECKPOINT run")
    except BaseException:
        connection.close()
        raise
    return connection


def _check_same_run(meta: Mapping[str, str], path: Path, run_id: str) -> None:
    """Check that a file was not renamed, so that runs are not mixed.

    Raises:
        OddError: the file contains another run.
    """
    if meta.get("run_id") != run_id:
        raise OddError(f"{path} contains run {meta.get('run_id')}, not {run_id}; restore the name of the file")


def describe(published: Path) -> str:
    """Say in words what the published file of a run contains, after reading it to its end."""
    if not published.exists():
        return f"there is no published file {published}"
    try:
        with attach({"run": published}) as connection:
            read_to_end(connection, published, check_run(connection, published))
            count = "SELECT count(*) FILTER (stage = ?), count(*) FROM run.main.questions"
            scored, questions = connection.execute(count, [QuestionStage.SCORED.value]).fetchall()[0]
    except OddError as error:
        return f"the published file is no help either: {error}"
    return f"the published file {published} is intact, with {scored} of {questions} questions scored"


def _set_aside(work: Path) -> Path:
    """Rename a damaged work file together with its write-ahead log; return the new path."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    aside = work.with_name(f"{work.name}.damaged-{stamp}")
    for path in work.parent.glob(f"{work.name}*"):
        if ".damaged-" not in path.name:
            path.rename(path.with_name(path.name.replace(work.name, aside.name, 1)))
    return aside


def rewrite(work: Path, run_id: str) -> None:
    """Replace a closed work file by one with the same rows and no free blocks.

    Raises:
        OddError: the file cannot be read or written.
    """
    _make(work, work, run_id)
    log_of(work).unlink(missing_ok=True)


def _make(work: Path, published: Path, run_id: str) -> None:
    """Create a work file with the published state, or an empty one.

    The published file may come from elsewhere, so only its rows are copied, never its views, macros or triggers.
    """
    temporary = temporary_of(work)
    files = {"run": published} if published.exists() else {}
    connection = attach({**files, "new": temporary}, writable="new")
    try:
        with deferred(connection):
            meta = check_run(connection, published) if files else {}
            if files:
                _check_same_run(meta, published, run_id)
            connection.execute("USE new.main")
            connection.begin()
            connection.execute(create_tables())
            connection.execute(create_views())
            if files:
                _copy_rows(connection, meta)
            else:
                connection.executemany("INSERT INTO meta VALUES (?, ?)", _first_meta(run_id))
            connection.commit()
            connection.execute("CHECKPOINT new")
    except duckdb.Error as error:
        # what the system refuses concerns the new file, since reading needs nothing of it
        at_fault = work if not files or os_error_in(str(error)) else published
        raise explain(error, at_fault) from error
    finally:
        connection.close()
    os.replace(temporary, work)


def _copy_rows(connection: duckdb.DuckDBPyConnection, meta: Mapping[str, str]) -> None:
    """Copy the rows of all tables from database `run` to the current one."""
    for table in tables():
        columns = ", ".join(quote(name) for name in column_types(table))
        connection.execute(f"INSERT INTO {quote(table)} ({columns}) {read_table(table, meta)}").fetchall()
    _take_note(connection, meta)


def _add_tables(connection: duckdb.DuckDBPyConnection, meta: Mapping[str, str]) -> None:
    """Add the tables that the file lacks because it is older than them."""
    known = stored_tables(meta)
    if statements := create_tables(besides=known):
        connection.execute(statements)


def _add_columns(connection: duckdb.DuckDBPyConnection, meta: Mapping[str, str]) -> None:
    """Add the columns that the file lacks because it is older than them."""
    supplied = supplied_columns(meta)
    for table, column in sorted(absent_columns(meta) | supplied.keys()):
        connection.execute(
            f"ALTER TABLE {quote(table)} ADD COLUMN IF NOT EXISTS {quote(column)} {column_types(table)[column]}"
        )
    for (table, column), value in supplied.items():
        connection.execute(f"UPDATE {quote(table)} SET {quote(column)} = {value}")
    _take_note(connection, meta)


def _take_note(connection: duckdb.DuckDBPyConnection, meta: Mapping[str, str]) -> None:
    """Record the version and its measures; mark all questions for rescoring if measures were added or have changed."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('schema_version', ?)", [str(SCHEMA_VERSION)])
    if absent_columns(meta) or ("components", "rest_success") in supplied_columns(meta):
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('measures', ?)", [measured()])
        connection.execute("UPDATE questions SET stage = 'targeted' WHERE stage = 'scored'")


def _first_meta(run_id: str) -> list[list[str]]:
    """Return the rows of `meta` of a new run."""
    return [
        ["app", APP],
        ["schema_version", str(SCHEMA_VERSION)],
        ["odd_version", __version__],
        ["run_id", run_id],
        ["created_at", datetime.now(UTC).isoformat(timespec="seconds")],
        ["status", RunStatus.RUNNING],
        ["measures", measured()],
    ]
