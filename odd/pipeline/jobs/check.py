"""The checks of runs and of servers, in a process of their own, as they load models and tokenizers."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from odd.access import changes
from odd.config import ModelConfig, RunConfig
from odd.errors import OddError
from odd.pipeline.checks.finding import Finding
from odd.pipeline.jobs.start import process_environment


@changes(lambda config: config.title)
def check_run(config: RunConfig) -> Iterator[Finding]:
    """Yield what the checks of a run find, as they find it. The process ends with the iterator.

    Raises:
        OddError: the process failed; the message is the last line that it wrote.
    """
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "config.json"
        settings.write_text(json.dumps(config.model_dump(mode="json", exclude={"cache"})), encoding="utf-8")
        command = ["check", "--preset", "demo", "--config", str(settings), "--cache", str(config.cache)]
        yield from map(Finding.from_json, _lines(command))


@changes(lambda student, cache: student.name)
def check_servers(student: ModelConfig, cache: Path) -> Iterator[tuple[str, str, str, str]]:
    """Yield address, check, status (ok, note or error) and text of what is found out about a model's servers.

    Raises:
        OddError: as for `check_run`.
    """
    command = ["engines", "check", *student.server, "--model", student.name, "--cache", str(cache)]
    command += ["--server-model", student.server_model] if student.server_model else []
    for line in _lines(command):
        yield line["server"], line["check"], line["status"], line["text"]


def _lines(command: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the JSON lines that a command of checks prints."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.txt"
        with log.open("w", encoding="utf-8") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "odd", *command, "--json"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=process_environment(),
            )
        assert process.stdout is not None
        with process, process.stdout:
            try:
                for line in process.stdout:
                    yield json.loads(line)
            except GeneratorExit:
                process.kill()
                raise
        said = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
        # status 1 without a message: a finding is an error
        if process.returncode not in (0, 1) or (process.returncode == 1 and said):
            reason = said[-1].removeprefix("error: ") if said else f"the checks ended with status {process.returncode}"
            raise OddError(reason)
