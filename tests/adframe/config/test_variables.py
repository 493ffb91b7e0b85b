"""Variables in configs, settings on lists and defaults, and the resolved config."""

from pathlib import Path

import pytest

from adframe.cli.main import main
from adframe.config.model import load_config
from adframe.config.resolved import resolved
from adframe.errors import ConfigError, UserError

TOY = "dataset: toy_data\nobjective: [{loss: toy_loss}]\ntrain: {epochs: 1}\n"


@pytest.fixture(autouse=True)
def _variables(monkeypatch):
    monkeypatch.setenv("AF_ROOT", "/photos")
    monkeypatch.setenv("AF_SEED", "7")
    monkeypatch.setenv("AF_LIST", "[1, 2]")
    monkeypatch.setenv("AF_EMPTY", "")
    monkeypatch.delenv("AF_UNSET", raising=False)


@pytest.fixture
def load(write, toys):
    return lambda text, *settings: load_config(write(TOY + text), settings, loaded=toys)


@pytest.mark.parametrize(
    ("written", "label"),
    [
        ('"${AF_ROOT}"', "/photos"),
        ("${AF_ROOT}/a/${AF_SEED}", "/photos/a/7"),
        ("x${AF_UNSET:-y}z", "xyz"),
        ("x${AF_ROOT:-y}", "x/photos"),
        ("${AF_LIST}", "[1, 2]"),
        ("$${AF_ROOT}", "${AF_ROOT}"),
        ("costs $5, {AF_ROOT}", "costs $5, {AF_ROOT}"),
    ],
)
def test_variables_stand_in_text(load, written, label):
    text = f"schedule: toy_schedule\noutliers:\n- name: toy_data\n  root: {written}\n"
    assert str(load(text).dump()["outliers"][0]["root"]) == str(Path(label))


TEXTS = ["photos #2", "[2024] x", "@x", "*x", "&a", "!t", "%x", "a: b", "{a: b}", "- x", "'q'",
         "`x`", "|", "> a", "  x ", "C:\\data\\new", "3", "1e3", "true", "null", "~", "01",
         "0x10"]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("form", ['"${AF_X}"', "${AF_X}", "'a/${AF_X}'", "${AF_EMPTY:-b}${AF_X}"])
def test_a_variable_is_text_where_an_option_takes_text(load, monkeypatch, text, form):
    monkeypatch.setenv("AF_X", text)
    expected = Path(form.strip("\"'").replace("${AF_EMPTY:-b}", "b").replace("${AF_X}", text))
    config = load(f"outliers:\n- name: toy_data\n  root: {form}\n")
    assert config.outliers[0].options["root"] == expected
    assert (
        load("", f"outliers=[{{name: toy_data, root: '{form.strip(chr(34) + chr(39))}'}}]").dump()[
            "outliers"
        ]
        == config.dump()["outliers"]
    )


@pytest.mark.parametrize(
    ("setting", "path", "value"),
    [
        ("seed=${AF_SEED}", "seed", 7),
        ("seed=${AF_UNSET:-5}", "seed", 5),
        ("train.clip=${AF_UNSET:-1e-1}", "train.clip", 0.1),
        ("train.clip=${AF_UNSET:-null}", "train.clip", None),
        ("train.device=${AF_SEED}", "train.device", "7"),
        ("train.checkpoint_every=${AF_SEED}", "train.checkpoint_every", 7),
        ("objective.0.stages=['${AF_SEED}', 2]", "objective.0.stages", [7, 2]),
        ("objective.0.weight=${AF_SEED}", "objective.0.weight", 7.0),
        ("scorer={name: toy_wrap, of: {views: '${AF_SEED}'}}", "scorer.0.of.views", 7),
        ("scorer=[{name: toy_wrap, of: {views: '${AF_SEED}'}}]", "scorer.0.of.views", 7),
        ("seed=${AF_EMPTY:-4}", "seed", 4),
    ],
)
def test_an_option_that_takes_no_text_reads_the_number_in_a_variable(load, setting, path, value):
    found = load("", setting).dump()
    for part in path.split("."):
        found = found[int(part) if part.isdecimal() else part]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("text", ["7 #2", "[7]", "seven", "7.5", "", " "])
def test_what_is_no_number_as_a_whole_is_refused_as_the_text_it_is(load, monkeypatch, text):
    monkeypatch.setenv("AF_X", text)
    with pytest.raises(ConfigError) as caught:
        load("seed: ${AF_X}\n")
    shown = text if text == "7.5" else repr(text)
    assert str(caught.value) == f"x.yaml:4: seed: must be a whole number, not {shown}"


def test_a_variable_alone_holds_a_number_too(load):
    assert load("seed: ${AF_SEED}\n").seed == 7
    assert load("", "seed=${AF_SEED}").seed == 7
    assert load("", "train.epochs=${AF_UNSET:-3}").train.epochs == 3


def test_the_folder_of_a_config_is_a_variable(write, toys):
    write(TOY + "outliers: [{name: toy_data, root: '${CONFIG_DIR}/data'}]\n", "deep/base.yaml")
    config = load_config(write("extends: deep/base.yaml\n"), loaded=toys)
    assert config.dump()["outliers"][0]["root"] == str(Path("deep/data").resolve())
    assert (
        load_config(
            write("extends: ['${CONFIG_DIR}/deep/base.yaml']\n", "y.yaml"), loaded=toys
        ).dump()
        == config.dump()
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: ${AF_UNSET}", "x.yaml:4: environment variable 'AF_UNSET' is not set; "
         "set it, or write ${AF_UNSET:-VALUE}"),
        ("seed: ${no good}", "x.yaml:4: '${no good}' is not a variable; write $${ for a plain ${"),
        ("train: {epochs: ${AF_SEED}}", "x.yaml:4: not valid YAML: "),
        ("outliers: [{name: toy_data, root: '${AF_EMPTY}'}]",
         "x.yaml:4: outliers.0.root: must be a path, not ''"),
        ("outliers: [{name: toy_data, root: '${AF_UNSET:-}'}]",
         "x.yaml:4: outliers.0.root: must be a path, not ''"),
        ("extends: ${AF_UNSET}/x.yaml", "x.yaml:4: environment variable 'AF_UNSET' is not set"),
    ],
)  # fmt: skip
def test_a_variable_that_cannot_be_read_is_located(load, text, message):
    with pytest.raises(UserError) as caught:
        load(text)
    assert str(caught.value).startswith(message)
    if "YAML" in message:
        assert str(caught.value).endswith("; inside { } or [ ] put quotes around ${...}")


def test_what_a_variable_is_wrong_for_is_told_as_any_value_is(load):
    with pytest.raises(ConfigError) as caught:
        load("seed: ${AF_ROOT}\n")
    assert str(caught.value) == "x.yaml:4: seed: must be a whole number, not '/photos'"


def test_a_resolved_config_means_what_it_says(load, write, toys):
    config = load('backbone: toy_net\noutliers: [{name: toy_data, root: "$${AF_ROOT}"}]\n')
    for text in (config.yaml(), resolved(config)):
        assert load_config(write(text, "again.yaml"), loaded=toys).dump() == config.dump()


# --- settings ------------------------------------------------------------------------------------


def test_options_without_a_name_are_the_defaults_of_the_kind(load):
    assert load("").dump()["backbone"] == {"name": "toy_net", "stages": 4}
    assert load("", "backbone.stages=3").dump()["backbone"] == {"name": "toy_net", "stages": 3}
    assert load("scorer: {views: 3}\n").dump()["scorer"] == [{"name": "toy_scorer", "views": 3}]
    assert load("", "scorer={name: toy_wrap, of: {views: 2}}").dump()["scorer"][0]["of"] == {
        "name": "toy_scorer", "views": 2,
    }  # fmt: skip


def test_a_kind_without_a_default_still_wants_a_name(load):
    with pytest.raises(ConfigError) as caught:
        load("", "objective=[{loss: {temperature: 1}}]", "backbone.stges=3")
    assert str(caught.value).splitlines() == [
        "--set backbone.stges=3: backbone.stges: unknown key; did you mean 'stages'?",
        "--set objective=[{loss: {temperature: 1}}]: objective.0.loss: "
        "expected a loss: its name, or a mapping with 'name'",
    ]


def test_settings_add_to_lists_and_count_from_their_end(load):
    config = load(
        "shifts: [toy_shift]\n",
        "shifts.+=toy_shift",
        "shifts.-1.angles=[90, 180]",
        "shifts.1.angles.+=270",
        "outliers.+={name: toy_data, size: 3}",
        "scorer=toy_scorer",
        "scorer.+={name: toy_mean, of: []}",
        "scorer.-1.of.+=toy_scorer",
        "scorer.1.of.0.views=3",
    ).dump()
    angles = [shift["angles"] for shift in config["shifts"]]
    assert angles == [None, [90, 180, 270]]
    assert [data["size"] for data in config["outliers"]] == [3]
    assert [scorer["name"] for scorer in config["scorer"]] == ["toy_scorer", "toy_mean"]
    assert config["scorer"][1]["of"] == [{"name": "toy_scorer", "views": 3}]


def test_the_last_of_several_bases_wins_and_the_file_over_all(write, toys):
    write(TOY + "seed: 1\nbackbone: {name: toy_net, stages: 2}\n", "one.yaml")
    write("seed: 2\nshifts: [toy_shift]\n", "deep/two.yaml")
    write("extends: deep/two.yaml\nseed: 3\n", "three.yaml")
    config = load_config(
        write("extends: [one.yaml, three.yaml]\nbackbone: {stages: 3}\n"), loaded=toys
    )
    assert (config.seed, config.dump()["backbone"]["stages"]) == (3, 3)
    assert len(config.shifts) == 1
    lines = {tuple(line.split()) for line in resolved(config).splitlines()}
    assert ("seed:", "3", "#", "three.yaml:2") in lines
    assert ("-", "name:", "toy_shift", "#", "deep/two.yaml:2") in lines
    assert ("stages:", "3", "#", "x.yaml:2") in lines


# --- resolved ------------------------------------------------------------------------------------

GOLDEN = """\
seed: 5               # --set seed=5
dataset:
  name: toy_data      # x.yaml:1
  size: 8             # default
  root:               # default
outliers: []          # default
backbone:
  name: toy_net       # default
  stages: 3           # --set backbone.stages=3
shifts:
  - name: toy_shift   # --set shifts.+={name: toy_shift, angles: [180]}
    angles:
      - 180           # --set shifts.+={name: toy_shift, angles: [180]}
schedule:
  name: toy_schedule  # default
  augmentation:
    name: toy_augmentation  # default
"""


def test_resolved_says_of_every_value_where_it_was_written(load):
    settings = ["seed=5", "backbone.stages=3", "shifts.+={name: toy_shift, angles: [180]}"]
    lines = resolved(load("", *settings)).splitlines()
    found = [tuple(part.strip() for part in line.split("  #")) for line in lines]
    golden = [tuple(part.strip() for part in line.split("  #")) for line in GOLDEN.splitlines()]
    assert [line for line in found if line in golden] == golden
    assert all("  # " in line or line.endswith(":") for line in lines)


def test_check_resolved_prints_a_config_that_runs(toy_file, tmp_path, capsys):
    assert main(["check", str(toy_file), "--resolved", "--set", "scorer.views=3"]) == 0
    printed = capsys.readouterr().out
    assert "views: 3" in printed
    assert "# --set scorer.views=3" in printed
    assert f"# {toy_file}:4\n" in printed
    again = tmp_path / "again.yaml"
    again.write_text(printed)
    assert load_config(again).dump() == load_config(toy_file, ["scorer.views=3"]).dump()
