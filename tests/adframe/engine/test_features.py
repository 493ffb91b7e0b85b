"""The views that scorers request: shared by the shifts, or drawn for each."""

import torch

from adframe.engine.features import extract_features
from adframe.interfaces import Method, Shift, ViewSpec, Windows

SHIFTS = 3


class Turn(Shift):
    variants = SHIFTS

    def __call__(self, images, variant):
        return torch.rot90(images, variant, (2, 3))


class Pixels(Method):
    """Returns the images that it gets."""

    def setup(self, parts):
        pass

    def step(self, batch, progress):
        yield from ()

    def embed(self, images):
        return {"features": images.flatten(1)}


def noise(images, keys):
    return torch.zeros(images.shape) + keys.uniform(3, 4, 4)


def mark(images, keys):
    """Sets the first pixel at random, before the shift."""
    images = images.clone() if images.is_floating_point() else images.float() / 255
    images[:, :, 0, 0] = keys.uniform(3)
    return images


def pixels(count=9):
    return torch.randint(256, (count, 3, 4, 4), generator=torch.Generator().manual_seed(0)).byte()


def seen(images=None, **spec):
    """Views as (N, views, variants, 3, 4, 4)."""
    images = pixels() if images is None else images
    made = extract_features(Pixels(), [Turn()], images, ViewSpec(**spec), seed=3)
    features = torch.cat([block["features"] for block in made])
    return features.unflatten(-1, (3, 4, 4))


def upright(views):
    """Each variant turned back."""
    turned = [torch.rot90(views[:, :, k], -k, (3, 4)) for k in range(views.shape[2])]
    return torch.stack(turned, 2)


def distinct(views):
    return len(views.flatten(0, -4).flatten(1).unique(dim=0))


def test_the_shifts_of_a_view_share_its_random_numbers():
    after = seen(views=2, transform=noise, apply_shifts=True)
    assert torch.equal(after, after[:, :, :1].expand_as(after))
    assert distinct(after) == 9 * 2
    before = upright(seen(views=2, pre_shift=mark, apply_shifts=True))
    assert torch.equal(before, before[:, :, :1].expand_as(before))
    assert distinct(before) == 9 * 2


def test_independent_shifts_have_their_own():
    after = seen(views=2, transform=noise, apply_shifts=True, independent=True)
    assert distinct(after) == 9 * 2 * (1 + SHIFTS)
    before = upright(seen(views=2, pre_shift=mark, apply_shifts=True, independent=True))
    assert distinct(before) == 9 * 2 * (1 + SHIFTS)
    plain = (pixels().float() / 255)[:, None, None].expand_as(before)
    assert torch.equal(before[..., 1:, :], plain[..., 1:, :])  # shifted, and marked before it


def test_the_unshifted_view_does_not_depend_on_it():
    spec = {"views": 2, "transform": noise, "pre_shift": mark}
    shared, own = (seen(**spec, apply_shifts=True, independent=flag) for flag in (False, True))
    assert torch.equal(shared[:, :, 0], own[:, :, 0])
    assert torch.equal(own[:, :, :1], seen(**spec, independent=True))


def test_independent_views_depend_on_neither_batch_nor_order():
    spec = {"views": 2, "transform": noise, "apply_shifts": True, "independent": True}
    order = torch.tensor([7, 2, 5])
    assert torch.equal(seen(pixels()[order], **spec), seen(**spec)[order])


def test_the_views_of_a_few_images_are_one_pass_without_copies():
    passes = []

    class Counted(Pixels):
        def embed(self, images):
            passes.append(len(images))
            return super().embed(images)

    for count, views in ((1, 2), (1, 5), (3, 2)):
        spec = ViewSpec(views=views, transform=noise)
        (alone,) = extract_features(Counted(), [], pixels()[:count], spec, seed=3)
        assert torch.equal(alone["features"], seen(views=views, transform=noise)[:count].flatten(3))
    assert passes == [4, 5, 6]  # never fewer rows than four


class Batches(Method):
    """Notes how many images come together."""

    def __init__(self):
        super().__init__()
        self.noted = []

    def setup(self, parts):
        pass

    def step(self, batch, progress):
        yield from ()

    def embed(self, images):
        self.noted.append(len(images))
        return {"features": images.mean((2, 3))}


def test_large_images_come_alone_whatever_their_number():
    method = Batches()
    for count in (1, 3):
        large = torch.zeros(count, 3, 1, 1 << 19, dtype=torch.uint8)
        assert (
            sum(
                len(block["features"])
                for block in extract_features(method, [], large, ViewSpec(), 0)
            )
            == count
        )
    assert method.noted == [1, 1, 1, 1]


def test_windows_are_cut_out_in_their_places():
    images = torch.randint(0, 256, (2, 3, 9, 13), dtype=torch.uint8)
    spec = ViewSpec(windows=Windows(4, 3))
    (found,) = extract_features(Batches(), [], images, spec, 0)
    values = found["features"][:, 0, 0]  # (N, 3, rows, columns)
    assert values.shape == (2, 3, 3, 4)
    for row, top in enumerate([0, 3, 5]):
        for column, left in enumerate([0, 3, 6, 9]):
            window = images[:, :, top : top + 4, left : left + 4] / 255
            torch.testing.assert_close(values[..., row, column], window.mean((2, 3)))
