"""Outputs that are no plain files: pipes, devices and links, and names that are long."""

import os
import stat
from contextlib import suppress

import pytest

from adframe.errors import UserError
from adframe.io.rows import open_rows


def _write(path, text="rows"):
    with open_rows(path) as out:
        out.write(text)


def _interrupted(path):
    with suppress(KeyboardInterrupt), open_rows(path) as out:
        out.write("some rows")
        raise KeyboardInterrupt


def test_a_pipe_that_nobody_reads_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for name in ("pipe", "link"):
        with pytest.raises(UserError, match="cannot be written: no process reads this pipe"):
            _write(tmp_path / name)
        assert (tmp_path / name).is_fifo()
    assert {path.name for path in tmp_path.iterdir()} == {"pipe", "link"}


@pytest.mark.parametrize("name", ["null", "link"])
def test_a_device_stays_a_device(tmp_path, name):
    """On a device made for the test: the real one must outlive a failure."""
    device = tmp_path / "null"
    try:
        os.mknod(device, 0o600 | stat.S_IFCHR, os.makedev(1, 3))
        os.close(os.open(device, os.O_WRONLY))
    except OSError:
        pytest.skip("this user or system makes no devices")
    (tmp_path / "link").symlink_to(device)
    _write(tmp_path / name)
    assert stat.S_ISCHR(os.lstat(device).st_mode)
    assert (tmp_path / "link").is_symlink()
    assert {path.name for path in tmp_path.iterdir()} == {"null", "link"}


def test_a_link_to_nothing_makes_the_file_that_it_names(tmp_path):
    (tmp_path / "link").symlink_to("target")
    _write(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "rows"


def test_a_link_in_a_circle_is_one_line(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(UserError, match="a: is a link to .*, which cannot be written: Too many le"):
        _write(tmp_path / "a")


def test_a_refused_link_names_its_target(tmp_path):
    (tmp_path / "a").symlink_to("no/such")
    with pytest.raises(UserError, match=f"a: is a link to {tmp_path}/no/such, which cannot be wr"):
        _write(tmp_path / "a")


def test_links_at_other_names_are_not_written_to(tmp_path):
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "x.csv.part").symlink_to("precious")
    _write(tmp_path / "x.csv")
    _interrupted(tmp_path / "x.csv")
    assert (tmp_path / "precious").read_text() == "precious"
    assert (tmp_path / "x.csv").read_text() == "rows"
    assert (tmp_path / "x.csv.part").read_text() == "some rows"


@pytest.mark.parametrize("name", ["a" * 255, "é" * 127, "a" * 251])
def test_a_name_as_long_as_a_name_can_be_is_written_and_no_row_is_lost(tmp_path, name):
    _write(tmp_path / name)
    assert os.listdir(tmp_path) == [name]
    _interrupted(tmp_path / name)
    assert (tmp_path / name).read_text() == "rows"
    (part,) = (path for path in tmp_path.iterdir() if path.name != name)
    assert part.read_text() == "some rows"
