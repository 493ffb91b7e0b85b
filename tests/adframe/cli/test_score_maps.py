"""``adframe score --maps``: a map and an overlay of each image, of the image's size."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

import adframe
from adframe.cli.main import main


@pytest.fixture(scope="module")
def run_with_maps(toy_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "maps"
    settings = ["scorer={name: dense, patch: 8, stride: 4}", "train.epochs=1"]
    adframe.run(adframe.load_config(toy_file, settings), folder)
    return folder


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    noise = np.random.default_rng(0)
    for name, shape in {"wide": (20, 50), "high": (33, 16)}.items():
        pixels = noise.integers(0, 255, (*shape, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return folder


def test_maps_have_the_size_of_the_image(run_with_maps, photos, tmp_path, capsys):
    maps = tmp_path / "new/maps"
    assert main(["score", str(run_with_maps), str(photos), "--maps", str(maps)]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 3
    names = sorted(path.name for path in maps.iterdir())
    assert names == ["high_map.png", "high_overlay.png", "wide_map.png", "wide_overlay.png"]
    for name, size in {"wide": (50, 20), "high": (16, 33)}.items():
        for what in ("map", "overlay"):
            with Image.open(maps / f"{name}_{what}.png") as image:
                assert image.size == size
    assert main(["score", str(run_with_maps), str(photos)]) == 0
    assert capsys.readouterr().out.splitlines() == rows


def test_the_values_of_a_map_are_those_of_the_detector(run_with_maps, photos, tmp_path):
    main(["score", str(run_with_maps), str(photos), "--maps", str(tmp_path / "maps")])
    scale = json.loads((run_with_maps / "result.json").read_text())["map_range"]
    detector = adframe.load(run_with_maps)
    ((_, found),) = detector.explain_files(photos / "wide.png")
    with Image.open(tmp_path / "maps/wide_map.png") as image:
        share = np.asarray(image) / 65535
    values = scale["low"] + share * (scale["high"] - scale["low"])
    assert np.allclose(values, found.map.clip(scale["low"], scale["high"]), atol=1e-4)
    assert found.score == pytest.approx(detector.score(photos / "wide.png")[0])


def test_the_run_states_the_range_of_its_maps(run_with_maps):
    scale = json.loads((run_with_maps / "result.json").read_text())["map_range"]
    assert scale["low"] <= scale["normal"] <= scale["high"]


@pytest.fixture(scope="module")
def run_without(toy_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "plain"
    adframe.run(adframe.load_config(toy_file, ["train.epochs=1"]), folder)
    return folder


def test_a_scorer_without_maps_is_one_line(run_without, photos, tmp_path, capsys):
    assert main(["score", str(run_without), str(photos), "--maps", str(tmp_path / "maps")]) == 2
    assert "'nearest_cosine' of plugin 'scorers' gives no maps" in capsys.readouterr().err
    assert not (tmp_path / "maps").exists()


def test_a_folder_of_images_is_not_filled_with_maps(run_with_maps, photos, capsys):
    assert main(["score", str(run_with_maps), str(photos), "--maps", str(photos)]) == 2
    assert "holds images to score" in capsys.readouterr().err
    assert len(list(photos.iterdir())) == 2


def test_a_file_in_place_of_the_folder_is_one_line(run_with_maps, photos, tmp_path, capsys):
    (tmp_path / "taken").write_text("mine")
    assert main(["score", str(run_with_maps), str(photos), "--maps", str(tmp_path / "taken")]) == 2
    assert "cannot be made" in capsys.readouterr().err


def test_an_unreadable_image_has_no_map_and_the_others_have(
    run_with_maps, photos, tmp_path, capsys
):
    (photos / "broken.png").write_bytes(b"\x89PNG")
    maps = tmp_path / "maps"
    assert main(["score", str(run_with_maps), str(photos), "--maps", str(maps)]) == 2
    assert "broken.png" in capsys.readouterr().err
    assert len(list(maps.iterdir())) == 4


def test_each_image_is_opened_once(run_with_maps, photos, tmp_path, monkeypatch):
    from adframe.data import decode

    opened, real = [], decode.open_image

    def noting(path):
        opened.append(path.name)
        return real(path)

    monkeypatch.setattr(decode, "open_image", noting)
    main(["score", str(run_with_maps), str(photos), "--maps", str(tmp_path / "maps")])
    assert sorted(opened) == ["high.png", "wide.png"]


def test_a_scorer_that_compares_with_training_images_gives_maps_and_names_them(
    toy_file, photos, tmp_path, capsys
):
    folder, settings = tmp_path / "run", ["scorer=nearest_grid", "train.epochs=0"]
    adframe.run(adframe.load_config(toy_file, settings), folder)
    arguments = ["--maps", str(tmp_path / "maps"), "--explain"]
    assert main(["score", str(folder), str(photos / "wide.png"), *arguments]) == 0
    header, row = capsys.readouterr().out.splitlines()
    found = dict(zip(header.split(","), row.split(","), strict=True))
    assert found["nearest_1"].endswith(".png")
    assert float(found["distance_1"]) == pytest.approx(float(found["score"]), abs=1e-5)
    assert (tmp_path / "maps/wide_map.png").exists()
