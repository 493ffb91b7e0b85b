"""Published data sets that you download yourself, in the folders that their archives hold."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Unpack

from adframe import UserError

from .classes import Listing, Size
from .files import ClassedFiles, FileOptions
from .folder import HeldOut, Share, class_folders
from .torchvision_source import fetched


class Unpacked(ClassedFiles):
    """A data set in the folders of its archives, with the split of its authors.

    Args:
        size: [inferred: CSI's ImageNet-30 protocol, 224] Shorter side after resizing; then the
            centre square is cut out. Use 32 together with CIFAR.
    """

    def __init__(self, root: Path, size: Size = 224, **options: Unpack[FileOptions]) -> None:
        super().__init__(root, size, **options)

    @abstractmethod
    def files(self, train: bool) -> dict[str, list[Path]]:
        """All images of a split by class."""

    def listing(self, train: bool, seed: int) -> Listing:
        return self.listed(self.files(train))

    def unlike(self, expected: str) -> UserError:
        """The error for a folder that does not hold the data set."""
        return UserError(f"{self.root}: this is not {self.title}; expected {expected}")


class ImageNet30(Unpacked):
    """ImageNet-30 (Hendrycks et al., NeurIPS 2019): 39,000 and 3,000 photographs, 30 classes.

    1,300 training and 100 test images per class. ImageNet's terms: non-commercial research and
    education.

    Args:
        root: Folder with ``one_class_train/<class>/`` and ``one_class_test/<class>/``, from the two
            published archives.
    """

    title = "ImageNet-30"
    classes = 30

    def files(self, train: bool) -> dict[str, list[Path]]:
        folder = self.root / ("one_class_train" if train else "one_class_test")
        if not folder.is_dir():
            raise self.unlike(f"{folder.name}/<class>/<image>")
        files = class_folders(folder, self.without)
        if len(files) != self.classes:
            raise self.unlike(f"{self.classes} classes in {folder.name}, not {len(files)}")
        return files


class StanfordDogs(Unpacked):
    """Stanford Dogs (Khosla et al. 2011): 12,000 and 8,580 photographs of 120 breeds.

    Classes have the names of their folders (``n02085620-Chihuahua``). The images are ImageNet's:
    non-commercial research and education.

    Args:
        root: Folder with ``Images/<breed>/``, ``train_list.mat`` and ``test_list.mat``, from
            images.tar and lists.tar.
    """

    title = "Stanford Dogs"

    def files(self, train: bool) -> dict[str, list[Path]]:
        from scipy.io import loadmat
        from scipy.io.matlab import MatReadError

        path = self.root / ("train_list.mat" if train else "test_list.mat")
        if not path.is_file() or not (self.root / "Images").is_dir():
            raise self.unlike(f"Images/<breed>/<image> and {path.name} (lists.tar)")
        try:
            names = [str(cell.item()) for cell in loadmat(path)["file_list"].ravel()]
        except (MatReadError, KeyError, ValueError, AttributeError) as error:
            raise UserError(f"{path}: unreadable list of files") from error
        return _by_folder(self.root / "Images", names)


class CUB200(Unpacked):
    """Caltech-UCSD Birds-200-2011 (Wah et al. 2011): 5,994 and 5,794 photographs of 200 birds.

    Classes have the names of their folders (``001.Black_footed_Albatross``). For non-commercial
    research and education.

    Args:
        root: The folder ``CUB_200_2011`` with ``images/<class>/``, ``images.txt`` and
            ``train_test_split.txt``, or the folder that holds it.
    """

    title = "CUB-200-2011"

    def files(self, train: bool) -> dict[str, list[Path]]:
        inner = self.root / "CUB_200_2011"
        folder = inner if inner.is_dir() else self.root
        try:
            names = _table(folder / "images.txt")
            chosen = _table(folder / "train_test_split.txt")
        except (OSError, ValueError) as error:
            raise self.unlike("CUB_200_2011/images.txt and train_test_split.txt") from error
        wanted = "1" if train else "0"
        files = [name for number, name in names.items() if chosen.get(number) == wanted]
        return _by_folder(folder / "images", files)


class Caltech256(HeldOut):
    """Caltech-256 (Griffin et al. 2007): 30,607 images of 256 kinds of object, and clutter.

    There is no official split. Classes have the names of their folders (``001.ak47``); clutter is
    ``257.clutter``.

    Args:
        root: Folder with ``caltech256/256_ObjectCategories/<class>/`` (downloads go there) or with
            ``256_ObjectCategories``.
        download: Whether to download the official archive (1.2 GB) if it is missing.
        size: [inferred: CSI's ImageNet-30 protocol, 224] Shorter side after resizing; then the
            centre square is cut out. Use 32 together with CIFAR.
    """

    title = "Caltech-256"

    def __init__(
        self,
        root: Path,
        size: Size = 224,
        test_share: Share = 0.3,
        download: bool = False,
        **options: Unpack[FileOptions],
    ) -> None:
        super().__init__(root, size, test_share, **options)
        self.download = download

    def files(self) -> dict[str, list[Path]]:
        name = "256_ObjectCategories"
        places = [self.root / "caltech256" / name, self.root / name]
        found = [path for path in places if path.is_dir()]
        if not found:
            if not self.download:
                raise UserError(
                    f"{self.root}: no {self.title}; expected {name}/<class>/<image>, or set "
                    "download: true to fetch it"
                )
            fetched("Caltech256", self.title, self.root, download=True)
        files = class_folders((found or places)[0], self.without)
        # Some classes hold an extra folder of copies.
        return {name: [p for p in paths if p.parent.name == name] for name, paths in files.items()}


def _by_folder(root: Path, names: list[str]) -> dict[str, list[Path]]:
    """Files named ``class/image``, by class."""
    files: dict[str, list[Path]] = {}
    for name in names:
        files.setdefault(name.partition("/")[0], []).append(root / name)
    return {name: files[name] for name in sorted(files)}


def _table(path: Path) -> dict[str, str]:
    """A file with a number and a word in each line."""
    return dict(line.split(maxsplit=1) for line in path.read_text("utf-8").splitlines() if line)
