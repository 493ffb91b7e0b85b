"""Plugins written by ``adframe new`` work unchanged."""

import json
import re
import subprocess
import sys
import venv
from functools import partial
from pathlib import Path

import pytest

from adframe import scaffold
from adframe.cli.main import main
from adframe.testing import cases

ROOT = Path(__file__).parents[3]
ALL = [word for kind in scaffold.KINDS for word in ("--kind", kind)]


def tool(*command, cwd):
    words = [sys.executable, "-m", *command]
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def mypy(tmp_path_factory):
    """Runs mypy in an environment with adframe on the path, as a wheel and `make setup` put it.

    mypy does not follow the hooks of an editable install, but it reads .pth files.
    """
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin/python"
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    done = subprocess.run([python, "-c", where], capture_output=True, text=True, check=True)
    paths = [str(ROOT), *(path for path in sys.path if path.endswith("site-packages"))]
    (Path(done.stdout.strip()) / "all.pth").write_text("\n".join(paths) + "\n")
    cache = ["--cache-dir", str(ROOT / ".mypy_cache/scaffold")]
    return partial(tool, "mypy", "--python-executable", str(python), *cache)


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A package with a component of every kind that has a template."""
    folder = tmp_path_factory.mktemp("package")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["new", "my_idea", *ALL]) == 0
    return folder / "my_idea"


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """The same as one file."""
    folder = tmp_path_factory.mktemp("single")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["new", "my_idea", "--single-file", *ALL]) == 0
    return folder / "my_idea.py"


@pytest.mark.slow
def test_one_shell_line_from_nothing_to_a_tested_and_finished_run(shell, tmp_path):
    text = (ROOT / "docs/how-to/plugins.md").read_text()
    (line,) = re.findall(r"<!-- tested: one line -->\n```sh\n(.*)\n```", text)
    printed = shell(line, tmp_path)
    assert re.search(r"\d\d passed", printed)
    (result,) = (tmp_path / "my_idea/runs").glob("*/result.json")
    assert 0 <= json.loads(result.read_text())["mean_auroc"] <= 1
    (metrics,) = (tmp_path / "my_idea/runs").glob("*/metrics.jsonl")
    assert '"my_idea_4"' in metrics.read_text()


@pytest.mark.slow
def test_a_package_is_clean_for_ruff_and_mypy(package, mypy):
    tool("ruff", "check", cwd=package)
    tool("ruff", "format", "--check", cwd=package)
    mypy(cwd=package)  # strict, by the package's own pyproject.toml


@pytest.mark.slow
def test_a_single_file_is_clean_for_strict_mypy(single, mypy):
    mypy("--strict", single.name, cwd=single.parent)


def test_a_single_file_is_clean_for_ruff(package, single):
    config = package / "pyproject.toml"
    tool("ruff", "check", "--config", str(config), str(single), cwd=single.parent)
    tool("ruff", "format", "--check", str(single), cwd=single.parent)


@pytest.mark.parametrize("kinds", [[kind] for kind in scaffold.KINDS])
def test_a_file_of_one_kind_is_clean_too(kinds, package, tmp_path):
    """Whatever is imported is used, and what is used is imported."""
    for name, text in scaffold.package("a_name_of_nearly_29_letters_x", kinds).items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    (tmp_path / "one_file.py").write_text(scaffold.single_file("one_file", kinds))
    tool("ruff", "check", cwd=tmp_path)
    tool("ruff", "format", "--check", cwd=tmp_path)


def test_every_template_keeps_the_contract_and_runs(single, tmp_path, capsys):
    for case in cases(single, {("dataset", "my_idea"): {"of": "lfw_faces"}}):
        case()
    config = single.with_suffix(".yaml")
    out = tmp_path / "run"
    options = ["--plugin", str(single), "--set", "train.epochs=1", "--out", str(out)]
    assert main(["run", str(config), *options]) == 0
    resolved = (out / "config.yaml").read_text()
    assert resolved.count("name: my_idea") == len(scaffold.KINDS)
    assert json.loads((out / "result.json").read_text())["epochs"] == 1


def test_package_and_file_hold_the_same_components(package, single):
    for kind in scaffold.KINDS:
        _, _, body = (package / f"my_idea/{kind}.py").read_text().partition("\n\n\n")
        assert body.rstrip() in single.read_text()


REFUSED = {
    ("My-Idea",): "'My-Idea' is not a valid plugin name: use lower_case_words;"
    " did you mean 'my_idea'?",
    ("2nd",): "'2nd' is not a valid plugin name: use lower_case_words",
    ("tests",): "'tests' is not a valid plugin name: use lower_case_words",
    ("json",): "'json' is already the name of a module; choose another name",
    ("numpy",): "'numpy' is already the name of a module; choose another name",
    ("x_",): "'x_' is not a valid plugin name: use lower_case_words; did you mean 'x'?",
    ("class",): "'class' is a word of Python or YAML; choose another name",
    ("null",): "'null' is a word of Python or YAML; choose another name",
    ("uniclr",): "plugin 'unicon_ha' has a loss 'uniclr'; choose another name",
    ("idea", "--kind", "los"): "--kind los: no template; did you mean 'loss'?"
    f" (kinds with a template: {', '.join(scaffold.KINDS)})",
}  # fmt: skip


@pytest.mark.parametrize("arguments", REFUSED, ids=" ".join)
def test_what_cannot_be_written_is_refused_in_one_line(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["new", *arguments]) == 2
    assert capsys.readouterr().err == REFUSED[arguments] + "\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("taken", "options"),
    [("idea", []), ("idea.py", ["--single-file"]), ("idea.yaml", ["--single-file"])],
)
def test_nothing_is_overwritten(taken, options, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / taken).write_text("mine")
    assert main(["new", "idea", *options]) == 2
    assert capsys.readouterr().err == f"{taken}: already exists; nothing was overwritten\n"
    assert [path.name for path in tmp_path.iterdir()] == [taken]
    assert (tmp_path / taken).read_text() == "mine"


def test_a_folder_that_cannot_be_written_is_an_error_in_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    assert main(["new", "idea"]) == 2
    assert capsys.readouterr().err == "idea: cannot be written: No space left on device\n"
    assert not list(tmp_path.iterdir())


def test_the_config_of_a_method_sets_nothing_that_the_method_ignores():
    assert "shifts:" not in scaffold.config("my_idea", ["method"])
    assert "shifts: [my_idea]\n" in scaffold.config("my_idea", ["method", "shift"])
    assert "shifts: [rotation]\n" in scaffold.config("my_idea", ["loss"])
