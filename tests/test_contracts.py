"""All bundled components pass the contract kit that plugin authors use.

Registered components are tested automatically: a new component gets a case for each check, and
for each value of an option with a fixed choice.
"""

import pytest

from adframe.config.schema import model_of
from adframe.registry.loading import installed, load_plugins
from adframe.registry.registry import Registry
from adframe.testing import cases, check

#: What a component cannot be made without; and sizes that keep the tests quick.
GIVEN = {
    ("backbone", "timm"): {"model": "test_resnet", "size": "image"},
    ("loss", "shift_heads"): {"heads": [2, 2]},
    ("augmentation", "random_window"): {"size": 8},
    ("scorer", "feature_map"): {"grid": 6},
    ("scorer", "patchcore"): {"grid": 6},
    ("method", "anogan"): {"latent": 16, "steps": 5},
    ("method", "patches"): {"of": "contrastive", "size": 8},
}


def _bundled() -> Registry:
    return load_plugins(sources=[s for s in installed() if s.plugin.bundled]).registry


def _given(registry: Registry) -> dict:
    small = {
        (entry.kind, entry.name): {"width": 0.125}
        for entry in registry
        if entry.kind == "backbone" and "width" in model_of(entry.load()).model_fields
    }
    return {**small, **GIVEN}


REGISTRY = _bundled()


@pytest.mark.parametrize("case", cases(REGISTRY, _given(REGISTRY)), ids=str)
def test_contract(case):
    case()


def test_a_folder_of_images_keeps_it_too(shapes):
    folder = REGISTRY.get("dataset", "image_folder").load()
    check(folder, root=str(shapes), normal="left")
