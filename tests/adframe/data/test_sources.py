"""Lists of images to score."""

import logging

import pytest

from adframe.data.sources import each_source


def _table(path, names):
    if path.suffix == ".csv":
        path.write_text("path,label\n" + "".join(f"{name or ''},0\n" for name in names))
    else:
        arrow = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")
        parquet.write_table(arrow.table({"path": names}), path)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_rows_without_a_path_are_counted(tmp_path, suffix, caplog):
    table = _table(tmp_path / f"list{suffix}", ["a.png", None, "b/c.png", ""])
    with caplog.at_level(logging.WARNING, "adframe"):
        assert list(each_source([table])) == [tmp_path / "a.png", tmp_path / "b/c.png"]
    (line,) = (record.getMessage() for record in caplog.records)
    assert line == f"{table}: passed over 2 rows without a path"


def test_empty_lines_of_a_text_are_no_rows(tmp_path, caplog):
    (tmp_path / "list.txt").write_text("a.png\n\nb.png\n")
    with caplog.at_level(logging.WARNING, "adframe"):
        found = list(each_source([tmp_path / "list.txt"]))
    assert found == [tmp_path / "a.png", tmp_path / "b.png"]
    assert not caplog.records
