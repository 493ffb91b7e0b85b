"""Data sets of photographs of any size, read and downloaded by torchvision."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Unpack

from adframe import UserError

from .classes import Listing, Size
from .files import ClassedFiles, FileOptions
from .torchvision_source import FromTorchvision


class Photos(ClassedFiles, FromTorchvision):
    """Image files that torchvision finds. Only the files that a run needs are decoded.

    Args:
        size: [inferred: CSI's ImageNet-30 protocol, 224] Shorter side after resizing; then the
            centre square is cut out. Use 32 together with CIFAR.
    """

    training: ClassVar[tuple[str, ...]] = ("train", "val")
    testing: ClassVar[tuple[str, ...]] = ("test",)

    def __init__(
        self,
        root: Path,
        download: bool = False,
        size: Size = 224,
        **options: Unpack[FileOptions],
    ) -> None:
        super().__init__(root, size, **options)
        self.download = download

    def files(self, split: str) -> Iterator[tuple[Path, str]]:
        """Path and class of each image of one of torchvision's splits."""
        data = self.official(split=split, loader=Path)  # a loader that decodes nothing
        for row in range(len(data)):
            path, label = data[row]
            yield path, data.classes[label]

    def listing(self, train: bool, seed: int) -> Listing:
        found: dict[str, list[Path]] = {}
        for split in self.training if train else self.testing:
            for path, name in self.files(split):
                found.setdefault(name, []).append(path)
        return self.listed({name: found[name] for name in sorted(found)})


class DTD(Photos):
    """Describable Textures (Cimpoi et al., CVPR 2014): 5,640 images of 47 textures.

    The first of the ten official partitions: 40 training, 40 validation and 40 test images per
    class. Validation images are trained on, too. For research only.

    Args:
        root: Folder with ``dtd/dtd/images`` and ``dtd/dtd/labels`` (625 MB).
    """

    title = source = "DTD"


class Flowers102(Photos):
    """Oxford Flowers-102 (Nilsback and Zisserman 2008): 8,189 photographs of 102 flowers.

    1,020 training, 1,020 validation and 6,149 test images. Validation images are trained on, too.
    The authors state no licence.

    Args:
        root: Folder with ``flowers-102/jpg``, ``flowers-102/imagelabels.mat`` and
            ``flowers-102/setid.mat`` (345 MB).
    """

    title = "Flowers-102"
    source = "Flowers102"


class Food101(Photos):
    """Food-101 (Bossard et al., ECCV 2014): 101,000 photographs of 101 dishes.

    750 training and 250 test images per class. Together with ImageNet-30, which also has hot dogs,
    set ``without: hot_dog``. The photographers own the images: scientific fair use only.

    Args:
        root: Folder with ``food-101/images`` and ``food-101/meta`` (5 GB).
    """

    title = "Food-101"
    source = "Food101"
    training = ("train",)


class OxfordPets(Photos):
    """Oxford-IIIT Pet (Parkhi et al., CVPR 2012): 7,349 photographs of 37 breeds of cat and dog.

    3,680 images for training and validation, 3,669 for testing. CC BY-SA 4.0.

    Args:
        root: Folder with ``oxford-iiit-pet/images`` and
            ``oxford-iiit-pet/annotations`` (810 MB).
    """

    title = "Oxford-IIIT Pet"
    source = "OxfordIIITPet"
    training = ("trainval",)

    def files(self, split: str) -> Iterator[tuple[Path, str]]:
        data = self.official(split=split)  # this data set takes no loader
        yield from zip(data._images, (data.classes[i] for i in data._labels), strict=True)


class Places365(Photos):
    """Places-365 (Zhou et al., TPAMI 2017): photographs of 365 scenes, in their 256x256 form.

    1,803,460 training images (``train-standard``, 24 GB) and 100 test images per class. The test
    images are the official validation split (500 MB), since the labels of the test split are
    secret. As an outlier set only the validation split is needed. For non-commercial research and
    education.

    Args:
        root: Folder with ``val_256``, ``data_256_standard``,
            ``categories_places365.txt`` and the lists of files.
    """

    title = "Places-365"
    source = "Places365"
    training = ("train-standard",)
    testing = ("val",)

    def files(self, split: str) -> Iterator[tuple[Path, str]]:
        data = self.official(split=split, small=True)
        if not Path(data.images_dir).is_dir():
            raise UserError(f"{data.images_dir}: no such folder; set download: true to fetch it")
        name_of = {index: name[3:] for name, index in data.class_to_idx.items()}  # "/a/attic"
        for path, label in data.imgs:
            yield Path(path), name_of[label]
