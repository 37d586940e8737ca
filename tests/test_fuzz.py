"""Whatever is done to run files, logs, question files and answers, the outcome is a value or an error of one line.

The inputs differ from day to day. A failure names the settings that repeat it: `ODD_FUZZ_SEED` and `ODD_FUZZ_FIRST`.
`ODD_FUZZ_SECONDS` is the duration of all tests together.
"""

import csv
import io
import json
import os
import random
import shutil
import time
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from odd.cli.findings import write_findings
from odd.cli.summary import print_summary
from odd.config import USUAL, ModelConfig, parse_config
from odd.errors import OddError
from odd.models.registry import load_model
from odd.pipeline.jobs import list_jobs, read_progress, tail
from odd.questions.base import Question
from odd.questions.files import read_questions
from odd.questions.verifiers import is_correct, read_answer
from odd.rollouts.importing import take_rollouts
from odd.store import accept_run
from tests.runs import QUESTIONS

pytestmark = pytest.mark.slow

SECONDS = float(os.environ.get("ODD_FUZZ_SECONDS", "20"))
SEED = os.environ.get("ODD_FUZZ_SEED", date.today().isoformat())
FIRST = int(os.environ.get("ODD_FUZZ_FIRST", "0"))
SHARES = {"run files": 0.3, "logs": 0.2, "questions": 0.2, "answers": 0.2, "jobs": 0.1}
LONGEST = 30.0
"""Seconds that one input may take."""
LINE = 3001
"""Characters of an error."""


def fuzz(what, attempt):
    """Call `attempt` with one generator of random numbers after another for the share of the time."""
    end, number = time.monotonic() + SECONDS * SHARES[what], FIRST
    refused = 0
    while time.monotonic() < end or number < FIRST + 3:
        began = time.monotonic()
        try:
            try:
                attempt(random.Random(f"{SEED} {what} {number}"))
            except OddError as error:
                refused += 1
                assert len(str(error)) < LINE and "\n" not in str(error)
            assert time.monotonic() - began < LONGEST
        except BaseException as error:
            error.add_note(f"repeat it with ODD_FUZZ_SEED={SEED} ODD_FUZZ_FIRST={number}")
            raise
        number += 1
    print(f"{what}: {number - FIRST} inputs, {refused} refused; seed {SEED}")


def damaged(rng, content):
    """Return bytes with a few of them flipped, cut, zeroed, doubled or replaced."""
    content = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 5, 20))):
        start, length = rng.randrange(len(content) + 1), rng.choice((1, 2, 8, 64, 512, 4096))
        kind = rng.choice(("flip", "flip", "cut", "zeros", "noise", "double", "remove"))
        if kind == "flip" and start < len(content):
            content[start] ^= 1 << rng.randrange(8)
        elif kind == "cut" and rng.random() < 0.3:
            del content[start:]
        elif kind == "zeros":
            content[start : start + length] = bytes(len(content[start : start + length]))
        elif kind == "noise":
            content[start : start + length] = rng.randbytes(length)
        elif kind == "double":
            content[start:start] = content[start : start + length]
        elif kind == "remove":
            del content[start : start + length]
    return bytes(content)


ATOMS = [
    None, True, False, 0, 1, -1, 10**6, 2**31, 2**63, 10**400, 0.5, -0.0, 1e308, float("inf"), float("nan"), "", "a",
    "\0", "\ud800", "\u202e", "\U0001f600", "1e5", "9" * 5000, "[" * 1000, "{" * 1000, "<|im_end|>", "x" * 100_000,
    "../x", "A", "yes", "7", "{0}", "$", "\\boxed{", "<think>", "\x1b[31m", "\r", "\u2028",
]  # fmt: skip


def value(rng, depth=0):
    """Return a value that JSON can hold."""
    if depth > 4 or rng.random() < 0.6:
        return rng.choice(ATOMS)
    if rng.random() < 0.1:
        deep = []
        for _ in range(rng.choice((50, 99, 101, 500))):
            deep = [deep]
        return deep
    parts = [value(rng, depth + 1) for _ in range(rng.choice((0, 1, 2, 5)))]
    if rng.random() < 0.5:
        return parts
    return {rng.choice(("role", "content", "question", "response", "a", "")): part for part in parts}


def changed(rng, row):
    """Return a row with some cells replaced, removed or added."""
    row = dict(row)
    for _ in range(rng.choice((0, 1, 1, 2))):
        key = rng.choice([*row, "step", "more", "\ud800"])
        if rng.random() < 0.2:
            row.pop(key, None)
        else:
            row[key] = value(rng)
    return row


def write_table(rng, path, rows):
    """Write changed rows in the format of the path, and damage some of the files."""
    rows = [changed(rng, row) for row in rows]
    if path.suffix == ".csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, sorted({key for row in rows for key in row}))
        writer.writeheader()
        writer.writerows(rows)
        content = text.getvalue().encode("utf-8", "surrogatepass")
    elif path.suffix == ".parquet":
        try:
            pq.write_table(pa.Table.from_pylist(rows), path)
        except (ValueError, TypeError, OverflowError, pa.ArrowException):  # Parquet has no such values
            texts = [{ascii(key): ascii(cell) for key, cell in row.items()} for row in rows]
            pq.write_table(pa.Table.from_pylist(texts), path)
        content = path.read_bytes()
    else:
        content = "\n".join(json.dumps(row) for row in rows).encode()
    path.write_bytes(damaged(rng, content) if rng.random() < 0.5 else content)


def test_run_files(finished, tmp_path):
    _, whole = finished
    content = whole.read_bytes()
    chosen = USUAL | {"outcome": "all", "difficulty": "all", "kind": None, "reference": "none"}

    def attempt(rng):
        shutil.rmtree(tmp_path / "other", ignore_errors=True)
        path = tmp_path / whole.name
        path.write_bytes(damaged(rng, content))
        reading = rng.randrange(3)
        if reading == 0:
            print_summary(path, None, None, Console(file=io.StringIO()))
        elif reading == 1:
            write_findings([path], chosen, None)
        else:
            with path.open("rb") as file:
                accept_run(tmp_path / "other", file, path.name, 1 << 30)

    fuzz("run files", attempt)


ANSWER = "8+6=14. 14-3=11.\nAnswer: 11"
ROLES = [{"role": "user", "content": QUESTIONS[0]["question"]}]
LOGS = [
    {"question": "sum", "token_ids": [5, 6, 2], "reward": 1.0, "truncated": True},
    {"question": "sum", "prompt": ROLES, "response": ANSWER, "reward": 0.0, "step": 1},
    {"step": 1, "prompt": ROLES, "completion": [{"role": "assistant", "content": ANSWER}], "reward": 1.0},
    {"input": f"user\n{QUESTIONS[0]['question']}\nassistant\n", "output": ANSWER, "score": 1.0, "step": 1},
]


def test_logs(tmp_path):
    student = load_model(ModelConfig(name="tiny-s"), tmp_path)
    questions = [Question(**fields) for fields in QUESTIONS]

    def attempt(rng):
        path = tmp_path / rng.choice(("log.jsonl", "log.parquet"))
        write_table(rng, path, rng.choices(LOGS, k=2))
        imported = {"files": [str(path)], "verify": rng.random() < 0.5}
        tree = {"imported": imported, "sampling": {"max_new_tokens": 40}}
        take_rollouts(parse_config(tree), questions, student)

    fuzz("logs", attempt)


KINDS = [
    *QUESTIONS,
    {"id": "c", "question": "?", "answer": "B", "kind": "choice", "choices": ["a", "b"]},
    {"id": "e", "question": "?", "answer": "x^2 + 1", "kind": "expression"},
    {"id": "x", "question": "?", "answer": "x-1", "kind": "exact"},
    {"id": "r", "question": "?", "answer": "gr[ae]y", "kind": "regex", "example": "gray"},
    {
        "id": "g", "question": "?", "answer": "1+2", "kind": "reasoning_gym",
        "metadata": {"generator": "countdown", "parameters": {}, "entry": {
            "answer": "1+2", "metadata": {"numbers": [1, 2], "target": 3}}},
    },
]  # fmt: skip


def test_question_files(tmp_path):
    def attempt(rng):
        path = tmp_path / f"questions{rng.choice(('.jsonl', '.csv', '.parquet', '.txt'))}"
        write_table(rng, path, rng.choices(KINDS, k=2))
        for question in read_questions(path):
            again = Question.model_validate_json(question.model_dump_json())
            assert again == question or "NaN" in question.model_dump_json()

    fuzz("questions", attempt)


PIECES = [
    "Answer: ", "answer:", "####", "\\boxed{", "}", "{", "(", ")", "[", "]", "^", "_", "\\", "$", "\\frac", "\\sqrt{",
    "\\text{", "<think>", "</think>", "\n", " ", "-", "+", "*", "/", "=", "1", "7", "11", "x", "yes", "B", ",", ".",
    "\0", "\ud800", "\u202e", "9^{9^{9}}", "10**9", "!", "\\int_0^1", "\\sum_{i=1}^{10}", "\\begin{pmatrix}", "&", "%",
    "\\infty", "__import__('os')", "lambda: 0", "'", '"', "`", "\u0665", "1e999999999", "nan",
]  # fmt: skip


def test_answers():
    questions = [Question(**fields) for fields in KINDS]

    def attempt(rng):
        pieces = rng.choices(PIECES, k=rng.choice((1, 3, 10, 30)))
        text = "".join(piece * rng.choice((1, 1, 1, 2, 50)) for piece in pieces)
        question = rng.choice(questions)
        answer = read_answer(question, rng.choice(("", "Answer: ")) + text, rng.random() < 0.1)
        assert is_correct(question, answer) in (True, False)
        assert is_correct(question, text) in (True, False)

    fuzz("answers", attempt)


JOB = {"kind": "run", "title": "t", "created": 1.0, "run": None, "pid": 1, "start_time": 1.0}
STEP = {"run_id": "a", "stage": "initial", "question": 0, "questions": 1, "done": 1, "total": 2, "tokens": 5}
STEP |= {"seconds": 1.0, "pid": 1, "start_time": 1.0, "started": 1.0, "updated": 1.0, "first": 0, "first_at": 1.0}
STEP |= {"question_at": 1.0, "rate": 1.0}


def test_files_of_jobs(tmp_path):
    folder = tmp_path / "jobs" / "20260101-000000-abcdef"
    folder.mkdir(parents=True)

    def attempt(rng):
        files = {"job.json": JOB, "exit": value(rng), "run": value(rng), "log.txt": value(rng)}
        for name, content in files.items():
            record = changed(rng, content) if isinstance(content, dict) else content
            (folder / name).write_bytes(damaged(rng, json.dumps(record).encode()))
        (tmp_path / "a.progress.json").write_text(json.dumps(changed(rng, STEP)))
        for job in list_jobs(tmp_path):
            assert job.state in ("running", "stopping", "finished", "stopped", "failed")
            assert "\n" not in job.reason and (job.run_id or "") != ".."
            tail(job.log)
        if progress := read_progress(tmp_path, "a"):
            assert 0 <= progress.share <= 1

    fuzz("jobs", attempt)
