import pytest
import torch
from sklearn.metrics.pairwise import cosine_similarity
from torch import Tensor
from torch.nn import functional as F

import adframe.ops.nearest
from adframe import max_cosine


def unit(count: int, width: int = 7, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(count, width, generator=generator, dtype=torch.float64))


def test_equals_scikit_learn() -> None:
    queries, bank = unit(50), unit(30, seed=1)
    expected = cosine_similarity(queries, bank).max(1)
    torch.testing.assert_close(max_cosine(queries, bank), torch.from_numpy(expected))


def test_a_bank_wider_than_a_block_is_searched_to_its_end() -> None:
    queries, bank = unit(3, 2), unit(20_000, 2, seed=1)
    for place in (0, 4095, 4096, 8191, 8192, 19_999):
        planted = -queries[0].repeat(20_000, 1)
        planted[place] = queries[0]
        assert max_cosine(queries[:1], planted).item() == pytest.approx(1)
    expected = cosine_similarity(queries, bank).max(1)
    torch.testing.assert_close(max_cosine(queries, bank), torch.from_numpy(expected))


@pytest.mark.parametrize("budget", [0, 1, 8, 30 * 8 + 1, 30 * 8 * 7, 10**6])
def test_the_budget_changes_nothing(budget: int) -> None:
    queries, bank = unit(50), unit(30, seed=1)
    torch.testing.assert_close(max_cosine(queries, bank, budget), max_cosine(queries, bank))


def test_no_block_of_similarities_exceeds_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    class Watched(Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            result = super().__torch_function__(func, types, args, kwargs or {})
            if func is torch.mm:
                sizes.append(result.numel() * result.element_size())
            return result

    bank = unit(20_000, 3)
    max_cosine(unit(40, 3, seed=1).as_subclass(Watched), bank, budget=1 << 20)
    assert len(sizes) > 3
    assert max(sizes) <= 1 << 20


def test_a_query_does_not_depend_on_the_others() -> None:
    queries, bank = unit(50), unit(30, seed=1)
    some = torch.tensor([49, 3, 3, 17])
    torch.testing.assert_close(max_cosine(queries[some], bank), max_cosine(queries, bank)[some])


def test_of_itself_is_one_and_of_the_opposite_alone_minus_one() -> None:
    vectors = unit(9)
    torch.testing.assert_close(max_cosine(vectors, vectors), torch.ones(9, dtype=torch.float64))
    opposite = max_cosine(vectors[:1], -vectors[:1])
    assert opposite.item() == pytest.approx(-1)


def test_the_dtype_is_the_queries() -> None:
    assert max_cosine(unit(2).float(), unit(3).float()).dtype == torch.float32


def test_no_query_gives_no_score() -> None:
    assert max_cosine(unit(0), unit(3)).shape == (0,)


@pytest.mark.parametrize("bank", [unit(0), unit(3, 8)], ids=["empty", "another width"])
def test_a_bank_that_cannot_be_compared_with_is_refused(bank: Tensor) -> None:
    with pytest.raises(ValueError, match="a bank of shape"):
        max_cosine(unit(2), bank)


def test_is_public_under_the_name_of_the_package() -> None:
    assert max_cosine is adframe.ops.nearest.max_cosine
