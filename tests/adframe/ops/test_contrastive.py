"""The blocked contrast against explicit loops, the dense form and another library."""

import math
import warnings

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

import adframe.ops.contrastive
from adframe.ops import group_contrast
from adframe.parallel.rows import sharing
from adframe.parallel.world import ALONE
from adframe.testing.ranks import on_ranks

#: Groups: of pairs; of one, two and many; one alone; numbers that are not consecutive.
GROUPS = [
    [0, 1, 2, 3, 0, 1, 2, 3],
    [0, 0, 0, 0, 0, 1, 1, 2, 3, 3, 0],
    [5, 5, 5, 5],
    [-7, 1 << 40, 3, -7, 3, 3, -7, 1 << 40, 0],
]


@pytest.fixture(autouse=True)
def _small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adframe.ops.contrastive, "TILE", (3, 5))


def rows(count: int, width: int = 4, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, width, generator=generator, dtype=torch.float64)


def weights(count: int) -> Tensor:
    return rows(count, 1, seed=9)[:, 0].abs()


def by_hand(z: Tensor, group: list[int], t: float, weight: list[float]) -> list[float]:
    """The docstring's formula in plain Python."""
    unit = [[v / math.hypot(*row) for v in row] for row in z.tolist()]
    count, values = len(unit), []

    def close(i: int, j: int) -> float:
        return math.fsum(p * q for p, q in zip(unit[i], unit[j], strict=True)) / t

    for i in range(count):
        others = [j for j in range(count) if j != i]
        total = math.log(math.fsum(math.exp(close(i, j)) for j in others))
        mates = [j for j in others if group[j] == group[i]]
        heavy = math.fsum(weight[j] for j in mates)
        terms = [weight[j] * (close(i, j) - total) for j in mates]
        values.append(-math.fsum(terms) / heavy if heavy else 0.0)
    return values


def gradient(z: Tensor, group: Tensor, *args: object, **options: object) -> Tensor:
    z = z.clone().requires_grad_()
    value = group_contrast(z, group, *args, **options)
    (value * torch.linspace(0.2, 1.7, len(z), dtype=value.dtype)).sum().backward()
    return z.grad


def same(ours: Tensor, theirs: Tensor, tolerance: float = 1e-9) -> None:
    torch.testing.assert_close(ours, theirs, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("blocked", [False, True])
@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("t", [0.5, 0.05])
def test_equals_the_formula(blocked: bool, group: list[int], t: float) -> None:
    z, w = rows(len(group)), weights(len(group))
    value = group_contrast(z, torch.tensor(group), t, blocked=blocked)
    same(value, torch.tensor(by_hand(z, group, t, [1.0] * len(z)), dtype=z.dtype))
    value = group_contrast(z, torch.tensor(group), t, w, blocked=blocked)
    same(value, torch.tensor(by_hand(z, group, t, w.tolist()), dtype=z.dtype))


@pytest.mark.parametrize("group", GROUPS)
def test_the_gradient_is_right(group: list[int]) -> None:
    z, w = rows(len(group), 3).requires_grad_(), weights(len(group))
    for weight in (None, w):
        assert torch.autograd.gradcheck(
            lambda x, w=weight: group_contrast(x, torch.tensor(group), 0.3, w, blocked=True), z
        )


@pytest.mark.parametrize("tile", [(3, 5), (256, 1024)])
def test_both_forms_have_the_same_gradient(
    tile: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adframe.ops.contrastive, "TILE", tile)
    count = 40 if tile[0] == 3 else 700
    z, w, group = rows(count, 16), weights(count), torch.arange(count) // 3
    dense = gradient(z, group, 0.5, w, blocked=False)
    same(gradient(z, group, 0.5, w, blocked=True), dense)
    single = gradient(z.float(), group, 0.5, w, blocked=True).double()
    assert (single - dense).abs().max() < 1e-6
    other = gradient(z, group.roll(1), 0.5, w, blocked=True)  # so that agreeing means something
    assert (other - dense).abs().max() > 1e-2


@pytest.mark.parametrize("labels", ["instances", "classes"])
def test_equals_the_losses_of_pytorch_metric_learning(labels: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        losses = pytest.importorskip("pytorch_metric_learning.losses")
    z = rows(24, 8).float()
    if labels == "instances":
        group, loss = torch.arange(12).repeat(2), losses.NTXentLoss(temperature=0.3)
    else:
        group, loss = torch.arange(24) % 5, losses.SupConLoss(temperature=0.3)
    ours = group_contrast(z, group, 0.3, blocked=True).mean()
    assert ours.item() == pytest.approx(loss(z, group).item(), abs=1e-5)


@pytest.mark.parametrize("blocked", [False, True])
def test_a_row_without_positives_adds_nothing_and_pulls_at_nothing(blocked: bool) -> None:
    z, group = rows(5), torch.tensor([0, 1, 2, 3, 4])
    assert not group_contrast(z, group, 0.5, blocked=blocked).any()
    assert not gradient(z, group, 0.5, blocked=blocked).any()
    weightless = torch.tensor([1.0, 0, 0, 1, 1])  # rows 1 and 2 are no positives of row 0
    value = group_contrast(z, torch.tensor([0, 0, 0, 1, 1]), 0.5, weightless, blocked=blocked)
    assert value[0] == 0
    assert value[1:].all()


@pytest.mark.parametrize("blocked", [False, True])
def test_the_row_with_nearly_all_weight_still_sees_the_others(blocked: bool) -> None:
    z, group = rows(6), torch.zeros(6, dtype=torch.long)
    w = torch.tensor([1, 3e-12, 1e-12, 2e-12, 5e-12, 1e-12], dtype=torch.float32)
    expected = by_hand(z, [0] * 6, 0.5, w.tolist())
    value = group_contrast(z.float(), group, 0.5, w, blocked=blocked)
    same(value.double(), torch.tensor(expected, dtype=torch.float64), 1e-5)
    exact = gradient(z, group, 0.5, w, blocked=False)
    same(gradient(z.float(), group, 0.5, w, blocked=blocked).double(), exact, 1e-5)


@pytest.mark.parametrize("t", [0.02, 0.01, 0.003, 0.001])
def test_a_sharp_temperature_neither_overflows_nor_underflows(t: float) -> None:
    z, group = rows(30, 6), torch.arange(30) % 4
    dense = group_contrast(z, group, t, blocked=False)
    same(group_contrast(z.float(), group, t, blocked=True).double(), dense, 1e-3)
    exact = gradient(z, group, t, blocked=False)
    ours = gradient(z.float(), group, t, blocked=True).double()
    assert (ours - exact).norm() < 1e-3 * exact.norm()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_autocast_changes_neither_value_nor_gradient(dtype: torch.dtype) -> None:
    z, group = (100 * rows(20, 32)).to(dtype), torch.arange(10).repeat(2)
    expected = gradient(z, group, 0.1, blocked=True)
    with torch.autocast("cpu", torch.bfloat16):  # its backward pass too
        value = group_contrast(z, group, 0.1, blocked=True)
        pull = gradient(z, group, 0.1, blocked=True)
    assert value.dtype == torch.float32
    assert torch.equal(value, group_contrast(z.float(), group, 0.1, blocked=True))
    assert torch.equal(pull, expected)


def test_collapsed_embeddings_give_a_finite_value_and_gradient() -> None:
    group = torch.arange(4).repeat(2)
    for z in (torch.ones(8, 3), torch.zeros(8, 3)):
        assert group_contrast(z, group, 0.01, blocked=True).isfinite().all()
        assert gradient(z, group, 0.01, blocked=True).isfinite().all()


class _Largest(TorchDispatchMode):
    """The most elements that any tensor made under it has."""

    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if isinstance(out, Tensor):
            self.elements = max(self.elements, out.numel())
        return out


def test_no_tensor_grows_with_the_square_and_the_default_is_blocked_from_some_size_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def largest(count: int, **options: object) -> int:
        z, group = rows(count, 4), torch.arange(count) // 2
        with _Largest() as seen:
            gradient(z, group, 0.5, weights(count), **options)
        return seen.elements

    assert largest(60, blocked=True) <= 4 * 60
    assert largest(60, blocked=False) == 60 * 60
    count = 100
    monkeypatch.setattr(adframe.ops.contrastive, "BLOCKED_FROM", count)
    assert largest(count - 1) == (count - 1) ** 2
    assert largest(count) < 6 * count


@pytest.mark.parametrize("count", [2, 3, 5, 6, 7, 10, 11])
def test_any_number_of_rows_is_covered_by_tiles(count: int) -> None:
    z, group = rows(count), torch.zeros(count, dtype=torch.long)
    dense = group_contrast(z, group, 0.5, blocked=False)
    same(group_contrast(z, group, 0.5, blocked=True), dense)


@pytest.mark.parametrize("blocked", [None, False, True])
def test_a_single_row_has_nothing_to_contrast_with(blocked):
    z = rows(1).requires_grad_()
    loss = group_contrast(z, torch.tensor([0]), 0.5, blocked=blocked)
    assert loss.tolist() == [0]
    loss.sum().backward()
    assert z.grad.eq(0).all()


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("groups", GROUPS)
def test_ranks_share_the_pairs_and_get_what_one_process_gets(size, weighted, groups):
    z, group = rows(len(groups), 5), torch.tensor(groups)
    options = {"weight": weights(len(groups)) if weighted else None, "blocked": True}

    def found(world):
        with sharing(world):
            value = group_contrast(z, group, 0.3, **options)
            return value, gradient(z, group, 0.3, **options)

    alone = found(ALONE)
    for each in on_ranks(size, found):
        torch.testing.assert_close(each, alone, rtol=1e-12, atol=1e-13)


def test_ranks_compute_each_tile_once(monkeypatch):
    monkeypatch.setattr(adframe.ops.contrastive, "TILE", (4, 4))
    x = rows(64)

    def places(world):
        tiles = adframe.ops.contrastive._tiles(x, world)
        return {(i, j) for a, b, c, d, _ in tiles for i in range(a, b) for j in range(c, d)}

    one, other = on_ranks(2, places)
    assert not one & other
    assert one | other == places(ALONE)
    assert abs(len(one) - len(other)) <= 16
