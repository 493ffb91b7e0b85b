import pytest
import torch
from torch import Tensor

from adframe.interfaces import Augmentation, Draws
from adframe_contrastive.schedules import Uniform


class Echo(Augmentation):
    """Returns the strength it was called with, as an image's every value."""

    def __call__(self, images: Tensor, draws: Draws, strength: float = 1.0) -> Tensor:
        return torch.full_like(images, strength)


@pytest.mark.parametrize("strength", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("levels", [1, 4])
@pytest.mark.parametrize("progress", [0.0, 0.5, 1.0])
def test_only_the_last_stage_is_trained_at_the_one_strength(
    strength: float, levels: int, progress: float
) -> None:
    (stage,) = Uniform(Echo(), strength).stages(levels, progress)
    out = stage.augmentation(torch.zeros(1, 3, 2, 2), Draws(torch.zeros(1, dtype=torch.int64)))
    assert stage.level == levels
    assert out.unique().item() == strength


def test_the_default_is_full_strength() -> None:
    (stage,) = Uniform(Echo()).stages(4, 0.0)
    out = stage.augmentation(torch.zeros(1, 3, 2, 2), Draws(torch.zeros(1, dtype=torch.int64)))
    assert out.unique().item() == 1.0
