"""Published data sets that one fetches oneself, in the folders they unpack to."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path

from adframe import UserError
from adframe.interfaces import Count

from .classes import Classed, Listing, Names, Size
from .decoding import FromFiles, Workers
from .folder import HeldOut, Share, class_folders
from .official import fetched


class Unpacked(FromFiles, Classed):
    """A data set as its archives unpack, with the split its authors made.

    Args:
        size: [inferred: CSI's ImageNet-30 protocol, 224] Shorter side after resizing, then the
            centre square is cut out. 32 beside CIFAR.
    """

    def __init__(
        self,
        root: Path,
        normal: Names = None,
        labelled: bool = False,
        without: Names = None,
        train_limit: Count | None = None,
        test_limit: Count | None = None,
        size: Size = 224,
        cache: Path | None = None,
        workers: Workers = None,
    ) -> None:
        super().__init__(root, normal, labelled, without, train_limit, test_limit)
        self.decode_as(size, cache, workers)

    @abstractmethod
    def files(self, train: bool) -> dict[str, list[Path]]:
        """Every image of a split, by class."""

    def listing(self, train: bool, seed: int) -> Listing:
        return self.listed(self.files(train))

    def unlike(self, expected: str) -> UserError:
        """What to say of a folder that does not hold the data set."""
        return UserError(f"{self.root}: this is not {self.title}; expected {expected}")


class ImageNet30(Unpacked):
    """ImageNet-30 (Hendrycks et al., NeurIPS 2019): 39,000 and 3,000 photographs, 30 classes.

    1,300 images of each class to train, 100 to test. ImageNet's terms: non-commercial research and
    education.

    Args:
        root: Folder that holds ``one_class_train/<class>/`` and ``one_class_test/<class>/``, as the
            two published archives unpack.
    """

    title = "ImageNet-30"
    classes = 30

    def files(self, train: bool) -> dict[str, list[Path]]:
        folder = self.root / ("one_class_train" if train else "one_class_test")
        if not folder.is_dir():
            raise self.unlike(f"{folder.name}/<class>/<image>")
        files = class_folders(folder)
        if len(files) != self.classes:
            raise self.unlike(f"{self.classes} classes in {folder.name}, not {len(files)}")
        return files


class StanfordDogs(Unpacked):
    """Stanford Dogs (Khosla et al. 2011): 12,000 and 8,580 photographs of 120 breeds.

    Classes are called as their folders are (``n02085620-Chihuahua``). The images are ImageNet's:
    non-commercial research and education.

    Args:
        root: Folder that holds ``Images/<breed>/``, ``train_list.mat`` and ``test_list.mat``, as
            images.tar and lists.tar unpack.
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

    Classes are called as their folders are (``001.Black_footed_Albatross``). For non-commercial
    research and education.

    Args:
        root: Folder that holds, or is, ``CUB_200_2011`` with ``images/<class>/``, ``images.txt``
            and ``train_test_split.txt``.
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

    There is no official split. Classes are called as their folders are (``001.ak47``), clutter
    ``257.clutter``.

    Args:
        root: Folder that holds, or gets, ``caltech256/256_ObjectCategories/<class>/``, or holds
            ``256_ObjectCategories`` itself.
        download: Fetch the official archive (1.2 GB) where it is missing.
        size: [inferred: CSI's ImageNet-30 protocol, 224] Shorter side after resizing, then the
            centre square is cut out. 32 beside CIFAR.
    """

    title = "Caltech-256"

    def __init__(
        self,
        root: Path,
        normal: Names = None,
        labelled: bool = False,
        without: Names = None,
        train_limit: Count | None = None,
        test_limit: Count | None = None,
        size: Size = 224,
        test_share: Share = 0.3,
        download: bool = False,
        cache: Path | None = None,
        workers: Workers = None,
    ) -> None:
        chosen = normal, labelled, without, train_limit, test_limit
        super().__init__(root, *chosen, size, test_share, cache, workers)
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
        files = class_folders((found or places)[0])  # some hold a stray folder of copies
        return {name: [p for p in paths if p.parent.name == name] for name, paths in files.items()}


def _by_folder(root: Path, names: list[str]) -> dict[str, list[Path]]:
    """Files named ``class/image``, by class."""
    files: dict[str, list[Path]] = {}
    for name in names:
        files.setdefault(name.partition("/")[0], []).append(root / name)
    return {name: files[name] for name in sorted(files)}


def _table(path: Path) -> dict[str, str]:
    """Lines of a number and a word."""
    return dict(line.split(maxsplit=1) for line in path.read_text("utf-8").splitlines() if line)
