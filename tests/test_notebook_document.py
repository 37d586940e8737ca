"""docs/notebook.ipynb runs from top to bottom and is stored without outputs; the code of the README runs, too."""

import re

import nbformat
import pytest
from nbclient import NotebookClient

from tests.test_boundaries import ROOT

FILE = ROOT / "docs" / "notebook.ipynb"


@pytest.fixture
def notebook():
    """The notebook as stored."""
    return nbformat.read(FILE, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_it_is_stored_without_outputs(notebook):
    nbformat.validate(notebook)
    assert not [cell for cell in code_cells(notebook) if cell.outputs or cell.execution_count]


@pytest.mark.slow
def test_it_runs_in_an_empty_folder(notebook, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output.data for cell in code_cells(notebook) for output in cell.outputs if "data" in output]
    frames = [data["text/html"] for data in shown if "<iframe" in data.get("text/html", "")]
    assert len(frames) == 3
    assert list((tmp_path / "cache").glob("demo-*.duckdb"))


def test_the_code_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (lines,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    names = {}
    exec(compile(lines, "README.md", "exec"), names)
    assert names["run"].run_id.startswith("example-") and (tmp_path / "tree.html").stat().st_size > 1000
