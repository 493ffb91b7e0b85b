"""Which bundled configs use a component: found by their text first, then by loading them."""

import pytest

from adframe.config import usage
from adframe.config.bundled import configs_folder
from adframe.config.model import load_config
from adframe.errors import UserError
from adframe.registry.loading import load_plugins


@pytest.fixture(scope="module")
def loaded():
    return load_plugins()


@pytest.fixture(scope="module")
def configs(loaded):
    """Every bundled config that is valid."""
    found = {}
    for path in sorted(configs_folder().rglob("*.yaml")):
        try:
            config = load_config(path, loaded=loaded)
        except UserError:
            continue
        found[path.relative_to(configs_folder()).with_suffix("").as_posix()] = config
    return found


@pytest.mark.parametrize("name", ["scorer knn", "loss uniclr", "scorer csi", "dataset mvtec"])
def test_no_config_that_uses_it_is_missed(loaded, configs, name):
    entry = loaded.registry.get(*name.split())
    expected = [of for of, config in configs.items() if usage._uses(config, entry)]
    assert usage.used_by(entry, configs_folder(), loaded) == expected


def test_a_config_that_cannot_name_it_is_not_loaded(loaded, monkeypatch):
    read = []
    monkeypatch.setattr(usage, "load_config", lambda path, loaded: read.append(path.stem))
    assert usage.used_by(loaded.registry.get("scorer", "csi"), configs_folder(), loaded) == []
    assert "quickstart" not in read
    assert "cifar10_no_shifts" in read  # it extends one that names it
