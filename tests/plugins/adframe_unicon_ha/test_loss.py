"""UniCLR against Eq. 1 and 4-7 of the paper, written out in plain Python."""

import math
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from adframe import Views
from adframe_unicon_ha.loss import UniCLR

FORMS = ["none", "positives", "pairwise", "printed"]
SOFT = FORMS[1:]


@pytest.fixture(params=["dense", "blocked"], autouse=True)
def _form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test of this file sees both forms of the loss, the blocked one in small blocks."""
    if request.param == "blocked":
        monkeypatch.setattr("adframe.ops.contrastive.BLOCKED_FROM", 0)
        monkeypatch.setattr("adframe.ops.contrastive.TILE", (3, 5))
        monkeypatch.setattr("adframe_unicon_ha.loss._ROWS", 4)


#                  images, shifts, width, label of each image
SHAPES = [
    (2, 1, 3, None),
    (3, 3, 8, None),
    (5, 2, 4, None),
    (1, 3, 5, None),
    (4, 0, 6, None),
    (5, 2, 4, [0, 1, 0, 2, 1]),
    (3, 1, 2, [0, 1, 2]),
    (4, 3, 6, [7, 7, -1, -1]),
]


# --- the paper, in plain Python -------------------------------------------------------------------

Row = tuple[int, int, int]  # image, shift, which of the two views


@dataclass
class Paper:
    """Eq. 1 and 4-7 over rows named by image, shift and view. Inliers are the unshifted."""

    z: dict[Row, list[float]]
    label: dict[int, int]
    tau: float = 0.5
    tau_w: float = 0.5
    form: str = "none"
    frozen: dict[Row, float] | None = None

    def cosine(self, a: Row, b: Row) -> float:
        x, y = self.z[a], self.z[b]
        return math.fsum(p * q for p, q in zip(x, y, strict=True)) / math.hypot(*x) / math.hypot(*y)

    def share(self, x: Row, other: Row, rest: set[Row]) -> float:
        """The fraction inside the logarithm of Eq. 1."""
        total = math.fsum(math.exp(self.cosine(x, each) / self.tau) for each in rest)
        return math.exp(self.cosine(x, other) / self.tau) / total

    def cons(self, x: Row, plus: set[Row], minus: set[Row]) -> float:  # Eq. 1
        return -math.fsum(math.log(self.share(x, y, plus | minus)) for y in plus) / len(plus)

    def weight(self, x: Row, pool: set[Row]) -> float:  # Eq. 7; the pool holds x
        if self.frozen is not None:
            return self.frozen[x]

        def closeness(k: Row) -> float:
            return math.fsum(math.exp(self.cosine(k, j) / self.tau_w) for j in pool - {k})

        return closeness(x) / math.fsum(closeness(k) for k in pool)

    def soft_cons(self, x: Row, plus: set[Row], minus: set[Row]) -> float:  # Eq. 6
        pool = plus | {x}
        w = {y: self.weight(y, pool) for y in pool}
        share = {y: self.share(x, y, plus | minus) for y in plus}
        if self.form == "printed":
            inside = math.fsum(math.log(w[x] * w[y] * share[y]) for y in plus)
            return -inside / math.fsum(w[x] * w[y] for y in plus)
        outside = math.fsum(w[x] * w[y] * math.log(share[y]) for y in plus)
        value = -outside / math.fsum(w[x] * w[y] for y in plus)
        return value if self.form == "positives" else value * len(pool) * w[x]

    def of_view(self, x: Row) -> float:  # Eq. 5
        image, shift, view = x
        batch = set(self.z)
        if shift:
            twin = {(image, shift, 1 - view)}
            return self.cons(x, twin, batch - twin - {x})
        same = {y for y in batch if y[1] == 0 and self.label[y[0]] == self.label[image]} - {x}
        cons = self.cons if self.form == "none" else self.soft_cons
        return cons(x, same, batch - same - {x})

    def loss(self) -> float:  # Eq. 4
        return math.fsum(self.of_view(x) for x in self.z) / len(self.z)


def batch(
    images: int, shifts: int, width: int, labels: list[int] | None = None, seed: int = 0
) -> tuple[Tensor, Views]:
    """Float64 embeddings and their views, each image unshifted and shifted, two views of each."""
    rows = [(i, s) for _ in range(2) for s in range(shifts + 1) for i in range(images)]
    source, shift = torch.tensor(rows).T
    labels = labels or [-1] * images
    views = Views(source, shift, torch.tensor(labels)[source], shift == 0)
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(len(rows), width, generator=generator, dtype=torch.float64), views


def paper(z: Tensor, views: Views, **options: object) -> Paper:
    seen: Counter[tuple[int, int]] = Counter()
    rows: list[Row] = []
    for instance in zip(views.source.tolist(), views.shift.tolist(), strict=True):
        rows.append((*instance, seen[instance]))
        seen[instance] += 1
    label = dict(zip(views.source.tolist(), views.label.tolist(), strict=True))
    return Paper(dict(zip(rows, z.tolist(), strict=True)), label, **options)


def gradient(loss: Callable[[Tensor, Views], Tensor], z: Tensor, views: Views) -> Tensor:
    z = z.clone().requires_grad_()
    loss(z, views).backward()
    return z.grad


def differences(z: Tensor, value: Callable[[Tensor], float], step: float = 1e-5) -> Tensor:
    """The gradient by central differences."""
    out = torch.empty_like(z)
    for index in range(z.numel()):
        up, down = z.flatten().clone(), z.flatten().clone()
        up[index] += step
        down[index] -= step
        difference = value(up.view_as(z)) - value(down.view_as(z))
        out.view(-1)[index] = difference / (2 * step)
    return out


# --- value ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", SHAPES)
def test_equals_the_papers_equations(form: str, shape: tuple) -> None:
    z, views = batch(*shape)
    expected = paper(z, views, form=form).loss()
    assert UniCLR(soft_aggregation=form)(z, views).item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("form", FORMS)
def test_equals_the_papers_equations_at_other_temperatures(form: str) -> None:
    z, views = batch(3, 2, 4, [0, 1, 0])
    expected = paper(z, views, tau=0.2, tau_w=1.7, form=form).loss()
    loss = UniCLR(temperature=0.2, soft_aggregation=form, soft_temperature=1.7)
    assert loss(z, views).item() == pytest.approx(expected, abs=1e-9)


def test_the_soft_temperature_changes_every_soft_form() -> None:
    z, views = batch(3, 2, 4)
    for form in SOFT:
        warm, cold = (UniCLR(soft_aggregation=form, soft_temperature=t)(z, views) for t in (1, 0.1))
        assert abs(warm - cold) > 1e-3


@pytest.mark.parametrize("labels", [None, [0, 1, 0, 2, 1, 0]])
def test_equals_the_supervised_contrastive_loss_of_pytorch_metric_learning(labels: list) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        losses = pytest.importorskip("pytorch_metric_learning.losses")
    z, views = batch(6, 3, 16, labels)
    own_class = 100 + views.source * 10 + views.shift
    classes = torch.where(views.inlier, views.label, own_class)
    expected = losses.SupConLoss(temperature=0.5)(z, classes)
    assert UniCLR()(z, views).item() == pytest.approx(expected.item(), abs=1e-6)


@pytest.mark.parametrize("form", ["none", "positives", "pairwise"])
def test_of_orthogonal_embeddings_is_the_log_of_how_many_others_there_are(form: str) -> None:
    z, views = batch(4, 2, 24)
    value = UniCLR(soft_aggregation=form)(3 * torch.eye(24, dtype=z.dtype), views)
    assert value.item() == pytest.approx(math.log(23), abs=1e-9)


@pytest.mark.parametrize("form", FORMS)
def test_the_length_of_an_embedding_means_nothing(form: str) -> None:
    z, views = batch(3, 2, 4)
    loss = UniCLR(soft_aggregation=form)
    stretched = z * torch.linspace(0.1, 50, len(z), dtype=z.dtype)[:, None]
    assert loss(stretched, views).item() == pytest.approx(loss(z, views).item(), abs=1e-9)


def test_exposed_outliers_are_dispersed_like_shifted_ones() -> None:
    z, views = batch(4, 0, 5)
    exposed = Views(views.source, views.shift, views.label, views.source < 2)
    as_shifted = Views(views.source, (views.source >= 2).long(), views.label, views.source < 2)
    expected = paper(z, as_shifted).loss()
    assert UniCLR()(z, exposed).item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("form", FORMS)
def test_a_view_without_a_positive_adds_nothing_of_its_own(form: str) -> None:
    z, views = batch(3, 1, 4)
    alone = torch.tensor([0, 1, 2, 3, 6, 7, 8])  # shifted image 0 once, 1 and 2 not at all
    z, views = z[alone], views[alone]
    by_hand = paper(z, views, form=form)
    expected = math.fsum(by_hand.of_view(x) for x in by_hand.z if x[1] == 0) / 7
    assert UniCLR(soft_aggregation=form)(z, views).item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("form", FORMS)
def test_an_inlier_without_a_positive_adds_nothing_of_its_own(form: str) -> None:
    z, views = batch(3, 0, 4, [0, 0, 1])
    z, views = z[:-1], views[torch.arange(5)]  # one view of image 2, the only one of its label
    by_hand = paper(z, views, form=form)
    expected = math.fsum(by_hand.of_view(x) for x in by_hand.z if x[0] != 2) / 5
    assert UniCLR(soft_aggregation=form)(z, views).item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("form", ["positives", "pairwise"])
def test_equal_weights_give_what_no_weights_give(form: str) -> None:
    z, views = batch(4, 2, 10)
    inlier = views.inlier
    z[inlier] = F.pad(torch.eye(8, dtype=z.dtype), (0, 2))  # all pairs of inliers equally close
    assert not torch.allclose(z[~inlier][:8], z[inlier])
    none = UniCLR()(z, views).item()
    assert UniCLR(soft_aggregation=form)(z, views).item() == pytest.approx(none, abs=1e-12)


@pytest.mark.parametrize("form", ["positives", "pairwise"])
def test_unequal_weights_change_the_value(form: str) -> None:
    z, views = batch(4, 2, 10)
    assert abs(UniCLR()(z, views) - UniCLR(soft_aggregation=form)(z, views)) > 1e-3


# --- gradient -------------------------------------------------------------------------------------


@pytest.mark.parametrize("labels", [None, [0, 1, 0]])
def test_gradient_is_right(labels: list | None) -> None:
    z, views = batch(3, 2, 4, labels)
    assert torch.autograd.gradcheck(lambda x: UniCLR()(x, views), z.requires_grad_())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("labels", [None, [0, 1, 0]])
def test_gradient_is_the_gradient_of_the_equations(form: str, labels: list | None) -> None:
    z, views = batch(3, 1, 2, labels)
    frozen = _frozen(z, views)
    by_hand = differences(z, lambda x: paper(x, views, form=form, frozen=frozen).loss())
    ours = gradient(UniCLR(soft_aggregation=form), z, views)
    torch.testing.assert_close(ours, by_hand, atol=1e-7, rtol=1e-6)


def _frozen(z: Tensor, views: Views) -> dict[Row, float]:
    """The weights of all inliers at ``z``, each among its own label's."""
    start = paper(z, views)
    inliers = [x for x in start.z if x[1] == 0]
    pools = {x: {y for y in inliers if start.label[y[0]] == start.label[x[0]]} for x in inliers}
    return {x: start.weight(x, pool) for x, pool in pools.items()}


@pytest.mark.parametrize("form", SOFT)
def test_weights_carry_no_gradient(form: str) -> None:
    z, views = batch(3, 1, 3)
    start = paper(z, views)
    pool = {x for x in start.z if x[1] == 0}
    frozen = {x: start.weight(x, pool) for x in pool}
    ours = gradient(UniCLR(soft_aggregation=form), z, views)
    fixed = differences(z, lambda x: paper(x, views, form=form, frozen=frozen).loss())
    moving = differences(z, lambda x: paper(x, views, form=form).loss())
    torch.testing.assert_close(ours, fixed, atol=1e-7, rtol=1e-6)
    assert (ours - moving).abs().max() > 1e-3


def _anchor(z: Tensor, views: Views, form: str, view: Row) -> float:
    """How hard the term of one anchor pulls at its embedding, the weights being constants."""
    start = paper(z, views)
    pool = {x for x in start.z if x[1] == 0}
    frozen = {x: start.weight(x, pool) for x in pool}
    row = list(start.z).index(view)

    def term(x: Tensor) -> float:
        moved = torch.cat([z[:row], x, z[row + 1 :]])
        return paper(moved, views, form=form, frozen=frozen).of_view(view)

    return differences(z[row : row + 1], term).norm().item()


def _with_a_stray() -> tuple[Tensor, Views]:
    """Five inliers' views close together, but the first, which is far off."""
    z, views = batch(5, 1, 6)
    z[views.inlier] = 0.2 * z[views.inlier] + torch.eye(6, dtype=z.dtype)[0]
    z[0] = torch.eye(6, dtype=z.dtype)[1] + 0.2 * z[0]
    return z, views


def test_a_less_trusted_anchor_pulls_harder_as_printed_and_less_hard_pairwise() -> None:
    z, views = _with_a_stray()
    start = paper(z, views)
    pool = {x for x in start.z if x[1] == 0}
    weight = {x: start.weight(x, pool) for x in pool}
    stray, trusted = min(weight, key=weight.get), max(weight, key=weight.get)
    assert stray == (0, 0, 0)
    relative = {}
    for form in FORMS:
        pull = {view: _anchor(z, views, form, view) for view in (stray, trusted)}
        relative[form] = pull[stray] / pull[trusted]
    assert relative["pairwise"] < 0.8 * relative["none"]
    assert relative["printed"] > 1.25 * relative["none"]
    assert relative["pairwise"] == pytest.approx(
        relative["positives"] * weight[stray] / weight[trusted], rel=1e-6
    )


def test_a_stray_view_is_moved_more_as_printed_and_less_pairwise() -> None:
    z, views = _with_a_stray()
    share = {}
    for form in FORMS:
        pull = gradient(UniCLR(soft_aggregation=form), F.normalize(z), views).norm(dim=1)
        share[form] = (pull[0] / pull[views.inlier].sum()).item()
    assert share["pairwise"] < share["positives"] <= share["none"] + 1e-9
    assert share["pairwise"] < 0.9 * share["none"]
    assert share["printed"] > share["positives"]


# --- precision ------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_autocast_changes_nothing(form: str, dtype: torch.dtype) -> None:
    z, views = batch(4, 3, 32)
    z = (100 * z).to(dtype)
    loss = UniCLR(temperature=0.05, soft_aggregation=form)
    expected = loss(z.float(), views)
    with torch.autocast("cpu", torch.bfloat16):
        value = loss(z, views)
    assert value.dtype == torch.float32
    assert value.isfinite()
    assert torch.equal(value, expected)


@pytest.mark.parametrize("form", ["positives", "pairwise"])
@pytest.mark.parametrize("temperature", [0.01, 0.002])
def test_sharp_weights_do_not_overflow(form: str, temperature: float) -> None:
    z, views = batch(3, 1, 4)
    z = z / 4 + torch.eye(4, dtype=z.dtype)[0]
    options = {"temperature": 0.1, "soft_temperature": temperature, "soft_aggregation": form}
    value = UniCLR(**options)(z.float(), views)
    expected = UniCLR(**options)(z, views).item()
    if temperature == 0.01:  # what plain Python can still hold
        by_hand = paper(z, views, tau=0.1, tau_w=0.01, form=form).loss()
        assert expected == pytest.approx(by_hand, abs=1e-9)
    assert value.item() == pytest.approx(expected, rel=1e-2)


@pytest.mark.parametrize("form", FORMS)
def test_collapsed_embeddings_give_a_finite_loss_and_gradient(form: str) -> None:
    z, views = batch(3, 2, 4)
    loss = UniCLR(temperature=0.01, soft_aggregation=form)
    for collapsed in (torch.ones_like(z), torch.zeros_like(z)):
        assert loss(collapsed.float(), views).isfinite()
        assert gradient(loss, collapsed.float(), views).isfinite().all()
