import pytest
import torch
from torch import Tensor

from adframe.interfaces import Augmentation, Draws
from adframe_contrastive.schedules import Curriculum, Uniform


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


@pytest.mark.parametrize(
    ("progress", "strength"), [(0, 0.2), (0.25, 0.5), (0.5, 0.8), (0.7, 0.8), (1, 0.8)]
)
def test_a_curriculum_grows_with_progress(progress: float, strength: float) -> None:
    (stage,) = Curriculum(Echo(), start=0.2, end=0.8, until=0.5).stages(4, progress)
    assert stage.level == 4
    assert stage.augmentation.keywords["strength"] == pytest.approx(strength)


def test_a_curriculum_that_is_over_at_once_has_full_strength() -> None:
    (stage,) = Curriculum(Echo(), until=0).stages(4, 0.0)
    assert stage.augmentation.keywords["strength"] == 1
