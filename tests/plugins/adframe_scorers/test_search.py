import importlib.util

import pytest
import torch
from sklearn.metrics.pairwise import cosine_similarity
from torch import Tensor
from torch.nn.functional import normalize

from adframe import build
from adframe.cli.main import main
from adframe.errors import ConfigError
from adframe.interfaces import Scorer
from adframe_scorers.nearest import KNN, NearestCosine
from adframe_scorers.search import Neighbours

needs_faiss = pytest.mark.skipif(
    importlib.util.find_spec("faiss") is None, reason="needs adframe[faiss]"
)
TELLS = r"search: faiss needs faiss-cpu: pip install faiss-cpu"


def unit(count: int, seed: int = 0, width: int = 6) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(count, width, generator=generator))


def seen(rows: Tensor) -> dict[str, Tensor]:
    return {"features": rows[:, None, None]}


def largest(queries: Tensor, bank: Tensor, k: int) -> Tensor:
    """By scikit-learn: mean of the k largest cosines."""
    every = torch.from_numpy(cosine_similarity(queries.double(), bank.double()))
    return every.sort(dim=1, descending=True).values[:, :k].mean(1).float()


def test_no_query_has_no_neighbours() -> None:
    assert KNN(k=3).neighbours([unit(0)], unit(9), 3)[0].shape == (0,)


# --- faiss --------------------------------------------------------------------------------------


@needs_faiss
@pytest.mark.parametrize("k", [1, 3, 300])
def test_faiss_in_every_cell_is_exact(k: int) -> None:
    train, test = seen(unit(200)), seen(unit(50, seed=1))
    found, exact = KNN(k=k, search="faiss", probes=200), KNN(k=k)
    for scorer in (found, exact):
        scorer.fit(train)
    torch.testing.assert_close(found.score(test), exact.score(test), atol=2e-6, rtol=0)


@needs_faiss
def test_more_cells_find_the_nearest_more_often_and_none_finds_a_nearer_one() -> None:
    centres = unit(40, seed=2, width=32)
    train, test = (
        normalize(centres[torch.arange(count) % 40] + 0.05 * unit(count, seed, 32))
        for count, seed in ((2000, 0), (100, 1))
    )
    exact, right = largest(test, train, 1), []
    for probes in (1, 4, 16):
        (found,) = Neighbours("faiss", probes)([test], train)
        assert (found <= exact + 2e-6).all()
        right.append(((exact - found) < 2e-6).float().mean().item())
    assert right == sorted(right)
    assert 0.3 < right[0] < 0.9
    assert right[2] > 0.9


@needs_faiss
def test_what_lies_in_small_cells_is_compared_with_all() -> None:
    queries, bank = unit(20, seed=1), unit(60)
    (found,) = Neighbours("faiss", 1)([queries], bank, 50)
    torch.testing.assert_close(found, largest(queries, bank, 50), atol=2e-6, rtol=0)


@needs_faiss
@pytest.mark.parametrize("count", [1, 2, 17])
def test_banks_may_be_small_or_all_alike(count: int) -> None:
    queries = unit(5, seed=1)
    for bank in (unit(count), unit(1).repeat(count, 1)):
        (found,) = Neighbours("faiss", 999)([queries], bank)
        torch.testing.assert_close(found, largest(queries, bank, 1), atol=2e-6, rtol=0)


@needs_faiss
@pytest.mark.parametrize("make", [NearestCosine, KNN])
def test_only_the_bank_is_saved_and_the_index_built_again(make: type) -> None:
    scorer: Scorer = make(search="faiss", probes=2)
    scorer.fit(seen(unit(500)))
    test = seen(unit(40, seed=1))
    expected = scorer.score(test)
    assert list(scorer.state()) == ["bank"]
    again: Scorer = make(search="faiss", probes=2)
    again.restore(scorer.state())
    assert torch.equal(again.score(test), expected)
    exact: Scorer = make()
    exact.restore(scorer.state())
    assert (exact.score(test) <= expected + 2e-6).all()


@needs_faiss
def test_fitted_again_it_searches_the_new_bank() -> None:
    scorer = KNN(search="faiss")
    for seed in (0, 1):
        scorer.fit(seen(unit(300, seed)))
        assert scorer.score(seen(unit(300, seed))).abs().max() < 1e-6


@needs_faiss
def test_with_faiss_too_a_score_is_the_same_in_any_batch() -> None:
    scorer = KNN(search="faiss", probes=1)
    scorer.fit(seen(unit(3000, width=16)))
    test = unit(100, seed=1, width=16)
    together = scorer.score(seen(test))
    alone = torch.cat([scorer.score(seen(row)) for row in test.split(1)])
    assert torch.equal(together, alone)


# --- without it ---------------------------------------------------------------------------------


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(importlib.import_module("sys").modules, "faiss", None)


@pytest.mark.usefixtures("absent")
@pytest.mark.parametrize("name", ["nearest_cosine", "knn"])
def test_where_faiss_is_missing_the_extra_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=TELLS):
        build("scorer", {"name": name, "search": "faiss"})
    build("scorer", {"name": name})


@pytest.mark.usefixtures("absent")
def test_check_says_so_in_one_line_and_ends_with_two(capsys: pytest.CaptureFixture[str]) -> None:
    settings = ["--set", "scorer={name: knn, search: faiss}"]
    assert main(["check", "configs/quickstart.yaml", *settings]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("scorer: " + TELLS.replace("\\", ""))
