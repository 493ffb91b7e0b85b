"""Image files decoded on demand: equal pixels, and bounded memory."""

import json
import os
import pickle
import signal

import numpy as np
import pytest
import torch
from PIL import Image

import adframe
from adframe.cli.main import main
from adframe.data import ahead, lazy, on_demand
from adframe.data.decode import ImageError
from adframe.data.lazy import image_digests, subset
from adframe.data.load import open_images, read_images
from adframe.errors import Stopped, UserError

# From Python 3.12 on: it is said of every fork beside another thread.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


@pytest.fixture
def paths(tmp_path):
    """Twenty files of noise, no two alike."""
    noise = np.random.default_rng(0)
    found = [tmp_path / f"{index:02d}.png" for index in range(20)]
    for path in found:
        Image.fromarray(noise.integers(0, 256, (9, 12, 3), dtype=np.uint8)).save(path)
    return found


@pytest.mark.parametrize("size", [8, None])
def test_what_is_asked_for_is_what_memory_would_hold(paths, size):
    expected = read_images(paths, size)
    files, kept = open_images(paths, size, workers=0)
    assert kept == list(range(20))
    assert (files.shape, files.dtype, files.ndim) == (expected.shape, torch.uint8, 4)
    mask = torch.arange(20) % 3 == 0
    for index in (3, -1, slice(5), slice(0, 0), [4, 4, 1], torch.tensor([9, 2]), mask):
        assert torch.equal(files[index], expected[index])
    rows = torch.tensor([7, 3, 3])
    assert torch.equal(subset(files, rows)[:], expected[rows])


@pytest.mark.parametrize("workers", [0, 1])
def test_batches_come_in_order_and_draw_nothing(paths, workers):
    expected = read_images(paths, 8)
    files, _ = open_images(paths, 8, workers=workers)
    order = [torch.tensor(rows, dtype=torch.long) for rows in ([3, 19], [], [0], [5, 5, 4], [1])]
    state = torch.get_rng_state()
    found = list(lazy.iter_batches(files, order))
    assert torch.equal(torch.get_rng_state(), state)
    assert len(found) == 5
    assert all(torch.equal(b, expected[rows]) for b, rows in zip(found, order, strict=True))
    assert list(lazy.iter_batches(files, [])) == []


def test_the_digests_are_those_of_the_pixels_and_taken_once(paths, monkeypatch):
    files, _ = open_images(paths, 8, workers=0)
    expected = image_digests(read_images(paths, 8)).tolist()
    monkeypatch.setattr(ahead, "read_image", lambda *_: pytest.fail("it was decoded"))
    assert image_digests(files).tolist() == expected
    assert image_digests(subset(files, torch.tensor([7, 3]))).tolist() == [expected[7], expected[3]]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_that_goes_bad_later_is_named_in_a_line(paths, workers):
    files, _ = open_images(paths, workers=workers)
    order = list(torch.arange(20).split(4))
    Image.new("RGB", (1, 1)).save(paths[9])
    paths[13].unlink()
    said = r"^\S*09\.png: its size changed since it was first read$"
    with pytest.raises(ImageError, match=said):
        list(lazy.iter_batches(files, order))
    with pytest.raises(ImageError, match=said):
        files[9]
    with pytest.raises(ImageError, match=r"^\S*13\.png: No such file\S*"):
        list(lazy.iter_batches(files, order[3:]))


def test_bad_files_are_found_before_they_are_needed(paths, logged):
    paths[4].write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"04\.png: not an image"):
        open_images(paths, 8, workers=1)
    files, kept = open_images(paths, 8, workers=1, skip_unreadable=True)
    logged(r"skipped unreadable files, 1 of 20: \S*04\.png: not an image")
    assert kept == [row for row in range(20) if row != 4]
    assert torch.equal(files[:], read_images([*paths[:4], *paths[5:]], 8))
    Image.new("RGB", (5, 5)).save(paths[4])
    with pytest.raises(UserError, match="set size"):
        open_images(paths, workers=1)


def test_auto_is_a_worker_a_core_within_bounds(paths, monkeypatch):
    for cores, expected in ((1, 1), (3, 3), (64, 8)):
        monkeypatch.setattr(on_demand, "_cores", lambda cores=cores: cores)
        assert open_images(paths[:1], 8, workers="auto")[0]._workers == expected
    monkeypatch.undo()
    assert 1 <= on_demand._cores() <= os.cpu_count()


def test_what_workers_hand_over_survives_the_way():
    error = pickle.loads(pickle.dumps(ImageError("a.png: not an image")))
    assert (type(error), str(error)) == (ImageError, "a.png: not an image")


def _settings(toy, workers):
    """Every place that takes a data set, so many workers in each."""
    root = toy().dataset.options["root"]
    other = f"{{name: image_folder, root: {root}, normal: dark, size: 16, workers: {workers}}}"
    return [
        f"dataset.workers={workers}",
        f"outliers=[{other}]",
        f"exposure={{ratio: 0.5, dataset: {other}}}",
        "scorer=[nearest_cosine, knn]",
    ]


def _outcome(folder):
    names = ["scores.csv", "model.safetensors", "metrics.jsonl", "result.json"]
    found = {name: (folder / name).read_bytes() for name in names[:2]}
    lines = [*(folder / names[2]).read_text().splitlines(), (folder / names[3]).read_text()]
    found["seconds apart"] = [{**json.loads(line), "seconds": 0} for line in lines]
    found["images"] = json.loads((folder / "environment.json").read_text())["train_sha256"]
    return found


@pytest.mark.slow
def test_a_run_with_workers_is_the_run_in_memory_and_so_is_one_resumed(toy, tmp_path, monkeypatch):
    adframe.run(toy(*_settings(toy, "null")), tmp_path / "memory")
    expected = _outcome(tmp_path / "memory")
    config = toy(*_settings(toy, 1))
    step, calls = torch.optim.SGD.step, []

    def signalled(optimizer, *args):
        calls.append(1)
        if len(calls) == 3:  # the first of two steps of the second epoch
            signal.raise_signal(signal.SIGTERM)
        return step(optimizer, *args)

    with monkeypatch.context() as patch:
        patch.setattr(torch.optim.SGD, "step", signalled)
        with pytest.raises(Stopped):
            adframe.run(config, tmp_path / "workers")
    assert json.loads((tmp_path / "workers/state.json").read_text())["step"] == 3
    adframe.run(config, tmp_path / "workers", resume=True)
    assert _outcome(tmp_path / "workers") == expected
    adframe.run(toy(*_settings(toy, 0)), tmp_path / "none")
    assert _outcome(tmp_path / "none") == expected


def test_no_more_than_a_part_is_asked_for_at_once(toy, monkeypatch):
    """In no phase of a run, though it has 8 images to train on and 20 to test with."""
    most = []
    decode, select = on_demand.LazyImageFiles._decode, on_demand.LazyImageFiles.index_select
    monkeypatch.setattr(
        on_demand.LazyImageFiles,
        "_decode",
        lambda self, p: (most.append(len(p)), decode(self, p))[1],
    )
    monkeypatch.setattr(
        on_demand.LazyImageFiles,
        "index_select",
        lambda self, dim, rows: (most.append(len(rows)), select(self, dim, rows))[1],
    )
    monkeypatch.setattr("adframe.engine.features.MAX_ROWS_PER_PASS", 4)
    monkeypatch.setattr("adframe.engine.metrics.COLUMNS", 4)
    monkeypatch.setattr("adframe.engine.metrics.TEST_ROWS", 4)
    monkeypatch.setattr("adframe.engine.features.MIN_BATCH", 2)
    monkeypatch.setattr("adframe.engine.monitor.SAMPLE", 4)
    monkeypatch.setattr("adframe.engine.datasets.SAMPLE", 4)
    adframe.run(toy("dataset.workers=0", "train.epochs=1", "scorer=nearest_cosine"))
    assert max(most) == 4
    assert sum(most) > 8 + 8 + 8 + 20 + 20  # trained on, fitted on, and for the floor; scored twice


def test_a_cache_and_workers_are_not_both_to_be_had(toy_file, capsys):
    settings = ["--set", "dataset.cache=x", "--set", "dataset.workers=auto"]
    assert main(["check", str(toy_file), *settings]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "dataset: cache and workers exclude each other; set only one of them" in line
    assert main(["check", str(toy_file), "--set", "dataset.workers=some"]) == 2
    assert main(["check", str(toy_file), "--set", "dataset.workers=auto"]) == 0
