"""Data sets that torchvision reads: errors when files are missing."""

import pytest

from adframe.errors import UserError
from adframe_datasets.photos import DTD, Places365


def test_a_list_that_is_missing_is_named(published):
    root = published("dtd").root
    (root / "dtd/dtd/labels/val1.txt").unlink()
    with pytest.raises(UserError, match=r"DTD is incomplete: no .*labels/val1\.txt$"):
        DTD(root).load(seed=0)


def test_images_that_are_missing_are_told_before_they_are_read(published):
    root = published("places365").root
    (root / "val_256").rename(root / "elsewhere")
    with pytest.raises(UserError, match="val_256: no such folder; set download: true to fetch it"):
        Places365(root).outliers(seed=0)


def test_damaged_lists_are_not_read(published):
    root = published("places365").root
    with (root / "places365_val.txt").open("a") as file:
        file.write("\nmore.jpg 0")
    with pytest.raises(UserError, match="places365_val.txt does not exist or is corrupted; set"):
        Places365(root).outliers(seed=0)
