"""The checks before a run, in a process of their own, as they load models."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from odd.access import changes
from odd.config import RunConfig
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
        settings, log = Path(folder) / "config.json", Path(folder) / "log.txt"
        settings.write_text(json.dumps(config.model_dump(mode="json", exclude={"cache"})), encoding="utf-8")
        command = [sys.executable, "-m", "odd", "check", "--json", "--preset", "demo", "--config", str(settings)]
        with log.open("w", encoding="utf-8") as errors:
            process = subprocess.Popen(
                [*command, "--cache", str(config.cache)],
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
                    yield Finding.from_json(json.loads(line))
            except GeneratorExit:
                process.kill()
                raise
        said = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
        # status 1 without a message: a finding is an error
        if process.returncode not in (0, 1) or (process.returncode == 1 and said):
            reason = said[-1].removeprefix("error: ") if said else f"the checks ended with status {process.returncode}"
            raise OddError(reason)
