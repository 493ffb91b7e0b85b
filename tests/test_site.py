"""The documentation site builds without a warning and lists all public names."""

import importlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

import adframe
from adframe.config.model import RunConfig
from adframe.registry.hookspecs import names
from adframe.registry.verbs import find_verbs

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def _extension():
    spec = importlib.util.spec_from_file_location("site_reference", DOCS / "_ext/site_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


reference = _extension()


@pytest.mark.slow
@pytest.mark.timeout(1800)  # imports everything, on machines that may be busy
def test_the_site_builds_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    done = subprocess.run(
        [*command, "-d", str(tmp_path / "doctrees"), str(DOCS), str(tmp_path / "site")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "nt_xent" in (tmp_path / "site/reference/components.html").read_text()
    python = (tmp_path / "site/reference/python.html").read_text()
    assert not re.search(r" at 0x|``|>Type<", python)  # an address, raw text, a sentence as a type
    assert "\N{EN DASH}" not in (tmp_path / "site/reference/cli.html").read_text()
    assert (tmp_path / "site/_images/picture.svg").is_file()


def test_every_key_of_a_config_is_in_the_reference():
    text = reference.config()
    for key in RunConfig.model_fields:
        assert f"| `{key}` |" in text, key
    for key in ("train.device", "objective.N.weight", "exposure.ratio"):
        assert f"| `{key}` |" in text, key


def test_every_bundled_component_is_in_the_reference_with_its_options(loaded):
    text = reference.components()
    entries = [entry for entry in loaded.registry if entry.plugin.bundled]
    assert len(entries) > 60
    for entry in entries:
        assert f"({entry.kind}-{entry.name})=\n### {entry.name}\n" in text, entry
    assert "| `temperature` | number > 0 | `0.5` | published: 0.5 |" in text


def test_every_verb_and_every_hook_is_in_the_reference():
    text = reference.cli()
    assert len(find_verbs()) > 10
    for verb in find_verbs():
        assert f"## `adframe {verb}`" in text, verb
    assert "| `--set KEY=VALUE` |" in text
    for hook in names():
        assert f"## {hook}\n" in reference.hooks(), hook


def test_every_public_name_is_in_the_reference():
    page = (DOCS / "reference/python.md").read_text()
    for name in adframe.__all__:
        assert re.search(rf"\b{name}\b", page), name
    for module in ("adframe.interfaces", "adframe.jobs", "adframe.ops", "adframe.testing"):
        text = reference.PARTS[module.rpartition(".")[2]]()
        for name in reference.public(importlib.import_module(module)):
            assert re.search(rf"{module}\.{name}\b|`{name}`", text), name


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[x](../concepts/overview.md)", "[x](../concepts/overview.md)"),
        ("[x](../../README.md#here)", "x"),
        ("[x](https://example.org)", "[x](https://example.org)"),
        ("[x](#here)", "[x](#here)"),
    ],
)
def test_links_out_of_the_site_are_shown_without_a_link(text, shown):
    source = [text]
    reference._read(None, "tutorials/photographs", source)
    assert source == [shown]
