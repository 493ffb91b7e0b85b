import subprocess
import sys

import pytest

from adframe import interfaces
from adframe.config.schema import model_of
from adframe.errors import PluginFault, UnknownComponent, UserError
from adframe.registry.registry import KINDS, Entry, Plugin, Registry


def entry(kind, name, target="no.module:No", plugin=None, default=False):
    return Entry(kind, name, target, plugin or Plugin("p", "1", "here"), default)


def registry_of(*entries):
    registry = Registry()
    for each in entries:
        registry.add(each)
    return registry


def test_every_kind_has_a_base_class_and_says_what_it_does():
    for base, text in KINDS.values():
        assert isinstance(getattr(interfaces, base), type)
        assert text
    bases = [base for base, _ in KINDS.values()]
    assert len(set(bases)) == len(bases)


def test_entries_come_grouped_by_kind_in_order():
    names = [("scorer", "b"), ("shift", "z"), ("scorer", "a"), ("dataset", "m")]
    registry = registry_of(*(entry(*name) for name in names))
    order = [("dataset", "m"), ("shift", "z"), ("scorer", "a"), ("scorer", "b")]
    assert [(each.kind, each.name) for each in registry] == order
    assert registry.names("scorer") == ["a", "b"]
    assert registry.names("loss") == []
    assert registry.get("shift", "z").name == "z"


def test_an_unknown_name_suggests_and_tells_what_did_not_load():
    registry = registry_of(entry("loss", "uniclr"))
    registry.plugins = [
        Plugin("good", "1", "here"),
        Plugin("bad", "1", "there", error="ImportError: no torch"),
        Plugin("worse", "1", "there", error="SystemExit: 3"),
    ]
    with pytest.raises(UnknownComponent) as caught:
        registry.get("loss", "unicrl")
    assert str(caught.value) == (
        "no loss named 'unicrl'; did you mean 'uniclr'?"
        " (plugin 'bad' did not load: ImportError: no torch)"
        " (plugin 'worse' did not load: SystemExit: 3)"
    )
    with pytest.raises(UnknownComponent, match=r"^no scorer named 'uniclr' \("):
        registry.get("scorer", "uniclr")
    with pytest.raises(UserError, match="^no kind 'los'; did you mean 'loss'?"):
        registry.get("los", "uniclr")


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("los", "a", "no kind 'los'; did you mean 'loss'?"),
        ("loss", "UniCLR", "'UniCLR' is not a component name; use lower_case_words"),
        ("loss", "", "'' is not a component name"),
        ("loss", "9a", "'9a' is not a component name"),
        ("loss", "a b", "'a b' is not a component name"),
        ("loss", "a\n", "is not a component name"),
        ("loss", "a.b", "'a.b' is not a component name"),
    ],
)
def test_an_entry_that_breaks_the_rules_is_the_plugins_fault(kind, name, message):
    with pytest.raises(PluginFault) as caught:
        registry_of(entry(kind, name))
    assert message in str(caught.value)


def test_one_plugin_claims_a_name_once():
    plugin = Plugin("p", "1", "here")
    with pytest.raises(PluginFault, match="registers loss 'a' twice"):
        registry_of(entry("loss", "a", plugin=plugin), entry("loss", "a", plugin=plugin))


def test_a_name_claimed_by_two_plugins_is_refused_only_when_asked_for():
    one, two = Plugin("one", "1", "dist-one"), Plugin("two", "1", "dist-two")
    registry = registry_of(
        entry("loss", "a", plugin=one),
        entry("loss", "a", plugin=two),
        entry("loss", "b", plugin=two),
        entry("scorer", "a", plugin=one),
    )
    assert [each.plugin.name for each in registry if each.name == "a"] == ["one", "two", "one"]
    assert registry.get("loss", "b").plugin is two
    assert registry.get("scorer", "a").plugin is one
    with pytest.raises(UserError) as caught:
        registry.get("loss", "a")
    assert str(caught.value) == (
        "loss 'a' is claimed by plugins 'one' (dist-one) and 'two' (dist-two); "
        "write one:a or two:a, or exclude one with --without two"
    )
    registry.remove(two)
    assert registry.get("loss", "a").plugin is one
    assert registry.names("loss") == ["a"]


def test_defaults():
    one, two = Plugin("one", "1", "dist-one"), Plugin("two", "1", "dist-two")
    registry = registry_of(entry("loss", "a", plugin=one, default=True), entry("loss", "b"))
    assert registry.default("loss").name == "a"
    assert registry.default("scorer") is None
    registry.add(entry("loss", "c", plugin=two, default=True))
    with pytest.raises(UserError, match=r"^the default loss is claimed by .*--without two$"):
        registry.default("loss")


# --- loading ------------------------------------------------------------------------------------

MODULE = '''"""A module."""
from adframe.interfaces import Shift

class Turned(
    Shift,
):
    # a comment
    r"""Turns an "image".

    More.
    """
    variants = 1

    def __call__(self, images, variant):
        """Not this."""
        return images


class Silent(Turned):
    pass


class Half(Shift):
    """Half made."""


SHIFT = Turned()
'''


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a module that can be imported, and forgets it afterwards."""
    monkeypatch.syspath_prepend(tmp_path)

    def module(name, text):
        (tmp_path / f"{name}.py").write_text(text)
        return name

    yield module
    for name in [name for name in sys.modules if name.startswith("adframe_test_")]:
        del sys.modules[name]


def test_an_entry_imports_its_class(module):
    name = module("adframe_test_whole", MODULE)
    assert name not in sys.modules
    loaded = entry("shift", "turned", f"{name}:Turned").load()
    assert loaded is sys.modules[name].Turned
    assert entry("shift", "turned", loaded).load() is loaded


@pytest.mark.parametrize(
    ("kind", "target", "message"),
    [
        ("shift", "no_such_module:A", "cannot be imported from no_such_module:A: ModuleNotFound"),
        ("shift", "adframe_test_parts:No", "AttributeError: module 'adframe_test_parts' has no"),
        ("shift", "adframe_test_parts:SHIFT", "is not a subclass of adframe.interfaces.Shift"),
        ("loss", "adframe_test_parts:Turned", "is not a subclass of adframe.interfaces.Loss"),
        ("shift", "adframe_test_parts:Half", "does not implement __call__"),
        ("shift", "adframe_test_bad:A", "cannot be imported from adframe_test_bad:A: ZeroDivision"),
        ("shift", "adframe_test_exit:A", "cannot be imported from adframe_test_exit:A: SystemExit"),
        (
            "shift",
            "adframe_test_text:A",
            "cannot be imported from adframe_test_text:A: SyntaxError",
        ),
    ],
)
def test_what_cannot_be_loaded_is_the_plugins_fault(module, kind, target, message):
    module("adframe_test_parts", MODULE)
    module("adframe_test_bad", "1 / 0")
    module("adframe_test_exit", "raise SystemExit")
    module("adframe_test_text", "class")
    with pytest.raises(PluginFault) as caught:
        entry(kind, "x", target).load()
    assert str(caught.value).startswith(f"{kind} 'x' of plugin 'p' ")
    assert message in str(caught.value)


def test_a_summary_is_read_without_importing(module):
    name = module("adframe_test_read", MODULE + "\n1 / 0\n")
    assert entry("shift", "x", f"{name}:Turned").summary() == 'Turns an "image".'
    assert entry("shift", "x", f"{name}:Half").summary() == "Half made."
    assert entry("shift", "x", f"{name}:Silent").summary() == ""
    assert entry("shift", "x", f"{name}:No").summary() == ""
    assert name not in sys.modules
    assert entry("shift", "x", "no.such.module:A").summary() == ""
    assert entry("shift", "x", f"{module('adframe_test_broken', 'class')}:A").summary() == ""


def test_the_summary_of_a_class_is_its_docstrings_first_line(toys):
    assert toys.registry.get("loss", "toy_loss").summary() == "Toy loss."


def test_listing_imports_neither_torch_nor_pydantic_nor_a_component():
    code = """
import sys, adframe
from adframe.registry.loading import load_plugins
registry = load_plugins().registry
lines = [(entry.kind, entry.name, entry.summary()) for entry in registry]
modules = {entry.target.partition(":")[0] for entry in registry}
for name in ("torch", "pydantic", "numpy", "ruamel", *modules):
    assert name not in sys.modules, name
assert ("loss", "uniclr") in [line[:2] for line in lines]
assert all(summary for *_, summary in lines), lines
"""
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_bundled_component_is_imported_and_has_a_schema(loaded):
    for each in loaded.registry:
        component = each.load()
        assert each.summary() == (component.__doc__ or "").partition("\n")[0] != ""
        assert model_of(component)


def test_a_name_may_be_given_with_its_plugin(caplog):
    one, two = Plugin("one", "1", "dist-one", owner="first"), Plugin("two", "1", "dist-two")
    registry = registry_of(
        entry("loss", "a", plugin=one),
        entry("loss", "a", plugin=two),
        entry("loss", "b", plugin=two),
    )
    assert registry.get("loss", "one:a").plugin is one
    assert registry.get("loss", "first:one:a").plugin is one
    assert registry.get("loss", "two:a").plugin is two
    assert caplog.messages == []
    assert registry.get("loss", "one:b").plugin is two  # it moved to another plugin
    assert caplog.messages == ["plugin one has no loss 'b'; that of two is used"]
    with pytest.raises(UnknownComponent, match="no loss named 'one:c'"):
        registry.get("loss", "one:c")
    with pytest.raises(UserError, match="no loss 'a' of a plugin 'three'; write one:a or two:a"):
        registry.get("loss", "three:a")
