"""The files around the code: citation, changelog, decisions, forms, metadata."""

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DECISIONS = sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))
FORMS = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("[!c]*.yml"))
FIELDS = {"markdown", "input", "textarea", "dropdown", "checkboxes"}


def _yaml(path: Path):
    return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))


def test_the_citation_is_of_this_version():
    citation = _yaml(ROOT / "CITATION.cff")
    assert {"cff-version", "message", "title", "authors", "type"} <= set(citation)
    assert citation["version"] == PROJECT["version"] == importlib.metadata.version("adframe")
    assert citation["license"] == PROJECT["license"]


def test_the_changelog_has_the_form_of_keep_a_changelog():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)", text, re.MULTILINE)[0] == "[Unreleased]"
    known = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security", "Renames"}
    headings = re.findall(r"^### (.*)", text, re.MULTILINE)
    assert set(headings) <= known


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_its_four_parts_and_a_row_in_the_index(path):
    text = path.read_text(encoding="utf-8")
    number, title = re.match(r"# (\d+)\. (.*)\n", text).groups()
    assert path.name.startswith(f"{int(number):04}-")
    parts = re.findall(r"^## (.*)", text, re.MULTILINE)
    assert parts == ["Context", "Alternatives", "Decision", "Consequence"]
    index = (ROOT / "docs/decisions/README.md").read_text(encoding="utf-8")
    assert f"| {number} | [{title}]({path.name}) |" in index


def test_decisions_are_numbered_without_a_gap():
    numbers = [int(path.name[:4]) for path in DECISIONS]
    assert len(numbers) >= 18
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_an_issue_form_has_what_a_form_needs(path):
    form = _yaml(path)
    assert {"name", "description", "body"} <= set(form)
    ids = [field["id"] for field in form["body"] if field["type"] != "markdown"]
    assert ids
    assert len(set(ids)) == len(ids)
    for field in form["body"]:
        assert field["type"] in FIELDS
        assert field["attributes"].get("label") or field["type"] == "markdown"


def test_every_project_url_is_on_one_host():
    """So that the placeholder for it is replaced in one place."""
    hosts = {re.match(r"https://([^/]+)/", url)[1] for url in PROJECT["urls"].values()}
    assert len(hosts) == 1
    assert {"Homepage", "Documentation", "Source", "Changelog"} <= set(PROJECT["urls"])


def test_every_marker_of_pre_commit_is_a_tool_of_the_environment():
    hooks = [
        hook for repo in _yaml(ROOT / ".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]
    ]
    assert {hook["id"] for hook in hooks} == {"ruff-check", "ruff-format", "codespell", "configs"}
    assert all(hook["language"] == "system" for hook in hooks)
    tools = " ".join(PROJECT["optional-dependencies"]["dev"])
    assert all(hook["entry"].split()[0] in f"{tools} python" for hook in hooks)
