"""Use in notebooks: completion of names, and a one-line repr of values."""

import subprocess
import sys

import adframe
from adframe.registry.loading import load_plugins


def test_the_public_names_can_be_completed_without_importing_torch():
    code = "import adframe, sys; print(dir(adframe), 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{sorted([*adframe.__all__, '__version__'])} False"


def test_public_values_say_in_a_line_what_they_are(toy, tmp_path):
    config = toy("train.epochs=1")
    assert repr(config) == f"RunConfig(image_folder, resnet18, 1 epochs, from {config.source})"
    assert str(config) == repr(config)
    report = adframe.run(config, tmp_path / "run")
    assert repr(report) == (
        f"Report(AUROC {report.mean_auroc:.4f} by nearest_cosine on 1 outlier set, 1 epochs, "
        f"{report.seconds:.0f} s)"
    )
    detector = adframe.load(tmp_path / "run")
    size = "x".join(map(str, detector.size[1:]))
    assert repr(detector) == f"Detector(resnet18, nearest_cosine, {size} pixels)"


def test_plugins_say_how_many_they_are_and_which_did_not_load(monkeypatch):
    loaded = load_plugins()
    count = len(list(loaded.registry))
    plugins = len(loaded.registry.plugins)
    assert repr(loaded) == f"LoadedPlugins({plugins} plugins, {count} components)"
    loaded.registry.plugins[0].error = "broken"
    assert repr(loaded).endswith(f"; did not load: {loaded.registry.plugins[0].name})")
