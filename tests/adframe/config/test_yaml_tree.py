import json
import time
import warnings
from pathlib import Path

import pytest

from adframe.config.compose import compose, merge, set_value
from adframe.config.yaml_tree import ConfigNode, parse, read_file, to_yaml
from adframe.errors import ConfigError, UserError


def plain(text):
    return parse(text, "t").plain()


# --- reading ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E3", 1000.0),
        (".5", 0.5),
        ("-.inf", float("-inf")),
        (".Inf", float("inf")),
        ("010", 10),
        ("0o17", 15),
        ("-0x1F", -31),
        ("+7", 7),
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("True", True),
        ("false", False),
        ("~", None),
        ("", None),
        ("'1'", "1"),
        ("2020-01-01", "2020-01-01"),
        ("12:30:45", "12:30:45"),
        ("'<<'", "<<"),
        ("%YAML 1.1\n---\n[yes, true]", ["yes", True]),
        ("&a [1, 2]", [1, 2]),
        ("[&a {x: 1}, *a]", [{"x": 1}, {"x": 1}]),
        ("[&a 1, &a 2, *a]", [1, 2, 2]),
    ],
)
def test_values_are_those_of_yaml_1_2(text, value):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read = plain(text)
    assert read == value
    assert type(read) is type(value)


def test_nan_is_read_as_a_number():
    assert plain("[.nan, .NaN]") != plain("[.nan, .NaN]")
    assert all(isinstance(value, float) for value in plain("[.nan, .NaN]"))


def test_json_is_yaml():
    value = {"a": [1, -2.5e-7, True, None, {"b": "ü\n\t\"'\\"}], "no": "", "1": [], "c": {}}
    for indent in [None, 2]:
        assert plain(json.dumps(value, indent=indent, ensure_ascii=False)) == value


def test_every_value_knows_its_line(write):
    tree = read_file(write("# a comment\na: 1\nb:\n  c:\n    - 2\n    - d: 3\n"))
    assert tree.origin_of(["a"]) == "x.yaml:2"
    assert tree.origin_of(["b", "c"]) == "x.yaml:4"
    assert tree.origin_of(["b", "c", 1, "d"]) == "x.yaml:6"
    assert tree.origin_of(["b", "c", 7, "d"]) == "x.yaml:4"
    assert tree.origin_of(["b", "missing"]) == "x.yaml:3"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- 1", "x.yaml:1: a config must be a mapping of keys"),
        ("text", "x.yaml:1: a config must be a mapping of keys"),
        ("a: 1\nb: [", "x.yaml:2: not valid YAML: "),
        ("a: 1\n\tb: 2", "x.yaml:2: not valid YAML: "),
        ("a: 1\n---\nb: 2", "x.yaml:2: not valid YAML: "),
        ("a: *b", "x.yaml:1: not valid YAML: "),
        ("a: \x07", "x.yaml: not valid YAML: "),
        ("a: 1\nb:\n  c: 1\n  c: 2", "x.yaml:4: b.c: written twice"),
        ("a: 1\n'a': 2", "x.yaml:2: a: written twice"),
        ("a:\n- {b: 1, b: 1}", "x.yaml:2: a.0.b: written twice"),
        ("a: 1\n? [b]\n: 2", "x.yaml:1: a key must be text"),
        ("a: !!python/object/apply:os.system [ls]", "x.yaml:1: tag "),
        ("a: !!python/name:os.system x", "x.yaml:1: tag "),
        ("a: !!python/name:os.system {b: 1}", "x.yaml:1: tag "),
        ("a: !mine:str x", "x.yaml:1: tag '!mine:str' is not allowed"),
        ("a: !!set {b}", "x.yaml:1: tag "),
        ("a: !!binary aGk=", "x.yaml:1: tag "),
        ("a: !!int x", "x.yaml:1: not a number: x"),
        ("a: 0x" + "f" * 9999, "x.yaml:1: not a number: 0xfff"),
        ("a: " + "9" * 9999, "x.yaml:1: not a number: 999"),
        ('a: "b\\0c"', "x.yaml:1: text may not hold a null character"),
    ],
)
def test_what_is_no_config_is_said_with_its_line(write, text, message):
    with pytest.raises(UserError) as caught:
        read_file(write(text))
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = Path("x.yaml")
    with pytest.raises(UserError, match=r"^x\.yaml: No such file"):
        read_file(path)
    with pytest.raises(UserError, match=r": is not a regular file"):
        read_file(tmp_path)
    path.write_bytes(b"a: \xff\xfe")
    with pytest.raises(UserError, match=r"^x\.yaml: not UTF-8 text .* at byte 3"):
        read_file(path)
    path.write_bytes(b"\xef\xbb\xbfa: 1")  # a byte-order mark, as some editors write it
    assert read_file(path).plain() == {"a": 1}


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "null"])
def test_an_empty_file_is_an_empty_table(write, text):
    assert read_file(write(text)).plain() == {}


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "more than 20000 values, aliases expanded"),
        ("a: &a [*a]", "nested too deeply"),
        ("a: &a {b: *a}", "nested too deeply"),
        ("a: " + "[" * 100_000, "nested too deeply"),
        ("a: " + "{b: " * 50_000, "nested too deeply"),
        ("a: " + "- " * 50_000, "x.yaml"),
        ("\n".join(" " * depth + "a:" for depth in range(600)), "nested too deeply"),
        ("a: '" + "x" * 300_000 + "'", "too large; it has more than 262144 bytes"),
    ],
)
def test_files_made_to_harm_are_refused_quickly(write, text, message):
    path = write(text)
    start = time.process_time()
    with pytest.raises(UserError, match=message):
        read_file(path)
    assert time.process_time() - start < 3


# --- merging ------------------------------------------------------------------------------------


def merged(base, over):
    return merge(parse(base, "base"), parse(over, "over")).plain()


@pytest.mark.parametrize(
    ("base", "over", "result"),
    [
        ("{a: 1, b: 2}", "{b: 3, c: 4}", {"a": 1, "b": 3, "c": 4}),
        ("{a: {b: 1, c: 2}}", "{a: {c: 3}}", {"a": {"b": 1, "c": 3}}),
        ("{a: [1, 2, 3]}", "{a: [4]}", {"a": [4]}),
        ("{a: {b: 1}}", "{a: null}", {"a": None}),
        ("{a: {b: 1}}", "{a: 2}", {"a": 2}),
        ("{a: 2}", "{a: {b: 1}}", {"a": {"b": 1}}),
        # components
        ("{name: x, p: 1}", "{p: 2}", {"name": "x", "p": 2}),
        ("{name: x, p: 1}", "{name: x, q: 2}", {"name": "x", "p": 1, "q": 2}),
        ("{name: x, p: 1}", "{name: y, q: 2}", {"name": "y", "q": 2}),
        ("{name: x, p: 1}", "y", "y"),
        ("{name: x, p: 1}", "x", {"name": "x", "p": 1}),
        ("x", "{p: 1}", {"name": "x", "p": 1}),
        ("x", "{name: x, p: 1}", {"name": "x", "p": 1}),
        ("x", "{name: y, p: 1}", {"name": "y", "p": 1}),
        ("{name: x, of: {name: a, p: 1}}", "{of: {name: b}}", {"name": "x", "of": {"name": "b"}}),
    ],
)
def test_merging(base, over, result):
    assert merged(base, over) == result


def test_merging_leaves_what_it_merged_alone():
    base, over = parse("{a: {b: 1}}", "base"), parse("{a: {c: 2}}", "over")
    merge(base, over)
    assert (base.plain(), over.plain()) == ({"a": {"b": 1}}, {"a": {"c": 2}})


# --- --set --------------------------------------------------------------------------------------

TREE = "{n: 1, t: {a: 1, b: 2}, l: [{c: x}, {c: {name: y, p: 1}}], s: word}"


@pytest.mark.parametrize(
    ("setting", "path", "value"),
    [
        ("n=2", ["n"], 2),
        ("n=1e-3", ["n"], 0.001),
        ("n=no", ["n"], "no"),
        ("n=", ["n"], None),
        ("n='a=b'", ["n"], "a=b"),
        ("n=[1, {a: b}]", ["n"], [1, {"a": "b"}]),
        (" n = 2", ["n"], 2),
        ("t.b=3", ["t"], {"a": 1, "b": 3}),
        ("t={b: 3}", ["t"], {"a": 1, "b": 3}),
        ("new.deep.key=1", ["new"], {"deep": {"key": 1}}),
        ("l.0.c=z", ["l"], [{"c": "z"}, {"c": {"name": "y", "p": 1}}]),
        ("l.0.c.p=2", ["l", 0], {"c": {"name": "x", "p": 2}}),
        ("l.1.c.p=2", ["l", 1], {"c": {"name": "y", "p": 2}}),
        ("l.1.c.name=z", ["l", 1], {"c": {"name": "z"}}),
        ("l.1.c={name: z, q: 1}", ["l", 1], {"c": {"name": "z", "q": 1}}),
        ("l.1.c=z", ["l", 1], {"c": "z"}),
        ("l=[]", ["l"], []),
        ("s.p=1", ["s"], {"name": "word", "p": 1}),
        ("s.name=other", ["s"], {"name": "other"}),
    ],
)
def test_a_setting_changes_one_place(setting, path, value):
    before = parse(TREE, "t")
    after = set_value(before, setting)
    place = after.plain()
    for part in path:
        place = place[part]
    assert place == value
    assert before.plain() == plain(TREE)
    rest = {key: node for key, node in after.plain().items() if key != path[0]}
    assert rest == {key: node for key, node in before.plain().items() if key != path[0]}


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("n", "--set n: write KEY=VALUE"),
        ("=1", "--set =1: write KEY=VALUE"),
        ("a..b=1", "--set a..b=1: write KEY=VALUE"),
        (".=1", "--set .=1: write KEY=VALUE"),
        ("n=[", "--set n=[: not valid YAML: "),
        ("n=!x y", "--set n=!x y: tag "),
        ("l.2.c=1", "--set l.2.c=1: 'l' is a list of 2; no item '2'"),
        ("l.-3.c=1", "--set l.-3.c=1: 'l' is a list of 2; no item '-3' ('+' appends one)"),
        ("l.c=1", "--set l.c=1: 'l' is a list of 2; no item 'c'"),
        ("l.²=1", "--set l.²=1: 'l' is a list of 2; no item '²'"),
        ("+=1", "--set +=1: write KEY=VALUE"),
        ("+.a=1", "--set +.a=1: write KEY=VALUE"),
        ("=", "--set =: write KEY=VALUE"),
        ("", "--set : write KEY=VALUE"),
        ("l." + "9" * 5000 + "=1", "--set l.9999"),
        (".".join("a" * 10_000) + "=1", "--set a.a.a."),
        ("a" * 100_000, "--set aaa"),
        ("n=a\0b", "--set n=a\\x00b: not valid YAML: "),
        ('n="a\\0b"', "--set n="),
        (
            "n=photos #2",
            "--set n=photos #2: YAML ends a value at ' #'; quote it: --set \"n='photos #2'\"",
        ),
        (
            "n=it's #2",
            "--set n=it's #2: YAML ends a value at ' #'; quote it: --set \"n='it''s #2'\"",
        ),
        ("n=#2", "--set n=#2: YAML ends a value at ' #'; quote it: --set \"n='#2'\""),
        ("n=[1] # x", "--set n=[1] # x: YAML ends"),
        ("n=${X:-a #b}", "--set n=${X:-a #b}: YAML ends"),
    ],
)
def test_a_setting_that_leads_nowhere_is_quoted(setting, message):
    with pytest.raises(UserError) as caught:
        set_value(parse(TREE, "t"), setting)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize("value", ["a#b", "'a #b'", '"a #b"', "{a: 'x #y'}", "['#']"])
def test_a_sharp_that_is_no_comment_is_kept(value):
    assert "#" in str(set_value(parse(TREE, "t"), f"n={value}").plain()["n"])


def test_a_setting_is_the_origin_of_what_it_sets_and_of_nothing_else(write):
    tree = set_value(read_file(write("a:\n  b: 1\n  c: 2")), "a.b=3")
    assert tree.origin_of(["a", "b"]) == "--set a.b=3"
    assert tree.origin_of(["a", "c"]) == "x.yaml:3"
    assert tree.origin_of(["a"]) == "x.yaml:1"
    assert tree.origin_of([]) == "x.yaml:1"
    assert set_value(ConfigNode({}, "x.yaml:1"), "d.e=1").origin_of(["d"]) == "--set d.e=1"


# --- extends ------------------------------------------------------------------------------------


def test_extends_lays_a_file_upon_its_bases_in_order(write):
    write("{a: 1, b: 1, c: 1, t: {x: 1}}", "one.yaml")
    write("{b: 2, c: 2, t: {y: 2}}", "two.yaml")
    tree = compose(write("extends: [one.yaml, two.yaml]\nc: 3"))
    assert tree.plain() == {"a": 1, "b": 2, "c": 3, "t": {"x": 1, "y": 2}}
    assert [tree.origin_of([key]) for key in "abc"] == ["one.yaml:1", "two.yaml:1", "x.yaml:2"]
    assert tree.origin_of(["t", "x"]) == "one.yaml:1"


def test_extends_is_relative_to_the_file_that_says_it(write):
    write("a: 1", "base/deep/bottom.yaml")
    write("extends: deep/bottom.yaml\nb: 2", "base/middle.yaml")
    path = write("extends: ../base/middle.yaml", "runs/x.yaml")
    assert compose(path).plain() == {"a": 1, "b": 2}


def test_extends_and_plugins_may_start_in_the_home_folder(write, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write("a: 1", "base.yaml")
    tree = compose(write("extends: ~/base.yaml\nplugins: [~/mine.py]", "runs/x.yaml"))
    assert tree.plain() == {"a": 1, "plugins": [str(tmp_path / "mine.py")]}
    with pytest.raises(UserError, match=r"^x.yaml:1: ~nobody-here/mine.py: the home folder is not"):
        compose(write("plugins: [~nobody-here/mine.py]"))


@pytest.mark.parametrize(
    "text", ["a\x85b", "\x85", "a\x85\nb", "a\u2028b", "\ufeff", "a\xa0b", "\x80"]
)
@pytest.mark.parametrize("flow", [False, None])
def test_what_is_written_is_read_back_unchanged(text, flow):
    written = to_yaml({"k": text, "items": [text]}, flow=flow)
    assert parse(written, "x").plain() == {"k": text, "items": [text]}


def test_two_bases_may_share_one(write):
    write("{a: 0, b: 0, c: 0}", "root.yaml")
    write("{extends: root.yaml, a: 1}", "left.yaml")
    write("{extends: root.yaml, b: 1}", "right.yaml")
    assert compose(write("extends: [left.yaml, right.yaml]")).plain() == {"a": 0, "b": 1, "c": 0}


NONE = "no such file or bundled config; see: adframe configs"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a: 1\nextends: no.yaml",
            f"x.yaml:2: extends: no.yaml: {NONE}",
        ),
        (
            "extends: .",
            "x.yaml:1: extends: .: is a folder",
        ),
        (
            "extends: 3",
            "x.yaml:1: extends: expected a path or name, or a list of them",
        ),
        (
            "extends:\n- [a]",
            "x.yaml:2: extends: expected a path or name, or a list of them",
        ),
        (
            "extends: {a: b}",
            "x.yaml:1: extends: expected a path or name, or a list of them",
        ),
        ("extends: x.yaml", "x.yaml:1: extends: a file extends itself: x.yaml -> x.yaml"),
    ],
)
def test_extends_that_leads_nowhere(write, text, message):
    with pytest.raises(UserError) as caught:
        compose(write(text))
    assert str(caught.value) == message


def test_a_circle_is_told_with_its_links(write):
    write("extends: c/b.yaml", "a.yaml")
    write("extends: ../d.yaml", "c/b.yaml")
    write("\nextends: [a.yaml]", "d.yaml")
    with pytest.raises(UserError) as caught:
        compose(Path("a.yaml"))
    chain = "a.yaml -> c/b.yaml -> c/../d.yaml -> c/../a.yaml"
    assert str(caught.value) == f"c/../d.yaml:2: extends: a file extends itself: {chain}"


def test_a_fault_in_a_base_names_the_base(write):
    write("a: 1\na: 2", "base.yaml")
    with pytest.raises(ConfigError, match=r"^base\.yaml:2: a: written twice$"):
        compose(write("extends: base.yaml"))


def test_bases_that_multiply_are_refused_quickly(write):
    """Each file extends the next twice: thirty files would be read a billion times."""
    for number in range(30):
        write(f"extends: [n{number + 1}.yaml, n{number + 1}.yaml]", f"n{number}.yaml")
    write("a: 1", "n30.yaml")
    start = time.process_time()
    with pytest.raises(UserError, match=r"^n0\.yaml: extends: more than 100 files"):
        compose(Path("n0.yaml"))
    assert time.process_time() - start < 3
