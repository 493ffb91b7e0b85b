"""Published data sets in their official files, written small.

Every photograph is one colour, which encodes three facts: red its class, green its split, blue its
place among the images of that class and split.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat
from torchvision import datasets

TRAIN, TEST = 3, 2  # images of each of the two classes


@dataclass
class Published:
    """A data set on disk: its class names, and what only its training split needs."""

    root: Path
    classes: list[str]
    training: list[Path]

    @staticmethod
    def facts(pixels: torch.Tensor) -> list[tuple[int, bool, int]]:
        """Class, split and place of images (N, 3, H, W), from their colour."""
        mean = pixels.float().mean((2, 3))
        found = []
        for red, green, blue in mean.tolist():
            kind, train, index = (red - 60) / 100, (green - 60) / 100, (blue - 40) / 50
            found.append((round(kind), bool(round(train)), round(index)))
            expected = torch.tensor(colour(*found[-1]))
            assert (expected - torch.tensor([red, green, blue])).abs().max() < 4
        return found


def colour(kind: int, train: bool, index: int) -> tuple[int, int, int]:
    """What an image looks like."""
    return 60 + 100 * kind, 60 + 100 * train, 40 + 50 * index


def photo(path: Path, kind: int, train: bool, index: int) -> Path:
    """Write a photograph, no two of a size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (20 + index, 18 + 2 * kind), colour(kind, train, index)).save(path, quality=95)
    return path


def everything() -> list[tuple[int, bool, int]]:
    """Class, split and place of every image of a data set."""
    return [(k, t, i) for t in (True, False) for k in (0, 1) for i in range(TRAIN if t else TEST)]


def text(path: Path, content: str) -> Path:
    """Write a file of text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def digest(path: Path) -> str:
    """The MD5 sum that torchvision compares."""
    return hashlib.md5(path.read_bytes()).hexdigest()


def _dtd(root, patch):
    base, classes = root / "dtd/dtd", ["banded", "zigzagged"]
    lists = {"train1": [], "val1": [], "test1": []}
    training = []
    for kind, train, index in everything():
        name = f"{classes[kind]}/{train}_{index}.jpg"
        path = photo(base / "images" / name, kind, train, index)
        training += [path] * train
        lists["test1" if not train else "val1" if index == 2 else "train1"].append(name)
    written = {name: text(base / f"labels/{name}.txt", "\n".join(lists[name])) for name in lists}
    return Published(root, classes, [*training, written["train1"], written["val1"]])


def _flowers(root, patch):
    base, source = root / "flowers-102", datasets.Flowers102
    ids = {"trnid": [], "valid": [], "tstid": []}
    training, labels = [], []
    for number, (kind, train, index) in enumerate(everything(), 1):
        path = photo(base / f"jpg/image_{number:05d}.jpg", kind, train, index)
        training += [path] * train
        labels.append(2 - kind)
        ids["tstid" if not train else "valid" if index == 2 else "trnid"].append(number)
    savemat(base / "imagelabels.mat", {"labels": [labels]})
    savemat(base / "setid.mat", ids)
    sums = {
        key: (f"{name}.mat", digest(base / f"{name}.mat"))
        for key, name in {"label": "imagelabels", "setid": "setid"}.items()
    }
    patch.setattr(source, "_file_dict", {**source._file_dict, **sums})
    return Published(root, [source.classes[1], source.classes[0]], training)


def _food(root, patch):
    base, classes = root / "food-101", ["hot_dog", "ramen"]
    lists = {True: {name: [] for name in classes}, False: {name: [] for name in classes}}
    training = []
    for kind, train, index in everything():
        name = f"{classes[kind]}/{train:d}{index}"
        training += [photo(base / f"images/{name}.jpg", kind, train, index)] * train
        lists[train][classes[kind]].append(name)
    text(base / "meta/test.json", json.dumps(lists[False]))
    return Published(
        root, classes, [*training, text(base / "meta/train.json", json.dumps(lists[True]))]
    )


def _pets(root, patch):
    base, names = root / "oxford-iiit-pet", ["Abyssinian", "american_bulldog"]
    lists, training = {True: [], False: []}, []
    for kind, train, index in everything():
        name = f"{names[kind]}_{train:d}{index}"
        training += [photo(base / f"images/{name}.jpg", kind, train, index)] * train
        lists[train].append(f"{name} {kind + 1} {kind + 1} 1")
    text(base / "annotations/test.txt", "\n".join(lists[False]))
    list_of_training = text(base / "annotations/trainval.txt", "\n".join(lists[True]))
    return Published(root, ["Abyssinian", "American Bulldog"], [*training, list_of_training])


def _places(root, patch):
    classes = ["attic", "bridge"]
    lists, training = {True: [], False: []}, []
    for kind, train, index in everything():
        name = f"/{classes[kind][0]}/{classes[kind]}/{index}.jpg" if train else f"{kind}{index}.jpg"
        folder = root / ("data_256_standard" if train else "val_256")
        training += [photo(folder / name.lstrip("/"), kind, train, index)] * train
        lists[train].append(f"{name} {kind}")
    files = {
        "train-standard": text(root / "places365_train_standard.txt", "\n".join(lists[True])),
        "val": text(root / "places365_val.txt", "\n".join(lists[False])),
    }
    kinds = text(root / "categories_places365.txt", "/a/attic 0\n/b/bridge 1")
    sums = {split: (path.name, digest(path)) for split, path in files.items()}
    patch.setattr(datasets.Places365, "_FILE_LIST_META", sums)
    patch.setattr(datasets.Places365, "_CATEGORIES_META", (kinds.name, digest(kinds)))
    return Published(root, classes, [*training, files["train-standard"]])


def _imagenet30(root, patch):
    from adframe_datasets.layouts import ImageNet30

    classes, training = ["acorn", "volcano"], []
    for kind, train, index in everything():
        folder = root / ("one_class_train" if train else "one_class_test") / classes[kind]
        training += [photo(folder / f"{index}.JPEG", kind, train, index)] * train
    patch.setattr(ImageNet30, "classes", 2)
    return Published(root, classes, training)


def _dogs(root, patch):
    classes, training, lists = ["n01-Chihuahua", "n02-Dhole"], [], {True: [], False: []}
    for kind, train, index in everything():
        name = f"{classes[kind]}/{train:d}{index}.jpg"
        training += [photo(root / "Images" / name, kind, train, index)] * train
        lists[train].append([name])
    for train, names in lists.items():
        cells = np.empty((len(names), 1), dtype=object)
        cells[:, 0] = [name for (name,) in names]
        path = root / ("train_list.mat" if train else "test_list.mat")
        savemat(path, {"file_list": cells})
        training += [path] * train
    return Published(root, classes, training)


def _cub(root, patch):
    base, classes = root / "CUB_200_2011", ["001.Albatross", "002.Wren"]
    training, names, chosen = [], [], []
    for number, (kind, train, index) in enumerate(everything(), 1):
        name = f"{classes[kind]}/{train:d}{index}.jpg"
        training += [photo(base / "images" / name, kind, train, index)] * train
        names.append(f"{number} {name}")
        chosen.append(f"{number} {train:d}")
    text(base / "images.txt", "\n".join(names))
    text(base / "train_test_split.txt", "\n".join(chosen))
    return Published(root, classes, training)


WRITERS = {
    "dtd": _dtd,
    "flowers102": _flowers,
    "food101": _food,
    "oxford_pets": _pets,
    "places365": _places,
    "imagenet30": _imagenet30,
    "stanford_dogs": _dogs,
    "cub200": _cub,
}


@pytest.fixture
def published(tmp_path, monkeypatch) -> Callable[[str], Published]:
    """``published("dtd")``: that data set in its official layout."""
    return lambda name: WRITERS[name](tmp_path, monkeypatch)
