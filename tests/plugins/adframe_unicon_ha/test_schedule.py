import pytest
import torch
from torch import Tensor

from adframe.interfaces import Augmentation, RandomKeys
from adframe_unicon_ha.schedule import Hierarchical


class Echo(Augmentation):
    """Returns the strength it was called with, as an image's every value."""

    def __call__(self, images: Tensor, keys: RandomKeys, strength: float = 1.0) -> Tensor:
        return torch.full_like(images, strength)


def plan(schedule: Hierarchical, levels: int = 4) -> list[tuple[int, float]]:
    """(level, strength) of each stage, the strength as the augmentation gets it."""
    image, keys = torch.zeros(1, 3, 2, 2), RandomKeys(torch.zeros(1, dtype=torch.int64))
    return [
        (stage.level, stage.augmentation(image, keys).unique().item())
        for stage in schedule.stages(levels, 0.5)
    ]


def test_by_default_every_stage_is_trained_and_strength_rises_in_a_line() -> None:
    assert plan(Hierarchical(Echo())) == [(1, 0.25), (2, 0.5), (3, 0.75), (4, 1.0)]


def test_the_default_fits_any_number_of_levels() -> None:
    assert plan(Hierarchical(Echo()), levels=2) == [(1, 0.5), (2, 1.0)]


def test_each_stage_gets_its_strength() -> None:
    strengths = [0.125, 0.25, 0.25, 0.5]
    assert plan(Hierarchical(Echo(), strengths)) == list(enumerate(strengths, start=1))


def test_strengths_given_for_all_stages_are_picked_by_stage() -> None:
    schedule = Hierarchical(Echo(), [0.125, 0.25, 0.5, 1.0], stages=[2, 4])
    assert plan(schedule) == [(2, 0.25), (4, 1.0)]


def test_strengths_may_be_given_for_the_trained_stages_alone() -> None:
    assert plan(Hierarchical(Echo(), [0.25, 0.5], stages=[3, 4])) == [(3, 0.25), (4, 0.5)]


def test_default_strengths_belong_to_the_level_not_to_its_place_in_the_list() -> None:
    assert plan(Hierarchical(Echo(), stages=[1, 4])) == [(1, 0.25), (4, 1.0)]


def test_the_plan_does_not_change_over_a_run() -> None:
    schedule = Hierarchical(Echo())
    plans = [[stage.level for stage in schedule.stages(4, at)] for at in (0.0, 0.5, 1.0)]
    assert plans == [[1, 2, 3, 4]] * 3


@pytest.mark.parametrize(("strengths", "stages"), [([0.1] * 3, None), ([0.1] * 3, [3, 4])])
def test_a_wrong_number_of_strengths_is_refused(strengths: list, stages: list | None) -> None:
    with pytest.raises(ValueError, match="3 strengths for"):
        Hierarchical(Echo(), strengths, stages).stages(4, 0.0)


def test_a_stage_the_backbone_lacks_is_refused() -> None:
    with pytest.raises(ValueError, match="stage 5 is missing: the backbone has 4"):
        Hierarchical(Echo(), stages=[4, 5]).stages(4, 0.0)


@pytest.mark.parametrize("stages", [[], [2, 1], [3, 3]])
def test_stages_that_do_not_rise_are_refused(stages: list[int]) -> None:
    with pytest.raises(ValueError, match="rising"):
        Hierarchical(Echo(), stages=stages)
