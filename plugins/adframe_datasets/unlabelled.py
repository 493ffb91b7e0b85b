"""Outlier sets of the CIFAR protocols: 10,000 images each, no classes, no training split."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from adframe import UserError
from adframe.interfaces import Count, Fit, Images, Splits

from .classes import Size, as_images
from .files import Depth, FromFiles, Workers
from .folder import any_folder


class OutlierSet(FromFiles):
    """Test images without classes. Name such a data set under ``outliers``.

    Args:
        root: The unpacked folder, or the folder that holds it.
        test_limit: Largest number of images; they are evenly spaced in the order of names.
        size: [published: 32] Shorter side after resizing; then the centre square is cut out.
    """

    title: ClassVar[str]
    folders: ClassVar[tuple[str, ...]]  #: names that the unpacked folder can have
    count: ClassVar[int] = 10_000  #: number of images

    def __init__(
        self,
        root: Path,
        test_limit: Count | None = None,
        size: Size = 32,
        cache: Path | None = None,
        workers: Workers = None,
        depth: Depth = None,
        fit: Fit = "crop",
    ) -> None:
        self.root = root.expanduser()
        self.set_name = self.root.name
        self.test_limit = test_limit
        self.decode_as(size, cache, workers, depth, fit)

    def load(self, seed: int) -> Splits:
        raise UserError(f"{self.title} has no training images; name it under 'outliers'")

    def outliers(self, seed: int) -> Images:
        inside = [path for name in self.folders if (path := self.root / name).is_dir()]
        if not inside and self.root.name not in self.folders:
            expected = " or ".join(self.folders)
            raise UserError(f"{self.root}: no {self.title}; expected a folder {expected} of images")
        by_folder = any_folder((inside or [self.root])[0])
        paths = sorted(path for paths in by_folder.values() for path in paths)
        if len(paths) < self.count:
            raise UserError(f"{paths[0].parent}: {len(paths)} of {self.count} images; incomplete")
        kept = min(self.test_limit or len(paths), len(paths))
        paths = [paths[index * len(paths) // kept] for index in range(kept)]
        names = [str(path) for path in paths]
        return as_images(self.decoded(paths)[0], names, names, [], labelled=False)


class LSUNResize(OutlierSet):
    """LSUN (resize) (Liang et al., ICLR 2018): 10,000 test images of LSUN's scenes at 32x32.

    Made for ODIN. Its resizing leaves artefacts, so it is easy to separate from CIFAR; ``lsun_fix``
    has none. The archive is LSUN_resize.tar.gz, of
    github.com/facebookresearch/odin. LSUN states no licence for its images.
    """

    title = "LSUN (resize)"
    folders = ("LSUN_resize",)


class ImageNetResize(OutlierSet):
    """ImageNet (resize) (Liang et al., ICLR 2018): 10,000 test images of Tiny ImageNet at 32x32.

    Made for ODIN. Its resizing leaves artefacts, so it is easy to separate from CIFAR;
    ``imagenet_fix`` has none. The archive is Imagenet_resize.tar.gz, of
    github.com/facebookresearch/odin. ImageNet's terms: non-commercial research and education.
    """

    title = "ImageNet (resize)"
    folders = ("Imagenet_resize",)


class LSUNFix(OutlierSet):
    """LSUN (FIX) (Tack et al., NeurIPS 2020): 1,000 images of each of ten LSUN scenes at 32x32.

    Resized with smoothing, from the training images. The archive is that of github.com/alinlab/CSI.
    LSUN states no licence for its images.
    """

    title = "LSUN (FIX)"
    folders = ("LSUN_fix", "LSUN_pil")


class ImageNetFix(OutlierSet):
    """ImageNet (FIX) (Tack et al., NeurIPS 2020): 10,000 images of ImageNet-30 at 32x32.

    Resized with smoothing, from the training images, without the four classes that CIFAR-10 also
    has (airliner, ambulance, parking meter, schooner). The archive is that of
    github.com/alinlab/CSI. ImageNet's terms: non-commercial research and education.
    """

    title = "ImageNet (FIX)"
    folders = ("Imagenet_fix", "Imagenet_pil")
