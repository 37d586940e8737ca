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
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb

from odd.errors import OddError, PassingError, os_error_in, os_problem
from odd.store.files import spill_of
from odd.store.limits import check_limits
from odd.store.plain_path import plain_path
from odd.store.schema import (
    APP,
    BLOCK_SIZE,
    ROW_GROUP_SIZE,
    SCHEMA_VERSION,
    SUPPLIED,
    UPGRADABLE,
    absent_columns,
    column_types,
    quote,
    stored_tables,
    supplied_columns,
    tables,
)
from odd.store.signals import deferred, stoppable
from odd.store.views import create_views
from odd.untrusted import check_file

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


_OF_READING = (duckdb.Error, RuntimeError, ValueError, LookupError, OverflowError, MemoryError)
"""What DuckDB raises when it reads a file: its own errors, and those of C++ at damage that it does not notice."""


class DamagedError(OddError):
    """The file is not a whole run file.

    Attributes:
        found: what is wrong with which file.
    """

    def __init__(self, found: str, remedy: str) -> None:
        super().__init__(f"{found}; {remedy}")
        self.found = found


def attach(files: Mapping[str, Path], writable: str | None = None) -> duckdb.DuckDBPyConnection:
    """Open DuckDB files as databases of a locked in-memory database.

    Args:
        files: file of each database, by database name.
        writable: name of the database to open for writing; its file is created if missing.

    Raises:
        OddError: a file is missing, not a DuckDB file, damaged, too new, or open elsewhere.
    """
    # Only a writer may spill to disk: for readers, the memory limit bounds the cost of a file.
    spill = str(spill_of(plain_path(files[writable]))) if writable else ""
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
    with reading(path, connection):
        connection.execute(f"ATTACH ? AS {quote(name)} ({options})", [str(plain_path(path))])


def check_magic(path: Path) -> None:
    """Check that a file has DuckDB's magic bytes before DuckDB opens it.

    Raises:
        OddError: the file is missing, cannot be read, or has another format.
    """
    try:
        check_file(path, largest=None)  # opening a pipe would wait for its writer
        with open(path, "rb") as file:
            head = file.read(_MAGIC.stop)
    except FileNotFoundError:
        raise PassingError(f"{path} does not exist; check the run id and the cache directory") from None
    except OSError as error:
        raise os_problem(f"{path} cannot be read", error) from error
    if head[_MAGIC] != b"DUCK":
        raise DamagedError(f"{path} is not a DuckDB file, so not an ODD run", "choose a .duckdb file written by ODD")


def concerns_file(error: duckdb.Error | UnicodeDecodeError) -> bool:
    """Whether an error is due to the file or the machine rather than a bug in our SQL."""
    kinds = (
        duckdb.IOException,
        duckdb.FatalException,
        duckdb.InternalException,
        duckdb.SerializationException,
        duckdb.OutOfMemoryException,
        UnicodeDecodeError,
    )
    # DuckDB raises a wrong checksum as the base class, and a full disk at commit as a failed transaction.
    return isinstance(error, kinds) or type(error) is duckdb.Error or os_error_in(str(error)) is not None


def explain(error: Exception, path: Path) -> OddError:
    """Convert an error of DuckDB about a file to one line with a remedy."""
    # with a path that is not UTF-8 in it, even the error cannot be converted
    text = error.object.decode(errors="replace") if isinstance(error, UnicodeDecodeError) else str(error)
    if isinstance(error, MemoryError):
        return PassingError(f"{path} cannot be read: there is not enough memory; close other programs")
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
    if (number := os_error_in(text)) is not None:
        return os_problem(f"{path} cannot be read or written", number)
    first = text.splitlines()[0].removeprefix("IO Error: ") if text else type(error).__name__
    first = first.replace(f"{plain_path(path).parent}", f"{path.resolve().parent}")
    return DamagedError(
        f"{path} is damaged ({first[:160]})", "copy it again from its source, or remove it and start the run again"
    )


@contextmanager
def reading(path: Path, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Convert errors of statements that can only fail because of the file or the machine to OddError."""
    try:
        with stoppable(), deferred(connection):
            yield
    except _OF_READING as error:
        raise explain(error, path) from error


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Convert errors of the file or the disk to OddError; other errors, such as of values, pass unchanged."""
    try:
        with stoppable():
            yield
    except (duckdb.Error, UnicodeDecodeError) as error:
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
    absent = absent_columns(meta) | supplied_columns(meta).keys()
    for table in stored_tables(meta):
        for column, type_ in column_types(table).items():
            if (table, column) not in absent and found.get(table, {}).get(column) != type_:
                what = f"table {table}" if table not in found else f"column {table}.{column} {type_}"
                raise _incomplete(path, what)
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
    with reading(path, connection):
        found = _base_tables(connection)
        if column_types("meta").items() <= found.get("meta", {}).items():
            check_limits(connection, path, "meta")
            meta = dict(connection.execute("SELECT key, value FROM run.main.meta").fetchall())
    if meta.get("app") != APP:
        raise DamagedError(f"{path} is a DuckDB file but not an ODD run", "choose a .duckdb file written by ODD")
    return meta, found


def _incomplete(path: Path, what: str) -> DamagedError:
    return DamagedError(f"{path} is not a complete ODD run: {what} is missing", "copy it again from its source")


def read_to_end(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    meta: Mapping[str, str],
    given_up: Callable[[], bool] = lambda: False,
) -> None:
    """Read every row of all tables of the attached file, so that damage anywhere in them is found.

    Args:
        connection: connection with the file attached.
        path: path of the file.
        meta: content of its `meta`.
        given_up: called between tables; if it returns True, the rest is not read.

    Raises:
        OddError: the file is damaged.
    """
    with reading(path, connection):
        for table in stored_tables(meta):
            if given_up():
                return
            connection.execute(f"SELECT bit_xor(hash(t)) FROM run.main.{quote(table)} AS t").fetchall()


def check_whole(path: Path, given_up: Callable[[], bool] = lambda: False) -> None:
    """Open a run file, and read it to its end unless `given_up` returns True between two tables.

    Raises:
        OddError: it is not a run, damaged, or has another schema version.
    """
    with attach({"run": path}) as connection:
        read_to_end(connection, path, check_run(connection, path), given_up)


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
        raise _incomplete(path, "schema_version")
    if version > SCHEMA_VERSION:
        raise OddError(
            f"{path} has run-file version {version}, this ODD reads version {SCHEMA_VERSION}; upgrade ODD to open it"
        )
    if version < SCHEMA_VERSION and version not in SUPPLIED:
        remedy = f"upgrade it with: odd upgrade {path}" if version == UPGRADABLE else "start the run again"
        raise OddError(f"{path} has run-file version {version}, this ODD reads version {SCHEMA_VERSION}; {remedy}")


def read_table(table: str, meta: Mapping[str, str]) -> str:
    """Return the SQL that selects a table's schema columns from the attached file, including those that it lacks.

    Args:
        table: the table.
        meta: content of the file's `meta`; columns of measures that it lacks are NULL.
    """
    if table not in stored_tables(meta):
        columns = (f"NULL::{type_} AS {quote(name)}" for name, type_ in column_types(table).items())
        return f"SELECT {', '.join(columns)} WHERE false"
    values = dict.fromkeys(absent_columns(meta), "NULL") | supplied_columns(meta)
    columns = (
        f"({values[table, name]})::{type_} AS {quote(name)}" if (table, name) in values else quote(name)
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
    views = (f"CREATE VIEW {quote(table)} AS {read_table(table, meta)}" for table in tables())
    with reading(path, connection):
        connection.execute(";".join(views))
        connection.execute(create_views())
