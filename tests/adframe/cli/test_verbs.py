"""Verbs come from entry points; a broken or contested one does not end the others."""

import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import adframe
from adframe.cli.main import _parser, main
from adframe.errors import PluginFault
from adframe.registry.verbs import find_verbs

ROOT = Path(__file__).parents[3]
COUNT = """
import argparse

summary = "count the words, 100 % of them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="+", metavar="WORD")
    parser.add_argument("--twice", action="store_true")


def run(arguments: argparse.Namespace) -> int:
    print(len(arguments.words) * (1 + arguments.twice), arguments.without)
    return 3
"""


@pytest.fixture
def distribution(tmp_path, monkeypatch):
    """``distribution(name, verbs, files)`` installs a package that brings verbs."""

    def install(name, verbs, files):
        site = tmp_path / name
        info = site / f"{name}-1.2.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        lines = [f"{verb} = {target}\n" for verb, target in verbs.items()]
        (info / "entry_points.txt").write_text("[adframe.verbs]\n" + "".join(lines))
        for file, text in files.items():
            (site / file).write_text(text)
        monkeypatch.syspath_prepend(site)

    yield install
    for module in [name for name in sys.modules if name.startswith("their_")]:
        del sys.modules[module]


def test_bundled_verbs_are_those_of_pyproject():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    points = importlib.metadata.distribution("adframe").entry_points
    found = {point.name: point.value for point in points if point.group == "adframe.verbs"}
    assert found == declared["adframe.verbs"]
    assert {"run", "new", "reproduce"} <= set(found)


@pytest.mark.parametrize("name", [name for name, owners in find_verbs().items()
                                  if any(verb.bundled for verb in owners)])  # fmt: skip
def test_the_summary_in_the_source_is_that_of_the_module(name):
    (entry,) = (verb for verb in find_verbs()[name] if verb.bundled)
    assert entry.summary() == entry.load().summary
    assert entry.summary().splitlines() == [entry.summary()]


def test_a_verb_of_another_package_is_listed_and_called(distribution, capsys):
    distribution("counters", {"count": "their_count"}, {"their_count.py": COUNT})
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    assert "count       count the words, 100 % of them\n" in capsys.readouterr().out
    assert "their_count" not in sys.modules
    assert main(["count", "a", "b", "--twice", "--without", "faces"]) == 3
    assert capsys.readouterr().out == "4 ['faces']\n"
    assert main(["count", "a", "--twic"]) == 2
    assert capsys.readouterr().err == (
        "adframe count: unexpected '--twic'; did you mean '--twice'?\n"
    )
    assert main(["plugins"]) == 0
    assert "count 1.2  command counters (their_count) [third party]\n" in capsys.readouterr().out


def test_the_documented_verb_counts_images(distribution, shapes, capsys):
    text = (ROOT / "docs/how-to/plugins.md").read_text(encoding="utf-8")
    blocks = dict(re.findall(r"<!-- verb: (\S+) -->\n```\w+\n(.*?)```", text, re.DOTALL))
    points = tomllib.loads(blocks.pop("pyproject.toml"))["project"]["entry-points"]
    code = {f"their_{name}": body for name, body in blocks.items()}
    verbs = {verb: f"their_{module}" for verb, module in points["adframe.verbs"].items()}
    distribution("documented", verbs, code)
    assert main(["count", str(shapes)]) == 0
    assert capsys.readouterr().out == f"{len(adframe.find_images([shapes]))}\n"


def test_a_verb_may_be_a_class_or_an_object(distribution, capsys):
    body = COUNT.replace("\n", "\n    ").replace("(parser", "(self, parser")
    body = body.replace("(arguments:", "(self, arguments:").replace("\n    import", "\n    #")
    head = "import argparse\nprint('imported')\nclass Count:\n"
    code = f"{head}{body.rstrip()}\ncount = Count()\n"
    verbs = {"class": "their_class:Count", "object": "their_class:count"}
    distribution("classes", verbs, {"their_class.py": code})
    assert find_verbs()["class"][0].summary() == "count the words, 100 % of them"
    assert capsys.readouterr().out == ""
    assert find_verbs()["object"][0].summary() == "count the words, 100 % of them"
    assert main(["class", "a"]) == main(["object", "a"]) == 3
    printed = capsys.readouterr()
    assert printed.out == "1 []\n1 []\n"  # what is printed at import is no answer
    assert printed.err == "imported\n"


BROKEN = {
    "raises": ("their_raising", "RuntimeError: out of cheese"),
    "absent": ("their_absent", "ModuleNotFoundError: No module named 'their_absent'"),
    "empty": ("their_empty", "AttributeError: module 'their_empty' has no attribute 'summary'"),
    "clash": ("their_clash", "ArgumentError: argument --plugin: conflicting option string"),
}
FILES = {
    "their_raising.py": "summary = 'raise'\nraise RuntimeError('out of\\n cheese'[:6] + ' cheese')",
    "their_empty.py": "",
    "their_clash.py": COUNT.replace("--twice", "--plugin"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_verb_is_one_line_and_the_others_work(name, distribution, capsys):
    target, why = BROKEN[name]
    distribution("badverbs", {verb: module for verb, (module, _) in BROKEN.items()}, FILES)
    assert main([name]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"command '{name}' of badverbs ({target}) did not load: {why}")
    assert main(["list", "loss"]) == 0
    assert capsys.readouterr().err == ""
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    assert "\n    run " in capsys.readouterr().out
    assert name in _parser().format_help()


def test_plugins_names_what_is_broken(distribution, capsys):
    distribution("badverbs", {verb: module for verb, (module, _) in BROKEN.items()}, FILES)
    assert main(["plugins", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    errors = {row["name"]: row["error"] for row in rows if row["from"] == "command"}
    for name, (_, why) in BROKEN.items():
        if name != "clash":  # found when its arguments are declared
            assert errors[name] == why
    assert errors["run"] is None


def test_two_owners_of_a_verb_are_one_clear_line(distribution, capsys):
    for owner in ("one", "two"):
        distribution(f"rivals-{owner}", {"tally": "their_count"}, {"their_count.py": COUNT})
    assert main(["tally", "a"]) == 2
    assert capsys.readouterr().err == (
        "command 'tally' is claimed by rivals-one (their_count) and rivals-two (their_count); "
        "uninstall one\n"
    )
    assert main(["plugins"]) == 0
    assert "the name is claimed by rivals-two (their_count) too" in capsys.readouterr().out


def test_no_package_takes_a_command_of_adframe_away(distribution, capsys):
    distribution("rivals", {"configs": "their_count"}, {"their_count.py": COUNT})
    assert main(["configs", "--json"]) == 0
    capsys.readouterr()
    assert main(["plugins", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    errors = {row["origin"]: row["error"] for row in rows if row["name"] == "configs"}
    assert errors == {
        "adframe (adframe.cli.commands.configs)": None,
        "rivals (their_count)": "the name is claimed by adframe (adframe.cli.commands.configs) too",
    }


@pytest.mark.parametrize("value", [":bad:value", "my-idea.plugin", "", "a..b", "a:", "a b", "1.x"])
@pytest.mark.parametrize("group", ["adframe", "adframe.verbs"])
def test_a_malformed_entry_point_is_named_and_ends_nothing(
    distribution, tmp_path, monkeypatch, capsys, group, value
):
    info = tmp_path / "malformed-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: malformed\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{group}]\nodd = {value}\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert main(["list", "loss"]) == 0
    note = capsys.readouterr().err
    assert (note.startswith("plugin 'odd' did not load: ") and note.count("\n") == 1) or (
        group == "adframe.verbs" and not note
    )
    assert main(["plugins", "--json"]) == 0
    (row,) = (row for row in json.loads(capsys.readouterr().out) if row["name"] == "odd")
    assert f"'{value}' names no module" in row["error"]


@pytest.mark.parametrize("text", [b"\xff\xfe", b"[adframe]\nno value\n"])
def test_metadata_that_cannot_be_read_ends_nothing(tmp_path, monkeypatch, capsys, text):
    info = tmp_path / "damaged-1.0.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_bytes(text)
    monkeypatch.syspath_prepend(tmp_path)
    assert main(["list", "loss"]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert "did not load: its entry_points.txt cannot be read: " in line
    assert main(["plugins"]) == 0
    assert "did not load: its entry_points.txt cannot be read: " in capsys.readouterr().out


def test_a_verb_that_is_no_verb_is_a_fault():
    entry = find_verbs()["run"][0]
    broken = type(entry)("run", "adframe.errors:UserError", "somebody", "1")
    with pytest.raises(PluginFault, match="^command 'run' of somebody"):
        broken.load()


# --- mistakes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["rum"], "adframe: no command 'rum'; did you mean 'run'?"),
        (["fly"], "adframe: no command 'fly' (adframe --help lists them)"),
        (["--versio"],
         "adframe: write the command before '--versio'"
         "; did you mean '--version'? (adframe --help)"),
        (["--json", "list"], "adframe: write the command before '--json' (adframe --help)"),
        (["run", "x.yaml", "--device", "cuda"],
         "adframe run: unexpected '--device'; did you mean --set train.device=cuda?"),
        (["run", "--device", "cuda", "x.yaml"],
         "adframe run: unexpected '--device'; did you mean --set train.device=cuda?"),
        (["run", "x.yaml", "--epoch=3"],
         "adframe run: unexpected '--epoch=3'; did you mean --set train.epochs=3?"),
        (["check", "x.yaml", "--batch-size", "8"],
         "adframe check: unexpected '--batch-size'; did you mean --set train.batch_size=8?"),
        (["run", "x.yaml", "--seed"],
         "adframe run: unexpected '--seed'; did you mean --set seed=VALUE?"),
        (["run", "x.yaml", "--optimizer.lr", "0.1"],
         "adframe run: unexpected '--optimizer.lr'; did you mean --set optimizer.lr=0.1?"),
        (["run", "x.yaml", "--resum"],
         "adframe run: unexpected '--resum'; did you mean '--resume'?"),
        (["run", "x.yaml", "y.yaml"], "adframe run: unexpected 'y.yaml'"),
        (["list", "--device", "cuda"], "adframe list: unexpected '--device'"),
        (["run"], "adframe run: the following arguments are required: CONFIG (adframe run --help)"),
        (["show", "los"], "no kind or section 'los'; did you mean 'loss'? (kinds: "),
        (["show", "shift"], "show shift: name one of "),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_with_the_nearest_word(words, line, capsys):
    assert main(words) == 2
    printed = capsys.readouterr()
    (said,) = printed.err.splitlines()
    assert said == line or (line.endswith(" ") and said.startswith(line))
    assert printed.out == ""


def test_adframe_alone_shows_the_help(capsys):
    assert main([]) == 0
    shown = capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["--help"])
    assert capsys.readouterr().out == shown
    done = subprocess.run(
        [sys.executable, "-m", "adframe", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("adframe ")


def test_a_summary_that_is_no_text_is_a_fault_and_a_long_one_is_one_line(distribution, capsys):
    files = {
        "their_none.py": COUNT.replace('"count the words, 100 % of them"', "None"),
        "their_lines.py": COUNT.replace('"count the words, 100 % of them"', '"a\\nb\\x1b[31m"'),
    }
    distribution("counters", {"none": "their_none", "lines": "their_lines"}, files)
    with pytest.raises(SystemExit):
        main(["--help"])
    out = capsys.readouterr().out
    assert "lines       a b\\x1b[31m\n" in out
    assert "command 'none' of counters (their_none) did not load" in out
    assert main(["none"]) == 1
    assert capsys.readouterr().err.endswith("TypeError: its summary is no text: None\n")


@pytest.mark.parametrize("error", ["SystemExit(0)", "KeyboardInterrupt", "BaseException('x')"])
def test_a_verb_that_ends_python_in_its_arguments_is_named(distribution, capsys, error):
    text = COUNT.replace(
        '    parser.add_argument("words"', f'    raise {error}\n    parser.add_argument("words"'
    )
    distribution("theirs", {"tally": "their_tally"}, {"their_tally.py": text})
    assert main(["tally", "a"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("command 'tally' of theirs (their_tally) did not load: ")
    for words in ([], ["configs"]):
        assert main(words) == 0
