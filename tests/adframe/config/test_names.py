"""Wrong names are found without torch, and are those that validation finds."""

import subprocess
import sys

import pytest

from adframe.cli.main import main
from adframe.config.compose import read_config
from adframe.config.model import RunConfig, load_config
from adframe.config.names import KEYS, wrong_names
from adframe.config.schema import Component
from adframe.errors import ConfigError

WRONG = [
    "scorrer=x",
    "backbone=resnet19",
    "objective.0.loss.name=unclr",
    "shifts.0=rotaton",
    "scorer=[knn, {name: kn}]",
    "exposure={dataset: cifar11}",
    "outliers=[{name: svn, root: x}]",
    "metrics=[aurok]",
]


def kind_of(field):
    """The kind of a field of ``RunConfig`` whose value or items are components."""
    found = [each for each in field.metadata if isinstance(each, Component)]
    inner = getattr(field.annotation, "__args__", ())
    found += [each for item in inner for each in getattr(item, "__metadata__", ())]
    kinds = {each.kind for each in found if isinstance(each, Component)}
    return kinds.pop() if kinds else None


def test_the_keys_are_those_of_a_config():
    assert {name: kind_of(field) for name, field in RunConfig.model_fields.items()} == KEYS


def test_wrong_names_are_those_that_validation_finds(loaded):
    node, _ = read_config("quickstart", WRONG)
    found = {(problem.path, problem.message) for problem in wrong_names(node, loaded.registry)}
    assert len(found) == len(WRONG)
    with pytest.raises(ConfigError) as caught:
        load_config("quickstart", WRONG, loaded=loaded)
    assert found == {(problem.path, problem.message) for problem in caught.value.problems}


FIRST = """
import sys
from adframe.cli import main, options
found = []
options.error_line = lambda line: found.append(("torch" in sys.modules, line))
print(main.main(sys.argv[1:]), found)
"""


def test_a_wrong_name_is_printed_before_torch_is_imported():
    words = ["check", "quickstart", "--set", "backbone=resnet19", "--set", "train.epoch=3"]
    command = [sys.executable, "-c", FIRST, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.startswith('2 [(False, "--set backbone=resnet19: backbone: no backbone')
    second = "--set train.epoch=3: train.epoch: unknown key; did you mean 'epochs'?\n"
    assert done.stderr == second


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
