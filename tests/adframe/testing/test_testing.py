"""The contract kit: each check finds a component that breaks only this check."""

from __future__ import annotations

from types import ModuleType
from typing import Literal
from unittest import SkipTest

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from adframe import UserError, hookimpl
from adframe.interfaces import (
    Dataset,
    Images,
    Method,
    Metric,
    Observer,
    Optimizer,
    Positive,
    Scorer,
    Shift,
    Splits,
    Stage,
    Update,
    ViewSpec,
)
from adframe.ops import by_anchors
from adframe.testing import CHECKS, cases, check
from adframe.testing.fakes import SmallNet, Spread, Still, UpsideDown, WholeNet


def broken_by(component: type) -> set[str]:
    """Names of the checks a class does not pass."""
    failed = set()
    for case in cases(component):
        try:
            case()
        except SkipTest:
            continue
        except Exception:
            failed.add(case.check.__name__)
    return failed


class GoodScorer(Scorer):
    """Distance from the mean."""

    def fit(self, features):
        self.mean = features["features"].mean((0, 1, 2))

    def score(self, features):
        return (features["features"].mean((1, 2)) - self.mean).norm(dim=1)


class GoodMethod(Method):
    """One loss on one view."""

    def setup(self, parts):
        self.backbone = parts.backbone
        self.terms = nn.ModuleList([term.loss() for term in parts.objective])

    def step(self, batch, progress):
        yield Update(self.terms[0](self.embed(batch.pixels / 255)["features"], None))

    def embed(self, images):
        return {"features": self.backbone(images)[-1].mean((2, 3))}


class GoodOptimizer(Optimizer):
    """Plain descent."""

    def build(self, parameters):
        return torch.optim.SGD(parameters, lr=0.1)


class GoodData(Dataset):
    """Nothing but noise."""

    def load(self, seed):
        generator = torch.Generator().manual_seed(seed)

        def images(count, outliers=0):
            pixels = torch.randint(256, (count, 3, 8, 8), generator=generator).byte()
            label, outlier = torch.full((count,), -1), torch.arange(count) < outliers
            return Images(pixels, label, outlier, [str(row) for row in range(count)])

        return Splits(images(4), images(4, 2))


GOOD = [GoodScorer, GoodMethod, GoodOptimizer, GoodData, SmallNet, Spread, Still, WholeNet,
        UpsideDown]  # fmt: skip


@pytest.mark.parametrize("component", GOOD, ids=lambda c: c.__name__)
def test_a_good_component_passes_all(component):
    documented = component if component is not WholeNet else _documented()
    assert broken_by(documented) - {"says_what_it_is"} == set()


def _documented():
    class Documented(WholeNet):
        """Trains the last stage.

        Args:
            augmentation: What makes the views.
        """

    return Documented


# --- options -------------------------------------------------------------------------------------


class Unannotated(Spread):
    """Has an option without a type."""

    def __init__(self, temperature=1.0):
        super().__init__()


class Undocumented(Spread):
    """Has an option without a word."""

    def __init__(self, temperature: Positive = 1.0) -> None:
        super().__init__()


class Unbounded(Spread):
    """Has an option without bounds.

    Args:
        weights: Anything, in two ways.
    """

    def __init__(self, weights: list[float] | None = None) -> None:
        super().__init__()


class Outdated(Spread):
    """Describes what it has not.

    Args:
        temperature: Gone.
    """


class Refusing(Spread):
    """Refuses its own default.

    Args:
        temperature: Any.
    """

    def __init__(self, temperature: Positive = 1.0) -> None:
        super().__init__()
        raise ValueError("not this one")


class Silent(Spread):
    """X."""


# --- losses --------------------------------------------------------------------------------------


class Layout(Spread):
    """Takes the first half for the first views."""

    def forward(self, embeddings, views):
        one, other = embeddings.chunk(2)
        return (F.normalize(one) * F.normalize(other)).sum(1)[: len(one) // 2].mean()


class Numbered(Spread):
    """Weighs an image by its number."""

    def forward(self, embeddings, views):
        return (F.normalize(embeddings.float()).sum(1) * views.source).mean()


class Vector(Spread):
    """One value a row."""

    def forward(self, embeddings, views):
        return F.normalize(embeddings.float()).sum(1)


class Detached(Spread):
    """Has no gradient."""

    def forward(self, embeddings, views):
        return super().forward(embeddings.detach(), views)


class Rooted(Spread):
    """The gradient at a distance of zero is infinite."""

    def forward(self, embeddings, views):
        return (embeddings[:, None] - embeddings).square().sum(2).sqrt().mean()


class Overflowing(Spread):
    """An exponential too many."""

    def forward(self, embeddings, views):
        return (embeddings @ embeddings.T).exp().mean().log()


class Half(Spread):
    """Fails of what is not float32."""

    def forward(self, embeddings, views):
        if embeddings.dtype != torch.float32:
            raise RuntimeError("expected scalar type Float")
        return super().forward(embeddings, views)


class Counting(Spread):
    """Differs from call to call."""

    calls = 0

    def forward(self, embeddings, views):
        self.calls += 1
        return super().forward(embeddings, views) * self.calls


class Forgetful(Spread):
    """Keeps a weight where no state dict looks."""

    def setup(self, dims):
        self.scale = [torch.rand(())]

    def forward(self, embeddings, views):
        return super().forward(embeddings, views) * self.scale[0]


class Misnaming(Spread):
    """Predicts something else than it names."""

    outputs = ("logits",)

    def predict(self, embeddings):
        return {"logit": embeddings}


class Paired(Spread):
    """The mean over pairs of rows, of which one row has none."""

    def forward(self, embeddings, views):
        z = F.normalize(embeddings.float())
        pairs = ~torch.eye(len(z), dtype=torch.bool)
        return (z @ z.T)[pairs].mean()


class PairedOrRefused(Paired):
    """The same, but it says so."""

    def forward(self, embeddings, views):
        if len(embeddings) < 2:
            raise ValueError("needs two rows")
        return super().forward(embeddings, views)


class Halved(Spread):
    """Shares its anchors, but not the gradient of what they are compared with."""

    def forward(self, embeddings, views):
        z = F.normalize(embeddings.float())
        return by_anchors(lambda own: (own @ z.T).exp().mean(1), [z]).mean()


class Picky(Spread):
    """Refuses every data set."""

    def setup(self, dims):
        raise ValueError("no")


# --- scorers -------------------------------------------------------------------------------------


class Column(GoodScorer):
    """Scores in a column."""

    def score(self, features):
        return super().score(features)[:, None]


class Upside(GoodScorer):
    """Higher is more normal."""

    def score(self, features):
        return -super().score(features)


class Relative(GoodScorer):
    """Scores images against each other."""

    def score(self, features):
        return super().score(features) / super().score(features).max()


class Chancy(GoodScorer):
    """RandomKeys when it is fitted."""

    def fit(self, features):
        super().fit(features)
        self.mean = self.mean + 0.1 * torch.randn(16)


class Standardised(GoodScorer):
    """Divides by a deviation that one image has not."""

    def fit(self, features):
        super().fit(features)
        self.scale = features["features"].mean((1, 2)).std(0).mean()

    def score(self, features):
        return super().score(features) / self.scale


class StandardisedOrRefused(Standardised):
    """The same, but it says so."""

    def fit(self, features):
        if len(features["features"]) < 2:
            raise UserError("needs two images")
        super().fit(features)


class Lossy(GoodScorer):
    """Keeps what it learned from its state."""

    def fit(self, features):
        super().fit(features)
        self.scale = float(self.mean.norm())

    def score(self, features):
        return super().score(features) * self.scale


class Blind(GoodScorer):
    """Asks for nothing."""

    def view_spec(self):
        return ViewSpec(outputs=())


# --- images --------------------------------------------------------------------------------------


class Same(Shift):
    """Two variants that are one."""

    variants = 2

    def __call__(self, images, variant):
        return images.flip(-1) if variant else images


class Never(UpsideDown):
    """Flips variant 0 too."""

    def __call__(self, images, variant):
        return images.flip(-1 - variant)


class Floats(UpsideDown):
    """Makes floating point of bytes."""

    def __call__(self, images, variant):
        return images.float().flip(-2) if variant else images


class Mixing(UpsideDown):
    """Reverses the batch."""

    def __call__(self, images, variant):
        return images.flip(0).flip(-2) if variant else images


class Global(Still):
    """RandomKeys from PyTorch's generator."""

    def __call__(self, images, keys, strength=1.0):
        images = super().__call__(images, keys)
        return images * torch.rand(1, dtype=images.dtype)


class Bright(Still):
    """Leaves the range."""

    def __call__(self, images, keys, strength=1.0):
        return super().__call__(images, keys) * 1.5


class Weak(Still):
    """Is mild by default."""

    def __call__(self, images, keys, strength=0.5):
        return super().__call__(images, keys) * strength


class Deep(SmallNet):
    """Ignores the depth."""

    def forward(self, images, depth=None):
        return super().forward(images)[:depth]


class DeepInside(SmallNet):
    """Computes everything, and lets it count."""

    def forward(self, images, depth=None):
        one, other = super().forward(images)
        return [one + 0 * other.mean(), other][:depth]


class Narrow(SmallNet):
    """Says other widths."""

    def __init__(self) -> None:
        super().__init__()
        self.widths = [4, 5]


class Normed(SmallNet):
    """Normalises over the batch, in evaluation too."""

    def forward(self, images, depth=None):
        return super().forward(images - images.mean(0) * 0.5, depth)


# --- the rest ------------------------------------------------------------------------------------


class Beyond(WholeNet):
    """Trains a stage that does not exist."""

    def __init__(self) -> None:
        super().__init__(Still())

    def stages(self, levels, progress):
        return [Stage(levels + 1, self.augmentation)]


class Loud(Beyond):
    """Its augmentation leaves the range."""

    def stages(self, levels, progress):
        return [Stage(levels, lambda images, keys: images * 2)]


class Erasing(Metric):
    """Changes what it reads."""

    def value(self, normal, anomalous):
        normal.scores.zero_()
        return 0.5


class First(Metric):
    """Looks at one image."""

    def value(self, normal, anomalous):
        return float(anomalous.scores[0])


class Ungrouped(GoodMethod):
    """Yields for a group nobody knows."""

    def step(self, batch, progress):
        for update in super().step(batch, progress):
            yield Update(update.loss, "other")


class Blending(GoodMethod):
    """Shares rows that are not separate: it divides them by the sum of all."""

    def setup(self, parts):
        super().setup(parts)
        self.register_buffer("total", torch.zeros(()))

    def step(self, batch, progress):
        shares = self.by_rows(lambda rows: rows / rows.sum(), batch.pixels.float())
        self.total.copy_(shares.sum())
        yield from super().step(batch, progress)


class Stepping(GoodMethod):
    """Moves weights itself, frozen ones too."""

    def step(self, batch, progress):
        yield from super().step(batch, progress)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.mul_(0.9)


class Promising(GoodMethod):
    """Names an output that never comes."""

    def outputs(self):
        return ("features", "logits")


class Random(GoodMethod):
    """Depends on what the clock says."""

    count = 0

    def step(self, batch, progress):
        Random.count += 1
        for update in super().step(batch, progress):
            yield Update(update.loss * Random.count)


class Hidden(GoodMethod):
    """Keeps a network where no state dict looks."""

    def setup(self, parts):
        super().setup(parts)
        self.kept = [nn.Linear(6, 6)]

    def embed(self, images):
        return {"features": self.kept[0](super().embed(images)["features"])}


class Listing(GoodMethod):
    """Returns a list of updates."""

    def step(self, batch, progress):
        return list(super().step(batch, progress))


class Numbering(GoodMethod):
    """Counts its steps where no state dict looks."""

    steps = 0

    def step(self, batch, progress):
        self.steps += 1
        for update in super().step(batch, progress):
            yield Update(update.loss / self.steps)


class Annealed(GoodMethod):
    """Keeps a factor where no state dict looks."""

    factor = 1.0

    def step(self, batch, progress):
        self.factor *= 0.5
        for update in super().step(batch, progress):
            yield Update(update.loss * self.factor)


class Counted(GoodMethod):
    """Counts its steps in a buffer."""

    def setup(self, parts):
        super().setup(parts)
        self.register_buffer("steps", torch.zeros(()))

    def step(self, batch, progress):
        self.steps += 1
        for update in super().step(batch, progress):
            yield Update(update.loss / self.steps)


class Drawing(GoodMethod):
    """Draws from the keys of the batch themselves."""

    def step(self, batch, progress):
        for update in super().step(batch, progress):
            yield Update(update.loss * batch.keys.uniform().mean())


class OfOneMethod(GoodScorer):
    """Computes with what only one method has."""

    needs_method = Counted

    def view_spec(self):
        return ViewSpec(compute=self.compute)

    def compute(self, network, images):
        return {"features": network.embed(images)["features"] * network.steps}


class Searching(GoodScorer):
    """Computes an output relative to the other images."""

    def view_spec(self):
        return ViewSpec(compute=self.compute)

    def compute(self, network, images):
        features = network.embed(images)["features"]
        return {"features": features - features.mean(0)}


class Hookless(Observer):
    """Has no hook."""


class Looking(Observer):
    """Reads what the docs list of a run."""

    @hookimpl
    def adframe_epoch_end(self, run, epoch):
        run.assembly.method.embed(run.data.validation.pixels / 255)
        run.log("channels", sum(run.assembly.parts.backbone.widths))
        assert len(run.history["channels"]) == epoch


class Ending(Observer):
    """Ends a run and does not say so."""

    @hookimpl
    def adframe_epoch_end(self, run, epoch):
        run.finish("enough")


class Clinging(Observer):
    """Closes what it has not opened."""

    @hookimpl
    def adframe_run_start(self, run):
        self.file = []

    def close(self, error):
        self.file.append(error)


class Half2(GoodOptimizer):
    """Moves the first parameter alone."""

    def build(self, parameters):
        return torch.optim.SGD(parameters[:1], lr=0.1)


class Backwards(GoodOptimizer):
    """Its rate falls below zero."""

    def rate(self, progress):
        return 1 - 2 * progress


class Memory(GoodOptimizer):
    """Keeps its momentum to itself."""

    def build(self, parameters):
        class Sticky(torch.optim.SGD):
            calls = 0

            def step(self, closure=None):
                self.calls += 1
                self.param_groups[0]["lr"] = 0.1 / self.calls
                super().step(closure)

        return Sticky(parameters, lr=0.1)


class Leaky(GoodData):
    """Trains on outliers."""

    def load(self, seed):
        splits = super().load(seed)
        return Splits(splits.test, splits.test)


class Drawn(GoodData):
    """Another split every time."""

    def load(self, seed):
        return super().load(int(torch.randint(1 << 30, ())))


_STEPS = {"method_trains", "method_is_deterministic_for_a_seed", "method_reloads",
          "method_leaves_frozen_weights", "method_resumes_from_its_state",
          "method_is_the_same_on_two_ranks"}  # fmt: skip
BROKEN = {
    Unannotated: {"is_a_schema", "describes_every_option", "bounds_every_number",
                  "dumps_and_reloads"},
    Undocumented: {"describes_every_option"},
    Unbounded: {"bounds_every_number"},
    Outdated: {"describes_every_option"},
    Refusing: {"dumps_and_reloads", *(c.__name__ for c in CHECKS["loss"])}
    - {"predicts_its_outputs"},
    Silent: {"says_what_it_is"},
    Layout: {"does_not_depend_on_row_order"},
    Numbered: {"does_not_depend_on_row_order"},
    Vector: {"is_a_finite_scalar_on_the_embeddings_device", "does_not_depend_on_row_order",
             "gradients_are_finite", "works_under_autocast"},
    Detached: {"does_not_depend_on_row_order", "gradients_are_finite",
               "one_row_is_finite_or_refused", "works_under_autocast"},
    Rooted: {"does_not_depend_on_row_order", "gradients_are_finite",
             "one_row_is_finite_or_refused", "works_under_autocast"},
    Overflowing: {"gradients_are_finite", "works_under_autocast"},
    Half: {"works_under_autocast"},
    Counting: {"does_not_depend_on_row_order", "is_deterministic_for_a_seed"},
    Forgetful: {"weights_reload"},
    Misnaming: {"predicts_its_outputs"},
    Paired: {"one_row_is_finite_or_refused"},
    PairedOrRefused: set(),
    Halved: {"is_the_same_on_two_ranks"},
    Picky: {c.__name__ for c in CHECKS["loss"]} - {"predicts_its_outputs"},
    Column: {"scores_each_image_once"},
    Upside: {"higher_is_more_anomalous"},
    Relative: {"score_does_not_depend_on_other_images"},
    Chancy: {"fitting_is_deterministic"},
    Standardised: {"one_training_image_is_enough_or_refused"},
    StandardisedOrRefused: set(),
    Lossy: {"state_reloads"},
    Blind: {c.__name__ for c in CHECKS["scorer"]} - {"computes_what_it_requests"},
    Same: {"shift_variants_differ"},
    Never: {"shift_variant_0_is_the_identity"},
    Floats: {"shift_keeps_shape_type_and_range"},
    Mixing: {"shift_treats_each_image_separately"},
    Global: {"augmentation_treats_each_image_separately", "augmentation_draws_from_its_keys_alone"},
    Bright: {"augmentation_keeps_shape_type_and_range"},
    Weak: {"augmentation_draws_from_its_keys_alone"},
    Deep: {"backbone_computes_no_deeper_than_asked"},
    DeepInside: {"backbone_computes_no_deeper_than_asked"},
    Narrow: {"backbone_maps_are_as_wide_as_it_says"},
    Normed: {"backbone_treats_each_image_separately"},
    Beyond: {"schedule_trains_stages_that_exist"},
    Loud: {"schedule_augments_each_image_separately"},
    Ungrouped: _STEPS,
    Listing: _STEPS,
    Blending: {"method_is_the_same_on_two_ranks"},
    Numbering: {"method_resumes_from_its_state"},
    Annealed: {"method_resumes_from_its_state"},
    Counted: set(),
    Drawing: set(),
    OfOneMethod: set(),
    Looking: set(),
    Searching: {"computes_what_it_requests"},
    Hookless: {"observer_has_hooks"},
    Ending: {"observer_watches_a_run"},
    Clinging: {"observer_may_be_closed_at_once"},
    Stepping: {"method_leaves_frozen_weights"},
    Promising: {"method_embeds_each_image_separately"},
    Random: {"method_is_deterministic_for_a_seed", "method_resumes_from_its_state"},
    Hidden: {"method_reloads"},
    Half2: {"optimizer_moves_every_parameter_down"},
    Backwards: {"optimizer_rate_is_a_factor"},
    Memory: {"optimizer_resumes_from_its_state"},
    Leaky: {"delivers_labelled_images"},
    Drawn: {"seed_fixes_the_split"},
    Erasing: {"value_is_a_number"},
    First: {"order_does_not_matter"},
}  # fmt: skip


@pytest.mark.parametrize("component", BROKEN, ids=lambda c: c.__name__)
def test_a_broken_component_is_found_by_the_checks_of_what_it_breaks(component):
    assert broken_by(component) == BROKEN[component]


def test_every_check_is_seen_to_fail():
    seen = set().union(*BROKEN.values())
    every = {c.__name__ for checks in CHECKS.values() for c in checks}
    rest = {"backbone_trains_under_autocast", "backbone_is_deterministic_and_reloads"}
    assert every - seen == rest


# --- what cases are made of ----------------------------------------------------------------------


def plugin(name, **targets):
    """A module that registers these losses."""

    @hookimpl
    def adframe_register(add):
        for called, target in targets.items():
            add("loss", called, target)

    module = ModuleType(name)
    module.adframe_register = adframe_register
    return module


def test_a_plugin_is_checked_as_it_registers():
    names = {str(case) for case in cases(plugin("ideas", one=Spread, two=Rooted))}
    assert {"loss-one-gradients_are_finite", "loss-two-does_not_depend_on_row_order"} <= names
    assert len(names) == 2 * (5 + len(CHECKS["loss"]))


def test_a_plugin_that_does_not_load_fails_with_its_reason():
    why = "plugin 'ideas' does not load: 'Bad' is not a component name"
    with pytest.raises(AssertionError, match=why):
        cases(plugin("ideas", Bad=Spread))


class Choosing(Spread):
    """Has a choice.

    Args:
        mode: Which.
        twice: Whether twice.
        size: How large.
    """

    def __init__(self, size: Positive, mode: Literal["a", "b", "c"] = "a", twice: bool = True):
        super().__init__()
        if mode == "c":
            raise ValueError("no c today")
        self.mode = mode


def test_every_fixed_choice_is_a_case_and_a_refused_one_is_skipped():
    found = cases(plugin("ideas", x=Choosing), {("loss", "x"): {"size": 1.0}})
    one = [case for case in found if case.check.__name__ == "gradients_are_finite"]
    assert [case.subject.variant for case in one] == ["", "mode=b", "mode=c", "twice=False"]
    with pytest.raises(SkipTest, match="x-mode=c is refused: no c today"):
        one[2]()
    one[1]()


def test_a_component_that_needs_options_is_skipped_unless_they_are_given():
    with pytest.raises(SkipTest, match="needs options: size"):
        check(Choosing)
    check(Choosing, size=2.0)


def test_a_check_that_cannot_be_made_hides_none_that_fails():
    class Broken(Choosing):
        """Needs a size, and describes none of its options."""

    Broken.__doc__ = "Needs a size.\n\nArgs:\n    gone: No such option.\n"
    with pytest.raises(AssertionError):
        check(Broken)


def test_what_is_no_component_is_refused():
    with pytest.raises(AssertionError, match="subclasses no class"):
        check(int)
