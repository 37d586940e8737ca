"""The rooms of odd/ and the pages stay apart: who may import whom, and how large modules and functions may grow."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def modules(*folders):
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
    }


MODULES = modules("odd")
PAGES = modules("pages")
OURS = {**MODULES, **PAGES, **modules("benchmarks", "scripts"), "app": ROOT / "app.py"}
CORE = (
    *("gradients", "reward_to_go", "success", "alignment", "statistics", "tree", "targeting", "logspace"),
    *("divergences", "vocabulary", "restricted", "node_signal", "sibling_prior", "allocation"),
)
# room: what it must not know of, not even through others
CLOSED = {
    **{f"odd.{module}": ("odd.store", "odd.pipeline", "odd.models", "torch", "pandas") for module in CORE},
    "odd.config": ("odd.models", "odd.questions", "odd.contexts", "odd.store", "torch"),
    "odd.settings": ("odd.models", "odd.questions", "odd.contexts", "odd.store", "torch"),
    "odd.teacher_settings": ("odd.models", "odd.questions", "odd.contexts", "odd.store", "torch"),
    "odd.contexts": ("odd.models", "odd.tree", "torch"),
    "odd.paper": ("odd.store", "odd.pipeline", "odd.models", "odd.display", "torch"),
    "odd.screening": ("odd.store", "odd.pipeline", "odd.models", "odd.figures", "torch"),
    "odd.questions": ("odd.models", "odd.tree", "torch"),
    "odd.models": ("odd.tree", "odd.success", "odd.rollouts", "odd.store"),
    "odd.rollouts": ("odd.success", "odd.tree", "odd.store"),
    "odd.importing": ("odd.success", "odd.tree", "odd.store", "odd.pipeline", "torch"),
    "odd.analysis": ("odd.store", "odd.pipeline", "torch"),
    "odd.store": ("odd.pipeline", "odd.display", "odd.jobs", "torch"),
    "odd.links": ("odd.store", "odd.display", "odd.config", "pandas", "numpy"),
    "odd.glossary": ("odd.store", "odd.display", "odd.config", "pandas", "numpy"),
    "odd.processes": ("odd.store", "odd.jobs", "odd.pipeline", "pandas", "numpy"),
    "odd.estimate": ("odd.store", "odd.jobs", "odd.pipeline", "odd.models", "torch"),
    "odd.jobs": ("odd.display", "odd.links", "odd.pipeline", "odd.models", "torch"),
    "odd.display": ("odd.pipeline", "odd.models", "torch"),
    "odd.measures": ("odd.store", "odd.pipeline", "odd.models", "odd.display", "torch"),
    "odd.findings": ("odd.pipeline", "odd.jobs", "odd.models", "torch"),
    "odd.figures": ("odd.store", "odd.links", "odd.jobs", "odd.pipeline", "odd.models", "odd.display.queries", "torch"),
    "odd.components": ("odd.store", "odd.display", "odd.links", "odd.figures", "pandas", "numpy", "plotly", "torch"),
}
# what pages leave to odd/
NOT_FOR_PAGES = ("duckdb", "networkx", "scipy", "sklearn", "torch", "transformers", "sqlite3", "pickle", "odd.pipeline")


def inside(module, room):
    return module == room or module.startswith(room + ".")


@cache
def tree(module):
    return ast.parse(OURS[module].read_text(encoding="utf-8"))


def for_types_only(node):
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


@cache
def imported(module):
    """All that a module imports by name, at its top or inside functions; packages bring their __init__ with them."""
    found, nodes = set(), [tree(module)]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: write imports in full"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        nodes += node.orelse if for_types_only(node) else ast.iter_child_nodes(node)
    return found


def known(module):
    """All that a module imports, directly or through other modules of odd."""
    seen, new = set(), {module}
    while new:
        seen |= new
        new = {name for one in new if one in MODULES for name in imported(one)} - seen
    return seen - {module}


def functions(module):
    return [node for node in ast.walk(tree(module)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


@pytest.mark.parametrize("room", CLOSED)
def test_a_room_knows_nothing_of_what_lies_below_it(room):
    members = [module for module in MODULES if inside(module, room)]
    assert members
    for module in members:
        reached = known(module)
        assert not {name for name in reached for closed in CLOSED[room] if inside(name, closed)}, module


@pytest.mark.parametrize("module", MODULES)
def test_the_engine_knows_nothing_of_the_dashboard(module):
    assert not any(inside(name, closed) for name in imported(module) for closed in ("streamlit", "pages", "app"))


@pytest.mark.parametrize("module", [module for module in MODULES if not inside(module, "odd.store")])
def test_only_the_store_speaks_to_the_database(module):
    assert not any(inside(name, "duckdb") for name in imported(module))


@pytest.mark.parametrize("module", PAGES)
def test_pages_leave_data_and_mathematics_to_the_engine(module):
    assert not any(inside(name, closed) for name in imported(module) for closed in NOT_FOR_PAGES)


@pytest.mark.parametrize("module", PAGES)
def test_no_text_becomes_markup(module):
    assert "unsafe_allow_html" not in PAGES[module].read_text(encoding="utf-8")


@pytest.mark.parametrize("module", [module for module in PAGES if module.count(".") == 1 and "." in module])
def test_pages_are_thin(module):
    assert len(PAGES[module].read_text(encoding="utf-8").splitlines()) <= 50


def test_the_dashboard_starts_without_loading_models():
    loads = "; ".join(f"import {module}" for module in PAGES if "." in module and module.count(".") == 2)
    code = f"{loads}; import sys; assert not {{'torch', 'transformers'}} & sys.modules.keys()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", OURS)
def test_modules_are_short(module):
    assert len(OURS[module].read_text(encoding="utf-8").splitlines()) < 300


@pytest.mark.parametrize("module", OURS)
def test_functions_are_short(module):
    lengths = {node.name: node.end_lineno - node.lineno + 1 for node in functions(module)}
    assert not {name: length for name, length in lengths.items() if length > 40}


@pytest.mark.parametrize("module", OURS)
def test_no_error_is_swallowed(module):
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.ExceptHandler):
            everything = node.type is None or ast.unparse(node.type) in ("Exception", "BaseException")
            nothing = all(isinstance(step, ast.Pass) for step in node.body)
            assert node.type is not None, f"line {node.lineno}: name the errors that are expected"
            assert not (everything and nothing), f"line {node.lineno}: every error is swallowed"


@pytest.mark.parametrize("module", MODULES)
def test_randomness_is_passed_never_global(module):
    source = ast.unparse(tree(module))
    assert not any(name in source for name in ("np.random.seed", "np.random.rand", "torch.manual_seed("))
    assert "random" not in imported(module)


@pytest.mark.parametrize("module", OURS)
def test_nothing_is_pickled(module):
    assert not imported(module) & {"pickle", "joblib", "dill", "torch.load"}
    assert "torch.load(" not in ast.unparse(tree(module))


@pytest.mark.parametrize("module", OURS)
def test_modules_say_what_they_are(module):
    assert ast.get_docstring(tree(module))
