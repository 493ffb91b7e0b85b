import pytest
import torch
from torch import Tensor

import adframe
from adframe.cli.main import main
from adframe.interfaces import Augmentation, RandomKeys, Schedule, Stage
from adframe_schedules.curriculum import Curriculum
from adframe_schedules.downsized import Downsized
from adframe_schedules.phases import Phases
from adframe_schedules.uniform import Uniform
from adframe_unicon_ha.schedule import Hierarchical


class Echo(Augmentation):
    """Returns the strength it was called with, as an image's every value."""

    def __call__(self, images: Tensor, keys: RandomKeys, strength: float = 1.0) -> Tensor:
        return torch.full_like(images, strength)


@pytest.mark.parametrize("strength", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("levels", [1, 4])
@pytest.mark.parametrize("progress", [0.0, 0.5, 1.0])
def test_only_the_last_stage_is_trained_at_the_one_strength(
    strength: float, levels: int, progress: float
) -> None:
    (stage,) = Uniform(Echo(), strength).stages(levels, progress)
    out = stage.augmentation(torch.zeros(1, 3, 2, 2), RandomKeys(torch.zeros(1, dtype=torch.int64)))
    assert stage.level == levels
    assert out.unique().item() == strength


def test_the_default_is_full_strength() -> None:
    (stage,) = Uniform(Echo()).stages(4, 0.0)
    out = stage.augmentation(torch.zeros(1, 3, 2, 2), RandomKeys(torch.zeros(1, dtype=torch.int64)))
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


def views_of(schedule: Schedule, progress: float, images: Tensor) -> dict[int, Tensor]:
    """Stage -> what it sees."""
    keys = RandomKeys.from_index(0, torch.arange(len(images)))
    return {
        stage.level: stage.augmentation(images, RandomKeys(keys.values))
        for stage in schedule.stages(4, progress)
    }


def test_downsized_views_are_means_of_what_the_other_schedule_makes() -> None:
    images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    inner = adframe.build("schedule", {"name": "hierarchical", "stages": [2, 4]})
    whole, small = (views_of(s, 0.0, images) for s in (inner, Downsized(inner, 4)))
    assert list(small) == [2, 4]
    for level, views in small.items():
        expected = whole[level].unflatten(3, (4, 2)).unflatten(2, (4, 2)).mean(dim=(3, 5))
        torch.testing.assert_close(views, expected)


def test_images_that_are_small_enough_stay() -> None:
    images = torch.rand(2, 3, 6, 4, generator=torch.Generator().manual_seed(0))
    ((_, views),) = views_of(Downsized(Uniform(Echo(), 0.3), 5), 0.0, images).items()
    assert views.shape == (2, 3, 5, 4)
    ((_, views),) = views_of(Downsized(Uniform(Echo(), 0.3), 64), 0.0, images).items()
    assert torch.equal(views, torch.full_like(images, 0.3))


@pytest.mark.parametrize(
    ("progress", "strength"), [(0, 0.1), (0.24, 0.1), (0.25, 0), (0.5, 0.5), (0.75, 0.9), (1, 0.9)]
)
def test_phases_follow_each_other_and_each_has_its_own_progress(
    progress: float, strength: float
) -> None:
    growing = Curriculum(Echo(), until=1)
    phases = Phases([Uniform(Echo(), 0.1), growing, Uniform(Echo(), 0.9)], until=[0.25, 0.75])
    ((_, views),) = views_of(phases, progress, torch.zeros(1, 3, 2, 2)).items()
    assert views.unique().item() == pytest.approx(strength)


@pytest.mark.parametrize("until", [[], [0.5, 0.6], [0.0], [1.0]])
def test_phases_that_do_not_follow_each_other_are_refused(until: list[float]) -> None:
    with pytest.raises(ValueError, match="phases need|until must rise"):
        Phases([Uniform(Echo()), Uniform(Echo())], until)


ALL = Hierarchical(Echo(), stages=[2, 3, 4])


@pytest.mark.parametrize(
    ("schedule", "levels"),
    [
        (Uniform(Echo()), [(4,)]),
        (Curriculum(Echo()), [(4,)]),
        (ALL, [(2, 3, 4)]),
        (Downsized(ALL, 8), [(2, 3, 4)]),
        (Phases([Uniform(Echo()), ALL], [0.001]), [(4,), (2, 3, 4)]),
        (Phases([ALL, Uniform(Echo()), ALL], [0.5, 0.5001]), [(2, 3, 4), (4,)]),
    ],
)
def test_a_schedule_lists_the_sets_of_stages_it_ever_trains(
    schedule: Schedule, levels: list[tuple[int, ...]]
) -> None:
    assert schedule.levels(4) == levels


def test_by_default_the_sets_of_stages_are_sampled() -> None:
    class Growing(Schedule):
        def stages(self, levels: int, progress: float) -> list[Stage]:
            return [Stage(level, Echo()) for level in range(1, 1 + max(1, round(progress * 3)))]

    assert Growing().levels(3) == [(1,), (1, 2), (1, 2, 3)]


def test_a_phase_of_a_thousandth_of_a_run_is_checked_and_trained(toy, toy_file, capsys) -> None:
    late = "{name: hierarchical, stages: [2, 3, 4], augmentation: simclr}"
    phases = f"schedule={{name: phases, of: [uniform, {late}], until: [0.001]}}"
    objective = "objective=[{loss: uniclr}]"
    assert adframe.run(toy("train.epochs=1", phases, objective)).epochs == 1
    words = ["--set", phases, "--set", "objective=[{loss: uniclr, stages: [2, 3]}]"]
    assert main(["check", str(toy_file), *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("the schedule trains only stages 4, for which the objective has no term")
