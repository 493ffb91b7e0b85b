import torch

from adframe_scorers.layout import NearestGrid


def features(maps: torch.Tensor) -> dict[str, torch.Tensor]:
    """Maps (N, D, h, w) of images of 16x16 pixels."""
    count = len(maps)
    return {
        "stage_1": maps[:, None, None],
        "size": torch.tensor([[16, 16]] * count),
        "label": torch.zeros(count, dtype=torch.int64),
        "index": torch.arange(count),
    }


def fitted(maps: torch.Tensor, **options: float) -> NearestGrid:
    scorer = NearestGrid(grid=4, centred=True, **options)
    scorer.fit(scorer.collect(features(maps)))
    return scorer


def test_the_score_is_that_of_explicit_loops():
    train, test = torch.rand(3, 2, 4, 4), torch.rand(2, 2, 4, 4)
    found = fitted(train, power=1.0).score(features(test))
    for image, score in zip(test, found, strict=True):
        means = []
        for known in train:
            pairs = [(a - a.mean(), b - b.mean()) for a, b in zip(image, known, strict=True)]
            cosines = [(a * b).sum() / (a.norm() * b.norm()) for a, b in pairs]
            means.append(sum(cosines) / len(cosines))
        torch.testing.assert_close(score, 1 - max(means), rtol=1e-5, atol=1e-6)


def test_brightness_and_contrast_of_a_channel_do_not_matter():
    train = torch.rand(3, 2, 4, 4)
    changed = 3 * train + torch.tensor([0.2, 0.7])[:, None, None]
    assert fitted(train, power=1.0).score(features(changed)).max() < 1e-5


def test_the_map_is_highest_where_an_image_differs_and_its_mean_is_the_score():
    train = torch.rand(3, 2, 4, 4)
    test = train[:1].clone()
    test[..., 0, 3] += 3
    scorer = fitted(train)
    (values,) = scorer.maps(features(test))
    assert divmod(int(values.argmax()), 16)[0] < 4
    assert divmod(int(values.argmax()), 16)[1] >= 12
    torch.testing.assert_close(values.mean(), scorer.score(features(test))[0])


def test_a_training_image_has_a_map_of_almost_zeros():
    train = torch.rand(3, 2, 4, 4)
    values = fitted(train).maps(features(train))
    assert values.isfinite().all()
    assert values.abs().max() < 1e-5


def test_an_even_image_has_the_largest_score_of_all_and_is_finite():
    scorer = fitted(torch.rand(3, 2, 4, 4))
    even = scorer.maps(features(torch.full((1, 2, 4, 4), 0.5)))
    torch.testing.assert_close(even.mean(), torch.tensor(1.0))
