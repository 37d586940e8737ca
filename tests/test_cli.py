"""The command line as a user meets it: in a process of its own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ORACLE = Path(__file__).parent / "oracle"


def odd(*arguments, cwd=None, env=None):
    command = [sys.executable, "-m", "odd", *map(str, arguments)]
    root = Path(__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": str(root), **(env or {})}
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd or root, env=environment, timeout=300)


@pytest.mark.parametrize("command", ["run", "teach", "show", "findings", "models", "vectors"])
def test_every_command_has_help(command):
    done = odd(command, "--help")
    assert done.returncode == 0
    assert "Usage" in done.stdout


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
def test_vectors_refuses_json_that_cannot_be_held(tmp_path, content, named):
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
    "unknown questions": (["run", "--questions", "nowhere.jsonl"], "nowhere.jsonl"),
    "malformed teacher": (["run", "--teacher", "tiny-l"], "NAME=MODEL"),
    "unknown context": (["run", "--teacher", "A=student:2c"], "context"),
    "missing run": (["show", "nothing-00000000"], "nothing-00000000"),
    "run id that is a path": (["show", "../../etc/passwd"], "passwd"),
    "no vectors": (["vectors", "nowhere.json"], "nowhere.json"),
    "unknown command": (["fly"], "fly"),
}


@pytest.mark.parametrize("arguments, named", BAD.values(), ids=BAD)
def test_bad_input_is_one_line_that_names_the_thing(arguments, named, tmp_path):
    done = odd(*arguments, *(["--set", f"cache={tmp_path}"] if arguments[0] == "run" else []))
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


def test_teach_adds_a_teacher(finished, tmp_path):
    shutil.copy(finished[1], tmp_path)
    done = odd("teach", finished[1].stem, "--teacher", "Late=student:1c", "--cache", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Late" in done.stdout


def test_settings_can_be_printed_without_running():
    done = odd("run", "--preset", "paper", "--show-config")
    assert json.loads(done.stdout)["targeting"]["n_min"] == 100


def test_findings_prints_sentences_and_writes_tables(finished, tmp_path):
    done = odd("findings", finished[1], "--paths", "incorrect", "--out", tmp_path / "out")
    assert done.returncode == 0 and "By range-weighted cosine" in done.stdout and "incorrect paths" in done.stdout
    assert (tmp_path / "out" / "ranking.csv").exists()
    wrong = odd("findings", finished[1], "--paths", "none")
    assert wrong.returncode == 1 and "all, correct, incorrect" in wrong.stderr and "Traceback" not in wrong.stderr
