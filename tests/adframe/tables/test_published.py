"""Published figures are read correctly, and their printed means are checked."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from adframe.errors import UserError
from adframe.tables.published import read_published

FILES = sorted(Path("configs/tables/published").glob("*.yaml"))


def _plain(path):
    return YAML(typ="safe").load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_bundled_figures_are_whole(path):
    published = read_published(path)
    assert published.source.endswith(path.stem.replace("table", "Table "))


def test_every_printed_mean_is_that_of_its_row_but_one():
    rows = _plain(FILES[0])["parts"]["a"]["rows"]
    assert len(rows) == 12
    off = {}
    for name, row in rows.items():
        *classes, mean = row["auroc"]
        assert len(classes) == 10
        if abs(sum(classes) / 10 - mean) > 0.05 + 1e-9:
            off[name] = round(sum(classes) / 10, 1)
    assert off == {"nda": 83.8}
    assert rows["nda"]["auroc"][-1] == 84.3  # flagged, not mended
    assert [name for name, row in rows.items() if row.get("mean_off")] == ["nda"]


def test_what_is_not_comparable_says_why():
    rows = read_published(FILES[0]).parts["a"].rows
    silent = {name: row.note for name, row in rows.items() if not row.comparable}
    assert set(silent) == {"idecode", "ssd"}
    assert "four images" in silent["idecode"]
    assert "no one-class CIFAR-10" in silent["ssd"]


def test_anchors_of_the_ablations():
    table5 = read_published(Path("configs/tables/published/table5.yaml")).parts["all"].rows
    assert {name: row.auroc[0] for name, row in table5.items()} == {
        "perm": 92.1, "sobel": 90.4, "noise": 90.8, "blur": 89.8, "rotation": 95.4,
    }  # fmt: skip
    table6 = read_published(Path("configs/tables/published/table6.yaml")).parts["all"].rows
    one_class = [row.auroc[0] for row in table6.values()]
    assert one_class == [94.3, 94.6, 95.1, 95.3, 92.4, 94.8, 95.0, 95.1, 95.4]
    assert list(table6) == list("123456789")


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("85.0]", "85.1]", r"rows.plain: the printed mean is \+0.10 from the mean of the row"),
        ("sd: [0.5, 0.4, null]", "mean_off: true, note: x", "mean_off, but the printed mean is"),
        ("sd: [0.5, 0.4, null]", "sd: [0.5]", "3 columns, but 1 and 3 figures"),
        (", note: another measure", "", "rows.soft: needs a note"),
        (", note: one figure is lost", "", "rows.rival: needs a note"),
        ("90.0, 85.0", "190.0, 85.0", "must be 100 or less"),
        ("caption", "caption_", "published.yaml:6: parts.all.caption_: unknown key"),
    ],
)
def test_figures_that_contradict_themselves_are_refused(table_file, old, new, fault):
    path = table_file.parent / "published.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(UserError, match=fault):
        read_published(path)


def test_a_flagged_mean_is_carried_as_printed(table_file):
    path = table_file.parent / "published.yaml"
    text = (
        path.read_text()
        .replace("85.0]", "86.0]")
        .replace("sd: [0.5", "mean_off: true, note: x, sd: [0.5")
    )
    path.write_text(text)
    assert read_published(path).parts["all"].rows["plain"].auroc[-1] == 86.0
