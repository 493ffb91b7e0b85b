import os
import signal
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings
from PIL import Image

from adframe.config.model import RunConfig, load_config
from adframe.registry.loading import LoadedPlugins, load_plugins

settings.register_profile(
    "everywhere",
    derandomize=True,  # the same examples in every run
    deadline=None,  # machines differ
    database=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("everywhere")


def pytest_configure(config: pytest.Config) -> None:
    """Where pytest-xdist runs, a worker and the processes it starts take one core each.

    A shell starts background jobs with SIGINT ignored, and tests send it.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(config, "workerinput"):
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Tests are small: threads only fight over the cores."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def loaded() -> LoadedPlugins:
    """The bundled plugins."""
    return load_plugins()


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of class folders: 12 bright-left, 8 bright-right and 8 dark images of 16x16."""
    root = tmp_path_factory.mktemp("shapes")
    noise = np.random.default_rng(0)
    for name, count in {"left": 12, "right": 8, "dark": 8}.items():
        (root / name).mkdir()
        for index in range(count):
            pixels = noise.integers(0, 60, (16, 16, 3), dtype=np.uint8)
            if name != "dark":
                half = slice(0, 8) if name == "left" else slice(8, 16)
                pixels[:, half] += 150
            Image.fromarray(pixels).save(root / name / f"{index:02d}.png")
    return root


@pytest.fixture(scope="session")
def toy_file(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A config of UniCon-HA small enough to train in a second."""
    path = tmp_path_factory.mktemp("configs") / "toy.yaml"
    base = Path(__file__).parents[1] / "configs/base/unicon_ha.yaml"
    path.write_text(
        f"""
extends: {base}
dataset: {{name: image_folder, root: {shapes}, normal: left}}
backbone: {{width: 0.0625}}
scorer: {{views: 2}}
train: {{epochs: 2, batch_size: 4, checkpoint_every: 1, device: cpu}}
""",
        encoding="utf-8",
    )
    return path


@pytest.fixture
def toy(toy_file: Path) -> Callable[..., RunConfig]:
    """Loads the toy config with overrides."""
    return lambda *settings, **options: load_config(toy_file, settings, **options)


@pytest.fixture
def plant() -> Callable[[Path, str], None]:
    """``plant(path, kind)`` puts what is no regular file at a path."""

    def plant(path: Path, kind: str) -> None:
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "device":
            path.symlink_to("/dev/zero")
        elif kind == "folder":
            path.mkdir()
        elif kind == "loop":
            path.symlink_to(path)
        else:
            raise ValueError(kind)

    return plant


@pytest.fixture(scope="session")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Path], str]:
    """``shell(line, folder)`` runs a line where pip installs into an environment of its own.

    The environment sees everything this one has, and no network. Returns what was printed.
    """
    root = tmp_path_factory.mktemp("venv")
    venv.create(root, symlinks=True)
    (packages,) = root.glob("lib/python*/site-packages")
    outer = [path for path in sys.path if path.endswith("site-packages")]
    lines = [f"import site; site.addsitedir({path!r})\n" for path in outer]
    (packages / "outer.pth").write_text("".join(lines))
    for name, module in {"adframe": "adframe.cli.main", "pip": "pip", "pytest": "pytest"}.items():
        script = root / "bin" / name
        script.write_text(f'#!/bin/sh\nexec "{root}/bin/python" -m {module} "$@"\n')
        script.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{root}/bin:{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # which pip takes for "no isolation"
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }

    def run(line: str, folder: Path) -> str:
        done = subprocess.run(
            ["sh", "-c", line],
            cwd=folder, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    return run


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with ``adframe`` and ``python`` that start with torch imported."""
    folder, script = tmp_path_factory.mktemp("warm"), Path(__file__).parent / "warm_python.py"
    for name in ("adframe", "python"):
        program = folder / name
        command = f'"{sys.executable}" -I -S "{script}" "{folder}/socket" {name}'
        program.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        program.chmod(0o755)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}
    with subprocess.Popen(
        [sys.executable, str(script), str(folder / "socket")],
        env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
    ) as server:  # fmt: skip
        assert server.stdout.readline() == b"ready\n"
        yield folder
        server.kill()
