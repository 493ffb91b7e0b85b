import os
from pathlib import Path

import pytest

from adframe.io.paths import make_folders, why_no_file


def test_it_is_told_why_a_path_leads_to_no_file(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "nowhere").symlink_to("gone")
    os.mkfifo(tmp_path / "pipe")
    expected = {
        "file": None,
        "link": None,
        "nowhere": "no such file",
        "gone": "no such file",
        "pipe": "not a regular file",
        ".": "is a folder",
        "file/below": "Not a directory",
        "x" * 300: "File name too long",
        "a\0b": "embedded null byte",
    }
    assert {name: why_no_file(tmp_path / name) for name in expected} == expected


def test_folders_are_made_at_any_depth(tmp_path):
    deep = tmp_path.joinpath(*["x"] * 1200)  # more than Python may recurse
    made = [folder for folder in (deep, *deep.parents) if tmp_path in folder.parents]
    try:
        make_folders(deep)
        make_folders(deep)
        assert deep.is_dir()
    finally:
        for folder in made:
            folder.rmdir()
    assert len(made) == 1200


def test_folders_that_cannot_be_made_are_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    for path, error in (
        (tmp_path / "file", FileExistsError),
        (tmp_path / "file/below/it", NotADirectoryError),
        (Path("/proc/adframe/below"), FileNotFoundError),
    ):
        with pytest.raises(error):
            make_folders(path)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
