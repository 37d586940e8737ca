"""Run files: one DuckDB file per run. The only part of the program that imports duckdb."""

from odd.store.files import RUN_ID, check_run_id, published_path, work_path
from odd.store.queries import QUERIES
from odd.store.reader import RunInfo, RunReader, list_runs, run_files
from odd.store.removal import remove_run
from odd.store.schema import SCHEMA_VERSION, tables
from odd.store.upload import accept_run
from odd.store.views import VIEWS
from odd.store.writer import RunWriter

__all__ = [
    "QUERIES",
    "RUN_ID",
    "SCHEMA_VERSION",
    "VIEWS",
    "RunInfo",
    "RunReader",
    "RunWriter",
    "accept_run",
    "check_run_id",
    "list_runs",
    "published_path",
    "remove_run",
    "run_files",
    "tables",
    "work_path",
]
