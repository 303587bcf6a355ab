"""The notebook runs from its first cell to its last, on tiny settings, in a folder of its own."""

import os
import sys
from pathlib import Path

import pytest
from conftest import Environment

NOTEBOOK = Path(__file__).parents[1] / "demo" / "quickstart.ipynb"


@pytest.mark.slow
def test_the_notebook_ends_in_a_comparison(environment: Environment, tmp_path: Path) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if "install" not in cell.metadata.get("tags", [])]
    (settings,) = (cell for cell in notebook.cells if "settings" in cell.metadata.get("tags", []))
    settings.source = "EPOCHS, IMAGES, IMGSZ = 1, 16, 64"
    scripts = str(environment.python.parent)
    first = f"import os; os.environ['PATH'] = {scripts!r} + os.pathsep + os.environ['PATH']"
    notebook.cells.insert(0, nbformat.v4.new_code_cell(first))
    client = nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}})
    here = {name: value for name, value in os.environ.items() if not name.startswith("YOLO_PLUGINS")}
    client.execute(env={**here, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert (tmp_path / "report" / "results.json").is_file()


def test_the_notebook_that_is_shown_has_been_run() -> None:
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not any(output.output_type == "error" for cell in cells for output in cell.outputs)
    assert NOTEBOOK.stat().st_size < 300_000
