"""Wrong names are found without torch, and are those that validation finds."""

import subprocess
import sys

import pytest

from adframe.cli.main import main
from adframe.config.compose import read_config
from adframe.config.describe import SECTIONS
from adframe.config.model import RunConfig, load_config
from adframe.config.names import KEYS, SECTION_KEYS, wrong_names
from adframe.config.schema import Component, options_of
from adframe.errors import ConfigError
from adframe.registry.source import options_in_source

WRONG = [
    "scorrer=x",
    "backbone=resnet19",
    "objective.0.loss.name=unclr",
    "shifts.0=rotaton",
    "scorer=[knn, {name: kn}]",
    "exposure={dataset: cifar11}",
    "outliers=[{name: svn, root: x}]",
    "metrics=[aurok]",
    "train.epoch=3",
    "objective.0.wieght=2",
    "exposure.ration=2",
    "validation={everyy: 2, anomalies: rotaton}",
    "observers=[{name: early_stopping, patiense: 2}]",
]


HIDDEN = """
import functools
class A:
    def __init__(self, a: int, *, b: int = 2) -> None: ...
class B(A):
    pass
class C:
    def __init__(self, a: int, **rest: int) -> None: ...
class D:
    @functools.cache
    def __init__(self, a: int) -> None: ...
class E(type): ...
class F(metaclass=E):
    def __init__(self, a: int) -> None: ...
class G(A):
    __init__ = C.__init__
class H(A):
    if True:
        def __init__(self, c: int) -> None: ...
"""


def kind_of(field):
    """The kind of a field of ``RunConfig`` whose value or items are components."""
    found = [each for each in field.metadata if isinstance(each, Component)]
    inner = getattr(field.annotation, "__args__", ())
    found += [each for item in inner for each in getattr(item, "__metadata__", ())]
    kinds = {each.kind for each in found if isinstance(each, Component)}
    return kinds.pop() if kinds else None


def test_the_keys_are_those_of_a_config():
    assert {name: kind_of(field) for name, field in RunConfig.model_fields.items()} == KEYS
    for section, keys in SECTION_KEYS.items():
        fields = SECTIONS[section].model_fields
        assert {name: kind_of(field) for name, field in fields.items()} == keys
    assert {*SECTIONS} == {"config", *SECTION_KEYS}


def test_options_in_the_source_are_those_of_the_component(loaded):
    readable = 0
    for entry in loaded.registry:
        found = options_in_source(entry.target)
        if found is not None:
            assert found == [*options_of(entry).model_fields], entry.who
            readable += 1
    assert readable > 90


def test_options_that_only_python_knows_are_not_read_from_the_source(tmp_path, monkeypatch):
    (tmp_path / "hidden_options.py").write_text(HIDDEN)
    monkeypatch.syspath_prepend(tmp_path)
    found = {name: options_in_source(f"hidden_options:{name}") for name in "ABCDEFGH"}
    known = {key: ["a", "b"] for key in "AB"}
    assert found == known | dict.fromkeys("CDEFGH")


def test_wrong_names_are_those_that_validation_finds(loaded):
    node, _ = read_config("quickstart", WRONG)
    found = {(problem.path, problem.message) for problem in wrong_names(node, loaded.registry)}
    assert len(found) == len(WRONG) + 1  # one has two
    with pytest.raises(ConfigError) as caught:
        load_config("quickstart", WRONG, loaded=loaded)
    assert found == {(problem.path, problem.message) for problem in caught.value.problems}


def test_all_wrong_names_are_refused_before_torch_is_imported():
    words = ["check", "quickstart", "--set", "backbone=resnet19", "--set", "train.epoch=3"]
    command = [sys.executable, "-c", COUNT, "torch,numpy,pydantic", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "2 []\n"
    first, second = done.stderr.splitlines()
    assert first.startswith("--set backbone=resnet19: backbone: no backbone")
    assert second == "--set train.epoch=3: train.epoch: unknown key; did you mean 'epochs'?"


@pytest.mark.parametrize("verb", ["check", "run"])
def test_a_wrong_name_is_one_line(verb, capsys):
    assert main([verb, "quickstart", "--set", "backbone=resnet19"]) == 2
    message = "backbone: no backbone named 'resnet19'; did you mean 'resnet18'?"
    assert capsys.readouterr().err == f"--set backbone=resnet19: {message}\n"


COUNT = """
import sys
from adframe.cli.main import main
status = main(sys.argv[2:])
wanted = sys.argv[1].split(",")
print(status, [name for name in wanted if name in sys.modules])
"""


@pytest.mark.parametrize(
    ("words", "status", "absent"),
    [
        (["list", "scorer"], 0, "torch,numpy,pydantic,ruamel.yaml"),
        (["check", "quickstart"], 0, "torchvision,sklearn,scipy,torch._dynamo,rich"),
        (["schema"], 0, "torchvision,sklearn,scipy,torch._dynamo"),
    ],
)
def test_a_command_imports_only_what_it_uses(words, status, absent):
    command = [sys.executable, "-c", COUNT, absent, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.splitlines()[-1] == f"{status} []"
