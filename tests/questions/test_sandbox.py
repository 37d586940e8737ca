"""What a confined process cannot do, tried from inside by code that has got hold of it."""

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from odd.questions import sandbox
from odd.questions.isolated import Judge, JudgeError
from odd.questions.judge import _checked
from odd.questions.sandbox import confine, layers, preload
from scripts.rooms import ROOT

LANDLOCK = pytest.mark.skipif("Landlock" not in layers(), reason="the kernel has no Landlock")
SECCOMP = pytest.mark.skipif("seccomp" not in layers(), reason="there is no libseccomp")


def attempt(code, seconds=5.0):
    """Execute code in a confined process; return its `result` as text, its exception, or the signal that ended it."""
    preload()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(reading)
            confine(seconds, writing)
            try:
                names = {}
                exec(code, names)
                told = str(names.get("result"))
            except BaseException as error:
                told = type(error).__name__
            os.write(writing, told.encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        told = file.read().decode()
    _, status = os.waitpid(child, 0)
    return signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else told


def test_the_layers_of_this_machine_are_named():
    assert layers()[:2] == ("resource limits", "audit hook")
    assert set(layers()[2:]) <= {"Landlock", "seccomp"} and (sys.platform != "linux" or len(layers()) > 2)


def test_it_can_compute():
    assert attempt("import math; result = math.factorial(20) % 1009") == str(2432902008176640000 % 1009)


def test_it_can_import_what_is_installed():
    assert attempt("import fractions, sympy; result = sympy.sqrt(4)") == "2"


@LANDLOCK
@pytest.mark.parametrize(
    "path", ["/etc/passwd", "/proc/self/environ", "/proc/1/cmdline", str(ROOT / "README.md"), str(ROOT / "cache")]
)
def test_it_cannot_read_files(path):
    assert attempt(f"import os; result = os.open({path!r}, os.O_RDONLY)") == "PermissionError"


@pytest.mark.parametrize(
    "code",
    [
        "open({file!r}, 'w')",
        "open({file!r}, 'r+b')",
        "import os; os.open({file!r}, os.O_RDWR | os.O_CREAT)",
        "import os; os.remove({file!r})",
        "import os; os.mkdir({file!r} + '-folder')",
        "import os; os.symlink('/etc', {file!r} + '-link')",
        "import shutil; shutil.rmtree({file!r})",
    ],
)
def test_it_cannot_change_files(tmp_path, code):
    file = tmp_path / "kept"
    file.write_text("kept")
    assert attempt(code.format(file=str(file))) == "PermissionError"
    assert [path.name for path in tmp_path.iterdir()] == ["kept"] and file.read_text() == "kept"


REACHING = [
    "import socket; socket.socket()",
    "import socket; socket.create_connection(('127.0.0.1', 80))",
    "import socket; socket.socketpair()",
    "import subprocess; subprocess.run(['true'])",
    "import os; os.fork()",
    "import os; os.execv('/bin/true', ['true'])",
    "import os, signal; os.kill(os.getppid(), signal.SIGTERM)",
    "import time; time.sleep(1000)",
    "import os; os.memfd_create('x')",
]


@SECCOMP
@pytest.mark.parametrize(
    "code",
    [*REACHING, "import os; os.system('true')", "import ctypes; ctypes.CDLL(None)", "import gc; gc.get_objects()"],
)
def test_it_cannot_reach_other_processes_or_the_network(code):
    assert attempt(code) in ("PermissionError", "OSError")


@SECCOMP
def test_it_cannot_start_threads():
    assert attempt("import threading; threading.Thread(target=print).start()") == "RuntimeError"


@SECCOMP
@pytest.mark.parametrize("code", REACHING)
def test_the_system_refuses_it_even_without_the_hook(monkeypatch, code):
    monkeypatch.setattr(sandbox, "_refuse", lambda *_: None)
    assert attempt(code) in ("PermissionError", "OSError")


@SECCOMP
def test_system_calls_fail_below_python(monkeypatch):
    monkeypatch.setattr(sandbox, "_refuse", lambda *_: None)
    calls = "c.socket(2, 1, 0), c.fork(), c.open(b'/etc/passwd', 0), c.kill(c.getppid(), 15), c.ptrace(16, 1, 0, 0)"
    assert attempt(f"import ctypes; c = ctypes.CDLL(None); result = {{{calls}}}") == "{-1}"


def test_it_cannot_undo_its_limits():
    code = "import resource as r; r.setrlimit(r.RLIMIT_AS, (r.RLIM_INFINITY, r.RLIM_INFINITY))"
    assert attempt(code) in ("ValueError", "PermissionError", "OSError")


def test_an_endless_loop_is_ended():
    assert attempt("while True: pass", seconds=1.0) in ("SIGKILL", "SIGXCPU")


def test_too_much_memory_is_refused():
    assert attempt("result = len(bytearray(1 << 36))") == "MemoryError"


GYM = {
    "string_insertion": ({"answer": "ab", "metadata": {}}, "['a', 'b']", 0.1),
    "countdown": ({"answer": "1+2", "metadata": {"numbers": [1, 2], "target": 3}}, "2+1", 1.0),
    "puzzle24": ({"answer": "1*2*3*4", "metadata": {"numbers": [1, 2, 3, 4], "target": 24}}, "4*3*2*1", 1.0),
    "simple_integration": ({"answer": "", "metadata": {"integrand": "2*x", "variable": "x"}}, "x**2 + 5 + C", 1.0),
    "intermediate_integration": (
        {"answer": "", "metadata": {"integrand": "x*cos(x)", "variable": "x"}},
        "x*sin(x) + cos(x) + C",
        1.0,
    ),
    "polynomial_multiplication": ({"answer": "x**2 - 1", "metadata": {}}, "-1 + x**2", 1.0),
    "n_queens": ({"answer": "Q", "metadata": {"valid_answers": ["_ Q\nQ _"]}}, "[['_', 'Q'], ['Q', '_']]", 0.5),
    "binary_matrix": ({"answer": "0 1\n1 2", "metadata": {}}, "[[0, 1], [1, 2]]", None),
    "spiral_matrix": ({"answer": "1 2 3", "metadata": {}}, "[1, 2, 3]", None),
}
"""Scorers that evaluate answers: an entry, an honest answer in another form than the gold one, and its score."""
MARK = "hacked"
ATTACKS = [
    "__import__('os').system('touch {mark}')",
    "open('{mark}', 'w').write('x')",
    "(lambda: open('{mark}', 'w'))()",
    "[open('{mark}', 'w') for _ in '1']",
    "().__class__.__base__.__subclasses__()",
    "exec(\"open('{mark}', 'w')\")",
    "Symbol('x').__class__.__mro__[-1].__subclasses__()",
    "sympify(\"open('{mark}', 'w')\")",
    'f\'{{open("{mark}", "w")}}\'',
    "breakpoint()",
    "help()",
]


@pytest.fixture(scope="module")
def judge():
    judge = Judge()
    yield judge
    judge.end()


@pytest.mark.parametrize("generator", GYM)
def test_an_honest_answer_is_scored_as_the_scorer_means_it(judge, generator):
    entry, answer, score = GYM[generator]
    given = judge.ask("score", generator, {}, entry, answer)
    assert given == score if score is not None else given > 0


@pytest.mark.parametrize("generator", GYM)
@pytest.mark.parametrize("attack", ATTACKS)
def test_no_answer_is_executed(judge, tmp_path, monkeypatch, generator, attack):
    entry, _, _ = GYM[generator]
    mark = tmp_path / MARK
    with suppress(JudgeError):  # where the scorer fails, the answer is wrong
        assert judge.ask("score", generator, {}, entry, attack.format(mark=mark)) < 0.2
    assert not mark.exists()


DIED = "SIGABRT", "SIGSEGV"


@SECCOMP
def test_waiting_for_ever_is_ended():
    assert attempt("import threading; lock = threading.Lock(); lock.acquire(); lock.acquire()") in DIED


def test_an_interrupted_request_does_not_shift_the_replies(judge):
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    with pytest.raises(KeyboardInterrupt):
        judge.ask("equal", "7", "9^{9^{9^{9}}}")
    signal.signal(signal.SIGALRM, before)
    verdicts = [judge.ask("equal", gold, answer) for gold, answer in (("1", "1"), ("2", "3"), ("4", "4"), ("5", "6"))]
    assert verdicts == [True, False, True, False]


@pytest.mark.parametrize(
    ("gold", "answer"), [("2.5", "5/2 $"), ("2.5", "$ 5/2"), ("14", "= 7*2$"), ("5", r"\boxed 2+3"), ("1/2", "0.5")]
)
def test_expressions_in_plain_text_are_equal(judge, gold, answer):
    assert judge.ask("equal", gold, answer) is True


@pytest.mark.parametrize("answer", ["2*x**3/3 + pow(x, 2) + C", "expand(x**2*(2*x/3 + 1)) + C"])
def test_functions_of_mathematics_may_be_used(judge, answer):
    entry = {"answer": "", "metadata": {"integrand": "2*x**2 + 2*x", "variable": "x"}}
    assert judge.ask("score", "simple_integration", {}, entry, answer) == 1.0


@pytest.mark.parametrize("answer", ["(3+5)*(pi-pi)+ 0x64", "factorial(5)-20+3*0-5*0", "3**5", "5//3"])
def test_arithmetic_puzzles_take_only_arithmetic(judge, answer):
    entry = {"answer": "", "metadata": {"numbers": [3, 5], "target": 100}}
    assert judge.ask("score", "countdown", {}, entry, answer) < 0.1


def test_generated_programs_are_executed_for_their_questions(judge):
    entries = judge.ask("entries", "codeio", {"size": 3, "seed": 1}, seconds=100)
    assert all(entry["answer"] != "{}" for entry in entries)


@pytest.mark.parametrize(
    "reply", [[], {"reply": []}, {"reply": 2}, {"reply": float("nan")}, {"reply": "1"}, {"error": "ModuleNotFoundError",
              "message": ""}, {"error": 1, "message": ""}, {"broken": 1}, {"reply": 1, "more": 1}]
)  # fmt: skip
def test_a_forged_reply_is_no_verdict(reply):
    with pytest.raises(ValueError):
        _checked(reply, "score")


def test_the_environment_of_the_program_is_not_passed_on(monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "x")
    judge = Judge()
    assert judge.ask("equal", "1", "1") is True
    assert judge._process is not None
    assert b"SECRET_TOKEN" not in Path(f"/proc/{judge._process.pid}/environ").read_bytes()
    judge.end()
