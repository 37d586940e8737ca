"""Open untrusted DuckDB files.

A file is never opened as the main database of a connection. Functions defined in a main database take precedence over
DuckDB's, so a file with a macro `sum` would change our sums; and all connections of a process to one path share one
database, so a reader opened after a publication would still see the old file. Instead, an empty in-memory database
attaches the file as `run`, is cut off from files, network and extensions, and is locked. Our queries use only base
tables of `run`, and we check that they are base tables.

So SQL stored in a file is never executed. Crafted bytes are not covered: DuckDB's developers consider database files
trusted input (duckdb.org/security); against those, run the process in a container.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb

from odd.errors import OddError
from odd.store.files import spill_of
from odd.store.schema import (
    APP,
    BLOCK_SIZE,
    ROW_GROUP_SIZE,
    SCHEMA_VERSION,
    UPGRADABLE,
    absent_columns,
    column_types,
    quote,
    tables,
)
from odd.store.views import create_views

MEMORY_LIMIT = "1GB"
_MAGIC = slice(8, 12)
_CONFIG: dict[str, str | bool | int] = {
    "memory_limit": MEMORY_LIMIT,
    "default_block_size": BLOCK_SIZE,
    # no automatic checkpoints: the writer triggers them (`odd.store.writer`)
    "checkpoint_threshold": "1000TB",
    "autoload_known_extensions": False,
    "autoinstall_known_extensions": False,
    "allow_community_extensions": False,
    "allow_persistent_secrets": False,
    "python_enable_replacements": False,
}


class DamagedError(OddError):
    """The file is not a valid DuckDB file."""


class PassingError(OddError):
    """What stands in the way is not in the file, and may be gone at the next attempt."""


def attach(files: Mapping[str, Path], writable: str | None = None) -> duckdb.DuckDBPyConnection:
    """Open DuckDB files as databases of a locked in-memory database.

    Args:
        files: file of each database, by database name.
        writable: name of the database to open for writing; its file is created if missing.

    Raises:
        OddError: a file is missing, not a DuckDB file, damaged, too new, or open elsewhere.
    """
    # Only a writer may spill to disk: for readers, the memory limit bounds the cost of a file.
    spill = str(spill_of(files[writable])) if writable else ""
    connection = duckdb.connect(":memory:", config={**_CONFIG, "temp_directory": spill})
    try:
        for name, path in files.items():
            _attach(connection, name, path, read_only=name != writable)
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
    except BaseException:
        connection.close()
        raise
    return connection


def _attach(connection: duckdb.DuckDBPyConnection, name: str, path: Path, *, read_only: bool) -> None:
    """Attach one file."""
    if read_only or path.exists():
        check_magic(path)
    # With an explicit type, DuckDB does not search for an extension, e.g. to read an SQLite file.
    options = "TYPE duckdb, READ_ONLY" if read_only else f"TYPE duckdb, ROW_GROUP_SIZE {ROW_GROUP_SIZE}"
    try:
        connection.execute(f"ATTACH ? AS {quote(name)} ({options})", [str(path.resolve())])
    except duckdb.Error as error:
        raise explain(error, path) from error


def check_magic(path: Path) -> None:
    """Check that a file has DuckDB's magic bytes before DuckDB opens it.

    Raises:
        OddError: the file is missing, cannot be read, or has another format.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(_MAGIC.stop)
    except FileNotFoundError:
        raise PassingError(f"{path} does not exist; check the run id and the cache directory") from None
    except OSError as error:
        raise PassingError(f"{path} cannot be read: {error.strerror}; check the path and its permissions") from error
    if head[_MAGIC] != b"DUCK":
        raise DamagedError(f"{path} is not a DuckDB file, so not an ODD run; choose a .duckdb file written by ODD")


def concerns_file(error: duckdb.Error) -> bool:
    """Whether an error is due to the file or the machine rather than a bug in our SQL."""
    kinds = (
        duckdb.IOException,
        duckdb.FatalException,
        duckdb.InternalException,
        duckdb.SerializationException,
        duckdb.OutOfMemoryException,
    )
    # DuckDB raises a wrong checksum as the base class, and a full disk at commit as a failed transaction.
    return isinstance(error, kinds) or type(error) is duckdb.Error or "No space left" in str(error)


def explain(error: duckdb.Error, path: Path) -> OddError:
    """Convert a DuckDB error about a file to one line with a remedy."""
    text = str(error)
    if isinstance(error, duckdb.OutOfMemoryException):
        return PassingError(
            f"{path}: the query needs more than {MEMORY_LIMIT} of memory; query fewer questions at once"
        )
    if "set lock on file" in text or "already attached" in text:
        holder = re.search(r"\(PID \d+\)", text)
        who = f"another program {holder.group()}" if holder else "another program"
        return PassingError(f"{path} is open for writing in {who}; close it there and try again")
    if "version number" in text:
        return OddError(f"{path} was written by a newer DuckDB than {duckdb.__version__}; upgrade the duckdb package")
    if "Permission denied" in text:
        return PassingError(f"{path} cannot be opened: permission denied; check who owns it and its directory")
    if "No space left" in text:
        return PassingError(f"{path}: the disk is full; free space and run again, committed work is kept")
    first = text.splitlines()[0].removeprefix("IO Error: ") if text else type(error).__name__
    remedy = "copy it again from its source, or remove it and start the run again"
    return DamagedError(f"{path} is damaged ({first[:160]}); {remedy}")


@contextmanager
def stoppable() -> Iterator[None]:
    """Convert the error that DuckDB raises on a signal during a statement to KeyboardInterrupt.

    Raises:
        KeyboardInterrupt: Ctrl-C or SIGTERM arrived during a statement; DuckDB does not distinguish them.
    """
    try:
        yield
    except RuntimeError as error:
        if str(error) != "Query interrupted":
            raise
        raise KeyboardInterrupt from error


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Convert errors of the file or the disk to OddError; other errors pass unchanged."""
    try:
        with stoppable():
            yield
    except duckdb.Error as error:
        if not concerns_file(error):
            raise
        raise explain(error, path) from error


def check_run(connection: duckdb.DuckDBPyConnection, path: Path) -> dict[str, str]:
    """Check that the attached file is a run of this schema version and contains all base tables.

    Returns:
        The content of `meta`.

    Raises:
        OddError: the file is not a run, has another schema version, or is incomplete.
    """
    meta, found = _meta_and_tables(connection, path)
    _check_version(meta.get("schema_version"), path)
    absent = absent_columns(meta)
    for table in tables():
        for column, type_ in column_types(table).items():
            if (table, column) not in absent and found.get(table, {}).get(column) != type_:
                what = f"table {table}" if table not in found else f"column {table}.{column} {type_}"
                raise OddError(f"{path} is not a complete ODD run: {what} is missing; copy it again from its source")
    return meta


def run_meta(connection: duckdb.DuckDBPyConnection, path: Path) -> dict[str, str]:
    """Return the content of `meta` of the attached file, which may have another schema version.

    Raises:
        OddError: the file is not a run.
    """
    return _meta_and_tables(connection, path)[0]


def _meta_and_tables(
    connection: duckdb.DuckDBPyConnection, path: Path
) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Return the content of `meta`, and the columns of all base tables."""
    meta = {}
    try:
        found = _base_tables(connection)
        if column_types("meta").items() <= found.get("meta", {}).items():
            meta = dict(connection.execute("SELECT key, value FROM run.main.meta").fetchall())
    except duckdb.Error as error:
        raise explain(error, path) from error
    if meta.get("app") != APP:
        raise OddError(f"{path} is a DuckDB file but not an ODD run; choose a .duckdb file written by ODD")
    return meta, found


def _base_tables(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    """Return the stored columns and their types of all base tables of the attached file, without generated columns."""
    sql = """
        SELECT c.table_name, c.column_name, c.data_type
        FROM duckdb_tables() AS t
        JOIN duckdb_columns() AS c USING (database_oid, schema_oid, table_oid)
        WHERE t.database_name = 'run' AND t.schema_name = 'main' AND NOT c.is_generated"""
    tables: dict[str, dict[str, str]] = {}
    for table, column, type_ in connection.execute(sql).fetchall():
        tables.setdefault(table, {})[column] = type_
    return tables


def _check_version(stored: str | None, path: Path) -> None:
    """Check that the schema version of a file is the current one."""
    version = int(stored) if stored and stored.isascii() and stored.isdigit() and len(stored) < 9 else None
    if version is None:
        raise OddError(f"{path} is not a complete ODD run: schema_version is missing; copy it again from its source")
    if version > SCHEMA_VERSION:
        raise OddError(
            f"{path} has run-file version {version}, this ODD reads version {SCHEMA_VERSION}; upgrade ODD to open it"
        )
    if version < SCHEMA_VERSION:
        remedy = f"upgrade it with: odd upgrade {path}" if version == UPGRADABLE else "start the run again"
        raise OddError(f"{path} has run-file version {version}, this ODD reads version {SCHEMA_VERSION}; {remedy}")


def read_table(table: str, absent: Collection[tuple[str, str]]) -> str:
    """Return the SQL that selects a table's schema columns from the attached file, with NULL for absent columns."""
    columns = (
        f"NULL::{type_} AS {quote(name)}" if (table, name) in absent else quote(name)
        for name, type_ in column_types(table).items()
    )
    return f"SELECT {', '.join(columns)} FROM run.main.{quote(table)}"


def create_safe_views(connection: duckdb.DuckDBPyConnection, path: Path, meta: Mapping[str, str]) -> None:
    """Create views in the in-memory database: one per table of the attached file, and ours over them.

    Args:
        connection: connection with the file attached.
        path: path of the file.
        meta: content of its `meta`; columns of measures that it lacks are NULL.

    Raises:
        OddError: the file is damaged.
    """
    try:
        absent = absent_columns(meta)
        views = (f"CREATE VIEW {quote(table)} AS {read_table(table, absent)}" for table in tables())
        connection.execute(";".join(views))
        connection.execute(create_views())
    except duckdb.Error as error:
        raise explain(error, path) from error
