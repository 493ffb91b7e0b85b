"""The source distribution holds tests and docs, and a wheel built from it holds the package.

Both are built without a network, from a copy of the tree.
"""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CACHES = ("__pycache__", "*.egg-info", "_build", ".*_cache", ".hypothesis")
#: Folders that go into the source distribution whole.
FOLDERS = [".ci", ".github", "adframe", "benchmarks", "configs", "docs", "examples", "plugins",
           "tests", "tools"]  # fmt: skip
FILES = ["CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "MANIFEST.in", "Makefile",
         "README.md", "SECURITY.md", "constraints.txt", "pyproject.toml",
         ".pre-commit-config.yaml"]  # fmt: skip


def build(tree: Path, what: str, out: Path) -> Path:
    out.mkdir()
    code = f"from setuptools import build_meta as b; b.build_{what}({str(out)!r})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tree, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (built,) = out.iterdir()
    return built


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """The files of the project, without what tools have left next to them."""
    tree = tmp_path_factory.mktemp("sdist") / "tree"
    tree.mkdir()
    for name in FOLDERS:
        ignored = shutil.ignore_patterns(*CACHES)
        shutil.copytree(ROOT / name, tree / name, symlinks=True, ignore=ignored)
    for name in FILES:
        shutil.copy(ROOT / name, tree / name)
    return tree


@pytest.fixture(scope="module")
def listed(tree):
    """What the tree holds before anything is built in it."""
    return _files(tree)


@pytest.fixture(scope="module")
def unpacked(tree, listed, tmp_path_factory):
    """The source distribution, unpacked."""
    root = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(build(tree, "sdist", root / "sdist")) as archive:
        archive.extractall(root, filter="data")
    (folder,) = (path for path in root.iterdir() if path.name != "sdist")
    return folder


def _files(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.slow
def test_the_source_distribution_holds_every_file(listed, unpacked):
    found = _files(unpacked)
    assert {"tests/conftest.py", "docs/versioning.md", "configs/quickstart.yaml"} <= listed
    assert listed - found == set()
    more = found - listed - {"PKG-INFO", "setup.cfg"}
    # The link adframe/configs becomes a folder.
    allowed = ("adframe/configs/", "adframe.egg-info/")
    assert {name for name in more if not name.startswith(allowed)} == set()


@pytest.mark.slow
def test_a_wheel_from_the_source_distribution_is_the_wheel_of_the_tree(tree, unpacked, tmp_path):
    contents = []
    for source, name in [(tree, "a"), (unpacked, "b")]:
        with zipfile.ZipFile(build(source, "wheel", tmp_path / name)) as wheel:
            files = [file for file in wheel.infolist() if not file.filename.endswith("/RECORD")]
            contents.append({file.filename: file.CRC for file in files})
    assert contents[0] == contents[1]
    names = set(contents[0])
    assert {"adframe/py.typed", "adframe/configs/quickstart.yaml"} <= names
    bundled = {f"adframe/configs/{path}" for path in _files(ROOT / "configs")}
    assert bundled == {name for name in names if name.startswith("adframe/configs/")}
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.startswith("adframe")} == set()
