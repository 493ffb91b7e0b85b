"""Cache files of decoded pixels: content, damage, locks, full disks."""

import errno
import os
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock
from PIL import Image
from safetensors.torch import load_file

import adframe
from adframe.cli.main import main
from adframe.data import ahead, cache, decode
from adframe.data.decode import ImageError
from adframe.data.load import open_images, read_images
from adframe.errors import UserError


@pytest.fixture
def paths(tmp_path):
    """Forty files of noise, no two alike."""
    noise = np.random.default_rng(0)
    folder = tmp_path / "images"
    folder.mkdir()
    found = [folder / f"{index:02d}.png" for index in range(40)]
    for path in found:
        Image.fromarray(noise.integers(0, 256, (9, 12, 3), dtype=np.uint8)).save(path)
    return found


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def on_demand(monkeypatch):
    """From when it is called, no image may be decoded."""
    return lambda: monkeypatch.setattr(
        ahead, "read_image", lambda *_: pytest.fail("it was decoded")
    )


def open_(paths, folder, **options):
    return open_images(paths, 8, cache=folder, **options)


def file_of(folder):
    """The one file of the cache; nothing half-made lies beside it."""
    (path,) = folder.iterdir()
    assert path.suffix == ".safetensors"
    return path


def test_it_holds_the_pixels_and_is_not_decoded_again(paths, folder, on_demand):
    expected = read_images(paths, 8)
    pixels, kept = open_(paths, folder)
    assert torch.equal(pixels, expected)
    assert kept == list(range(40))
    on_demand()
    assert torch.equal(open_(paths, folder)[0], expected)
    assert torch.equal(load_file(file_of(folder))["pixels"], expected)


def test_without_a_size_files_of_one_size_are_kept_and_others_refused(paths, folder):
    pixels, _ = open_images(paths, cache=folder)
    assert torch.equal(pixels, read_images(paths))
    Image.new("RGB", (5, 5)).save(paths[3])
    with pytest.raises(UserError, match=r"03.png: 5x5 pixels, but \S*00.png has 12x9; set size"):
        open_images(paths, cache=folder)


def test_pixels_are_mapped_and_writing_to_them_changes_no_file(paths, folder):
    pixels, _ = open_(paths, folder)
    address, path = pixels.data_ptr(), file_of(folder)
    lines = Path("/proc/self/maps").read_text().splitlines()
    (where,) = [line for line in lines if _holds(line, address)]
    assert where.endswith(str(path))
    before = path.read_bytes()
    pixels.zero_()
    assert path.read_bytes() == before


def _holds(line, address):
    start, end = (int(part, 16) for part in line.partition(" ")[0].split("-"))
    return start <= address < end


def test_order_choice_and_size_have_files_of_their_own(paths, folder):
    open_(paths, folder)
    assert torch.equal(open_(paths[::-1], folder)[0], read_images(paths[::-1], 8))
    assert torch.equal(open_(paths[:5], folder)[0], read_images(paths[:5], 8))
    assert torch.equal(open_images(paths, 9, cache=folder)[0], read_images(paths, 9))
    assert len(list(folder.glob("*.safetensors"))) == 4


def test_it_is_rebuilt_if_a_file_has_changed(paths, folder):
    before, _ = open_(paths, folder)
    facts = paths[7].stat()
    Image.new("RGB", (12, 9), (1, 2, 3)).save(paths[7])
    after, _ = open_(paths, folder)
    assert after[7, :, 0, 0].tolist() == [1, 2, 3]
    assert torch.equal(after[8:], before[8:])
    Image.new("RGB", (12, 9), (3, 2, 1)).save(paths[7])  # of the same size
    os.utime(paths[7], ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert open_(paths, folder)[0][7, :, 0, 0].tolist() == [3, 2, 1]
    assert file_of(folder)


@pytest.mark.parametrize("change", ["rules", "versions"])
def test_it_is_rebuilt_if_files_are_decoded_otherwise(paths, folder, monkeypatch, change):
    open_(paths, folder)
    file_of(folder).touch()
    known = file_of(folder).stat().st_mtime_ns
    if change == "rules":
        monkeypatch.setattr(cache, "RULES", decode.RULES + 1)
    else:
        monkeypatch.setattr("importlib.metadata.version", lambda name: "0")
    assert torch.equal(open_(paths, folder)[0], read_images(paths, 8))
    assert file_of(folder).stat().st_mtime_ns != known


def _cut(path, at):
    with path.open("r+b") as file:
        file.truncate(at)


def _spoil(path, old, new):
    content = path.read_bytes()
    assert content.count(old) >= 1
    path.write_bytes(content.replace(old, new, 1))


@pytest.mark.parametrize("damage", [
    lambda path: _cut(path, 0),
    lambda path: _cut(path, 100),
    lambda path: _cut(path, cache.HEADER),
    lambda path: _cut(path, path.stat().st_size - 1),
    lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    lambda path: path.write_bytes(b"\xff" * path.stat().st_size),
    lambda path: _spoil(path, b"[40, 3, 8, 8]", b"[8, 40, 3, 8]"),
    lambda path: _spoil(path, b"made_of", b"made_by"),
    lambda path: path.write_bytes(path.read_bytes()[:-1] + b"\0"),
])  # fmt: skip
def test_a_damaged_one_is_rebuilt_with_a_line(paths, folder, on_demand, damage, logged):
    open_(paths, folder)
    path = file_of(folder)
    whole = path.read_bytes()
    damage(path)
    pixels, _ = open_(paths, folder)
    logged(rf"^{path}: damaged cache file; it is built again$")
    assert torch.equal(pixels, read_images(paths, 8))
    assert file_of(folder).read_bytes() == whole
    on_demand()
    open_(paths, folder)


class Killed(BaseException):
    """Stands for SIGKILL: nothing may clean up after it."""


def test_one_killed_between_write_and_rename_is_never_used(paths, folder, monkeypatch):
    def kill(*args):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", kill)
        patch.setattr(Path, "unlink", kill)
        with pytest.raises(Killed):
            open_(paths, folder)
    (left,) = folder.glob("*.part")
    (folder / "film.part").write_text("somebody else's")
    assert torch.equal(open_(paths, folder)[0], read_images(paths, 8))
    assert not left.exists()
    assert (folder / "film.part").exists()


def test_an_interrupt_leaves_nothing(paths, folder, monkeypatch):
    def stop(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", stop)
    with pytest.raises(KeyboardInterrupt):
        open_(paths, folder)
    assert list(folder.iterdir()) == []


def test_of_two_builders_one_waits_and_uses_what_the_other_made(paths, folder, monkeypatch, logged):
    """Threads stand for processes: the lock is of an open file, not of a process."""
    built, decoding, go_on = [], threading.Event(), threading.Event()
    build = cache._build

    def slow(*args):
        built.append(threading.current_thread())
        decoding.set()
        assert go_on.wait(60)
        build(*args)

    acquire = FileLock.acquire

    def noted(lock, **options):
        if not options:  # no more "if nobody else has it"
            go_on.set()
        return acquire(lock, **options)

    monkeypatch.setattr(cache, "_build", slow)
    monkeypatch.setattr(FileLock, "acquire", noted)
    found = []
    threads = [threading.Thread(target=lambda: found.append(open_(paths, folder)[0])) for _ in "ab"]
    threads[0].start()
    assert decoding.wait(60)
    threads[1].start()
    for thread in threads:
        thread.join(60)
    assert built == threads[:1]
    assert all(torch.equal(pixels, read_images(paths, 8)) for pixels in found)
    assert len(found) == 2
    logged(f"{folder}: another process builds a cache here; waiting for it to end")


def test_a_file_system_without_locks_is_used_without(paths, folder, monkeypatch):
    def no_locks(*args):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", no_locks)
    folder.mkdir()
    other = folder / f"{'a' * 32}.{'b' * 32}.part"
    other.write_text("perhaps somebody is at it")
    open_(paths, folder)
    assert other.exists()


def test_a_folder_that_can_only_be_read_is_read(paths, folder, monkeypatch):
    open_(paths, folder)
    open_file = os.open

    def read_only(path, flags, *args, **options):
        if Path(path).parent == folder and flags & os.O_CREAT:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)
        return open_file(path, flags, *args, **options)

    monkeypatch.setattr(os, "open", read_only)
    assert torch.equal(open_(paths, folder)[0], read_images(paths, 8))
    with pytest.raises(UserError) as caught:
        open_(paths[1:], folder)
    assert str(caught.value) == f"{folder}: cannot be written: Read-only file system"


def test_a_full_disk_is_a_line_and_leaves_nothing(paths, folder, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(UserError, match="cannot be written: No space left on device$"):
            open_(paths, folder)
    assert list(folder.iterdir()) == []
    usage = cache.shutil.disk_usage(folder)._replace(free=4096 + 40 * (3 * 64 + 1) - 1)
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(UserError, match=r"^\S*cache: 40 images need 0.0 GiB decoded and 0.0 GiB"):
        open_(paths, folder)
    assert list(folder.iterdir()) == []


def test_memory_does_not_grow_with_the_images(paths, folder, monkeypatch):
    """What is decoded and not yet written is a few images for each core."""
    waiting, most = set(), []
    read, decoded = ahead.read_image, ahead.decoded

    def counted(path, reading):
        image = read(path, reading)
        waiting.add(image.data_ptr())
        return image

    def taken(*args):
        for index, image in decoded(*args):
            most.append(len(waiting))
            waiting.discard(image.data_ptr())
            yield index, image

    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    monkeypatch.setattr(ahead, "read_image", counted)
    monkeypatch.setattr(ahead, "TINY", 0)  # by threads, which run ahead
    monkeypatch.setattr(cache, "decoded", taken)
    open_(paths, folder)
    assert len(most) == 40
    assert 1 < max(most) <= 4 * ahead.AT_ONCE


# --- unreadable files ----------------------------------------------------------------------------


def test_unreadable_files_are_named_and_nothing_is_kept(paths, folder):
    for path in paths[3:5]:
        path.write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"03.png: not an image \(1 more like it\)"):
        open_(paths, folder)
    assert list(folder.iterdir()) == []


def test_unreadable_files_are_left_out_each_time_with_a_line(paths, folder, logged):
    content = paths[4].read_bytes()
    for path in paths[3:5]:
        path.write_bytes(b"no image")
    rest = [index for index in range(40) if index not in (3, 4)]
    expected = read_images([paths[index] for index in rest], 8)
    for _ in range(2):
        said = r"^skipped unreadable files, 2 of 40: \S*03.png: not an image \(1 more like it\)$"
        pixels, kept = open_(paths, folder, skip_unreadable=True)
        logged(said)
        assert kept == rest
        assert torch.equal(pixels, expected)
    with pytest.raises(ImageError, match=r"03.png: not an image \(1 more like it\)"):
        open_(paths, folder)
    facts = paths[4].stat()
    paths[4].write_bytes(content)
    os.utime(paths[4], ns=(facts.st_atime_ns, facts.st_mtime_ns))
    pixels, kept = open_(paths, folder, skip_unreadable=True)
    logged(r"^skipped unreadable files, 1 of 40: \S*03.png: not an image$")
    assert kept == sorted([*rest, 4])


def test_what_could_not_be_read_for_a_while_is_tried_again(paths, folder, monkeypatch, logged):
    """As after a change of permissions, which changes neither size nor time of a file."""
    read = ahead.read_image

    def denied(path, reading):
        if path == paths[0]:
            raise ImageError(f"{path}: unreadable image: Permission denied")
        return read(path, reading)

    with monkeypatch.context() as patch:
        patch.setattr(ahead, "read_image", denied)
        pixels, _ = open_(paths, folder, skip_unreadable=True)
        logged("skipped unreadable files, .* of 40: .*denied")
    assert len(pixels) == 39
    assert torch.equal(open_(paths, folder, skip_unreadable=True)[0], read_images(paths, 8))


def test_no_readable_file_is_an_error_and_so_is_no_file(paths, folder):
    for path in paths[:2]:
        path.write_bytes(b"")
    with pytest.raises(ImageError, match=r"00.png: not an image \(1 more like it\)"):
        open_(paths[:2], folder, skip_unreadable=True)
    with pytest.raises(UserError, match="no images"):
        open_([], folder)


# --- a run from it -------------------------------------------------------------------------------


def test_a_run_from_the_cache_is_the_run_without_it(toy, tmp_path):
    outliers = "outliers=[{name: image_folder, root: %s, size: 16%s}]"
    root = toy().dataset.options["root"]
    adframe.run(toy(outliers % (root, "")), tmp_path / "plain")
    where = f", cache: {tmp_path / 'cache'}"
    for name in ("built", "mapped"):
        config = toy(outliers % (root, where), f"dataset.cache={tmp_path / 'cache'}")
        adframe.run(config, tmp_path / name)
        for file in ("scores.csv", "model.safetensors"):
            plain = (tmp_path / "plain" / file).read_bytes()
            assert (tmp_path / name / file).read_bytes() == plain, (name, file)
    assert len(list((tmp_path / "cache").glob("*.safetensors"))) == 3  # train, test, outliers


def test_a_cache_that_cannot_be_written_ends_a_run_with_status_2(toy_file, tmp_path, capsys):
    (tmp_path / "file").write_text("no folder")
    setting = f"dataset.cache={tmp_path / 'file'}"
    out = tmp_path / "run"
    assert main(["run", str(toy_file), "--out", str(out), "--set", setting]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(f"dataset: {tmp_path / 'file'}: cannot be written: File exists")
    assert not out.exists()
