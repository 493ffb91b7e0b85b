import pytest
import torch
from sklearn.metrics.pairwise import cosine_similarity
from torch import Tensor
from torch.nn import functional as F

from adframe.ops import nearest, topk_cosine


def largest(queries: Tensor, bank: Tensor, k: int) -> Tensor:
    """The k largest cosines by scikit-learn, in descending order."""
    every = torch.from_numpy(cosine_similarity(queries, bank))
    return every.sort(dim=1, descending=True).values[:, :k]


def found(queries: Tensor, bank: Tensor, *args: int) -> Tensor:
    return topk_cosine(queries, bank, *args).sort(dim=1, descending=True).values


def unit(count: int, width: int = 7, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(count, width, generator=generator, dtype=torch.float64))


@pytest.mark.parametrize("k", [1, 2, 5, 30, 99])
@pytest.mark.parametrize("budget", [0, 1, 8, 30 * 8 + 1, 30 * 8 * 7, 10**6])
@pytest.mark.parametrize("columns", [1, 7, 4096])
def test_equals_scikit_learn_for_every_block_size(
    k: int, budget: int, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nearest, "COLUMNS", columns)
    queries, bank = unit(50), unit(30, seed=1)
    torch.testing.assert_close(found(queries, bank, k, budget), largest(queries, bank, k))


def test_a_bank_wider_than_a_block_is_searched_to_its_end() -> None:
    queries, bank = unit(3, 2), unit(20_000, 2, seed=1)
    for place in (0, 4095, 4096, 8191, 8192, 19_999):
        planted = -queries[0].repeat(20_000, 1)
        planted[place] = queries[0]
        assert topk_cosine(queries[:1], planted).item() == pytest.approx(1)
    torch.testing.assert_close(topk_cosine(queries, bank), largest(queries, bank, 1))


@pytest.mark.parametrize("k", [1, 9])
def test_no_block_of_similarities_exceeds_the_budget(k: int) -> None:
    sizes = []

    class Watched(Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            result = super().__torch_function__(func, types, args, kwargs or {})
            if func in (torch.mm, torch.cat, Tensor.matmul):
                sizes.append(result.numel() * result.element_size())
            return result

    bank = unit(20_000, 3)
    topk_cosine(unit(40, 3, seed=1).as_subclass(Watched), bank, k, budget=1 << 20)
    assert len(sizes) > 3
    assert max(sizes) <= 1 << 20


def test_a_query_does_not_depend_on_the_others() -> None:
    queries, bank = unit(50), unit(30, seed=1)
    some = torch.tensor([49, 3, 3, 17])
    torch.testing.assert_close(topk_cosine(queries[some], bank), topk_cosine(queries, bank)[some])


def test_of_itself_is_one_and_of_the_opposite_alone_minus_one() -> None:
    vectors = unit(9)
    torch.testing.assert_close(topk_cosine(vectors, vectors), torch.ones(9, 1, dtype=torch.float64))
    opposite = topk_cosine(vectors[:1], -vectors[:1])
    assert opposite.item() == pytest.approx(-1)


def test_the_dtype_is_the_queries() -> None:
    assert topk_cosine(unit(2).float(), unit(3).float()).dtype == torch.float32


def test_no_query_gives_no_score() -> None:
    assert topk_cosine(unit(0), unit(3)).shape == (0, 1)
    assert topk_cosine(unit(0), unit(3), 2).shape == (0, 2)


@pytest.mark.parametrize("bank", [unit(0), unit(3, 8)], ids=["empty", "another width"])
def test_a_bank_that_cannot_be_compared_with_is_refused(bank: Tensor) -> None:
    with pytest.raises(ValueError, match="bank of shape"):
        topk_cosine(unit(2), bank)
