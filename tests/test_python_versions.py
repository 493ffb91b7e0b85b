"""The Python versions of pyproject.toml: syntax, standard library, and pinned packages.

docs/versioning.md states what is checked for each version and what is not.
"""

import ast
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DECLARED = sorted(
    (int(major), int(minor))
    for classifier in PROJECT["classifiers"]
    for major, minor in re.findall(r"^Programming Language :: Python :: (\d+)\.(\d+)$", classifier)
)
FOLDERS = ("adframe", "plugins", "tests", "tools", "examples", "benchmarks")
SOURCES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
#: Modules that were removed from the standard library in 3.12 (first line) and 3.13.
REMOVED = {
    "asynchat", "asyncore", "distutils", "imp", "smtpd",
    "aifc", "audioop", "cgi", "cgitb", "chunk", "crypt", "imghdr", "lib2to3", "mailcap", "msilib",
    "nis", "nntplib", "ossaudiodev", "pipes", "sndhdr", "spwd", "sunau", "telnetlib", "uu",
    "xdrlib",
}  # fmt: skip
COMPILE = """
import pathlib, sys
for name in sys.stdin.read().splitlines():
    compile(pathlib.Path(name).read_bytes(), name, "exec", dont_inherit=True)
print(*sys.version_info[:2])
"""


def _interpreters() -> list[Path]:
    """This interpreter, and every python3.N on the search path or among pyenv's versions."""
    minors = range(sys.version_info.minor, sys.version_info.minor + 10)
    found = [shutil.which(f"python3.{minor}") for minor in minors]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    paths = [Path(path) for path in (sys.executable, *found) if path and "shims" not in path]
    return [*paths, *pyenv.glob("3.*/bin/python3")]


def _version(python: Path) -> tuple[int, int]:
    code = "import sys; print(*sys.version_info[:2])"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    major, _, minor = done.stdout.strip().partition(" ")
    return (int(major), int(minor)) if done.returncode == 0 else (0, 0)


def test_the_versions_declared_are_those_required():
    assert DECLARED == [(3, 11), (3, 12), (3, 13)]
    required = SpecifierSet(PROJECT["requires-python"])
    assert all(f"{major}.{minor}" in required for major, minor in DECLARED)
    assert "3.10" not in required


def test_no_file_needs_a_newer_syntax_than_the_oldest_version():
    for path in SOURCES:
        ast.parse(path.read_text(encoding="utf-8"), str(path), feature_version=DECLARED[0])


def test_every_file_compiles_without_a_warning_on_the_newest_interpreter():
    newest = max(_interpreters(), key=_version)
    done = subprocess.run(
        [newest, "-W", "error", "-c", COMPILE], input="\n".join(map(str, SOURCES)),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert tuple(map(int, done.stdout.split())) >= sys.version_info[:2]


def test_no_file_imports_a_module_that_python_has_removed():
    assert len(SOURCES) > 200
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            assert not {name.partition(".")[0] for name in names} & REMOVED, path


def _pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def _installed() -> dict[str, str | None]:
    """Pinned package that is installed -> its Requires-Python."""
    found = {}
    for name in _pins():
        try:
            found[name] = importlib.metadata.metadata(name)["Requires-Python"]
        except importlib.metadata.PackageNotFoundError:  # an extra that is not installed here
            continue
    return found


@pytest.mark.parametrize("version", DECLARED, ids=lambda version: ".".join(map(str, version)))
def test_no_pinned_package_refuses_a_declared_version(version):
    number = ".".join(map(str, version))
    refusing = {n: r for n, r in _installed().items() if r and f"{number}.1" not in SpecifierSet(r)}
    assert refusing == {}


def test_every_dependency_is_pinned_and_installed():
    needed = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    assert needed <= {canonicalize_name(name) for name in _pins()}
    assert needed <= {canonicalize_name(name) for name in _installed()}
