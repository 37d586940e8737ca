"""Absurd settings and files are refused in one line, before anything large is read or made."""

import os
import threading

import pytest

from odd.config import load_config
from odd.errors import OddError
from odd.questions.files import read_questions
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
    "sampling.seed=" + "9" * 5000,
    "sampling.seed=" + "[" * 100_000,
    "[" * 100_000,
    "=",
    "",
    "a.b.c=1",
    "sampling=3",
    "sampling.seed={}",
]


def one_line(call, *arguments, **named):
    with pytest.raises(OddError) as caught:
        call(*arguments, **named)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


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


@pytest.mark.parametrize("read", [read_questions, lambda path: load_config(file=path)], ids=["questions", "config"])
def test_what_is_not_a_file_is_not_read(special, read):
    worker = threading.Thread(target=one_line, args=(read, special), daemon=True)
    worker.start()
    worker.join(20)
    assert not worker.is_alive()
    one_line(read, special)


def test_a_file_may_be_as_large_as_said(tmp_path):
    path = tmp_path / "large"
    for size in (LARGEST, LARGEST + 1):
        with open(path, "wb") as file:
            file.truncate(size)
        if size == LARGEST:
            check_file(path)
    with pytest.raises(OSError, match="268 MB"):
        check_file(path)
