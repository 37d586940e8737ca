"""The command line as users see it: output, files and exit codes."""

import contextlib
import io
import json
import shutil
import signal
import socket
import subprocess
import sys
import tomllib
from pathlib import Path
from unittest import mock

import pytest

from odd import __version__
from odd.__main__ import main
from odd.access import READ_ONLY
from odd.cli import dashboard
from odd.cli.dashboard import command
from odd.cli.options import parse_teacher
from odd.config import ModelConfig
from odd.errors import OddError

ROOT = Path(__file__).parents[2]
ORACLE = Path(__file__).parents[1] / "oracle"


def odd(*arguments):
    """Run `odd` with these arguments in this process, which saves the startup time."""
    command = ["odd", *map(str, arguments)]
    out, err, terminated = io.StringIO(), io.StringIO(), signal.getsignal(signal.SIGTERM)
    streams = contextlib.redirect_stdout(out), contextlib.redirect_stderr(err)
    try:
        with contextlib.chdir(ROOT), mock.patch.object(sys, "argv", command), streams[0], streams[1]:
            code = main()
    finally:
        signal.signal(signal.SIGTERM, terminated)
    return subprocess.CompletedProcess(command, code, out.getvalue(), err.getvalue())


@pytest.mark.parametrize("arguments, code", [(["vectors", str(ORACLE / "tree.json")], 0), (["fly"], 2)])
def test_a_separate_process_gives_the_same_output_and_exit_code(arguments, code):
    command = [sys.executable, "-m", "odd", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)
    inside = odd(*arguments)
    assert (done.returncode, done.stdout, done.stderr) == (inside.returncode, inside.stdout, inside.stderr)
    assert done.returncode == code


INTERRUPTED_EARLY = """
import signal, sys

class Interrupting:
    def find_spec(name, *_):
        if name == "typer":
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Interrupting)
from odd.__main__ import main
sys.exit(main())
"""


def test_ctrl_c_while_the_command_is_loaded_gives_130_and_one_line():
    command = [sys.executable, "-c", INTERRUPTED_EARLY]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=100)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (130, "", 1)


CLOSED = """
import os, sys
from odd.__main__ import main
sys.argv = ["odd", "show", "none-00000000"]
status = main()
sys.exit(0 if (status, sys.stdout.isatty()) == (1, False) and os.open(os.devnull, os.O_RDONLY) > 2 else 1)
"""


def test_closed_streams_are_replaced_so_that_no_file_gets_their_number():
    command = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-c", CLOSED]
    assert subprocess.run(command, cwd=ROOT, timeout=100).returncode == 0


def test_the_process_of_a_run_ends_without_warnings_from_libraries(tmp_path):
    few = ["sampling.initial_rollouts=8", "sampling.max_new_tokens=16", "targeting.n_min=2"]
    asked = ["--limit", "1", "--cache", str(tmp_path), *(part for setting in few for part in ("--set", setting))]
    command = [sys.executable, "-m", "odd", "run", "--preset", "demo", *asked]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)
    assert done.returncode == 0
    assert "leak" not in done.stderr


COMMANDS = [
    *("demo", "app", "show", "findings", "screen", "run", "import", "add-teacher", "weights", "models"),
    "influence",
    "verify",
    "check",
    "vectors",
    "check-run",
    "upgrade",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command):
    done = odd(command, "--help")
    assert done.returncode == 0
    assert "Usage" in done.stdout


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
def test_help_lists_every_command_and_no_old_name(arguments):
    done = odd(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert not [command for command in COMMANDS if f" {command} " not in done.stdout]
    assert " teach " not in done.stdout


def test_the_version_is_printed():
    assert odd("--version").stdout == f"odd {__version__}\n"


def test_without_the_command_the_server_answers_to_the_same_local_names():
    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert settings["server"]["allowedHosts"] == list(dashboard.LOCAL_NAMES)


def allowed(*names):
    return [part for name in names for part in ("--server.allowedHosts", name)]


LOCAL = allowed("localhost", "127.0.0.1", "::1")
NAMED = allowed(*sorted({socket.gethostname(), socket.getfqdn()} - {"localhost"}, key=len))


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        ((None, "localhost", False), ["--server.address", "localhost", *LOCAL]),
        (
            (8600, "0.0.0.0", True),
            ["--server.address", "0.0.0.0", *LOCAL, *NAMED, "--server.port", "8600", "--server.headless", "true"],
        ),
        (
            (None, "localhost", False, ["--server.maxUploadSize=9"]),
            ["--server.address", "localhost", *LOCAL, "--server.maxUploadSize=9"],
        ),
    ],
)
def test_the_server_of_the_dashboard_is_started_with_what_is_asked(arguments, asked):
    started = command(*arguments)
    assert Path(started[started.index("run") + 1]) == ROOT / "app.py"
    assert started[started.index("run") + 2 :] == asked


def test_a_missing_dashboard_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(dashboard, "DASHBOARD", tmp_path)
    with pytest.raises(OddError, match="install odd again"):
        command(None, "localhost", False)


@pytest.fixture
def served(monkeypatch):
    """The command and environment of the process that would have been started."""
    became = []
    monkeypatch.setattr("os.execve", lambda program, command, environment: became.append((command, environment)))
    return became


def test_app_passes_on_unknown_options_and_prints_who_has_access(served, tmp_path):
    asked = ("--host", "0.0.0.0", "--allow-anonymous", "--server.maxUploadSize", "9")
    done = odd("app", "--cache", tmp_path, *asked)
    ((started, environment),) = served
    assert started[-2:] == ["--server.maxUploadSize", "9"]
    assert environment["ODD_CACHE"] == str(tmp_path)
    assert "no login" in done.stdout


@pytest.mark.parametrize("command", [("app",), ("demo", "--limit", "1")])
@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.7", "::"])
def test_others_than_this_machine_need_a_word(served, tmp_path, command, host):
    done = odd(*command, "--cache", tmp_path, "--host", host)
    assert done.returncode == 1 and "--allow-anonymous" in done.stderr and done.stderr.count("\n") == 1
    assert not served and not list(tmp_path.iterdir())


@pytest.mark.parametrize("option", [("--server.address", "0.0.0.0"), ("--server.address=0.0.0.0",)])
def test_the_address_cannot_be_passed_on(served, tmp_path, option):
    done = odd("app", "--cache", tmp_path, *option)
    assert done.returncode == 1 and "--host" in done.stderr and not served


def test_a_dashboard_can_be_read_only(served, tmp_path):
    odd("app", "--cache", tmp_path, "--read-only")
    odd("app", "--cache", tmp_path)
    assert [environment.get(READ_ONLY) for _, environment in served] == ["1", None]


@pytest.mark.parametrize("port", ["0", "70000", "x"])
def test_an_impossible_port_is_refused(served, port):
    assert odd("app", "--port", port).returncode == 2
    assert not served


def test_demo_makes_its_run_and_opens_the_dashboard_at_it(served, monkeypatch, tmp_path):
    made = []
    monkeypatch.setattr(dashboard, "make", lambda settings: made.append(settings) or tmp_path / "demo-00000000.duckdb")
    odd("demo", "--cache", tmp_path, "--limit", 3)
    (settings,) = made
    assert (settings.title, settings.questions.limit, settings.cache) == ("demo", 3, tmp_path)
    ((started, environment),) = served
    assert started[-2:] == ["--", "questions?run=demo-00000000"]
    assert environment["ODD_CACHE"] == str(tmp_path)


def test_demo_serves_nothing_where_only_the_run_is_wanted(served, monkeypatch, tmp_path):
    monkeypatch.setattr(dashboard, "make", lambda settings: tmp_path / "demo-00000000.duckdb")
    assert odd("demo", "--no-app").returncode == 0
    assert not served


def test_vectors_prints_what_the_oracle_expects():
    done = odd("vectors", ORACLE / "cases.json")
    computed = json.loads(done.stdout)["cases"]
    expected = [case["expected"] for case in json.loads((ORACLE / "cases.json").read_text())["cases"]]
    assert [set(case) for case in computed] == [set(case) for case in expected]
    assert computed[0]["advantage"] == pytest.approx(expected[0]["advantage"], rel=1e-6)


def test_vectors_does_not_read_the_expected_values(tmp_path):
    document = json.loads((ORACLE / "tree.json").read_text())
    for question in document["questions"]:
        del question["edges"], question["root_value_exact"]
    (tmp_path / "bare.json").write_text(json.dumps(document))
    assert odd("vectors", tmp_path / "bare.json").stdout == odd("vectors", ORACLE / "tree.json").stdout


@pytest.mark.parametrize(
    "content, named", [("[" * 100_000, "nested too deeply"), ("9" * 5000, "too many digits"), ("{", "is not JSON")]
)
def test_vectors_refuses_json_that_is_too_deep_or_large(tmp_path, content, named):
    (tmp_path / "v.json").write_text(content)
    done = odd("vectors", tmp_path / "v.json")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert named in done.stderr


@pytest.mark.slow
def test_models_prints_paths_that_look_like_markup(smollm2_cache, tmp_path):
    (tmp_path / "[" / "b]").mkdir(parents=True)
    (tmp_path / "[" / "b]" / "models").symlink_to(smollm2_cache / "models")
    done = odd("models", "--cache", tmp_path / "[/b]")
    assert done.returncode == 0, done.stderr
    assert "tiny-s" in done.stdout


GOOD_LINE = '{"id": "a", "question": "q", "answer": "1", "kind": "number"}'
BAD = {
    "unknown model": (["run", "--student", "no/such-model"], "no/such-model"),
    "unknown preset": (["run", "--preset", "huge"], "demo, smollm2, paper"),
    "unknown setting": (["run", "--set", "sampling.speed=3"], "sampling.speed"),
    "impossible value": (["run", "--set", "sampling.temperature=-1"], "sampling.temperature"),
    "no log": (["import", "nowhere.jsonl"], "nowhere.jsonl"),
    "no import without a file": (["import"], "FILE"),
    "no step": (["import", "docs/examples/rollouts.jsonl", "--step", "3"], "no rollout of step 3"),
    "no generator": (["run", "--questions", "gym:nothing"], "leg_counting"),
    "unknown option of a source": (["run", "--questions", "tiny-demo?size=3"], "limit, seed"),
    "unknown questions": (["run", "--questions", "nowhere.jsonl"], "nowhere.jsonl"),
    "malformed teacher": (["run", "--teacher", "tiny-l"], "NAME=MODEL"),
    "unknown context": (["run", "--teacher", "A=student:2c"], "context"),
    "teacher without a writer": (["run", "--teacher", "A=student:1c,demonstrations="], "NAME=MODEL"),
    "writer without a use": (["run", "--teacher", "A=student,demonstrations=tiny-l"], "context is none"),
    "nothing to screen": (["screen", "--teacher", "A=tiny-l", "--set", "screening.teachers=[]"], "student:1c"),
    "screening of a log": (["screen", "--set", 'imported.files=["a.jsonl"]'], "imported rollouts cannot be screened"),
    "missing run": (["show", "nothing-00000000"], "nothing-00000000"),
    "run id that is a path": (["show", "../../etc/passwd"], "passwd"),
    "control characters": (["show", "a\x1b[2J\x07-00000000"], "a␛[2J⟨U+0007⟩-00000000"),
    "weights of no run": (["weights", "nothing-00000000"], "nothing-00000000"),
    "unknown rule": (["weights", "nothing-00000000", "--rule", "best"], "rule = 'best'"),
    "negative weight": (["weights", "nothing-00000000", "--unscored", "-1"], "unscored"),
    "no vectors": (["vectors", "nowhere.json"], "nowhere.json"),
    "unknown command": (["fly"], "fly"),
}


@pytest.mark.parametrize("arguments, named", BAD.values(), ids=BAD)
def test_bad_input_gives_one_line_that_names_it(arguments, named, tmp_path):
    caches = ["--set", f"cache={tmp_path}"] if arguments[0] in ("run", "import", "screen") else []
    done = odd(*arguments, *caches)
    assert done.returncode in (1, 2)
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert named in done.stderr


@pytest.mark.parametrize(
    "content, named",
    [("", "empty"), ('{"id": "a"}\n', "line 1"), (GOOD_LINE + "\n{", "line 2")],
)
def test_bad_question_file_is_named_with_its_line(tmp_path, content, named):
    (tmp_path / "q.jsonl").write_text(content)
    done = odd("run", "--questions", tmp_path / "q.jsonl", "--cache", tmp_path)
    assert done.returncode == 1
    assert named in done.stderr
    assert "q.jsonl" in done.stderr


@pytest.mark.slow
def test_a_teacher_with_another_vocabulary_is_refused(smollm2_cache):
    done = odd("run", "--teacher", "Big=smollm2", "--cache", smollm2_cache)
    assert done.returncode == 1
    assert "'tiny-s'" in done.stderr
    assert "'smollm2'" in done.stderr


def test_show_prints_questions_and_teachers(finished):
    config, path = finished
    by_path, by_id = odd("show", path), odd("show", path.stem, "--cache", config.cache)
    assert by_path.returncode == 0
    assert "Self-1C1W" in by_path.stdout
    assert "incorrect" in by_path.stdout
    assert by_path.stdout.splitlines()[:-1] == by_id.stdout.splitlines()[:-1]


def test_show_names_the_objectives_there_are(finished):
    done = odd("show", finished[1], "--objective", "hinge")
    assert "reverse_kl" in done.stderr
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Big=./m", ("./m", "none", None, None)),
        ("A=student:1c", (None, "1c", None, None)),
        ("A=student:1c,demonstrations=org/m", (None, "1c", "org/m", None)),
        ("A=student:sum_1c1w,summarizer=a,b/c,demonstrations=tiny-l", (None, "sum_1c1w", "tiny-l", "a,b/c")),
        ("A=tiny-m:sum_1c,summarizer=student", ("tiny-m", "sum_1c", None, None)),
    ],
)
def test_a_teacher_is_read_from_one_word(text, parts):
    teacher = parse_teacher(text, ModelConfig(dtype="bfloat16"))
    models = teacher.model, teacher.demonstrations, teacher.summarizer
    assert (models[0] and models[0].name, teacher.context, *(one and one.name for one in models[1:])) == parts
    assert all(one.dtype == "bfloat16" for one in models if one)


def test_screen_prints_its_tables_and_run_continues(tmp_path):
    asked = ["--questions", "tiny-demo", "--limit", "1", "--cache", tmp_path, "--teacher", "Self-1C=student:1c"]
    asked += [f"--set={setting}" for setting in ("sampling.initial_rollouts=20", "targeting.n_min=4",
              "screening.rollouts=8", "screening.context_rollouts=4", "analysis.n_sig=2")]  # fmt: skip
    screened = odd("screen", *asked)
    assert screened.returncode == 0, screened.stderr
    assert "Screening: accuracy" in screened.stdout and "Self-3C" in screened.stdout
    made = odd("run", *asked)
    assert made.returncode == 0, made.stderr
    assert "Screening: accuracy" in made.stdout and "Teachers: reverse_kl" in made.stdout
    assert len(list(tmp_path.glob("*.duckdb"))) == 1


@pytest.mark.parametrize("name", ["add-teacher", "teach"])
def test_a_teacher_is_added(finished, tmp_path, name):
    shutil.copy(finished[1], tmp_path)
    done = odd(name, finished[1].stem, "--teacher", "Late=student:1c", "--cache", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Late" in done.stdout


def test_a_log_is_imported_and_reported(tmp_path):
    log, lines = tmp_path / "log.jsonl", Path("docs/examples/rollouts-verl.jsonl").read_text().splitlines()
    log.write_text("\n".join([*lines, json.dumps({"input": "?", "output": "", "score": 1.0, "step": 40})]))
    small = ["--set", "targeting.n_min=4", "--set", "analysis.n_sig=3", "--set", "analysis.posterior_draws=50"]
    done = odd("import", log, "--questions", "tiny-demo", "--cache", tmp_path, "--teacher", "Check=student", *small)
    assert done.returncode == 0, done.stderr
    assert "imported: 32 rollouts" in done.stdout
    assert "not imported: 1 rows, its prompt does not match the student's chat template" in done.stdout
    assert "left out: 6 questions" in done.stdout and "agree on 32 of 32" in done.stdout


def test_weights_are_written_with_their_coverage(finished, tmp_path):
    done = odd("weights", finished[1], "--teacher", "tiny-m", "--rule", "p_positive", "--out", tmp_path / "kept")
    assert done.returncode == 0, done.stderr
    about = json.loads((tmp_path / "kept.json").read_text())
    assert f"kept {about['coverage']['kept']:,} of {about['coverage']['tokens']:,} tokens" in done.stdout
    assert (about["run"], about["weights"]["threshold"]) == (finished[1].stem, 0.975)
    assert {file.name for file in tmp_path.iterdir()} == {"kept.json", "kept.jsonl", "kept.parquet"}


def test_weights_name_the_teachers_there_are(finished):
    done = odd("weights", finished[1], "--teacher", "nobody")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "it has tiny-m, Self-1C, Self-1C1W, Self-check" in done.stderr


def test_the_cost_of_minillm_is_printed_before_it_runs(tmp_path):
    asked = ["--set", 'analysis.objectives=[{name="minillm"}]', "--set", f"cache={tmp_path}"]
    few = ["--limit", 1, "--set", "sampling.initial_rollouts=8", "--set", "targeting.n_min=1"]
    done = odd("run", "--preset", "demo", *few, *asked)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("minillm: the student and 4 teachers read all rollouts of 1 question, about")
    added = odd("add-teacher", next(tmp_path.glob("*.duckdb")), "--teacher", "Late=student:none")
    assert "minillm: 1 teacher to read all" in added.stdout


def test_a_dry_run_tells_what_a_run_takes_and_makes_nothing(tmp_path):
    done = odd("run", "--dry-run", "--cache", tmp_path, "--limit", 3)
    assert done.returncode == 0 and "targeted" in done.stdout and "memory, cpu" in done.stdout
    told = json.loads(odd("run", "--dry-run", "--json", "--cache", tmp_path, "--limit", 3).stdout)
    assert told["questions"] == 3 and told["fits"] and told["seconds"] > 0
    assert not list(tmp_path.glob("*.duckdb"))


def test_settings_can_be_printed_without_running():
    done = odd("run", "--preset", "paper", "--show-config")
    assert json.loads(done.stdout)["targeting"]["n_min"] == 100


def test_findings_prints_sentences_and_writes_tables(finished, tmp_path):
    done = odd("findings", finished[1], "--paths", "incorrect", "--out", tmp_path / "out")
    assert done.returncode == 0 and "By range-weighted cosine" in done.stdout and "incorrect paths" in done.stdout
    assert (tmp_path / "out" / "ranking.csv").exists()
    wrong = odd("findings", finished[1], "--paths", "none")
    assert wrong.returncode == 1 and "all, correct, incorrect" in wrong.stderr and "Traceback" not in wrong.stderr
