"""Structure of the code: packages import downwards only, respect their boundaries, and avoid banned constructs."""

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import networkx as nx

from scripts.rooms import ROOT, between_rooms, circles, imported, imports, modules, room_of, trees

LAYERS = (
    *("text", "errors", "settings", "untrusted", "parquet_footer", "row_files", "places", "access"),
    *("method", "config", "questions", "models", "rollouts", "analysis", "store"),
    *("pipeline", "findings", "views", "export", "cli", "notebook", "__main__"),
)
"""Entries of odd/ from the bottom layer up: each may import those before it."""

ENGINE, PAGES = modules(ROOT, "odd"), modules(ROOT, "pages")
OURS = {**ENGINE, **PAGES, **modules(ROOT, "benchmarks", "scripts"), "app": ROOT / "app.py"}

# package, file or folder to modules that it must not import, not even indirectly
UNKNOWN = {
    "odd.method": ("pandas", "torch"),
    "odd.config": ("numpy.random", "torch"),
    "odd.questions": ("torch",),
    "odd.analysis": ("torch",),
    "odd.store": ("torch",),
    "odd.findings": ("torch", "plotly"),
    "odd.views": ("torch",),
    "odd.export": ("torch", "plotly"),
    "odd.pipeline.jobs": ("torch",),
}
# modules that pages leave to odd/
NOT_FOR_PAGES = ("duckdb", "networkx", "scipy", "sklearn", "torch", "transformers", "sqlite3", "pickle")


@cache
def parsed() -> dict[str, ast.Module]:
    return trees(OURS)


@cache
def names() -> dict[str, set[str]]:
    """Return what each module imports."""
    return {name: imported(tree) for name, tree in parsed().items()}


@cache
def graph() -> nx.DiGraph:
    return imports({name: names()[name] for name in ENGINE})


def inside(name: str, *places: str) -> bool:
    return any(name == place or name.startswith(place + ".") for place in places)


def known(module: str) -> set[str]:
    """Return everything that a module imports, directly or through other modules of odd."""
    return set().union(*(names()[one] for one in {module, *nx.descendants(graph(), module)}))


def offenders(modules: Iterable[str], offends: Callable[[str], object]) -> list[str]:
    return [module for module in modules if offends(module)]


def test_every_entry_of_the_engine_has_its_layer():
    assert set(between_rooms(graph())) == {f"odd.{name}" for name in LAYERS}


def test_no_package_imports_upwards():
    layer = {f"odd.{name}": number for number, name in enumerate(LAYERS)} | {"odd": -1}
    upwards = [pair for pair in graph().edges if layer[room_of(pair[0])] < layer[room_of(pair[1])]]
    assert not upwards


def test_there_are_no_circular_imports():
    assert not circles(graph())


def test_packages_do_not_import_what_they_must_not():
    found = [
        (module, name)
        for room, closed in UNKNOWN.items()
        for module in ENGINE
        if inside(module, room)
        for name in known(module)
        if inside(name, *closed)
    ]
    assert not found


def test_the_engine_does_not_import_the_dashboard():
    assert not offenders(
        ENGINE, lambda one: [name for name in names()[one] if inside(name, "streamlit", "pages", "app")]
    )


def test_only_the_store_uses_the_database():
    others = (one for one in OURS if not inside(one, "odd.store", "benchmarks"))
    assert not offenders(others, lambda one: [name for name in names()[one] if inside(name, "duckdb")])


def test_pages_leave_data_and_mathematics_to_the_engine():
    assert not offenders(PAGES, lambda one: [name for name in names()[one] if inside(name, *NOT_FOR_PAGES)])


def test_no_text_becomes_markup():
    assert not offenders(PAGES, lambda one: "unsafe_allow_html" in PAGES[one].read_text(encoding="utf-8"))


def test_the_dashboard_starts_without_loading_models():
    loads = "; ".join(f"import {module}" for module in PAGES if module.count(".") == 2)
    code = f"{loads}; import sys; assert not {{'torch', 'transformers'}} & sys.modules.keys()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def swallows(module: str) -> bool:
    """Return whether a module has a bare except, or catches Exception and ignores it."""
    handlers = [node for node in ast.walk(parsed()[module]) if isinstance(node, ast.ExceptHandler)]
    return any(
        node.type is None
        or (
            ast.unparse(node.type) in ("Exception", "BaseException")
            and all(isinstance(step, ast.Pass) for step in node.body)
        )
        for node in handlers
    )


def test_no_error_is_swallowed():
    assert not offenders(OURS, swallows)


def test_randomness_is_passed_and_never_global():
    seeds = ("np.random.seed", "np.random.rand", "torch.manual_seed(")
    assert not offenders(
        ENGINE, lambda one: "random" in names()[one] or any(text in ast.unparse(parsed()[one]) for text in seeds)
    )


def test_nothing_is_pickled():
    pickles = {"pickle", "joblib", "dill"}
    assert not offenders(OURS, lambda one: names()[one] & pickles)


def test_torch_files_are_read_for_their_values_only():
    def is_unsafe(one):
        calls = [ast.unparse(node) for node in ast.walk(parsed()[one]) if isinstance(node, ast.Call)]
        return any(call.startswith("torch.load(") and "weights_only=True" not in call for call in calls)

    assert not offenders(OURS, is_unsafe)


def test_no_module_imports_relatively():
    assert not offenders(
        OURS, lambda one: any(isinstance(node, ast.ImportFrom) and node.level for node in ast.walk(parsed()[one]))
    )


def is_documented(path: Path) -> bool:
    source = path.read_text(encoding="utf-8")
    return not source.strip() or ast.get_docstring(ast.parse(source)) is not None


def test_modules_have_docstrings():
    assert not offenders(OURS, lambda one: not is_documented(OURS[one]))


def test_cited_sections_of_the_method_exist():
    headings = re.findall(r"^## (\d+)\. ", (ROOT / "docs" / "method.md").read_text(encoding="utf-8"), re.MULTILINE)
    cited = {
        (name, number)
        for name, path in OURS.items()
        for first, last in re.findall(r"method §(\d+)(?:[-–](\d+))?", path.read_text(encoding="utf-8"))
        for number in (first, last or first)
    }
    assert len(cited) > 20
    assert not sorted((name, number) for name, number in cited if number not in headings)
