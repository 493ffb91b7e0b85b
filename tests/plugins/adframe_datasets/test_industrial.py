"""MVTec AD and VisA in their published layouts, written small."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import adframe
from adframe.errors import UserError
from adframe_datasets.industrial import MVTec, VisA

DEFECTS = {"bottle": ["broken", "contamination"], "wood": ["hole", "liquid"]}


def _photo(path, *, mask=None, red=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(red)
    values = rng.integers(0, 256, (16, 24, 3), dtype=np.uint8)
    values[..., 0] = red
    Image.fromarray(values).save(path)
    if mask is not None:
        mask.parent.mkdir(parents=True, exist_ok=True)
        values = np.zeros((16, 24), np.uint8)
        values[4:8, red % 20 : red % 20 + 4] = 1 + red
        Image.fromarray(values).save(mask)


@pytest.fixture
def mvtec(tmp_path):
    """Two categories; red numbers the images."""
    red = iter(range(256))
    for category, defects in DEFECTS.items():
        for index in range(4):
            _photo(tmp_path / category / f"train/good/{index:03d}.png", red=next(red))
        for index in range(2):
            _photo(tmp_path / category / f"test/good/{index:03d}.png", red=next(red))
            for defect in defects:
                mask = tmp_path / category / f"ground_truth/{defect}/{index:03d}_mask.png"
                path = tmp_path / category / f"test/{defect}/{index:03d}.png"
                _photo(path, mask=mask, red=next(red))
    (tmp_path / "license.txt").write_text("CC BY-NC-SA 4.0")
    return tmp_path


@pytest.fixture
def visa(tmp_path):
    """Two categories and the table of their images."""
    rows = ["object,split,label,image,mask"]
    for number, category in enumerate(("candle", "pcb1")):
        for index in range(5):
            image = f"{category}/Data/Images/Normal/{index:04d}.JPG"
            _photo(tmp_path / image, red=10 * number + index)
            rows.append(f"{category},{'train' if index < 3 else 'test'},normal,{image},")
        for index in range(2):
            image = f"{category}/Data/Images/Anomaly/{index:03d}.JPG"
            mask = f"{category}/Data/Masks/Anomaly/{index:03d}.png"
            _photo(tmp_path / image, mask=tmp_path / mask, red=10 * number + index + 5)
            rows.append(f"{category},test,anomaly,{image},{mask}")
    (tmp_path / "split_csv").mkdir()
    (tmp_path / "split_csv/1cls.csv").write_text("\n".join(rows))
    return tmp_path


def test_a_category_trains_on_good_images_and_knows_each_defect(mvtec):
    splits = MVTec(mvtec, category="bottle", size=16).load(seed=0)
    assert splits.train.names == [str(mvtec / f"bottle/train/good/{i:03d}.png") for i in range(4)]
    assert not splits.train.outlier.any()
    assert splits.test.of == ["good"] * 2 + ["broken"] * 2 + ["contamination"] * 2
    assert splits.test.outlier.tolist() == [False] * 2 + [True] * 4
    assert splits.classes == ["inlier"]
    assert splits.train.pixels.shape == (4, 3, 16, 16)


def test_images_are_of_256_pixels_and_whole_by_default(mvtec):
    splits = MVTec(mvtec, category="bottle").load(seed=0)
    assert torch.equal(
        splits.train.pixels, adframe.read_images(splits.train.names, 256, None, "squash")
    )


def test_a_defect_has_the_mask_of_its_own_name(mvtec):
    for category in ("bottle", ["bottle", "wood"]):
        test = MVTec(mvtec, category=category, size=(16, 24)).load(seed=0).test
        for pixels, mask, outlier in zip(test.pixels, test.masks, test.outlier, strict=True):
            red = int(pixels[0, 0, 0])
            expected = torch.zeros(16, 24, dtype=torch.bool)
            expected[4:8, red % 20 : red % 20 + 4] = bool(outlier)
            assert torch.equal(mask, expected)


def test_several_categories_are_one_inlier_class_and_may_be_told_apart(mvtec):
    one = MVTec(mvtec, category="all", size=16).load(seed=0)
    other = MVTec(mvtec, category=["bottle", "wood"], size=16, labelled=True).load(seed=0)
    assert one.train.names == other.train.names
    assert len(one.train) == 8
    assert sorted(set(one.test.of)) == sorted(
        f"{category}/{name}" for category in DEFECTS for name in [*DEFECTS[category], "good"]
    )
    assert list(other.classes) == ["bottle/good", "wood/good"]
    assert other.train.label.tolist() == [0] * 4 + [1] * 4
    assert other.test.outlier.tolist() == one.test.outlier.tolist()


def test_a_category_may_be_the_root_itself(mvtec):
    splits = [
        MVTec(mvtec / "wood", size=16).load(seed=0),
        MVTec(mvtec / "wood", category="wood", size=16).load(seed=0),
        MVTec(mvtec, category=["wood"], size=16).load(seed=0),
    ]
    for each in splits:
        assert each.test.names == splits[2].test.names
        assert each.test.of == splits[2].test.of
        assert all(map(torch.equal, each.test.masks, splits[2].test.masks))


def test_one_category_alone_need_not_be_named(mvtec):
    shutil.rmtree(mvtec / "wood")
    assert set(MVTec(mvtec, size=16).load(seed=0).test.of) == {"broken", "contamination", "good"}


@pytest.mark.parametrize(
    ("break_", "options", "said"),
    [
        (lambda root: None, {}, "category: choose among bottle, wood; or all"),
        (lambda root: None, {"category": "botle"},
         "category: no category 'botle' in MVTec AD; categories: bottle, wood"),
        (shutil.rmtree, {}, "ROOT: this is not MVTec AD; expected <category>/train/good/<image>"),
        (lambda root: shutil.rmtree(root / "wood/test"), {"category": "wood"},
         "ROOT/wood/test: no such folder"),
        (lambda root: (root / "wood/ground_truth/hole/001_mask.png").unlink(), {"category": "wood"},
         "ROOT/wood/ground_truth/hole/001_mask.png: no such mask, of ROOT/wood/test/hole/001.png"),
        (lambda root: Image.new("L", (8, 9), 1).save(root / "wood/ground_truth/hole/001_mask.png"),
         {"category": "all"},
         "ROOT/wood/ground_truth/hole/001_mask.png: a mask of 8x9 pixels; its image "
         "ROOT/wood/test/hole/001.png has 24x16"),
        (lambda root: [path.unlink() for path in (root / "wood/train/good").iterdir()],
         {"category": "wood"}, "ROOT/wood/train/good: no images in this folder"),
    ],
)  # fmt: skip
def test_a_folder_of_another_kind_is_told_in_one_line(mvtec, break_, options, said):
    break_(mvtec)
    with pytest.raises(UserError) as caught:
        MVTec(mvtec, size=16, **options).load(seed=0)
    assert str(caught.value).replace(str(mvtec), "ROOT") == said


def test_as_an_outlier_set_it_gives_all_test_images(mvtec):
    outliers = MVTec(mvtec, category="wood", size=16).outliers(seed=0)
    assert outliers.outlier.all()
    assert outliers.of == ["good"] * 2 + ["hole"] * 2 + ["liquid"] * 2
    known = [mask is not None for mask in outliers.masks]
    assert known == [False] * 2 + [True] * 4
    assert MVTec(mvtec, category="wood").set_name == "wood"


def test_visa_follows_its_table(visa):
    splits = VisA(visa, category="pcb1", size=(16, 24)).load(seed=0)
    folder = visa / "pcb1/Data/Images"
    assert splits.train.names == [str(folder / f"Normal/{index:04d}.JPG") for index in range(3)]
    assert splits.test.of == ["normal"] * 2 + ["anomaly"] * 2
    assert splits.test.outlier.tolist() == [False, False, True, True]
    sums = [int(mask.sum()) for mask in splits.test.masks]
    assert sums == [0, 0, 16, 16]
    assert splits.test.masks[3][4:8, 16:20].all()
    whole = VisA(visa, category="all", size=16).load(seed=0)
    assert set(whole.test.of) == {
        f"{c}/{k}" for c in ("candle", "pcb1") for k in ("normal", "anomaly")
    }
    assert len(whole.train) == 6


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("candle/Data/Masks/Anomaly/001.png", "",
         "TABLE: no mask of ROOT/candle/Data/Images/Anomaly/001.JPG"),
        ("label", "kind", "TABLE:2: expected the columns object, split, label, image, mask"),
        ("candle,train", "candle,test", "TABLE: no normal images of candle"),
        ("Masks/Anomaly/001", "Masks/Anomaly/gone",
         "ROOT/candle/Data/Masks/Anomaly/gone.png: No such file or directory"),
    ],
)  # fmt: skip
def test_a_table_of_images_that_is_not_right_is_told(visa, old, new, said):
    table = visa / "split_csv/1cls.csv"
    table.write_text(table.read_text().replace(old, new))
    with pytest.raises(UserError) as caught:
        VisA(visa, category="candle", size=16).load(seed=0)
    assert str(caught.value).replace(str(table), "TABLE").replace(str(visa), "ROOT") == said


def test_visa_elsewhere_is_told(visa):
    with pytest.raises(UserError, match=r"Data: this is not VisA; expected split_csv/1cls.csv and"):
        VisA(visa / "candle/Data").load(seed=0)
    (visa / "split_csv/1cls.csv").write_bytes(b"object\xff")
    with pytest.raises(UserError, match=r"1cls.csv: unreadable table of images$"):
        VisA(visa).load(seed=0)


def test_each_defect_of_a_run_has_an_auroc_of_its_own(mvtec, toy, tmp_path):
    table = f"dataset={{name: mvtec, root: {mvtec}, category: bottle, size: 16}}"
    report = adframe.run(toy(table, "train.epochs=1"), tmp_path / "run")
    assert set(report.auroc) == {"broken", "contamination"}
    result = json.loads((tmp_path / "run/result.json").read_text())
    assert set(result["auroc"]) == set(report.auroc)
