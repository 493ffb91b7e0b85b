"""Files are read whole only if they are regular and of limited size."""

import os
import threading
from contextlib import suppress

import pytest
import torch

from adframe.config.model import load_config
from adframe.config.yaml_tree import read_file
from adframe.errors import UserError
from adframe.io.atomic import read_json
from adframe.io.read import read_bytes, read_text, sha256_of
from adframe.io.tensors import read_tensors, write_tensors

READERS = [read_bytes, read_text, sha256_of, read_json, read_tensors, read_file]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "missing", "loop", "null", "long"])
def test_what_is_no_regular_file_is_one_line_and_never_waited_for(tmp_path, plant, reader, kind):
    path = tmp_path / {"null": "a\0b", "long": "a" * 300}.get(kind, "x")
    if kind not in ("missing", "null", "long"):
        plant(path, kind)
    with pytest.raises(UserError) as refused:
        reader(path)
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith(str(tmp_path))


def test_a_file_over_the_limit_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(2**40)
    for reader in (read_bytes, read_json, read_file):
        with pytest.raises(UserError, match=r"sparse: too large; it has more than \d+ bytes"):
            reader(path)
    path.write_bytes(b"12345")
    assert read_bytes(path, 5) == b"12345"
    with pytest.raises(UserError, match="more than 4 bytes"):
        read_bytes(path, 4)


def test_names_that_are_not_utf8_survive_a_round_through_text(tmp_path):
    path = tmp_path / "names"
    path.write_bytes(b"n\xe9\xff \xc3\xa9\n")
    assert os.fsencode(read_text(path)) == path.read_bytes()


@pytest.mark.parametrize("data", [b"seed: 1\n", b"x" * 100_000])
def test_a_pipe_is_read_only_where_it_is_wanted(data):
    for pipes in (True, False):
        reader, writer = os.pipe()
        thread = threading.Thread(target=lambda to=writer: _send(to, data))
        thread.start()
        try:
            if pipes:
                assert read_bytes(f"/dev/fd/{reader}", pipes=True) == data
            else:
                with pytest.raises(UserError, match="is not a regular file"):
                    read_bytes(f"/dev/fd/{reader}")
        finally:
            os.close(reader)
            thread.join()


def _send(writer, data):
    with suppress(BrokenPipeError), os.fdopen(writer, "wb") as file:
        file.write(data)


def test_a_pipe_without_a_writer_is_refused_and_one_without_end_is_too_large(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="pipe: is a pipe, and nothing came from it"):
        read_bytes(tmp_path / "pipe", pipes=True)
    reader, writer = os.pipe()
    os.write(writer, b"123456789")
    try:
        with pytest.raises(UserError, match="more than 8 bytes"):
            read_bytes(f"/dev/fd/{reader}", 8, pipes=True)
    finally:
        os.close(reader)
        os.close(writer)


def test_a_config_may_come_from_a_pipe_and_what_it_extends_may_not(tmp_path, toy_file):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "x.yaml").write_text("extends: pipe\n")
    with pytest.raises(UserError, match=r"pipe: is not a regular file"):
        load_config(tmp_path / "x.yaml")
    reader, writer = os.pipe()
    _send(writer, f"extends: {toy_file}\nseed: 7\n".encode())
    try:
        assert load_config(f"/dev/fd/{reader}").seed == 7
    finally:
        os.close(reader)


def test_tensors_are_read_into_aligned_memory(tmp_path):
    parts = {f"{count}": torch.zeros(count, dtype=torch.uint8) for count in range(1, 40)}
    write_tensors(tmp_path / "a.safetensors", parts, {})
    tensors, _ = read_tensors(tmp_path / "a.safetensors")
    assert {tensor.data_ptr() % 64 for tensor in tensors.values()} == {0}
