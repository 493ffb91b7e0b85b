import math

import torch
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity
from sklearn.preprocessing import normalize
from sklearn.svm import OneClassSVM as Machine
from torch import Tensor

from adframe_scorers.density import KDE, GaussianDensity, scale
from adframe_scorers.svm import OneClassSVM


def rows(count: int, seed: int = 0, width: int = 6) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, width, generator=generator) * 3 + 1


def fit(scorer: KDE | GaussianDensity, bank: Tensor) -> KDE | GaussianDensity:
    scorer.fit({"features": bank[:, None, None]})
    return scorer


def test_scale_is_scikit_learns() -> None:
    bank = rows(50)
    machine = Machine(gamma="scale").fit(bank.double().numpy())
    torch.testing.assert_close(float(scale(bank)), machine._gamma, rtol=1e-5, atol=0)


def test_kde_is_scikit_learns_log_density_but_for_a_constant_and_a_factor() -> None:
    bank, test = rows(80), rows(30, seed=1)
    scorer = fit(KDE(), bank)
    unit = normalize(bank.double().numpy())
    gamma = 10 / (unit.var() * unit.shape[1])
    theirs = KernelDensity(bandwidth=(1 / (2 * gamma)) ** 0.5).fit(unit)
    log_p = torch.from_numpy(theirs.score_samples(normalize(test.double().numpy())))
    # exp(-gamma |a - b|^2) = exp(2 gamma cos - 2 gamma); theirs is normalised and averaged
    constant = math.log(80) + 3 * math.log(math.pi / gamma) + 2 * gamma
    expected = -(log_p + constant) / gamma
    torch.testing.assert_close(
        scorer.score({"features": test[:, None, None]}), expected.float(), atol=1e-5, rtol=1e-5
    )


def test_kde_compares_with_no_more_than_its_limit() -> None:
    assert len(fit(KDE(limit=7), rows(80)).bank) == 7


def test_gaussian_density_is_scikit_learns_mixture_of_one() -> None:
    bank, test = rows(80), rows(30, seed=1)
    unit = [normalize(part.double().numpy()) for part in (bank, test)]
    theirs = GaussianMixture(1, reg_covar=1e-6).fit(unit[0])
    expected = -torch.from_numpy(theirs.score_samples(unit[1])).float()
    scores = fit(GaussianDensity(), bank).score({"features": test[:, None, None]})
    torch.testing.assert_close(scores, expected, atol=1e-4, rtol=1e-4)


def test_gaussian_density_takes_fewer_images_than_dimensions() -> None:
    for estimate in ("empirical", "ledoit_wolf"):
        scorer = fit(GaussianDensity(estimate=estimate), rows(10, width=40))
        scores = scorer.score({"features": rows(5, 1, 40)[:, None, None]})
        assert torch.isfinite(scores).all()


def test_one_class_svm_is_scikit_learns_decision_function() -> None:
    bank, test = rows(80), rows(30, seed=1)
    for kernel, nu in [("linear", 0.5), ("rbf", 0.5), ("rbf", 0.1)]:
        scorer = OneClassSVM(kernel=kernel, nu=nu)
        scorer.fit({"features": bank[:, None, None]})
        scores = scorer.score({"features": test[:, None, None]})
        pair = [part.double().numpy() for part in (bank, test)]
        if kernel == "rbf":
            pair = [normalize(part) for part in pair]
        gamma = 10 / (pair[0].var() * pair[0].shape[1])
        theirs = Machine(kernel=kernel, nu=nu, gamma=gamma).fit(pair[0])
        expected = -torch.from_numpy(theirs.decision_function(pair[1])).float()
        torch.testing.assert_close(scores, expected, atol=1e-3, rtol=1e-3)


def test_one_class_svm_fits_on_no_more_than_its_limit() -> None:
    scorer = OneClassSVM(limit=7, nu=0.9)
    scorer.fit({"features": rows(80)[:, None, None]})
    assert 0 < len(scorer.support) <= 7
