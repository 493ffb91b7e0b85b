import importlib.metadata
import json
import os
import signal
import sys
from types import ModuleType

import pytest

from adframe import hookimpl
from adframe.cli.main import main
from adframe.errors import UnknownComponent, UserError
from adframe.registry.loading import Source, from_file, installed, load_plugins
from adframe.registry.registry import Plugin

FILE = """
from __future__ import annotations
from dataclasses import dataclass
from adframe import Add, hookimpl
from adframe.interfaces import Count, Shift

@dataclass
class Mirror(Shift):
    \"\"\"Mirrors.\"\"\"
    times: Count = 1
    variants = 1

    def __call__(self, images, variant):
        return images

@hookimpl
def adframe_register(add: Add) -> None:
    add("shift", "mirror", Mirror)
"""


def broken(name, **hooks):
    """A plugin of these hooks."""
    module = ModuleType(name)
    vars(module).update(hooks)
    return Source(Plugin(name, "1", f"{name} of a test"), lambda: module)


def unloadable(name, error):
    def load():
        raise error

    return Source(Plugin(name, "1", f"{name} of a test"), load)


@hookimpl
def _raises(add):
    add("shift", "half_done", "a.b:C")
    raise RuntimeError("no luck\nat all")


@hookimpl
def _exits(add):
    add("shift", "half_done", "a.b:C")
    sys.exit(3)


@hookimpl
def _wrong_arguments(add, kinds):
    pass


@hookimpl
def _fine(add):
    add("shift", "half_done", "a.b:C")


def _adds(*arguments):
    @hookimpl
    def adframe_register(add):
        add("shift", "half_done", "a.b:C")
        add(*arguments)

    return adframe_register


def _unmarked(add):
    pass


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (unloadable("bad", ImportError("no torch here")), "ImportError: no torch here"),
        (unloadable("bad", SystemExit(3)), "SystemExit: 3"),
        (unloadable("bad", SystemExit()), "SystemExit"),
        (broken("bad", adframe_register=_raises), "RuntimeError: no luck"),
        (broken("bad", adframe_register=_exits), "SystemExit: 3"),
        (broken("bad", adframe_register=_wrong_arguments),
         "hook 'adframe_register' takes 'kinds', and adframe passes: add"),
        (broken("bad", adframe_register=_fine, adframe_epoch_ends=_fine),
         "adframe has no hook 'adframe_epoch_ends'; did you mean 'adframe_epoch_end'?"),
        (broken("bad", adframe_register=_unmarked), "'adframe_register' is not marked @hookimpl"),
        (broken("bad", adframe_register=_adds("shft", "x", "a.b:C")),
         "no kind 'shft'; did you mean 'shift'?"),
        (broken("bad", adframe_register=_adds("shift", "Bad", "a.b:C")),
         "'Bad' is not a component name; use lower_case_words"),
        (broken("bad", adframe_register=_adds("shift", "half_done", "a.b:D")),
         "registers shift 'half_done' twice"),
        (broken("bad", adframe_register=_adds("shift", "x", ".b:C")),
         "'.b:C' is relative, but the plugin is not a package"),
        (broken("bad", adframe_register=_adds("shift", "x", "a.b.C")),
         "'a.b.C' is not an import string; write 'module:Class'"),
        (broken("bad", adframe_register=_adds("shift", "x", ":C")), "':C' is not an import string"),
        (broken("bad", adframe_register=_adds("shift", "x", "a:")), "'a:' is not an import string"),
        (broken("bad", adframe_register=_adds("shift", "x")), "TypeError: "),
    ],
)  # fmt: skip
def test_a_broken_plugin_is_told_of_and_harms_no_other(source_of, toys, source, reason):
    target = toys.registry.get("shift", "toy_shift").target
    before = source_of("before", ("shift", "first", target))
    after = source_of("after", ("shift", "last", target))
    loaded = load_plugins(sources=[before, source, after])
    errors = {plugin.name: plugin.error for plugin in loaded.registry.plugins}
    assert errors["bad"].startswith(reason)
    assert "\n" not in errors["bad"]
    assert errors["before"] is errors["after"] is None
    assert loaded.registry.names("shift") == ["first", "last"]
    assert len(loaded.manager.get_plugins()) == 2
    with pytest.raises(UnknownComponent) as caught:
        loaded.registry.get("shift", "half_done")
    assert f"plugin 'bad' did not load: {reason}" in str(caught.value)


def test_an_interrupt_is_no_fault_of_a_plugin():
    def load():
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        load_plugins(sources=[Source(Plugin("any", "1", "any of a test"), load)])


class _Rude(BaseException):
    def __str__(self):
        raise ValueError("cannot be shown")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), GeneratorExit(), _Rude()])
def test_what_a_plugin_raises_itself_never_stops_the_others(error):
    good = broken("good", adframe_register=hookimpl(lambda add: None))
    plugins = load_plugins(sources=[unloadable("bad", error), good]).registry.plugins
    assert [plugin.error is None for plugin in plugins] == [False, True]
    assert plugins[0].error.startswith(type(error).__name__)


def test_of_one_module_by_two_names_the_first_stays_and_the_second_is_named():
    module = ModuleType("shared")
    sources = [Source(Plugin(name, "1", f"dist-{name}"), lambda: module) for name in "ab"]
    plugins = load_plugins(sources=sources).registry.plugins
    assert [plugin.error for plugin in plugins] == [None, "is the same module as plugin 'a'"]


def test_what_a_plugin_prints_at_import_goes_to_standard_error(write, capsys):
    file = write(FILE + "\nprint('hello')\n", "loud.py")
    assert main(["list", "--json", "--plugin", str(file)]) == 0
    printed = capsys.readouterr()
    assert "mirror" in [row["name"] for row in json.loads(printed.out)]
    assert printed.err == "hello\n"


def test_a_file_that_is_not_regular_is_refused(tmp_path):
    loop, pipe = tmp_path / "loop.py", tmp_path / "pipe.py"
    loop.symlink_to(loop)
    os.mkfifo(pipe)
    with pytest.raises(UserError, match=r"loop.py: Too many levels of symbolic links$"):
        load_plugins([loop], sources=[])
    for path, reason in ((pipe, "not a regular file"), (tmp_path, "is a folder")):
        with pytest.raises(UserError, match=f"{reason}$"):
            load_plugins([path], sources=[])


def test_a_fault_is_forgotten_by_the_next_call():
    answers = iter([ImportError("once")])

    def load():
        for error in answers:
            raise error
        return ModuleType("flaky")

    source = Source(Plugin("flaky", "1", "here"), load)
    assert load_plugins(sources=[source]).registry.plugins[0].error == "ImportError: once"
    assert load_plugins(sources=[source]).registry.plugins[0].error is None


def test_one_module_under_two_names_stays_loaded_once(source_of):
    first = source_of("first", ("shift", "a", "a.b:C"))
    second = Source(Plugin("second", "1", "elsewhere"), first.load)
    loaded = load_plugins(sources=[first, second])
    assert [plugin.error is None for plugin in loaded.registry.plugins] == [True, False]
    assert loaded.registry.names("shift") == ["a"]
    assert len(loaded.manager.get_plugins()) == 1


def test_plugins_of_one_name_may_both_load(source_of):
    one, two = source_of("same", ("shift", "a", "a:A")), source_of("same", ("shift", "b", "b:B"))
    two.plugin.origin = "elsewhere"
    assert load_plugins(sources=[one, two]).registry.names("shift") == ["a", "b"]


def test_plugins_may_be_left_out(source_of):
    sources = [source_of("one", ("shift", "a", "a:A")), source_of("two", ("shift", "a", "b:B"))]
    loaded = load_plugins(sources=sources, without=["two"])
    assert loaded.registry.get("shift", "a").plugin.name == "one"
    assert [plugin.name for plugin in loaded.registry.plugins] == ["one"]
    with pytest.raises(UserError) as caught:
        load_plugins(sources=sources, without=["tow"])
    assert str(caught.value) == "--without tow: no such plugin; did you mean 'two'?"


def test_a_relative_target_is_completed_with_the_plugins_package(source_of):
    plain, package = source_of("plain", ("shift", "a", ".b.c:D")), ModuleType("pack")
    vars(package).update(vars(plain.load()), __package__="pack")
    loaded = load_plugins(sources=[Source(Plugin("p", "1", "here"), lambda: package)])
    assert loaded.registry.get("shift", "a").target == "pack.b.c:D"
    named = Source(Plugin("p", "1", "here", package="other"), lambda: plain.load())
    assert load_plugins(sources=[named]).registry.get("shift", "a").target == "other.b.c:D"


# --- installed ----------------------------------------------------------------------------------


def test_installed_plugins_are_the_entry_points_and_are_not_imported():
    points = importlib.metadata.entry_points(group="adframe")
    sources = installed()
    assert [source.plugin.name for source in sources] == sorted(point.name for point in points)
    bundled = {source.plugin.name: source.plugin for source in sources if source.plugin.bundled}
    assert bundled["unicon_ha"].package == "adframe_unicon_ha"
    assert bundled["unicon_ha"].version == importlib.metadata.version("adframe")


def test_an_entry_point_to_nothing_is_recorded(monkeypatch, tmp_path):
    values = {"gone": "no_such_module_x", "lost": "adframe:no_such_thing", "fine": "json"}
    dist = tmp_path / "stranger-2.0.dist-info"
    dist.mkdir()
    (dist / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 2.0\n")
    lines = [f"{name} = {value}" for name, value in values.items()]
    (dist / "entry_points.txt").write_text("\n".join(["[adframe]", *lines]))
    monkeypatch.syspath_prepend(tmp_path)
    found = {plugin.name: plugin for plugin in load_plugins().registry.plugins}
    assert found["gone"].error.startswith("ModuleNotFoundError: No module named 'no_such_module_x'")
    assert found["lost"].error.startswith("AttributeError: ")
    assert found["fine"].error is None
    assert (found["gone"].version, found["gone"].bundled) == ("2.0", False)
    assert found["gone"].origin == "stranger (no_such_module_x)"
    assert found["unicon_ha"].bundled


# --- one-file plugins ---------------------------------------------------------------------------


def test_a_file_is_a_plugin(write):
    path = write(FILE, "my plugin.py")
    loaded = load_plugins([path], sources=[])
    (plugin,) = loaded.registry.plugins
    assert (plugin.name, plugin.origin, plugin.error) == ("my plugin", str(path), None)
    entry = loaded.registry.get("shift", "mirror")
    assert entry.load().__name__ == "Mirror"
    assert entry.summary() == "Mirrors."


def test_files_of_one_name_do_not_mix(write):
    one = write(FILE, "a/mine.py")
    two = write(FILE.replace('"mirror"', '"other"').replace("Mirrors.", "Others."), "b/mine.py")
    registry = load_plugins([one, two], sources=[]).registry
    assert [entry.summary() for entry in registry] == ["Mirrors.", "Others."]
    modules = {entry.load().__module__ for entry in registry}
    assert len(modules) == 2
    assert all(sys.modules[name] for name in modules)


def test_a_file_named_twice_is_loaded_once(write, tmp_path):
    write(FILE, "mine.py")
    names = ["mine.py", "./mine.py", str(tmp_path / "mine.py")]
    assert load_plugins(names, sources=[]).registry.get("shift", "mirror")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("mine.py", "1 / 0", "plugin mine.py: ZeroDivisionError: division by zero"),
        ("mine.py", "raise SystemExit", "plugin mine.py: SystemExit"),
        ("mine.py", "def", "plugin mine.py: SyntaxError: invalid syntax"),
        ("mine.py", FILE.replace("Mirror)", "'.a:B')"), "plugin mine.py: '.a:B' is relative"),
        ("mine.txt", "", "plugin mine.txt: not a Python file"),
    ],
)
def test_a_file_that_does_not_load_is_the_users_error(write, name, text, message):
    with pytest.raises(UserError) as caught:
        load_plugins([write(text, name)], sources=[])
    assert str(caught.value).startswith(message)


def test_a_file_that_is_not_there_is_the_users_error(tmp_path):
    with pytest.raises(UserError, match="no such file$"):
        load_plugins([tmp_path / "no.py"], sources=[])


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "large", "loop", "not UTF-8"])
def test_a_file_that_cannot_be_a_plugin_is_one_line_and_is_not_waited_for(tmp_path, plant, kind):
    path = tmp_path / "mine.py"
    if kind == "large":
        with path.open("wb") as file:
            file.truncate(1 << 40)
    elif kind == "not UTF-8":
        path.write_bytes(b"x = '\xff'")
    else:
        plant(path, kind)
    with pytest.raises(UserError) as caught:
        load_plugins([path], sources=[])
    assert str(caught.value).startswith(f"plugin {path}: ")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == [path]
    if kind in ("pipe", "device", "folder", "loop"):
        with pytest.raises(UserError):
            from_file(path)


# --- what is said of each fault, word for word --------------------------------------------------

STRANGER = {
    "import_error": "import no_such_module_x",
    "wrong_signature": "@hookimpl\ndef adframe_register(add, kinds): pass",
    "raises": "@hookimpl\ndef adframe_register(add): raise RuntimeError('out of cheese')",
    "no_such_hook": "@hookimpl\ndef adframe_epoch_ends(run): pass",
    "older": "adframe_api = 0",
    "newer": "adframe_api = 2",
    "odd": "adframe_api = 'one'",
    "fine": "adframe_api = 1",
}
GOLDEN = {
    "gone": "ModuleNotFoundError: No module named 'stranger_gone'",
    "lost": "AttributeError: module 'stranger_fine' has no attribute 'plugin'",
    "import_error": "ModuleNotFoundError: No module named 'no_such_module_x'",
    "wrong_signature": "hook 'adframe_register' takes 'kinds', and adframe passes: add",
    "raises": "RuntimeError: out of cheese",
    "no_such_hook": "adframe has no hook 'adframe_epoch_ends'; did you mean 'adframe_epoch_end'?",
    "older": "is written for plugin API 0, and this adframe has 1; update the plugin",
    "newer": "is written for plugin API 2, and this adframe has 1; update adframe",
    "odd": "is written for plugin API one, and this adframe has 1; update adframe",
    "fine": None,
}


def distribution(site, dist, points):
    """An installed distribution with these entry points."""
    info = site / f"{dist}-2.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: 2.0\n")
    lines = [f"{name} = {value}" for name, value in points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[adframe]", *lines]))


@pytest.fixture
def strangers(tmp_path, monkeypatch):
    points = {"gone": "stranger_gone", "lost": "stranger_fine:plugin"}
    for name, text in STRANGER.items():
        (tmp_path / f"stranger_{name}.py").write_text(f"from adframe import hookimpl\n{text}\n")
        points[name] = f"stranger_{name}"
    distribution(tmp_path, "stranger", points)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("strangers")
def test_each_fault_is_named_with_its_reason_once(capsys, tmp_path):
    found = {plugin.name: plugin.error for plugin in load_plugins().registry.plugins}
    assert {name: found[name] for name in GOLDEN} == GOLDEN
    lines = [f"plugin '{name}' did not load: {why}" for name, why in GOLDEN.items() if why]
    assert main(["list"]) == 0
    assert sorted(capsys.readouterr().err.splitlines()) == sorted(lines)
    config = tmp_path / "x.yaml"
    config.write_text("dataset: nonsense\nscorer: nonsense\nobjective: []\ntrain: {epochs: 1}\n")
    assert main(["check", str(config)]) == 2
    printed = capsys.readouterr().err
    assert [printed.count(line) for line in lines] == [1] * len(lines)


@pytest.fixture
def twins(tmp_path, monkeypatch):
    """Two distributions, each with a plugin 'ideas' that offers the loss 'twin'."""
    for dist in ("alpha", "beta"):
        (tmp_path / f"{dist}_ideas.py").write_text(
            "from adframe import hookimpl\nfrom adframe.interfaces import Loss\n"
            "class Twin(Loss):\n"
            '    """A loss that both bring."""\n'
            "    def forward(self, embeddings, views): return embeddings.mean()\n"
            "@hookimpl\ndef adframe_register(add): add('loss', 'twin', Twin)\n"
        )
        distribution(tmp_path, dist, {"ideas": f"{dist}_ideas"})
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("twins")
def test_two_plugins_of_one_name_are_told_apart(capsys):
    assert main(["show", "loss", "twin"]) == 2
    assert capsys.readouterr().err == (
        "loss 'twin' is claimed by plugins 'ideas' (alpha (alpha_ideas)) and "
        "'ideas' (beta (beta_ideas)); write alpha:ideas:twin or beta:ideas:twin, "
        "or exclude one with --without beta:ideas\n"
    )
    assert main(["show", "loss", "twin", "--without", "beta:ideas"]) == 0
    assert "alpha_ideas.py" in capsys.readouterr().out
    assert main(["show", "loss", "twin", "--without", "ideas"]) == 2
    assert capsys.readouterr().err == (
        "--without ideas: 2 plugins; write alpha:ideas or beta:ideas\n"
    )


def test_two_plugins_that_claim_one_name_are_both_named_with_the_remedy(source_of, toys):
    target = toys.registry.get("shift", "toy_shift").target
    sources = [source_of(name, ("shift", "mine", target)) for name in ("one", "two")]
    with pytest.raises(UserError) as caught:
        load_plugins(sources=sources).registry.get("shift", "mine")
    assert str(caught.value) == (
        "shift 'mine' is claimed by plugins 'one' (one of a test) and 'two' (two of a test); "
        "write one:mine or two:mine, or exclude one with --without two"
    )


def test_stale_metadata_of_adframe_hide_no_command(tmp_path, monkeypatch, capsys):
    distribution(tmp_path, "adframe", {"old": "adframe_losses.plugin"})
    monkeypatch.syspath_prepend(tmp_path)
    assert main(["configs"]) == 0
    assert "no command" not in capsys.readouterr().err
