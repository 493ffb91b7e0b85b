import numpy as np
import pytest
import scipy.optimize
import scipy.special
import scipy.stats
import torch
from torch import Tensor

from adframe import UserError
from adframe_geom.scorer import Dirichlet, fit_dirichlet, inverse_digamma

ALPHAS = [[2.0, 3.0, 5.0], [0.3, 0.8, 0.1], [40.0, 1.0, 0.5]]


def keys(alpha: list[float], count: int = 400) -> np.ndarray:
    return np.random.default_rng(0).dirichlet(alpha, count)


def fitted(p: np.ndarray) -> np.ndarray:
    values = torch.from_numpy(p)
    return fit_dirichlet(values.mean(0), values.log().mean(0), 1000, 1e-9).numpy()


def by_scipy(p: np.ndarray) -> np.ndarray:
    """The maximum of the likelihood by a general optimiser, over logarithms of alpha."""
    mean_log = np.log(p).mean(0)

    def negative(log_alpha: np.ndarray) -> float:
        alpha = np.exp(log_alpha)
        gammaln = scipy.special.gammaln
        return gammaln(alpha).sum() - gammaln(alpha.sum()) - ((alpha - 1) * mean_log).sum()

    start = np.zeros(p.shape[1])
    exactly = {"xatol": 1e-9, "fatol": 1e-12, "maxiter": 5000}
    found = scipy.optimize.minimize(negative, start, method="Nelder-Mead", options=exactly)
    assert found.success
    return np.exp(found.x)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_the_fit_is_the_maximum_that_scipy_finds(alpha: list[float]) -> None:
    p = keys(alpha)
    found = fitted(p)
    np.testing.assert_allclose(found, by_scipy(p), rtol=1e-4)
    np.testing.assert_allclose(found, alpha, rtol=0.25)  # what the draws came from


def test_several_are_fitted_at_once_as_one_by_one() -> None:
    p = np.stack([keys(alpha) for alpha in ALPHAS], axis=1)  # (400, 3, 3)
    apart = np.stack([fitted(p[:, index]) for index in range(3)])
    np.testing.assert_allclose(fitted(p), apart, rtol=1e-6)


def test_inverse_digamma_inverts_scipys() -> None:
    x = torch.logspace(-3, 4, 50, dtype=torch.float64)
    values = torch.from_numpy(scipy.special.digamma(x.numpy()))
    torch.testing.assert_close(inverse_digamma(values), x, rtol=1e-8, atol=0)


def features(count: int, seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(count, 1, 3, 3, generator=generator) + 2 * torch.eye(3)
    return {"shift_logits": logits}


def test_the_score_is_the_mean_likelihood_of_scipys_dirichlets_but_for_a_constant() -> None:
    scorer, train, test = Dirichlet(), features(60, 0), features(5, 1)
    scorer.fit(train)
    scores = scorer.score(test).double().numpy()
    p = test["shift_logits"][:, 0].double().softmax(-1).numpy()
    expected = np.zeros(5)
    for shift in range(3):
        distribution = scipy.stats.dirichlet(scorer.alpha[shift].numpy())
        constant = distribution.logpdf(np.full(3, 1 / 3)) + (
            (scorer.alpha[shift].numpy() - 1).sum() * np.log(3)
        )
        for image in range(5):
            row = p[image, shift] / p[image, shift].sum()
            expected[image] -= (distribution.logpdf(row) - constant) / 3
    np.testing.assert_allclose(scores, expected, rtol=1e-4)
    again = Dirichlet()
    again.restore(scorer.state())
    assert torch.equal(again.score(test), scorer.score(test))


def test_a_sure_classifier_gives_finite_scores() -> None:
    logits = torch.eye(4).expand(5, 1, 4, 4) * (200 + torch.arange(5.0)).view(5, 1, 1, 1)
    scorer = Dirichlet()
    scorer.fit({"shift_logits": logits})
    assert scorer.score({"shift_logits": logits}).isfinite().all()
    assert scorer.score({"shift_logits": logits * 0}).isfinite().all()


def test_training_images_that_are_all_alike_give_finite_scores() -> None:
    scorer, one = Dirichlet(), features(1, 0)["shift_logits"]
    scorer.fit({"shift_logits": one.expand(4, -1, -1, -1)})
    assert scorer.alpha.isfinite().all()
    assert scorer.score({"shift_logits": one}).isfinite().all()


def test_one_training_image_is_refused() -> None:
    with pytest.raises(UserError, match="two training images"):
        Dirichlet().fit(features(1, 0))
