"""Data sets of photographs of every size, read and fetched by torchvision."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from adframe import UserError
from adframe.interfaces import Count

from .classes import Listing, Names, Size
from .decoding import FromFiles, Workers
from .official import Official


class Photos(FromFiles, Official):
    """Image files that torchvision finds; only those a run needs are decoded.

    Args:
        size: [inferred: CSI's ImageNet-30 protocol, 224] Shorter side after resizing, then the
            centre square is cut out. 32 beside CIFAR.
    """

    training: ClassVar[tuple[str, ...]] = ("train", "val")
    testing: ClassVar[tuple[str, ...]] = ("test",)

    def __init__(
        self,
        root: Path,
        normal: Names = None,
        labelled: bool = False,
        without: Names = None,
        train_limit: Count | None = None,
        test_limit: Count | None = None,
        download: bool = False,
        size: Size = 224,
        cache: Path | None = None,
        workers: Workers = None,
    ) -> None:
        super().__init__(root, normal, labelled, without, train_limit, test_limit, download)
        self.decode_as(size, cache, workers)

    def files(self, split: str) -> Iterator[tuple[Path, str]]:
        """Path and class of every image of one of torchvision's splits."""
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

    The first of the ten official partitions: 40 images of each class to train, 40 to validate (both
    trained on here) and 40 to test. For research only.

    Args:
        root: Folder that holds, or gets, ``dtd/dtd/images`` and ``dtd/dtd/labels`` (625 MB).
    """

    title = source = "DTD"


class Flowers102(Photos):
    """Oxford Flowers-102 (Nilsback and Zisserman 2008): 8,189 photographs of 102 flowers.

    1,020 images to train, 1,020 to validate (both trained on here) and 6,149 to test. The authors
    state no licence.

    Args:
        root: Folder that holds, or gets, ``flowers-102/jpg``, ``flowers-102/imagelabels.mat`` and
            ``flowers-102/setid.mat`` (345 MB).
    """

    title = "Flowers-102"
    source = "Flowers102"


class Food101(Photos):
    """Food-101 (Bossard et al., ECCV 2014): 101,000 photographs of 101 dishes.

    750 images of each class to train, 250 to test. Beside ImageNet-30, which has hot dogs of its
    own, say ``without: hot_dog``. The photographs belong to their takers: scientific fair use only.

    Args:
        root: Folder that holds, or gets, ``food-101/images`` and ``food-101/meta`` (5 GB).
    """

    title = "Food-101"
    source = "Food101"
    training = ("train",)


class OxfordPets(Photos):
    """Oxford-IIIT Pet (Parkhi et al., CVPR 2012): 7,349 photographs of 37 breeds of cat and dog.

    3,680 images to train and validate, 3,669 to test. CC BY-SA 4.0.

    Args:
        root: Folder that holds, or gets, ``oxford-iiit-pet/images`` and
            ``oxford-iiit-pet/annotations`` (810 MB).
    """

    title = "Oxford-IIIT Pet"
    source = "OxfordIIITPet"
    training = ("trainval",)

    def files(self, split: str) -> Iterator[tuple[Path, str]]:
        data = self.official(split=split)  # of all, this one has no loader to replace
        yield from zip(data._images, (data.classes[i] for i in data._labels), strict=True)


class Places365(Photos):
    """Places-365 (Zhou et al., TPAMI 2017): photographs of 365 scenes, in their 256x256 form.

    1,803,460 images to train (``train-standard``, 24 GB) and 100 of each class to test: the
    official validation split (500 MB), the test split's truth being secret. As an outlier set only
    the latter is needed. For non-commercial research and education.

    Args:
        root: Folder that holds, or gets, ``val_256``, ``data_256_standard``,
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
