"""Absurd settings and files are refused in one line, before anything large is read or made."""

import os
import threading

import pytest

from odd.config import ImportConfig, QuestionsConfig, load_config
from odd.errors import OddError
from odd.pipeline.jobs import list_jobs, read_progress, tail
from odd.questions.files import read_questions
from odd.questions.sources import load_questions
from odd.rollouts.log_records import read_records
from odd.untrusted import LARGEST, check_file

NINES = "9" * 40
SETTINGS = [
    *(f"sampling.{name}={NINES}" for name in ("initial_rollouts", "max_new_tokens", "batch_size", "seed")),
    *(f"targeting.{name}={NINES}" for name in ("correct_paths", "first_window", "n_gradient", "n_difference", "n_min")),
    *(f"analysis.{name}={NINES}" for name in ("n_sig", "posterior_draws", "seed")),
    f"screening.rollouts={NINES}",
    f"questions.limit={NINES}",
    f"student.scoring_memory={NINES}",
    f"demonstrations.tries={NINES}",
    "analysis.posterior_draws=1000000000",
    "sampling.seed=9223372036854775808",
    "sampling.seed=-1",
    "sampling.initial_rollouts=1e400",
    "sampling.initial_rollouts=nan",
    "sampling.temperature=inf",
    "sampling.temperature=1e-320",
    'cache="\\u0000"',
    'student.name="\\u0000"',
    'questions.source="\\u0000"',
    'templates.instruction="\\u0000"',
    "templates.instruction=\ud800",
    'imported.files=["a", "\\u0000"]',
    'teachers=[{name="a", context="1c", template={shown="\\u0000"}}]',
    "sampling.seed=" + "9" * 5000,
    "sampling.seed=" + "[" * 100_000,
    "[" * 100_000,
    "=",
    "",
    "a.b.c=1",
    "sampling=3",
    "sampling.seed={}",
]


def one_line(call, *arguments, longest=400, **named):
    with pytest.raises(OddError) as caught:
        call(*arguments, **named)
    assert "\n" not in str(caught.value) and len(str(caught.value)) <= longest


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda text: text[:50].encode("unicode-escape").decode())
def test_a_setting_is_refused(setting):
    one_line(load_config, overrides=(setting,))


CONFIGS = {
    "deep.toml": "a = " + "[" * 100_000 + "]" * 100_000,
    "deep.json": "[" * 100_000,
    "tables.toml": "[" + ".".join(["a"] * 50_000) + "]\nb = 1\n",
    "nul.toml": 'title = "a\0b"\n',
    "dates.toml": "title = 2026-01-01\n[sampling]\nseed = 12:00:00\n",
    "digits.toml": "[sampling]\nseed = " + "9" * 5000 + "\n",
    "digits.json": '{"sampling": {"seed": ' + "9" * 5000 + "}}",
    "infinite.toml": "[sampling]\ntemperature = inf\n",
    "list.json": "[1]",
}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_file_is_refused(tmp_path, name):
    (tmp_path / name).write_text(CONFIGS[name])
    one_line(load_config, file=tmp_path / name)


@pytest.fixture(
    params=["/dev/zero", "/dev/null", "/dev/random", "/proc/self/mem", "pipe", "folder", "missing", "sparse"]
)
def special(request, tmp_path):
    """Something that is not a file to read."""
    path = tmp_path / request.param if request.param[0] != "/" else request.param
    if request.param == "pipe":
        os.mkfifo(path)
    elif request.param == "folder":
        path.mkdir()
    elif request.param == "sparse":
        with open(path, "wb") as file:
            file.truncate(50 << 30)
    return tmp_path / path


def read_log(path):
    return read_records(ImportConfig(files=(str(path),)))


@pytest.mark.parametrize(
    "read", [read_questions, read_log, lambda path: load_config(file=path)], ids=["questions", "log", "config"]
)
def test_what_is_not_a_file_is_not_read(special, read):
    worker = threading.Thread(target=one_line, args=(read, special), daemon=True)
    worker.start()
    worker.join(20)
    assert not worker.is_alive()
    one_line(read, special)


@pytest.mark.parametrize("name", ["a" * 5000, "a\0b", "/" * 5000, "a/" * 3000])
def test_a_name_that_no_file_can_have_is_refused(name):
    one_line(load_questions, QuestionsConfig.model_construct(source=name), longest=3000)
    one_line(read_records, ImportConfig.model_construct(files=(name,)), longest=3000)


def test_a_file_may_be_as_large_as_said(tmp_path):
    path = tmp_path / "large"
    for size in (LARGEST, LARGEST + 1):
        with open(path, "wb") as file:
            file.truncate(size)
        if size == LARGEST:
            check_file(path)
    with pytest.raises(OSError, match="268 MB"):
        check_file(path)


JOB = "20260101-000000-abcdef"
RECORDS = {
    "deep": "[" * 100_000,
    "list": "[]",
    "digits": '{"created": ' + "9" * 5000 + "}",
    "large": '{"title": "' + "x" * 2_000_000 + '"}',
    "binary": "\0\ufffd",
}


@pytest.mark.parametrize("name", ["job.json", "exit", "run", "log.txt", "progress"])
@pytest.mark.parametrize("content", [None, *RECORDS], ids=["pipe", *RECORDS])
def test_the_files_of_a_job_harm_one_job_at_most(tmp_path, name, content):
    folder = tmp_path / "jobs" / JOB
    folder.mkdir(parents=True)
    (folder / "job.json").write_text('{"kind": "run", "title": "t", "created": 1.0}')
    path = tmp_path / "a.progress.json" if name == "progress" else folder / name
    path.unlink(missing_ok=True)
    if content is None:
        os.mkfifo(path)
    else:
        path.write_text(RECORDS[content])
    assert read_progress(tmp_path, "a") is None
    jobs = list_jobs(tmp_path)
    assert len(jobs) == (name != "job.json")
    for job in jobs:
        assert (job.state, job.exit_code, job.run_id) == ("failed", None, None)
        assert "\n" not in job.reason and len(tail(job.log)) <= 20_000
