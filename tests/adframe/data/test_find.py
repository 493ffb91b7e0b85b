"""Finding image files: which count, which are counted in a warning, and unusual trees."""

import os
import subprocess

import pytest

from adframe.data.find import find_images
from adframe.errors import UserError
from adframe.io.atomic import temporary_for


def _touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_hidden_files_and_folders_are_passed_over_and_counted(tmp_path, logged):
    kept = [_touch(tmp_path / "a" / "1.png"), _touch(tmp_path / "b.jfif")]
    for name in (".b.png", "a/.ipynb_checkpoints/1.png", ".git/x.png"):
        _touch(tmp_path / name)
    assert find_images(tmp_path) == kept
    logged(r"passed over: 3 hidden \(\S+, \.\.\.\)")


def test_the_unfinished_output_of_a_command_is_no_hidden_file(tmp_path, caplog):
    _touch(temporary_for(tmp_path / "scores.csv"))
    assert find_images(tmp_path) == []
    assert not caplog.records


@pytest.mark.parametrize("suffix", ["jfif", "pgm", "avif", "JPG", "jp2", "webp", "tiff", "apng"])
def test_files_of_every_format_are_found(tmp_path, suffix, caplog):
    path = _touch(tmp_path / f"a.{suffix}")
    assert find_images(tmp_path) == [path]
    assert not caplog.records


def test_other_files_are_counted_with_an_example(tmp_path, logged):
    for name in ("notes.txt", "Thumbs.db", "a.eps"):
        _touch(tmp_path / name)
    assert find_images(tmp_path) == []
    logged(r"passed over: 3 not images by suffix \(\S+Thumbs.db, \.\.\.\)")


def test_all_kinds_are_told_in_one_line(tmp_path, caplog):
    _touch(tmp_path / ".a.png")
    _touch(tmp_path / "a.txt")
    os.mkfifo(tmp_path / "pipe.png")
    find_images(tmp_path)
    (record,) = caplog.records
    for part in ("1 hidden", "1 not images by suffix", "1 pipes or devices"):
        assert part in record.getMessage()


def test_links_are_followed_and_each_folder_is_searched_once(tmp_path, logged):
    there = _touch(tmp_path / "there" / "a.png")
    (tmp_path / "top").mkdir()
    (tmp_path / "top" / "one").symlink_to(there.parent)
    (tmp_path / "top" / "two").symlink_to(there.parent)
    (tmp_path / "top" / "self").symlink_to(tmp_path / "top")
    (tmp_path / "top" / "file.png").symlink_to(there)
    found = find_images(tmp_path / "top")
    assert found == [tmp_path / "top" / "file.png", tmp_path / "top" / "one" / "a.png"]
    logged("2 linked twice")


@pytest.mark.parametrize("name", ["pipe.png", "link.png"])
def test_pipes_are_passed_over_also_behind_links(tmp_path, logged, name):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "top").mkdir()
    (tmp_path / "top" / name).symlink_to(tmp_path / "pipe")
    assert find_images(tmp_path / "top") == []
    logged("1 pipes or devices")


def test_devices_are_passed_over(tmp_path, logged):
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    assert find_images(tmp_path) == []
    logged("1 pipes or devices")


def test_folders_that_cannot_be_read_are_told(tmp_path, logged, monkeypatch):
    kept = _touch(tmp_path / "a" / "1.png")
    _touch(tmp_path / "shut" / "2.png")
    scan = os.scandir

    def denied(path):
        if str(path).endswith("shut"):
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", denied)
    assert find_images(tmp_path) == [kept]
    logged(r"passed over: 1 unreadable \(\S+shut: Permission denied\)")
    with pytest.raises(UserError, match="shut: cannot be read: Permission denied"):
        find_images(tmp_path / "shut")


@pytest.fixture
def deep_path(tmp_path):
    """A folder for trees that Python's own functions cannot remove."""
    yield tmp_path / "deep"
    subprocess.run(["rm", "-rf", tmp_path / "deep"], check=True)


def _deep(top, levels, name):
    """Make a chain of folders, also below the longest path."""
    top.mkdir()
    here = os.open(top, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir(name, dir_fd=here)
        inner = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)


def test_a_tree_deeper_than_the_recursion_limit_is_searched(deep_path):
    _deep(deep_path, 1200, "d")
    inner = deep_path.joinpath(*["d"] * 1200)
    os.close(os.open(f"{inner}/a.png", os.O_CREAT))
    assert [os.fspath(path) for path in find_images(deep_path)] == [f"{inner}/a.png"]


def test_below_the_longest_path_is_told(deep_path, logged):
    _deep(deep_path, 30, "d" * 200)
    kept = _touch(deep_path / "a.png")
    assert find_images(deep_path) == [kept]
    logged("1 unreadable .*File name too long")


def test_names_that_are_not_utf_8_are_found(tmp_path):
    name = os.fsencode(tmp_path) + b"/x\xe9.png"
    os.close(os.open(name, os.O_CREAT))
    assert [os.fsencode(path) for path in find_images(tmp_path)] == [name]


def test_a_named_file_is_returned_with_any_suffix(tmp_path):
    path = _touch(tmp_path / ".x.txt")
    assert find_images([path, path]) == [path, path]
