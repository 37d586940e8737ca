"""Every pattern of the engine takes linear time: model output and files may repeat anything any number of times."""

import ast
import re
import time
from functools import cache

import pytest

from scripts.rooms import ROOT, modules

CHARACTERS = 200_000
PARTS = [
    " ", "\t", "\n", " \n", "\\", "{", "}", "^", "^ ", "^{ ", "1", "1,", ",111", "1.", "1/", "[", "]", "(", "$", "*",
    "_", "#", "#### ", ">", "answer", "answer:", "\\boxed{", "\\text{", "\\circ", "a", "a ", "-", "=", ":", "://", "@",
    "www.", "\x1b", "\x1b[", "\x1b]", "\x1b[0", "`", "é", "\ud800", "(PID 1", "<0x", "a.",
]  # fmt: skip
SECONDS = 1.0
"""The slowest linear pattern takes 0.2 s; a quadratic one takes minutes."""


def calls_of_re():
    """Yield module, function of `re`, pattern and flags of all calls in the engine."""
    for name, path in modules(ROOT, "odd").items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name("re"), attr=use), args=args):
                    flags = [ast.unparse(part) for part in args if ast.unparse(part).startswith("re.")]
                    yield name, use, args[0], eval("|".join(flags) or "0", {"re": re})


CALLS = [call for call in calls_of_re() if call[1] != "escape"]
PATTERNS = {(name, use, ast.unparse(pattern), flags) for name, use, pattern, flags in CALLS}


@cache
def texts():
    return [part * (CHARACTERS // len(part)) + "!" for part in PARTS]


def test_all_patterns_are_written_out():
    assert len(CALLS) > 10 and all(isinstance(pattern, ast.Constant) for _, _, pattern, _ in CALLS)


@pytest.mark.parametrize(("module", "use", "pattern", "flags"), sorted(PATTERNS))
def test_a_pattern_takes_linear_time(module, use, pattern, flags):
    compiled = re.compile(ast.literal_eval(pattern), flags)
    uses = ("sub", "fullmatch") if use == "compile" else (use,)
    for text in texts():
        for method in uses:
            began = time.process_time()
            getattr(compiled, method)(*([""] if method == "sub" else []), text)
            assert time.process_time() - began < SECONDS, (method, text[:10])
