"""The example package, installed through its entry point like a third-party plugin."""

import ast
import json
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "examples/plugins"
PACKAGES = sorted(path.parent for path in ROOT.glob("*/pyproject.toml"))


@pytest.mark.parametrize("path", sorted(ROOT.glob("*/*/*.py")), ids=lambda path: path.name)
def test_an_example_imports_only_what_is_public(path):
    public = {"adframe", "adframe.interfaces", "adframe.testing"}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            assert node.module in public or not node.module.startswith("adframe"), node.module
        elif isinstance(node, ast.Import):
            assert not any(alias.name.startswith("adframe.") for alias in node.names)


@pytest.mark.slow
def test_it_is_installed_found_and_run(shell, tmp_path):
    pytest.importorskip("tensorboard", reason="needs it: pip install 'adframe[tensorboard]'")
    assert [path.name for path in PACKAGES] == ["adframe-uniformity"]
    for path in PACKAGES:
        shutil.copytree(path, tmp_path / path.name)
    shell("pip install --no-deps ./adframe-uniformity", tmp_path)
    plugins = {row["name"]: row for row in json.loads(shell("adframe plugins --json", tmp_path))}
    assert plugins["uniformity"]["origin"] == "adframe-uniformity (uniformity.plugin)"
    assert plugins["uniformity"]["hooks"] == ["adframe_run_start"]
    assert plugins["uniformity"]["error"] is None

    small = "--set train.epochs=1 --set train.batch_size=35"
    shell(f"adframe run adframe-uniformity/config.yaml {small} --out run", tmp_path)
    result = json.loads((tmp_path / "run/result.json").read_text())
    assert _logged(tmp_path / "run/tensorboard") == {
        "train/loss": 1,
        "train/align_uniform_4": 1,
        "auroc/gaussian_potential/lfw_faces": 1,
    }
    assert result["epochs"] == 1


def _logged(folder):
    """Tag -> number of values, as TensorBoard itself reads them."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder)).Reload()
    return {tag: len(events.Scalars(tag)) for tag in events.Tags()["scalars"]}
