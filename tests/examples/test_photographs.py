"""The notebook for engineers runs from top to bottom, and writes nothing outside its folder."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).parents[2] / "examples/photographs.ipynb"

nbformat = pytest.importorskip("nbformat", reason="needs nbformat: pip install 'adframe[dev]'")
pytest.importorskip("nbclient", reason="needs nbclient: pip install 'adframe[dev]'")
pytest.importorskip("ipykernel", reason="needs ipykernel: pip install 'adframe[dev]'")
pytest.importorskip("skimage", reason="needs scikit-image: pip install 'adframe[demo]'")


@pytest.fixture(scope="module")
def notebook() -> Any:
    return nbformat.read(FILE, as_version=4)


@pytest.fixture(scope="module")
def executed(notebook: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """The notebook after it ran, and the folder that was its home, work and temporary folder."""
    from nbclient import NotebookClient

    root = tmp_path_factory.mktemp("notebook")
    jupyter, home = root / "jupyter", root / "home"
    home.mkdir()
    kernel = jupyter / "kernels/this_python/kernel.json"
    kernel.parent.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    facts = {"argv": command, "display_name": "this Python", "language": "python"}
    kernel.write_text(json.dumps(facts))
    copy = nbformat.from_dict(notebook)
    client = NotebookClient(
        copy,
        kernel_name="this_python",
        timeout=600,
        resources={"metadata": {"path": str(home)}},
    )
    with pytest.MonkeyPatch.context() as patch:
        for name in ("JUPYTER_PATH", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
            patch.setenv(name, str(jupyter))
        for name in ("HOME", "TMPDIR", "TEMP", "TMP"):
            patch.setenv(name, str(home))
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("CUDA_VISIBLE_DEVICES", "")
        asyncio.run(client.async_execute())
    return copy, home


def outputs(notebook: Any, cell: str) -> list[Any]:
    (found,) = (of.outputs for of in notebook.cells if of.id == cell)
    return list(found)


def text(notebook: Any, cell: str) -> str:
    return "".join(output.get("text", "") for output in outputs(notebook, cell))


def test_it_is_committed_without_outputs(notebook: Any) -> None:
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(code) > 5
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


def test_it_uses_the_public_calls_alone(notebook: Any) -> None:
    source = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    assert set(re.findall(r"adframe\.(\w+)", source)) == {"load_config", "run", "load"}
    assert "from adframe" not in source


@pytest.mark.slow
def test_it_tells_good_from_bad(executed: tuple[Any, Path]) -> None:
    notebook, _ = executed
    found = re.fullmatch(r"AUROC +(\d\.\d{3})\nraw pixels +\d\.\d{3}\n", text(notebook, "train"))
    assert found, text(notebook, "train")
    assert float(found[1]) > 0.85
    assert re.search(r"24 good images.*\n80 defects", text(notebook, "threshold"))

    verdicts = re.findall(r"(good|defect)_\d\d\.png +\d\.\d+ +(good|REJECT)", text(notebook, "new"))
    assert len(verdicts) == 40
    rejected = [kind for kind, verdict in verdicts if verdict == "REJECT"]
    assert rejected.count("defect") > 10 > rejected.count("good")


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["sheet", "sheet-defects", "most", "least"])
def test_it_shows_images(executed: tuple[Any, Path], cell: str) -> None:
    (output,) = outputs(executed[0], cell)
    assert "image/png" in output.data


@pytest.mark.slow
def test_it_leaves_nothing_behind(executed: tuple[Any, Path]) -> None:
    _, home = executed
    assert [path for path in home.rglob("*") if path.is_file()] == []
