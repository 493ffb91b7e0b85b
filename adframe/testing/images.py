"""Checks of components that take images: shifts, augmentations, backbones."""

from __future__ import annotations

import torch
from torch import Tensor

from adframe.engine import returned_images
from adframe.interfaces import Augmentation, Backbone, RandomKeys, Shift
from adframe.testing.subject import Subject, close, devices

SIZE = 16


def _noise(count: int = 6, height: int = SIZE, width: int = SIZE) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(256, (count, 3, height, width), generator=generator).byte()


# --- shifts --------------------------------------------------------------------------------------


def _under(subject: Subject, images: Tensor) -> list[Tensor]:
    shift: Shift = subject.make()
    torch.manual_seed(0)
    return [shift(images, variant) for variant in range(shift.variants + 1)]


def shift_variant_0_is_the_identity(subject: Subject) -> None:
    """Variant 0 returns the images unchanged."""
    for images in (_noise(), _noise().float() / 255):
        assert torch.equal(subject.make()(images, 0), images)


def shift_keeps_shape_type_and_range(subject: Subject) -> None:
    """Shape, dtype and range stay, for uint8 and floating point; the input is not changed."""
    assert subject.make().variants >= 1, "variants must be 1 or more"
    for device in devices():
        for images in (_noise().to(device), _noise().to(device).float() / 255):
            before = images.clone()
            for variant, made in enumerate(_under(subject, images)):
                what = f"variant {variant} of {images.dtype}"
                problem = returned_images.of_shift(made, images, what, slack=0)
                assert not problem, problem
            assert torch.equal(images, before), "the input was changed"


def shift_variants_differ(subject: Subject) -> None:
    """Each variant is a class of virtual outliers: on noise, no two variants are equal."""
    made = _under(subject, _noise())
    for one in range(len(made)):
        for other in range(one):
            assert not torch.equal(made[one], made[other]), f"variants {other} and {one} are equal"


def shift_treats_each_image_separately(subject: Subject) -> None:
    """Each result depends on its image only, not on other images or the global generator."""
    images, rows = _noise(), torch.tensor([4, 1, 1])
    together = _under(subject, images)
    shift: Shift = subject.make()
    torch.manual_seed(1)
    for variant, expected in enumerate(together):
        close(
            shift(images[rows], variant), expected[rows], f"variant {variant} of fewer images", 1e-5
        )


# --- augmentations -------------------------------------------------------------------------------


def _keys(count: int = 6, seed: int = 0, device: torch.device | None = None) -> RandomKeys:
    return RandomKeys.from_index(seed, torch.arange(count, device=device))


def augmentation_keeps_shape_type_and_range(subject: Subject) -> None:
    """Floating point in 0..1 at every strength and device; the input is not changed."""
    augment: Augmentation = subject.make()
    for device in devices():
        bytes_ = _noise().to(device)
        for images in (bytes_, bytes_.float() / 255, bytes_.double() / 255):
            before = images.clone()
            for strength in (0.0, 0.5, 1.0):
                made = augment(images, _keys(device=device), strength)
                what = f"{images.dtype} at strength {strength}"
                kind = torch.float32 if images.dtype == torch.uint8 else images.dtype
                resizes = augment.resizes
                problem = returned_images.of_augmentation(made, images, what, 0, resizes)
                assert not problem, problem
                assert made.dtype == kind, f"{what}: returns {made.dtype}"
            assert torch.equal(images, before), "the input was changed"


def augmentation_treats_each_image_separately(subject: Subject) -> None:
    """The view depends on the image and its key only, not on other images."""
    augment: Augmentation = subject.make()
    images, keys = _noise().float() / 255, _keys()
    rows = torch.tensor([5, 2, 2, 0])
    for strength in (0.3, 1.0):
        together = augment(images, RandomKeys(keys.values), strength)
        part = augment(images[rows], RandomKeys(keys.values[rows]), strength)
        close(part, together[rows], f"fewer images at strength {strength}", 1e-5)


def augmentation_draws_from_its_keys_alone(subject: Subject) -> None:
    """Equal keys give equal views; the global generator has no effect."""
    augment: Augmentation = subject.make()
    images = _noise()
    torch.manual_seed(0)
    first = augment(images, _keys())
    torch.manual_seed(1)
    assert torch.equal(augment(images, _keys()), first), (
        "equal keys give different views: random numbers do not come from the keys"
    )
    defaulted = augment(images, _keys(), 1.0)
    assert torch.equal(defaulted, first), "the default strength is not 1"


# --- backbones -----------------------------------------------------------------------------------


def _photos() -> Tensor:
    return _noise(2, 32, 32).float() / 255


def _net(subject: Subject, seed: int = 0) -> Backbone:
    net: Backbone = subject.make(seed)
    return net.eval()


def backbone_maps_are_as_wide_as_it_says(subject: Subject) -> None:
    """The maps of (2, 3, 32, 32) images have ``widths`` channels, on every device."""
    net = _net(subject)
    problem = returned_images.widths(net.widths)
    assert not problem, problem
    for device in devices():
        with torch.no_grad():
            maps = net.to(device)(_photos().to(device))
        assert isinstance(maps, list), f"forward returns {type(maps).__name__}, not a list of maps"
        problem = returned_images.of_backbone(maps, net.widths, 2)
        assert not problem, problem
        assert all(m.isfinite().all() for m in maps), "maps are not finite"


def backbone_computes_no_deeper_than_asked(subject: Subject) -> None:
    """Depth d returns the first d maps, and runs fewer modules than depth d + 1."""
    net, ran = _net(subject), set[str]()
    for name, module in net.named_modules():
        if module is not net:
            module.register_forward_pre_hook(lambda *_, name=name: ran.add(name))
    with torch.no_grad():
        whole, shallower = net(_photos()), set[str]()
        for depth in range(1, len(net.widths) + 1):
            ran.clear()
            maps = net(_photos(), depth)
            assert len(maps) == depth, f"forward returns {len(maps)} maps at depth {depth}"
            assert shallower < ran, f"depth {depth} runs no more modules than depth {depth - 1}"
            shallower = set(ran)
            for index, (map_, expected) in enumerate(zip(maps, whole, strict=False), start=1):
                close(map_, expected, f"map {index} at depth {depth}", 1e-5)


def backbone_treats_each_image_separately(subject: Subject) -> None:
    """In evaluation mode, the maps of an image do not depend on other images."""
    net, images = _net(subject), _photos()
    before = images.clone()
    with torch.no_grad():
        for alone, together in zip(net(images[1:]), net(images), strict=True):
            close(alone, together[1:], "the maps of fewer images")
    assert torch.equal(images, before), "the input was changed"


def backbone_trains_under_autocast(subject: Subject) -> None:
    """Gradients are finite in training mode, also in bfloat16."""
    for device in devices():
        for enabled in (False, True):
            net = _net(subject).train().to(device)
            with torch.autocast(device.type, torch.bfloat16, enabled=enabled):
                maps = net(_photos().to(device))
            maps[-1].float().square().mean().backward()
            pulls = [p.grad for p in net.parameters() if p.grad is not None]
            assert pulls, "no parameter has a gradient"
            assert all(pull.isfinite().all() for pull in pulls), "gradients are not finite"


def backbone_is_deterministic_and_reloads(subject: Subject) -> None:
    """Equal seeds give equal weights, and ``state_dict`` restores them in another instance."""
    one, same, other = _net(subject), _net(subject), _net(subject, seed=1)
    other.load_state_dict(one.state_dict())
    with torch.no_grad():
        expected = one(_photos())
        for what, net in {"made again": same, "reloaded": other}.items():
            for found, map_ in zip(net(_photos()), expected, strict=True):
                close(found, map_, what, 1e-6)
