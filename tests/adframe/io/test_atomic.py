import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from safetensors.torch import save, save_file

from adframe.errors import UserError
from adframe.io import atomic
from adframe.io.tensors import read_facts, read_tensors, write_tensors

TENSORS = {
    "whole": torch.tensor([[1.5, -2.0], [float("inf"), 0.0]]),
    "half": torch.tensor([0.1, 0.2], dtype=torch.bfloat16),
    "truth": torch.tensor([True, False]),
    "count": torch.tensor(7),
    "turned": torch.arange(6).reshape(2, 3).T,
    "empty": torch.zeros(0, 3),
}
FACTS = {"epoch": 3, "names": ["a", "ü"], "nested": {"rate": 1e-5, "none": None}}


@pytest.mark.parametrize("data", [b"\x00\xff", "text ü\n", b"", ""])
def test_a_file_holds_what_was_written(tmp_path, data):
    path = tmp_path / "file"
    atomic.write(path, data)
    assert path.read_bytes() == (data.encode() if isinstance(data, str) else data)
    assert list(tmp_path.iterdir()) == [path]


def _break_write(monkeypatch):
    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)


def _break_rename(monkeypatch):
    def fail(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)


@pytest.mark.parametrize("break_it", [_break_write, _break_rename])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, break_it):
    path = tmp_path / "file"
    atomic.write(path, "old")
    break_it(monkeypatch)
    with pytest.raises(UserError, match=r"file: cannot be written: No space left on device"):
        atomic.write(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_cannot_begin_is_the_users_error(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    for path in [tmp_path / "missing" / "x", tmp_path / "file" / "x"]:
        with pytest.raises(UserError, match="cannot be written"):
            atomic.write(path, "new")


def test_json_comes_back(tmp_path):
    path = tmp_path / "x.json"
    atomic.write_json(path, FACTS)
    assert atomic.read_json(path) == FACTS
    assert path.read_text().endswith("}\n")


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_json_that_is_none_is_the_users_error(tmp_path, data):
    path = tmp_path / "x.json"
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"x\.json: not valid JSON"):
        atomic.read_json(path)


def test_missing_files_are_the_users_error(tmp_path):
    with pytest.raises(UserError, match="No such file"):
        atomic.read_json(tmp_path / "x.json")
    with pytest.raises(UserError, match="No such file"):
        read_tensors(tmp_path / "x.safetensors")
    with pytest.raises(UserError, match="is not a regular file"):
        read_tensors(tmp_path)


def test_tensors_and_facts_come_back(tmp_path):
    path = tmp_path / "x.safetensors"
    write_tensors(path, TENSORS, FACTS)
    tensors, facts = read_tensors(path)
    assert facts == FACTS
    assert tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert tensors[name].dtype == tensor.dtype
        assert torch.equal(tensors[name], tensor)


def test_tensors_that_share_memory_or_want_a_gradient_are_written(tmp_path):
    path = tmp_path / "x.safetensors"
    weight = torch.ones(2, requires_grad=True)
    write_tensors(path, {"a": weight, "b": weight, "c": weight[:1]}, {})
    tensors, facts = read_tensors(path)
    assert facts == {}
    assert [tensors[name].tolist() for name in "abc"] == [[1, 1], [1, 1], [1]]
    assert not any(tensor.requires_grad for tensor in tensors.values())


def test_tensors_that_were_read_outlive_the_file(tmp_path):
    path = tmp_path / "x.safetensors"
    write_tensors(path, {"a": torch.arange(5)}, {})
    tensors, _ = read_tensors(path)
    write_tensors(path, {"a": torch.zeros(5)}, {})
    path.unlink()
    assert tensors["a"].tolist() == [0, 1, 2, 3, 4]


def test_a_file_cut_anywhere_is_damaged(tmp_path):
    path = tmp_path / "x.safetensors"
    write_tensors(path, {"a": torch.arange(8)}, {"epoch": 1})
    whole = path.read_bytes()
    for length in [0, 4, 8, 20, len(whole) // 2, len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match="damaged, or not written by adframe"):
            read_tensors(path)


@pytest.mark.parametrize("data", [b"garbage" * 100, b"\x80\x02}q\x00.", b"\xff" * 64])
def test_garbage_is_damaged(tmp_path, data):
    path = tmp_path / "x.safetensors"
    path.write_bytes(data)
    with pytest.raises(UserError, match="damaged, or not written by adframe"):
        read_tensors(path)


@pytest.mark.parametrize(
    "metadata",
    [None, {}, {"format": "pt"}, {"adframe": "3"}, {"adframe": "{"}, {"adframe": "[" * 99_999}],
)
def test_a_strangers_tensors_are_refused(tmp_path, metadata):
    path = tmp_path / "x.safetensors"
    save_file({"a": torch.zeros(2)}, path, metadata)
    with pytest.raises(UserError, match="not written by adframe"):
        read_tensors(path)


@pytest.mark.parametrize("kind", ["link", "dangling", "to a folder", "folder", "pipe"])
def test_what_is_no_regular_file_is_never_written(tmp_path, kind):
    work, outside = tmp_path / "work", tmp_path / "outside"
    work.mkdir()
    outside.mkdir()
    (outside / "target").write_text("keep")
    path = work / "file"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        to = {"link": "target", "dangling": "new", "to a folder": ""}[kind]
        path.symlink_to(outside / to)
    before = os.lstat(path).st_mode
    with pytest.raises(UserError, match="file: is not a regular file; nothing is written there"):
        atomic.write(path, "new")
    assert os.lstat(path).st_mode == before
    assert os.listdir(outside) == ["target"]
    assert (outside / "target").read_text() == "keep"
    assert os.listdir(work) == ["file"]


def test_two_writers_of_one_file_never_share_a_temporary_name(tmp_path):
    path = tmp_path / "file"
    with atomic.atomic_write(path) as one, atomic.atomic_write(path) as other:
        names = os.listdir(tmp_path)
        assert len(names) == 2
        assert all(atomic.is_temporary(name) for name in names)
        one.write(b"one" * 1000)
        other.write(b"other")
    assert path.read_bytes() == b"one" * 1000


def test_leftovers_of_killed_writers_are_removed_and_nothing_else(tmp_path):
    token = "0" * 32
    mine = tmp_path / f".file.{token}.part"
    kept = ["file.part", f"file.{token}.part", f".file.{token}", f".file.{'g' * 32}.part"]
    for path in [mine, *(tmp_path / name for name in kept)]:
        path.write_text("x")
    (tmp_path / f".link.{token}.part").symlink_to(mine)
    (tmp_path / f".folder.{token}.part").mkdir()
    atomic.remove_leftovers(tmp_path)
    left = {*kept, f".link.{token}.part", f".folder.{token}.part"}
    assert set(os.listdir(tmp_path)) == left


def test_a_new_file_has_the_permissions_that_the_user_wants(tmp_path):
    before = os.umask(0o027)
    try:
        atomic.write(tmp_path / "file", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("name", ["a" * 255, "é" * 127, "漢" * 85, os.fsdecode(b"\xff" * 255)])
def test_a_name_as_long_as_a_name_can_be_is_written(tmp_path, name):
    with atomic.atomic_write(tmp_path / name) as file:
        file.write(b"x")
        (temporary,) = os.listdir(tmp_path)
        assert atomic.is_temporary(temporary)
    assert os.listdir(tmp_path) == [name]


def test_writers_at_once_are_each_whole_and_leave_nothing(tmp_path):
    path = tmp_path / "file"
    texts = [str(number) * 5000 for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda text: atomic.write(path, text), texts * 5))
    assert path.read_text() in texts
    assert os.listdir(tmp_path) == ["file"]


def test_tensors_larger_than_the_memory_are_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    with path.open("wb") as file:
        file.truncate(1 << 43)  # a hole: it takes no room
    for read in (read_tensors, read_facts):
        with pytest.raises(UserError, match="larger than the memory of this machine"):
            read(path)


def test_a_header_without_end_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "x.safetensors"
    with path.open("wb") as file:
        file.write((1 << 26).to_bytes(8, "little"))
        file.truncate(1 << 27)
    for read in (read_tensors, read_facts):
        with pytest.raises(UserError, match=r"too large; its header has more than \d+ bytes"):
            read(path)


@pytest.mark.parametrize("read", [read_tensors, read_facts])
def test_facts_nested_without_end_are_refused(tmp_path, read):
    path, deep = tmp_path / "x.safetensors", "[" * 100_000 + "]" * 100_000
    path.write_bytes(save({"x": torch.zeros(1)}, {"adframe": f'{{"facts": {{"x": {deep}}}}}'}))
    with pytest.raises(UserError, match="x.safetensors: damaged, or not written by adframe: maxim"):
        read(path)


def test_an_error_of_the_writer_is_not_one_of_the_file(tmp_path):
    with pytest.raises(ValueError, match="of the writer"), atomic.atomic_write(tmp_path / "x"):
        raise ValueError("of the writer")
    with pytest.raises(UserError, match="cannot be written: embedded null byte"):
        atomic.write(tmp_path / "a\0b", "x")
    assert list(tmp_path.iterdir()) == []
