import pytest
import torch

from adframe.config.model import load_config
from adframe.engine.build import assemble, build
from adframe.errors import ConfigError
from adframe.registry.loading import installed, load_plugins

TOY = "dataset: toy_data\nobjective: [{loss: toy_loss}]\ntrain: {epochs: 1}\n"
REAL = """\
dataset: toy_data
backbone: {name: resnet18, width: 0.0625}
shifts: [rotation]
schedule: {name: hierarchical, strengths: [0.25, 0.5, 0.75, 1.0]}
objective: [{loss: uniclr}]
method: {name: contrastive, projection: 8}
scorer: {name: nearest_cosine, views: 2}
optimizer: sgd
train: {epochs: 1}
"""


@pytest.fixture(scope="module")
def real(source_of, toys):
    """The bundled plugins and the toy data set."""
    data = toys.registry.get("dataset", "toy_data").target
    return load_plugins(sources=[*installed(), source_of("test", ("dataset", "toy_data", data))])


@pytest.fixture
def refusal(write, toys):
    """The message with which a config that is valid by itself is refused."""

    def refusal(text, *settings, loaded=toys):
        config = load_config(write(text), settings, loaded=loaded)
        with pytest.raises(ConfigError) as caught:
            assemble(config)
        return str(caught.value)

    return refusal


def test_everything_is_built_and_the_method_set_up(write, toys):
    text = TOY + "outliers: [{name: toy_data, size: 3}]\nshifts: [toy_shift, toy_shift]\n"
    parts = assemble(load_config(write(text), ["scorer=[toy_scorer, toy_wrap]"], loaded=toys))
    assert (parts.dataset.size, [data.size for data in parts.outliers]) == (8, [3])
    assert len(parts.shifts) == 2
    assert [type(scorer).__name__ for scorer in parts.scorers] == ["ToyScorer", "ToyWrap"]
    assert [type(loss).__name__ for loss in parts.method.losses] == ["ToyLoss"]


def test_refusals_are_told_at_once_and_located(refusal):
    text = """\
dataset: toy_data
objective:
- loss: {name: toy_loss, margin: 7}
- loss: toy_loss
- loss:
    name: toy_loss
    margin: 7
schedule:
  name: toy_schedule
  extra: {name: toy_augmentation, chance: 0.25}
scorer:
- toy_scorer
- {name: toy_wrap, of: {name: toy_scorer, views: 13}}
train: {epochs: 1}
"""
    assert refusal(text) == (
        "x.yaml:3: objective.0.loss: seven is refused\n"
        "x.yaml:5: objective.2.loss: seven is refused\n"
        "x.yaml:10: schedule.extra: a quarter is refused\n"
        "x.yaml:13: scorer.1.of: thirteen is refused"
    )


def test_a_single_scorer_keeps_its_place(refusal):
    text = TOY + "scorer:\n  name: toy_wrap\n  of: {name: toy_scorer, views: 13}"
    assert refusal(text) == "x.yaml:6: scorer.of: thirteen is refused"


def test_a_refusal_of_what_a_setting_brought_quotes_the_setting(refusal):
    assert refusal(TOY, "objective.0.loss.margin=7") == (
        "--set objective.0.loss.margin=7: objective.0.loss: seven is refused"
    )


def test_strengths_must_be_as_many_as_stages(refusal):
    text = TOY + "\nschedule: {name: toy_schedule, strengths: [0, 0.5, 1]}"
    assert refusal(text) == "x.yaml:5: schedule: 3 strengths for 4 stages"
    message = refusal(TOY + "backbone: {name: toy_net, stages: 3}\n" + text.splitlines()[-1],
                      "schedule.strengths=[1]")  # fmt: skip
    assert message.endswith("schedule: 1 strengths for 3 stages")


def test_a_term_must_be_for_a_stage_that_is_trained(refusal):
    text = TOY.replace(
        "[{loss: toy_loss}]", "\n- {loss: toy_loss, stages: [4]}\n- {loss: toy_loss, stages: [2]}"
    )
    assert refusal(text) == "x.yaml:2: objective: stages [2] are not all among [4]"


def test_an_objective_needs_a_term(refusal):
    assert refusal(TOY, "objective=[]").endswith("objective: name at least one loss")


def test_a_scorer_must_be_given_what_it_looks_at(refusal, source_of, toy_source, toys):
    from adframe.interfaces import ViewSpec

    toy = toys.registry.get("scorer", "toy_scorer").target

    class Greedy(toy):
        """Wants more."""

        def view_spec(self):
            return ViewSpec(outputs=("features", "logits"))

    loaded = load_plugins(sources=[toy_source, source_of("more", ("scorer", "greedy", Greedy))])
    problem = "greedy needs 'logits', which the method does not train; available: features"
    assert refusal(TOY + "scorer: greedy", loaded=loaded) == f"x.yaml:4: scorer: {problem}"
    message = refusal(TOY + "scorer: [toy_scorer, greedy]", loaded=loaded)
    assert message == f"x.yaml:4: scorer.1: {problem}"


# --- with the bundled components ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "line", "key"),
    [
        ("schedule.strengths=[0.25, 0.5, 1.0]", 4, "schedule"),
        ("schedule.stages=[2, 1]", 4, "schedule"),
        ("schedule.stages=[5]", 4, "schedule"),
        ("objective.0.stages=[5]", 5, "objective"),
        ("objective.0.weight=[1, 2]", 5, "objective"),
        ("schedule.augmentation={name: simclr, scale: [1.0, 0.5]}", 4, "schedule.augmentation"),
    ],
)
def test_misfits_of_bundled_components_are_located(refusal, real, setting, line, key):
    message = refusal(REAL, setting, loaded=real)
    origins = (f"x.yaml:{line}", f"--set {setting}")
    assert message.startswith(tuple(f"{origin}: {key}: " for origin in origins))
    assert "\n" not in message


def test_weights_depend_on_the_seed_and_on_nothing_else(write, real):
    def weights(*settings):
        torch.rand(3)  # whatever was drawn before
        method = assemble(load_config(write(REAL), settings, loaded=real)).method
        return torch.cat([parameter.detach().flatten() for parameter in method.parameters()])

    assert torch.equal(weights(), weights())
    assert torch.equal(weights(), weights("seed=0", "optimizer.lr=0.5", "train.epochs=9"))
    assert not torch.equal(weights(), weights("seed=1"))


# --- alone --------------------------------------------------------------------------------------


def test_any_component_can_be_built_alone(toys):
    assert build("loss", {"name": "toy_loss", "temperature": 2}, toys).temperature == 2
    assert build("scorer", "toy_wrap", toys).of.views == 1


@pytest.mark.parametrize(
    ("kind", "table", "message"),
    [
        ("loss", "toy_los", "no loss named 'toy_los'; did you mean 'toy_loss'?"),
        ("loss", {"name": "toy_loss", "temprature": 1}, "temprature: unknown key; did you mean"),
        ("loss", {"temperature": 1}, "expected a loss: its name, or a mapping with 'name'"),
        ("loss", {"name": "toy_loss", "margin": 7}, "seven is refused"),
        ("scorer", {"name": "toy_wrap", "of": {"name": "toy_scorer", "views": 13}}, "of: thirteen"),
        ("los", "toy_loss", "no kind 'los'; did you mean 'loss'?"),
    ],
)
def test_a_component_alone_is_refused_like_one_in_a_config(toys, kind, table, message):
    with pytest.raises(ConfigError) as caught:
        build(kind, table, toys)
    assert str(caught.value).startswith(message)


def test_exposure_is_refused_by_a_method_that_would_ignore_it(refusal):
    text = TOY + "exposure: {dataset: toy_data}\n"
    line = "exposure: toy_method cannot train on known outliers; set ratio: 0"
    assert line in refusal(text)


def test_exposure_of_no_ratio_is_not_for_the_method(write, toys):
    text = TOY + "exposure: {dataset: toy_data, ratio: 0}\n"
    assert assemble(load_config(write(text), loaded=toys)).exposure is not None


def test_a_scorer_that_needs_known_outliers_is_refused_without(refusal, source_of, toy_source):
    from adframe.interfaces import Scorer

    class Knowing(Scorer):
        """Compares with known outliers."""

        needs_exposed = True

        def fit(self, features):
            raise NotImplementedError

        score = fit

    loaded = load_plugins(sources=[toy_source, source_of("test", ("scorer", "knowing", Knowing))])
    said = "scorer: knowing needs known outliers; set exposure"
    assert said in refusal(TOY + "scorer: knowing\n", loaded=loaded)


def test_every_component_and_every_loss_is_built_once_in_a_run_with_classes(toy, monkeypatch):
    import adframe
    from adframe.config.schema import ComponentSpec

    built = []
    build_spec = ComponentSpec.build

    def counted(spec, path=(), *rest):
        built.append(path)
        return build_spec(spec, path, *rest)

    monkeypatch.setattr(ComponentSpec, "build", counted)
    objective = "objective=[{loss: supcon, stages: [4]}]"
    config = toy("dataset.normal=[left, right]", "dataset.labelled=true", objective)
    adframe.run(config)
    assert ("objective", 0, "loss") in built
    assert len(built) == len(set(built))
