import json

import pytest

from adframe.config.model import load_config
from adframe.errors import ConfigError, UserError
from adframe.registry.loading import installed, load_plugins

MINIMAL = "dataset: toy_data\nobjective: [{loss: toy_loss}]\ntrain: {epochs: 1}\n"


@pytest.fixture
def refusal(write, toys):
    """The message with which a config text is refused."""

    def refusal(text, *settings, **options):
        options.setdefault("loaded", toys)
        with pytest.raises(UserError) as caught:
            load_config(write(text), settings, **options)
        return str(caught.value)

    return refusal


# --- what is wrong is said at once, and where ---------------------------------------------------


def test_all_problems_are_told_at_once_in_the_order_of_the_file(refusal):
    text = """\
dataset: toy_data
schedul: toy_schedule
shifts: [toy_shfit]
objective:
  - loss: toy_loss
scorer:
  name: toy_wrap
  of: {name: toy_scorer,
       vews: 3}
train: {epochs: 1}
"""
    assert refusal(text) == (
        "x.yaml:2: schedul: unknown key; did you mean 'schedule'?\n"
        "x.yaml:3: shifts.0: no shift named 'toy_shfit'; did you mean 'toy_shift'?\n"
        "x.yaml:9: scorer.of.vews: unknown key; did you mean 'views'?"
    )


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("seed: -1", "seed: must be 0 or more, not -1"),
        ("seed: 1.5", "seed: must be a whole number, not 1.5"),
        ("seed: true", "seed: must be a whole number, not true"),
        ("seed: '1'", "seed: must be a whole number, not '1'"),
        ("seed: null", "seed: must be a whole number, not null"),
        ("seed: 9223372036854775808", "seed: must be below 9223372036854775808, not 92233"),
        ("shifts: toy_shift", "shifts: must be a list, not 'toy_shift'"),
        ("shifts: [3]", "shifts.0: expected a shift: its name, or a mapping with 'name'"),
        ("shifts: [{angles: []}]", "shifts.0: expected a shift: its name, or a mapping"),
        ("shifts: [{name: 3}]", "shifts.0: expected a shift: its name, or a mapping with 'name'"),
        ("shifts: [toy_shift, {name: shift}]", "shifts.1.name: no shift named 'shift'; did you"),
        ("shifts: [{name: toy_shift, angles: [91]}]", "shifts.0.angles.0: must be one of 90, 180"),
        ("backbone: {name: toy_net, stages: 0}", "backbone.stages: must be 1 or more, not 0"),
        ("backbone: [toy_net]", "backbone: expected a backbone: its name"),
        ("schedule: {name: toy_schedule, strengths: [0, 2]}", "schedule.strengths.1: must be 1 or"),
        ("schedule: {name: toy_schedule, strengths: 1}", "schedule.strengths: must be a list"),
        ("schedule: {name: toy_schedule, extra: {name: toy_augmentation, chance: 2}}",
         "schedule.extra.chance: must be 1 or less, not 2"),
        ("schedule: {name: toy_schedule, augmentation: null}", "schedule.augmentation: expected"),
        ("scorer: {name: toy_scorer, views: x}", "scorer.views: must be a whole number, not 'x'"),
        ("scorer: [{name: toy_scorer, views: x}]", "scorer.0.views: must be a whole number"),
        ("scorer: []", "scorer: name at least one scorer"),
        ("scorer: [toy_scorer, nope]", "scorer.1: no scorer named 'nope'"),
        ("scorer: {name: toy_mean, of: [toy_scorer, {name: toy_scorer, views: 0}]}",
         "scorer.of.1.views: must be 1 or more, not 0"),
        ("scorer: {name: toy_mean, of: toy_scorer}", "scorer.of: must be a list, not 'toy_scorer'"),
        ("scorer: {name: toy_mean}", "scorer.of: missing"),
        ("plugins: x.py", "plugins: must be a list, not 'x.py'"),
        ("outliers: [toy_data, {name: toy_data, size: 65}]", "outliers.1.size: must be 64 or less"),
        ("outliers: [{name: toy_data, root: 3}]", "outliers.0.root: must be a path, not 3"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_by_its_key(refusal, line, problem):
    message = refusal(MINIMAL + line)
    assert message.startswith(f"x.yaml:4: {problem}")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ("temperature: 0", "temperature: must be above 0, not 0"),
        ("temperature: true", "temperature: must be a number, not true"),
        ("temperature: '1'", "temperature: must be a number, not '1'"),
        ("temperature: .nan", "temperature: must be a finite number, not nan"),
        ("temperature: .inf", "temperature: must be a finite number, not inf"),
        ("margin: -1e-9", "margin: must be 0 or more, not -1e-09"),
        ("symmetric: 1", "symmetric: must be true or false, not 1"),
        ("symmetric: yes", "symmetric: must be true or false, not 'yes'"),
        ("label: 3", "label: must be text, not 3"),
        ("mode: softy", "mode: must be one of 'plain', 'softly' or 'hardly', not 'softy'"
         "; did you mean 'softly'?"),
        ("mode: 3", "mode: must be one of 'plain', 'softly' or 'hardly', not 3"),
        ("scale: [1, x]", "scale.1: must be a number, not 'x'"),
        ("scale: 1", "scale: must be a list, not 1"),
        ("temprature: 1", "temprature: unknown key; did you mean 'temperature'?"),
        ("zzz: 1", "zzz: unknown key"),
    ],
)  # fmt: skip
def test_a_wrong_option_is_named_by_its_key(refusal, options, problem):
    text = MINIMAL.replace("{loss: toy_loss}", "{loss: {name: toy_loss, " + options + "}}")
    assert refusal(text) == f"x.yaml:2: objective.0.loss.{problem}"


@pytest.mark.parametrize(
    ("term", "problem"),
    [
        ("{loss: toy_loss, weight: x}", "objective.0.weight: must be a number, not 'x'"),
        ("{loss: toy_loss, weight: -1}", "objective.0.weight: must be 0 or more, not -1"),
        ("{loss: toy_loss, weight: true}", "objective.0.weight: must be a number, not true"),
        ("{loss: toy_loss, weight: [1, x]}", "objective.0.weight.1: must be a number, not 'x'"),
        ("{loss: toy_loss, weight: {a: 1}}", "objective.0.weight: must be a number, not {'a': 1}"),
        ("{loss: toy_loss, stages: [0]}", "objective.0.stages.0: must be 1 or more, not 0"),
        ("{loss: toy_loss, stages: 1}", "objective.0.stages: must be a list, not 1"),
        ("{loss: toy_loss, wieght: 1}", "objective.0.wieght: unknown key; did you mean 'weight'?"),
        ("{weight: 1}", "objective.0.loss: missing"),
        ("toy_loss", "objective.0: must be a mapping of keys, not 'toy_loss'"),
        ("{loss: null}", "objective.0.loss: expected a loss: its name, or a mapping with 'name'"),
    ],
)
def test_a_wrong_term_is_named_by_its_key(refusal, term, problem):
    assert refusal(MINIMAL.replace("{loss: toy_loss}", term)) == f"x.yaml:2: {problem}"


def test_what_is_missing_is_located_at_the_table_that_lacks_it(refusal):
    assert refusal("seed: 1\ntrain: {batch_size: 4}") == (
        "x.yaml:1: dataset: missing\nx.yaml:1: objective: missing\nx.yaml:2: train.epochs: missing"
    )
    assert refusal("").splitlines()[0] == "x.yaml:1: dataset: missing"


def test_a_long_value_is_shortened(refusal):
    message = refusal(MINIMAL + f"seed: [{', '.join(['1'] * 500)}]")
    assert message.startswith("x.yaml:4: seed: must be a whole number, not [1, 1, 1, ")
    assert len(message) < 130
    assert message.endswith("...")


def test_a_kind_without_a_default_must_be_named(refusal, host_of, toys):
    loaded = host_of(*[
        (entry.kind, entry.name, entry.target) for entry in toys.registry
    ])  # fmt: skip
    lines = refusal(MINIMAL, loaded=loaded).splitlines()
    assert sorted(lines) == [
        f"x.yaml:1: {kind}: missing"
        for kind in ["backbone", "method", "optimizer", "schedule", "scorer"]
    ]


def test_an_error_in_a_base_names_the_base(write, refusal):
    write("seed: 1\ntrain:\n  epochs: -1\n  batch_size: 4", "base/b.yaml")
    text = "extends: base/b.yaml\ndataset: toy_data\nobjective: []\ntrain: {batch_size: 1}\n"
    assert refusal(text) == (
        "base/b.yaml:3: train.epochs: must be 0 or more, not -1\n"
        "x.yaml:4: train.batch_size: must be 2 or more, not 1"
    )


def test_an_error_in_a_setting_quotes_the_setting(refusal):
    assert refusal(MINIMAL, "train.epochs=-1", "scorer.name=toy_scorer", "scorer.vews=1") == (
        "--set scorer.vews=1: scorer.vews: unknown key; did you mean 'views'?\n"
        "--set train.epochs=-1: train.epochs: must be 0 or more, not -1"
    )
    assert refusal("seed: 1", "train.epochs=1").startswith("x.yaml:1: dataset: missing\n")


def test_a_component_of_a_broken_plugin_says_what_broke(refusal, source_of, toy_source):
    loaded = load_plugins(sources=[toy_source, source_of("bad", ("shift", "Bad Name", "a:B"))])
    message = refusal(MINIMAL + "shifts: [bad]", loaded=loaded)
    assert message == (
        "x.yaml:4: shifts.0: no shift named 'bad' (plugin 'bad' did not load: "
        "'Bad Name' is not a component name; use lower_case_words)"
    )


def test_contested_names_and_defaults_are_located(refusal, source_of, toy_source, toys):
    target = toys.registry.get("scorer", "toy_scorer").target
    second = source_of("second", ("scorer", "toy_scorer", target), ("scorer", "x", target, True))
    loaded = load_plugins(sources=[toy_source, second])
    message = refusal(MINIMAL, loaded=loaded)
    assert message.startswith("x.yaml:1: scorer: the default scorer is claimed by plugins 'toys'")
    message = refusal(MINIMAL + "scorer: toy_scorer\nshifts: [nope]", loaded=loaded)
    first, second_line = message.splitlines()
    assert first.startswith("x.yaml:4: scorer: scorer 'toy_scorer' is claimed by plugins")
    assert second_line.startswith("x.yaml:5: shifts.0: no shift named 'nope'")


# --- what is right ------------------------------------------------------------------------------


def test_defaults_are_filled_in_at_every_depth(write, toys):
    config = load_config(write(MINIMAL), loaded=toys)
    dump = config.dump()
    assert dump["schedule"] == {
        "name": "toy_schedule",
        "augmentation": {"name": "toy_augmentation", "chance": 0.5},
        "extra": None,
        "strengths": None,
    }
    assert dump["scorer"] == [{"name": "toy_scorer", "views": 1}]
    assert dump["objective"][0]["loss"]["scale"] == [0.5, 1.0]
    assert dump["objective"][0]["stages"] is None
    assert dump["train"]["batch_size"] == 32
    assert (config.seed, config.source) == (0, "x.yaml")


def test_short_and_long_forms_are_the_same(write, toys):
    short = MINIMAL + "scorer: toy_scorer"
    long = """
dataset: {name: toy_data}
objective: [{loss: {name: toy_loss}, weight: 1}]
train: {epochs: 1}
scorer: [{name: toy_scorer}]
"""
    dumps = [load_config(write(text), loaded=toys).dump() for text in (short, long)]
    assert dumps[0] == dumps[1]


def test_options_reach_the_component(write, toys):
    settings = ["dataset.root=some/where", "objective.0.loss.scale=[1, 2]", "scorer.views=3"]
    text = MINIMAL + "scorer: toy_scorer"
    config = load_config(write(text), settings, loaded=toys)
    assert str(config.dataset.build().root) == "some/where"
    assert config.objective[0].loss.build().scale == (1, 2)
    assert config.scorer[0].build().views == 3


def test_a_json_file_is_a_config(write, toys, from_mapping):
    path = write(json.dumps(load_config(write(MINIMAL), loaded=toys).dump()), "x.json")
    assert (
        load_config(path, loaded=toys).dump() == from_mapping(json.loads(MINIMAL_JSON), toys).dump()
    )


MINIMAL_JSON = (
    '{"dataset": "toy_data", "objective": [{"loss": "toy_loss"}], "train": {"epochs": 1}}'
)


def test_a_config_cannot_be_changed(write, toys):
    config = load_config(write(MINIMAL), loaded=toys)
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 3
    with pytest.raises(ValueError, match="frozen"):
        config.train.epochs = 3


HARD = [
    "no",
    "1e-3",
    "true",
    "null",
    "~",
    "",
    " x ",
    "a: b",
    "# c",
    "- d",
    "'",
    '"',
    "ü\n\tz",
    "1_0",
]


def test_a_resolved_config_reads_back_the_same(write, toys, from_mapping):
    for text in [*HARD, "long words " * 40]:
        table = json.loads(MINIMAL_JSON)
        table["objective"][0]["loss"] = {"name": "toy_loss", "label": text, "temperature": 1e-7}
        config = from_mapping(table, toys)
        assert config.objective[0].loss.options["label"] == text
        again = load_config(write(config.yaml()), loaded=toys)
        assert again.dump() == config.dump()
        assert again.yaml() == config.yaml()


def test_a_resolved_config_of_bundled_components_reads_back_the_same(write, source_of, toys):
    data = toys.registry.get("dataset", "toy_data").target
    loaded = load_plugins(sources=[*installed(), source_of("test", ("dataset", "toy_data", data))])
    text = """
dataset: toy_data
backbone: resnet18
shifts: [rotation]
schedule: {name: hierarchical, strengths: [0.25, 0.5, 0.75, 1], augmentation: simclr}
objective:
  - {loss: uniclr, stages: [1, 2, 3]}
  - {loss: {name: uniclr, soft_aggregation: pairwise}, stages: [4], weight: [2]}
method: contrastive
scorer: nearest_cosine
optimizer: sgd
train: {epochs: 2}
"""
    config = load_config(write(text), loaded=loaded)
    again = load_config(write(config.yaml()), loaded=loaded)
    assert again.dump() == config.dump()
    assert config.dump()["backbone"]["name"] == "resnet18"


# --- plugins: -----------------------------------------------------------------------------------

PLUGIN = """
from adframe import hookimpl
from adframe.interfaces import Shift

class Mirror(Shift):
    def __init__(self, both: bool = False) -> None:
        self.variants = 1 + both

    def __call__(self, images, variant):
        return images

@hookimpl
def adframe_register(add):
    add("shift", "mirror", Mirror)
"""


@pytest.fixture
def with_plugin(write, toy_source, monkeypatch):
    """A config that names a plugin file, and the toys as all that is installed."""
    monkeypatch.setattr("adframe.registry.loading.installed", lambda: [toy_source])
    write(PLUGIN, "code/mine.py")
    return write(MINIMAL + "shifts:\n- mirror\nplugins:\n- ../code/mine.py\n", "configs/x.yaml")


def test_a_config_may_not_bring_code_unasked(with_plugin, tmp_path):
    with pytest.raises(ConfigError) as caught:
        load_config(with_plugin)
    assert str(caught.value) == (
        f"configs/x.yaml:7: plugins.0: would run {tmp_path}/code/mine.py; "
        "pass --allow-code if you trust it"
    )


def test_a_plugin_file_is_found_beside_the_config_that_names_it(with_plugin, tmp_path, write):
    config = load_config(with_plugin, allow_code=True)
    assert config.dump()["shifts"] == [{"name": "mirror", "both": False}]
    assert config.plugins == [str(tmp_path / "code/mine.py")]
    derived = write("extends: ../../configs/x.yaml", "far/away/y.yaml")
    assert load_config(derived, allow_code=True).dump() == config.dump()
    resolved = write(config.yaml(), "runs/config.yaml")
    assert load_config(resolved, allow_code=True).dump() == config.dump()


def test_a_plugin_given_with_the_call_needs_no_leave_and_is_loaded_once(with_plugin):
    config = load_config(with_plugin, plugins=["code/mine.py", "code/../code/mine.py"])
    assert [plugin.name for plugin in config.loaded.registry.plugins] == ["toys", "mine"]
    assert config.loaded.registry.names("shift") == ["mirror", "toy_shift"]
    same = load_config(with_plugin, "seed=3", plugins="code/mine.py")
    assert same.plugins == config.plugins
    assert same.seed == 3
    with pytest.raises(UserError, match="^--without nobody: no such plugin"):
        load_config(with_plugin, plugins="code/mine.py", without="nobody")


def test_a_plugin_file_that_is_not_there_is_located(with_plugin, write):
    path = write("extends: x.yaml\nplugins: [no.py]", "configs/y.yaml")
    with pytest.raises(
        ConfigError, match=r"^configs/y\.yaml:2: plugins\.0: no such file: /.*no\.py$"
    ):
        load_config(path, allow_code=True)
    with pytest.raises(UserError, match=r"^plugin .*no\.py: no such file$"):
        load_config(write(MINIMAL), plugins=["no.py"])


def test_a_plugin_file_that_breaks_is_the_users_error(with_plugin, write):
    write("1 / 0", "code/mine.py")
    with pytest.raises(UserError, match=r"mine\.py: ZeroDivisionError: division by zero$"):
        load_config(with_plugin, allow_code=True)


def test_a_host_passed_in_is_taken_as_it_is(with_plugin, toys):
    with pytest.raises(ConfigError, match="no shift named 'mirror'"):
        load_config(with_plugin, loaded=toys)


def test_plugins_may_be_left_out(write, toy_source, source_of, monkeypatch):
    extra = source_of("extra", ("optimizer", "toy_optimizer", "a:B"))
    monkeypatch.setattr("adframe.registry.loading.installed", lambda: [toy_source, extra])
    with pytest.raises(ConfigError, match="--without extra"):
        load_config(write(MINIMAL), ["optimizer=toy_optimizer"])
    config = load_config(write(MINIMAL), ["optimizer=toy_optimizer"], without=["extra"])
    assert config.optimizer.entry.plugin.name == "toys"
