"""Commands for run files: `check-run`, `upgrade`."""

from odd.cli.options import CACHE, DEFAULT_CACHE, RUN, locate, say


def check_run(run_: RUN, cache: CACHE = DEFAULT_CACHE) -> None:
    """Check a run file: its tables, their rows, and every block of the file."""
    folder, run_id = locate(run_, cache)
    from odd.store import RunReader

    with RunReader(folder / f"{run_id}.duckdb") as reader:
        reader.verify()
        questions = len(reader.query("questions"))
    say(f"run {run_id} is sound: {questions} question{'' if questions == 1 else 's'}, status {reader.meta['status']}")


def upgrade(run_: RUN, cache: CACHE = DEFAULT_CACHE) -> None:
    """Upgrade a run file of an older version without sampling; the old file is kept next to it."""
    folder, run_id = locate(run_, cache)
    from odd.store.upgrade import upgrade_run

    kept = upgrade_run(folder, run_id)
    say("\n".join(f"upgraded; the old file is {path}" for path in kept) or f"run {run_id} is up to date")
