"""Tests of all bundled data sets."""

import pytest

from adframe.config.describe import describe
from adframe_datasets.plugin import DATASETS

ALONE = {"lfw_faces", "interpolated"}  # nothing to choose
UNLABELLED = {"lsun_resize", "lsun_fix", "imagenet_resize", "imagenet_fix"}


@pytest.mark.parametrize("name", sorted(set(DATASETS) - ALONE))
def test_options_have_the_same_names_everywhere_and_are_described(name, loaded):
    described = describe(loaded.registry.get("dataset", name))
    first = ["table" if name == "image_table" else "root"]
    options = {option["name"] for option in described["options"]}
    expected = {"root", "test_limit"}
    if name not in UNLABELLED:
        expected |= {"normal", "labelled", "without", "train_limit"}
    if name not in {"cifar10", "cifar100", "svhn"}:  # all of one size
        expected |= {"size"}
    assert expected <= options
    assert [option["name"] for option in described["options"] if not option["doc"]] == []
    assert [option["name"] for option in described["options"] if option["required"]] == first
