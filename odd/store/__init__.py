"""Run files: one DuckDB file per run. The only part of the program that imports duckdb."""

from odd.store.facts import Facts, read_facts, usual_measure
from odd.store.files import RUN_ID, check_run_id, published_path, work_path
from odd.store.listing import RunInfo, list_runs, newest_finished, read_for, run_at
from odd.store.queries import QUERIES
from odd.store.reader import RunReader
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
    "Facts",
    "RunInfo",
    "RunReader",
    "RunWriter",
    "accept_run",
    "check_run_id",
    "list_runs",
    "newest_finished",
    "published_path",
    "read_facts",
    "read_for",
    "remove_run",
    "run_at",
    "tables",
    "usual_measure",
    "work_path",
]
