"""Layouts of image folders are recognised, and what is not clear is one line."""

import pytest
from PIL import Image

from adframe.errors import UserError
from adframe.start.layout import layout_of


@pytest.fixture
def tree(tmp_path):
    def tree(*folders, count=2):
        for folder in folders:
            (tmp_path / folder).mkdir(parents=True)
            for index in range(count):
                Image.new("L", (8, 8)).save(tmp_path / folder / f"{index}.png")
        return tmp_path

    return tree


def test_one_folder_of_images_is_all_normal(tree):
    layout = layout_of(tree("photos") / "photos")
    assert (layout.kind, layout.normal, layout.test) == ("folder", [], {})
    assert {name: len(files) for name, files in layout.train.items()} == {"photos": 2}


def test_the_normal_class_is_known_by_its_name_or_set(tree):
    root = tree("OK", "scratch", "masks/scratch")
    layout = layout_of(root)
    assert (layout.kind, layout.normal, list(layout.test)) == ("folder", ["OK"], ["scratch"])
    assert layout.masks == root / "masks"
    assert layout_of(root, "scratch").normal == ["scratch"]
    with pytest.raises(
        UserError, match=r"no class 'scratches'; did you mean 'scratch'\? .classes: "
    ):
        layout_of(root, "scratches")


def test_an_unclear_normal_class_is_asked_for(tree):
    root = tree("left", "right")
    with pytest.raises(UserError, match="which class is normal. Set --normal, one of: left, right"):
        layout_of(root)


@pytest.mark.parametrize(
    ("masks", "kind"), [(["ground_truth/cut"], "parts"), (["ground_truth/other"], "split")]
)
def test_train_and_test_with_a_mask_for_each_defect_are_parts(tree, masks, kind):
    layout = layout_of(tree("train/good", "test/good", "test/cut", *masks))
    assert (layout.kind, layout.normal, layout.products) == (kind, ["good"], [])
    assert layout.with_mask == (2 if kind == "parts" else 0)


def test_products_are_listed(tree):
    parts = [f"{name}/{place}" for name in ("a b", "c") for place in ("train/good", "test/good")]
    layout = layout_of(tree(*parts))
    assert layout.products == ["a b", "c"]
    assert layout.root.name == "a b"


def test_a_table_is_read_by_its_columns(tree):
    table = tree("x") / "t.csv"
    table.write_text("path,label,split\nx/0.png,good,train\nx/1.png,good,test\n")
    layout = layout_of(table)
    assert (layout.kind, layout.normal) == ("table", ["good"])
    assert layout.train == {"good": [table.parent / "x/0.png"]}
    table.write_text("file,kind\n")
    with pytest.raises(UserError, match="expected the columns path and label"):
        layout_of(table)


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        ([], "no images here; expected images; or folders"),
        (["train/good", "test/odd"], "test: no folder 'good'"),
    ],
)
def test_what_cannot_be_used_is_one_line(tree, folders, message):
    with pytest.raises(UserError, match=message) as caught:
        layout_of(tree(*folders))
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_none_is_one_line(tmp_path):
    with pytest.raises(UserError, match="gone: no such folder"):
        layout_of(tmp_path / "gone")
    (tmp_path / "x.txt").write_text("")
    with pytest.raises(UserError, match=r"x.txt: is a file, but no CSV"):
        layout_of(tmp_path / "x.txt")
