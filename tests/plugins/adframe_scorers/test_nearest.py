import pytest
import torch
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize
from torch import Tensor

from adframe.interfaces import Augmentation, RandomKeys
from adframe_scorers.nearest import KNN, NearestCosine


class Nothing(Augmentation):
    def __call__(self, images: Tensor, keys: RandomKeys, strength: float = 1.0) -> Tensor:
        return images


def features(count: int, views: int = 4, width: int = 6, seed: int = 0) -> dict[str, Tensor]:
    """Views of very different lengths, so that an average without normalising is another one."""
    generator = torch.Generator().manual_seed(seed)
    centre = torch.randn(count, 1, 1, width, generator=generator)
    spread = torch.randn(count, views, 1, width, generator=generator)
    length = torch.rand(count, views, 1, 1, generator=generator) * 20 + 0.1
    return {"features": (centre + spread) * length}


def fitted(bank: dict[str, Tensor]) -> NearestCosine:
    scorer = NearestCosine(Nothing(), views=4)
    scorer.fit(bank)
    return scorer


@pytest.mark.parametrize("views", [1, 4])
def test_equals_scikit_learns_nearest_neighbour_of_averaged_unit_views(views: int) -> None:
    train, test = features(80, views), features(30, views, seed=1)

    def average(values: Tensor) -> Tensor:
        rows = values[:, :, 0].double()
        unit = normalize(rows.flatten(0, 1).numpy()).reshape(rows.shape)
        return unit.mean(1)

    neighbours = NearestNeighbors(n_neighbors=1, algorithm="brute", metric="cosine")
    neighbours.fit(average(train["features"]))
    expected = torch.from_numpy(neighbours.kneighbors(average(test["features"]))[0][:, 0])
    scores = fitted(train).score(test)
    torch.testing.assert_close(scores, expected.float(), atol=2e-6, rtol=0)


def test_a_training_image_scores_zero_and_its_opposite_alone_two() -> None:
    bank = {"features": torch.tensor([3.0, 4.0]).view(1, 1, 1, 2)}
    seen = {"features": torch.tensor([[6.0, 8.0], [-3.0, -4.0], [-4.0, 3.0]]).view(3, 1, 1, 2)}
    assert fitted(bank).score(seen).tolist() == pytest.approx([0, 2, 1], abs=1e-6)


def test_under_shifts_it_is_the_mean_of_the_scores_under_each() -> None:
    train, test = (
        [features(count, seed=seed)["features"] for seed in (1, 2, 3)] for count in (9, 5)
    )
    scorer = NearestCosine(Nothing(), views=4, apply_shifts=True)
    assert scorer.view_spec().apply_shifts
    scorer.fit({"features": torch.cat(train, dim=2)})
    alone = [
        fitted({"features": bank}).score({"features": seen})
        for bank, seen in zip(train, test, strict=True)
    ]
    scores = scorer.score({"features": torch.cat(test, dim=2)})
    torch.testing.assert_close(scores, torch.stack(alone).mean(0))


def test_higher_is_more_anomalous() -> None:
    angles = torch.tensor([0.0, 0.1, 0.5, 1.0, 2.0, 3.0])
    turned = torch.stack([angles.cos(), angles.sin()], dim=1)[:, None, None]
    scores = fitted({"features": turned[:1]}).score({"features": turned})
    assert scores.tolist() == sorted(scores.tolist())
    assert scores.diff().min() > 1e-3


def test_the_order_of_views_and_of_training_images_means_nothing() -> None:
    train, test = features(80)["features"], features(30, seed=1)
    shuffled = train[torch.randperm(80, generator=torch.Generator().manual_seed(0))].flip(1)
    expected = fitted({"features": train}).score(test)
    torch.testing.assert_close(fitted({"features": shuffled}).score(test), expected)


def test_the_score_is_float32_of_half_precision_features_too() -> None:
    train, test = (features(9, seed=s)["features"] for s in (0, 1))
    scores = fitted({"features": train.bfloat16()}).score({"features": test.bfloat16()})
    assert scores.dtype == torch.float32
    assert scores.shape == (9,)


def test_without_an_augmentation_the_image_is_seen_once_as_it_is() -> None:
    spec = NearestCosine(views=10).view_spec()
    assert (spec.views, spec.transform, spec.apply_shifts) == (1, None, False)


def test_with_an_augmentation_it_is_seen_so_many_times() -> None:
    augmentation = Nothing()
    spec = NearestCosine(augmentation, views=7).view_spec()
    assert (spec.views, spec.transform, spec.outputs) == (7, augmentation, ("features",))


@pytest.mark.parametrize("k", [1, 3, 200])
def test_knn_is_scikit_learns_mean_distance_to_the_nearest(k: int) -> None:
    train, test = features(80, views=1), features(30, views=1, seed=1)
    scorer = KNN(k=k)
    scorer.fit(train)
    neighbours = NearestNeighbors(n_neighbors=min(k, 80), algorithm="brute", metric="cosine")
    neighbours.fit(train["features"][:, 0, 0].double().numpy())
    distances = neighbours.kneighbors(test["features"][:, 0, 0].double().numpy())[0]
    expected = torch.from_numpy(distances).mean(1).float()
    torch.testing.assert_close(scorer.score(test), expected, atol=2e-6, rtol=0)
