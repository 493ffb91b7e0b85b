"""A CSV table of images gives the splits that are in it, and each mistake is one line."""

import pytest
from PIL import Image
from torch import equal

from adframe import UserError
from adframe.testing import check
from adframe_datasets.table import ImageTable

ROWS = [
    *(f"{name}/{i}.png,{name},{split}" for name, split in [("ok", "train")] for i in range(4)),
    *("ok/4.png,ok,test", "odd/0.png,odd,test", "ok/5.png,ok,validation"),
    *("odd/1.png,odd,validation", "odd/2.png,odd,train"),
]


@pytest.fixture
def table(tmp_path):
    for name in ("ok", "odd"):
        (tmp_path / name).mkdir()
        for index in range(6):
            color = (40 * index, 9 if name == "ok" else 200, 0)
            Image.new("RGB", (16, 16), color).save(tmp_path / name / f"{index}.png")

    def table(head="path,label,split", rows=tuple(ROWS)):
        (tmp_path / "x.csv").write_text("\n".join([head, *rows]) + "\n")
        return tmp_path / "x.csv"

    return table


def test_each_image_goes_where_its_row_says(table):
    splits = ImageTable(table(), normal="ok").load(seed=0)
    names = [[name[-8:] for name in part.names] for part in (splits.train, splits.test)]
    assert names == [["ok/0.png", "ok/1.png", "ok/2.png", "ok/3.png"], ["ok/4.png", "dd/0.png"]]
    assert splits.test.outlier.tolist() == [False, True]
    assert splits.validation.of == ["ok", "odd"]
    assert splits.validation.outlier.tolist() == [False, True]
    assert len(ImageTable(table()).outliers(seed=0)) == 2
    assert len(ImageTable(table()).exposed(seed=0)) == 5


def test_without_splits_a_share_is_held_out_by_seed(table):
    rows = [row.rpartition(",")[0] for row in ROWS]
    data = ImageTable(table("path,label", rows), normal="ok", test_share=0.5)
    splits = data.load(seed=1)
    assert (len(splits.train), splits.validation) == (3, None)
    assert equal(data.load(seed=1).train.pixels[:], splits.train.pixels[:])
    assert len(data.outliers(seed=0)) == 9


def test_a_mask_is_the_file_of_its_row(table, tmp_path):
    mask = Image.new("L", (16, 16))
    mask.putpixel((3, 5), 255)
    mask.save(tmp_path / "m.png")
    rows = [f"{row}," for row in ROWS]
    rows[5] += "m.png"
    (good, odd) = ImageTable(table("path,label,split,mask", rows), normal="ok").load(0).test.masks
    assert odd.nonzero().tolist() == [[5, 3]]
    assert not good.any()


@pytest.mark.parametrize(
    ("head", "row", "message"),
    [
        ("path,kind", "a.png,ok", "x.csv:2: expected the column label"),
        ("path,label,split", "a.png,ok,", "x.csv:2: expected the column split"),
        ("path,label,split", "a.png,ok,spare", "x.csv:2: split: 'spare' is none of train, "),
        ("path,label", "gone.png,ok\ngone.png,ok", "gone.png: No such file"),
    ],
)
def test_a_mistake_is_one_line(table, head, row, message):
    with pytest.raises(UserError, match=message) as caught:
        ImageTable(table(head, [row])).load(seed=0)
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="no rows"):
        ImageTable(table(head, [])).load(seed=0)


def test_it_keeps_the_contract(table):
    check(ImageTable, table=str(table()), normal="ok")
