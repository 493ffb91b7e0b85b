"""Output of the verbs ``list``, ``show``, ``plugins`` and ``schema``."""

import json
import os
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from adframe.cli.main import main
from adframe.config.describe import describe
from adframe.config.json_schema import json_schema
from adframe.config.model import load_config
from adframe.config.schema import resolve
from adframe.registry.loading import installed, load_plugins

ROOT = Path(__file__).parents[3]
TABLES = ROOT / "configs/tables"  # data of tables of runs, not configs
CONFIGS = [p for p in sorted((ROOT / "configs").rglob("*.yaml")) if TABLES not in p.parents]

HOOKED = '''
from adframe import hookimpl
from adframe.interfaces import Loss

class Odd(Loss):
    """Odd one out."""
    def forward(self, embeddings, views):
        return embeddings.mean()

@hookimpl
def adframe_register(add):
    add("loss", "odd_one", Odd)

@hookimpl
def adframe_epoch_end(epoch):
    pass
'''


@pytest.fixture
def plugin(tmp_path):
    path = tmp_path / "odd.py"
    path.write_text(HOOKED)
    return str(path)


def printed(capsys, *arguments):
    assert main([*arguments]) == 0
    return capsys.readouterr().out


# --- list ----------------------------------------------------------------------------------------


def test_list_takes_a_kind_a_glob_of_names_or_of_both(capsys, plugin):
    names = lambda glob: {  # noqa: E731
        (row["kind"], row["name"])
        for row in json.loads(printed(capsys, "list", glob, "--json", "--plugin", plugin))
    }
    every = names("*")
    assert names("loss") == {row for row in every if row[0] == "loss"}
    assert names("odd*") == {("loss", "odd_one")}
    assert names("s*/*r*") == {r for r in every if r[0][0] == "s" and "r" in r[1]}
    assert names("z*z") == set()


def test_list_groups_by_kind_and_marks_third_parties_and_defaults(capsys, plugin):
    lines = printed(capsys, "list", "--plugin", plugin).splitlines()
    heads = [line.partition(":")[0] for line in lines if line and line[0] != " "]
    assert heads == list(dict.fromkeys(heads))
    (line,) = (line for line in lines if "odd_one" in line)
    assert line.split() == ["odd_one", "Odd", "one", "out.", "[from", "odd]"]
    assert any(line.endswith("[default]") for line in lines)


# --- show ----------------------------------------------------------------------------------------


def test_show_tells_use_and_source(capsys):
    text = printed(capsys, "show", "loss", "uniclr")
    assert "UniCLR(temperature=0.5, soft_aggregation='none', soft_temperature=0.5)\n" in text
    assert "plugins/adframe_unicon_ha/loss.py:" in text
    assert "  objective:\n  - loss: {name: uniclr, temperature: 0.5," in text
    (line,) = (line for line in text.splitlines() if line.startswith("Used by: "))
    assert {"quickstart", "unicon_ha/cifar10"} <= set(line[9:].split(", "))


def test_show_says_who_brought_it(capsys, plugin):
    facts = json.loads(printed(capsys, "show", "loss", "odd_one", "--json", "--plugin", plugin))
    assert facts["used_by"] == []
    assert facts["source"] == f"{plugin}:5"
    assert facts["example"] == "objective:\n- {loss: odd_one}\n"
    assert f"plugin odd , from {plugin}" in printed(
        capsys, "show", "loss", "odd_one", "--plugin", plugin
    )


def test_a_nested_component_counts_as_used(capsys):
    facts = json.loads(printed(capsys, "show", "augmentation", "simclr", "--json"))
    assert "quickstart" in facts["used_by"]


HOST = load_plugins(sources=[s for s in installed() if s.plugin.bundled])


@pytest.mark.parametrize(
    "entry", list(HOST.registry), ids=lambda entry: f"{entry.kind}-{entry.name}"
)
def test_everything_can_be_shown_and_its_example_is_read(entry):
    facts = describe(entry, HOST.registry)
    json.dumps(facts)
    made = YAML(typ="safe").load(facts["example"])
    while not isinstance(made, str) and "name" not in made:
        (made,) = made if isinstance(made, list) else made.values()
    if not any(option["required"] for option in facts["options"]):
        spec = resolve(entry.kind, made, HOST.registry)
        assert spec.dump() == resolve(entry.kind, entry.name, HOST.registry).dump()


# --- plugins -------------------------------------------------------------------------------------


def test_plugins_tell_origin_components_and_hooks(capsys, plugin):
    rows = json.loads(printed(capsys, "plugins", "--json", "--plugin", plugin))
    by_name = {row["name"]: row for row in rows}
    assert by_name["odd"] == {
        "name": "odd", "version": "", "origin": plugin, "from": "file", "bundled": False,
        "components": ["loss odd_one"], "hooks": ["adframe_epoch_end"], "error": None,
    }  # fmt: skip
    assert by_name["unicon_ha"]["from"] == "entry point"
    assert by_name["unicon_ha"]["bundled"]
    assert by_name["console"]["components"] == []
    text = printed(capsys, "plugins", "--plugin", plugin)
    assert f"file {plugin} [third party]\n  loss odd_one, hook adframe_epoch_end\n" in text


# --- schema --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def validator():
    schema = json.loads(json.dumps(json_schema(HOST.registry)))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def errors(validator, text):
    table = YAML(typ="safe").load(text)
    return [list(error.absolute_path) for error in validator.iter_errors(table)]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("scorer: nearest_cosin", ["scorer"]),
        ("scorer: {name: nearest_cosin}", ["scorer", "name"]),
        ("scorer: [nearest_cosine, nearest_cosin]", ["scorer", 1]),
        ("scorer: [{name: nearest_cosine, view: 1}]", ["scorer", 0]),
        ("scorer: {name: nearest_cosine, views: 0}", ["scorer", "views"]),
        ("scorer: {name: nearest_cosine, augmentation: simclrr}", ["scorer", "augmentation"]),
        ("scorer: {name: nearest_cosine, augmentation: {name: simclr, scal: 1}}",
         ["scorer", "augmentation"]),
        ("schedule: {name: uniform, augmentation: {name: simclrr}}",
         ["schedule", "augmentation", "name"]),
        ("objective: [{loss: {name: uniclrr}}]", ["objective", 0, "loss", "name"]),
        ("objective: [{loss: uniclr, weigth: 1}]", ["objective", 0]),
        ("shifts: [rotation, rotate]", ["shifts", 1]),
        ("outliers: [{name: cifar11}]", ["outliers", 0, "name"]),
        ("outliers: [{name: cifar10, set_name: a}, {name: cifar10, set_name: 1}]",
         ["outliers", 1, "set_name"]),
        ("train: {epochs: -1}", ["train", "epochs"]),
        ("traim: {epochs: 1}", []),
    ],
)  # fmt: skip
def test_a_plain_validator_reports_at_the_right_place(validator, text, path):
    assert errors(validator, text) == [path]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_bundled_configs_are_valid_and_name_the_schema(validator, path):
    text = path.read_text()
    assert errors(validator, text) == []
    folder = os.path.relpath(ROOT, path.parent)
    assert text.startswith(f"# yaml-language-server: $schema={folder}/adframe.schema.json\n")


def test_the_schema_takes_null_where_a_component_may_be_left_out(validator):
    text = "scorer: {name: nearest_cosine, augmentation: null}"
    assert errors(validator, text) == []


def test_the_schema_knows_third_parties(plugin, capsys):
    schema = json.loads(printed(capsys, "schema", "--plugin", plugin))
    assert "odd_one" in json.dumps(schema)
    assert load_config(ROOT / "configs/quickstart.yaml").seed == 0


def test_show_offers_the_sections_that_can_be_described():
    from adframe.cli.commands import show
    from adframe.config import describe

    assert tuple(describe.SECTIONS) == show.SECTIONS
