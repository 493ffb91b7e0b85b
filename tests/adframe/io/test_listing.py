"""Tables of images: CSV and Parquet give the same rows, and each mistake is one line."""

import sys

import pyarrow
import pytest
from pyarrow import parquet

from adframe import UserError, read_table
from adframe.start.layout import layout_of

TEXT = "path,label,split\na.png,ok,train\nb.png,odd,test\nc.png,1,\n"
ROWS = [
    {"path": "a.png", "label": "ok", "split": "train"},
    {"path": "b.png", "label": "odd", "split": "test"},
    {"path": "c.png", "label": "1", "split": ""},
]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_csv(mark, tmp_path):
    (tmp_path / "x.csv").write_text(mark + TEXT, encoding="utf-8")
    assert read_table(tmp_path / "x.csv") == ROWS
    (tmp_path / "x.csv").write_bytes(b"path\n\xff\xfe\n")
    assert read_table(tmp_path / "x.csv") == [{"path": "\udcff\udcfe"}]  # names of files are bytes


def test_values_of_parquet_become_text(tmp_path):
    columns = {"path": ["a.png", "b.png"], "label": [7, 8], "split": ["train", None]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "x.parquet")
    assert read_table(tmp_path / "x.parquet") == [
        {"path": "a.png", "label": "7", "split": "train"},
        {"path": "b.png", "label": "8", "split": ""},
    ]
    (tmp_path / "x.parquet").write_bytes(b"no table")
    with pytest.raises(UserError, match=r"x.parquet: cannot be read") as caught:
        read_table(tmp_path / "x.parquet")
    assert "\n" not in str(caught.value)


def test_a_parquet_file_is_a_layout(tmp_path):
    columns = {"path": ["a.png"], "label": [7], "split": [None]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "x.pq")
    layout = layout_of(tmp_path / "x.pq")
    assert (layout.kind, layout.normal) == ("table", ["7"])
    assert layout.train == {"7": [tmp_path / "a.png"]}


def test_without_pyarrow_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "x.parquet").touch()
    with pytest.raises(UserError, match=r"needs pyarrow: pip install 'adframe\[parquet\]'$") as it:
        read_table(tmp_path / "x.parquet")
    assert "\n" not in str(it.value)
