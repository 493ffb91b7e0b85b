"""A finished run as a detector of anomalies in new images."""

import copy
import csv
import io
import pickle
import random
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from PIL import Image

import adframe
from adframe.data.decode import ImageError
from adframe.data.reading import Fit, ReadAs
from adframe.errors import UserError


@pytest.fixture(scope="module")
def folder(toy_file, tmp_path_factory):
    path = tmp_path_factory.mktemp("detector") / "run"
    adframe.run(adframe.load_config(toy_file), path)
    return path


@pytest.fixture
def written(folder):
    with (folder / "scores.csv").open() as file:
        return {row["path"]: float(row["score"]) for row in csv.DictReader(file)}


def test_files_score_as_they_did_in_the_run(folder, written):
    scores = adframe.load(folder).score(list(written))
    np.testing.assert_allclose(scores, list(written.values()), atol=1e-6)


def test_a_score_does_not_depend_on_company_or_order(folder, written):
    detector = adframe.load(folder)
    paths = list(written)
    together = detector.score(paths)
    backwards = detector.score(paths[::-1])[::-1]
    np.testing.assert_allclose(backwards, together, atol=1e-6)
    for few in (1, 2, 3, 7):  # the difference there is, is rounding: docs/concepts/reliability.md
        apart = [detector.score(paths[at : at + few]) for at in range(0, len(paths), few)]
        np.testing.assert_allclose(np.concatenate(apart), together, atol=1e-6)


def test_arrays_tensors_and_files_score_alike(folder, written):
    detector = adframe.load(folder)
    paths = list(written)[:5]
    pixels = np.stack([np.asarray(Image.open(path)) for path in paths])
    expected = detector.score(paths)
    np.testing.assert_array_equal(detector.score(pixels), expected)
    np.testing.assert_array_equal(detector.score(torch.from_numpy(pixels)), expected)


def test_wrong_pixels_are_refused(folder):
    detector = adframe.load(folder)
    for given, text in [
        (np.zeros((2, 16, 16, 3), np.int64), r"not int64 of shape \(2, 16, 16, 3\)"),
        (np.zeros((12, 16, 16), np.uint8), r"not uint8 of shape \(12, 16, 16\)"),
        (np.zeros((2, 0, 16, 3), np.uint8), r"not uint8 of shape \(2, 0, 16, 3\)"),
        (np.zeros((16, 16, 2), np.uint8), r"not uint8 of shape \(16, 16, 2\)"),
        (torch.zeros(3, 16, 16, device="meta"), "without values"),
        (np.full((16, 16), 1.5), r"in 0\.\.1, not 1\.5\.\.1\.5"),
        (torch.full((3, 16, 16), float("nan")), r"in 0\.\.1, not nan\.\.nan"),
        (np.zeros((3, 16, 16), np.uint8), r"\(3, 16, 16\) can be read in two ways"),
        (np.zeros((3, 16, 3), np.uint8), r"\(3, 16, 3\) can be read in two ways"),
        (torch.zeros(2, 1, 16, 4), r"\(2, 1, 16, 4\) can be read in two ways"),
    ]:
        with pytest.raises(UserError, match=text) as caught:
            detector.score(given)
        assert "\n" not in str(caught.value)


def test_refitting_moves_what_is_normal(folder, shapes):
    detector = adframe.load(folder)
    dark = sorted((shapes / "dark").iterdir())
    before = detector.score(dark)
    after = detector.fit(dark).score(dark)
    np.testing.assert_allclose(after, 0, atol=1e-6)  # each is now its own nearest neighbour
    assert (before > after + 1e-4).all()


def test_what_is_no_finished_run_is_refused(toy_file, tmp_path):
    with pytest.raises(UserError, match="not a run folder"):
        adframe.load(tmp_path)
    (tmp_path / "config.yaml").write_text("seed: 0\n")
    with pytest.raises(UserError, match="not finished"):
        adframe.load(tmp_path)


def test_a_damaged_model_is_named(folder, tmp_path):
    for name in ("config.yaml", "model.safetensors"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    whole = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"model.safetensors: damaged"):
        adframe.load(tmp_path)


def test_a_model_of_another_config_is_named(folder, tmp_path):
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    text = (folder / "config.yaml").read_text()
    (tmp_path / "config.yaml").write_text(text.replace("width: 0.0625", "width: 0.125"))
    with pytest.raises(UserError, match=r"another config: backbone.width: 0.0625 -> 0.125$"):
        adframe.load(tmp_path)


# --- one image or several ------------------------------------------------------------------------


def test_one_image_of_any_kind_scores_as_in_a_list(folder, written):
    detector = adframe.load(folder)
    path = next(iter(written))
    (expected,) = detector.score([path])
    image = Image.open(path)
    pixels = np.asarray(image)
    raw = Path(path).read_bytes()
    one = [path, Path(path), image, pixels, torch.from_numpy(pixels.copy()), raw]
    for given in [*one, *([item] for item in one), np.array([path]), iter([path])]:
        scores = detector.score(given)
        assert (scores.shape, scores.dtype) == ((1,), np.float32), type(given)
        np.testing.assert_allclose(scores, expected, atol=1e-6)
    np.testing.assert_allclose(detector.score(one), np.full(6, expected), atol=1e-6)


@pytest.mark.parametrize("nothing", [[], (), np.array([]), np.zeros((0, 16, 16, 3), np.uint8)])
def test_no_image_has_no_score(folder, nothing):
    detector = adframe.load(folder)
    scores = detector.score(nothing)
    assert (scores.shape, scores.dtype) == ((0,), np.float32)
    with pytest.raises(UserError, match="^no images$"):
        detector.fit(nothing)


def test_a_pil_image_is_converted_and_resized_as_its_file(folder, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (40, 30, 4), dtype=np.uint8)
    image = Image.fromarray(noise, "RGBA")
    image.save(tmp_path / "a.png")
    detector = adframe.load(folder)
    np.testing.assert_array_equal(detector.score(image), detector.score(tmp_path / "a.png"))


def png(path, pixels):
    """Writes a PNG of uint8 or uint16 pixels (H, W, C) of C = 1, 3 or 4 channels, by hand."""
    height, width, channels = pixels.shape
    deep = pixels.astype(pixels.dtype.newbyteorder(">"))
    kind = {1: 0, 3: 2, 4: 6}[channels]
    head = struct.pack(">IIBBBBB", width, height, 8 * pixels.dtype.itemsize, kind, 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in deep)
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for name, data in (b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""):
            check = struct.pack(">I", zlib.crc32(name + data))
            file.write(struct.pack(">I", len(data)) + name + data + check)


@pytest.mark.parametrize("sides", [(16, 16), (40, 30), (9, 50)])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("kind", ["u1", "<u2", ">u2"])
def test_an_array_scores_as_a_png_of_it_to_the_bit(folder, tmp_path, sides, channels, kind):
    top = 256 ** np.dtype(kind).itemsize
    given = np.random.default_rng(0).integers(0, top, (*sides, channels)).astype(kind)
    png(tmp_path / "a.png", given)
    detector = adframe.load(folder)
    expected = detector.score(tmp_path / "a.png")
    forms = [
        given,
        given[None],
        [given, given][:1],
        given[::-1][::-1],
        given.transpose(2, 0, 1)[None],
    ]
    forms += [given[..., 0]] if channels == 1 else []
    forms += [given[..., ::-1].copy()[..., ::-1]]  # negative strides
    if kind != ">u2":
        tensor = torch.from_numpy(given)
        forms += [tensor, tensor.permute(2, 0, 1), tensor.permute(2, 0, 1)[None]]
    if kind == "u1":
        shares = given / 255
        forms += [shares, shares.astype(np.float32), shares.astype(np.float16)]
        forms += [torch.from_numpy(shares).permute(2, 0, 1).requires_grad_()]
    for form in forms:
        np.testing.assert_array_equal(detector.score(form), expected)


def test_read_images_can_be_scored(folder, written):
    detector = adframe.load(folder)
    expected = detector.score(list(written))
    np.testing.assert_array_equal(detector.score(adframe.read_images(list(written))), expected)
    opened, _ = adframe.open_images(list(written), workers=0)
    np.testing.assert_array_equal(detector.score(opened), expected)


@pytest.mark.parametrize("given", [[None], 3, None, [b"a.png"], b"a.png", [np.zeros((2, 2))], [4]])
def test_only_paths_are_scored_as_files(folder, given):
    with pytest.raises(UserError, match="^expected a path[^\n]*, not [^\n]*$"):
        list(adframe.load(folder).score_files(given))
    with pytest.raises(UserError, match="^expected a path[^\n]*, not [^\n]*$"):
        adframe.read_images(given)


# --- the caller's process ------------------------------------------------------------------------


def test_the_state_of_the_process_stays_as_it_was(folder, written, toy, tmp_path):
    def state():
        generators = torch.get_rng_state().tolist(), np.random.get_state()[1].tolist()
        settings = torch.is_grad_enabled(), torch.get_num_threads(), torch.get_default_dtype()
        return generators, random.getstate(), settings

    paths = list(written)
    for grad in (True, False):
        with torch.set_grad_enabled(grad):
            before = state()
            detector = adframe.load(folder)
            assert state() == before
            detector.score(paths)
            assert state() == before
            detector.fit(paths)
            assert state() == before
    before = state()
    adframe.run(toy("train.epochs=1"), tmp_path / "run")
    assert state() == before


def test_a_copy_of_a_detector_scores_the_same(folder, written):
    detector = adframe.load(folder)
    dark = [path for path in written if "dark" in path]
    before = detector.score(dark)
    detector.fit(dark)
    expected = detector.score(dark)
    assert (expected != before).any()
    for again in (pickle.loads(pickle.dumps(detector)), copy.deepcopy(detector)):
        np.testing.assert_array_equal(again.score(dark), expected)
        assert (again.size, repr(again)) == (detector.size, repr(detector))


def test_a_detector_with_a_plugin_file_is_unpickled_in_a_fresh_process(
    toy_file, shapes, tmp_path, written
):
    plugin = tmp_path / "own.py"
    plugin.write_text(
        "import adframe, torch\n"
        "from adframe.interfaces import Scorer\n"
        "class Constant(Scorer):\n"
        "    def fit(self, train):\n        self.value = 0.25\n"
        "    def score(self, features):\n"
        "        return torch.full((len(next(iter(features.values()))),), self.value)\n"
        "@adframe.hookimpl\n"
        "def adframe_register(add):\n    add('scorer', 'constant', Constant)\n"
    )
    config = adframe.load_config(toy_file, ["scorer=constant", "train.epochs=1"], plugins=plugin)
    adframe.run(config, tmp_path / "run")
    detector = adframe.load(tmp_path / "run", allow_code=True)
    (tmp_path / "detector.pickle").write_bytes(pickle.dumps(detector))
    program = "import pickle, sys; print(pickle.load(open(sys.argv[1], 'rb')).score(sys.argv[2]))"
    words = [sys.executable, "-c", program, tmp_path / "detector.pickle", next(iter(written))]
    done = subprocess.run(words, capture_output=True, text=True, cwd=shapes)
    assert (done.stdout, done.stderr) == ("[0.25]\n", "")
    plugin.unlink()
    with pytest.raises(UserError, match="own.py: no such file$") as caught:
        pickle.loads((tmp_path / "detector.pickle").read_bytes())
    assert "\n" not in str(caught.value)


def test_a_pil_image_is_turned_as_its_file(folder, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: a quarter turn
    Image.fromarray(noise).save(tmp_path / "a.png", exif=exif)
    detector = adframe.load(folder)
    with Image.open(tmp_path / "a.png") as image:
        np.testing.assert_array_equal(detector.score(image), detector.score(tmp_path / "a.png"))


def test_a_pil_image_that_cannot_be_decoded_is_an_image_error(folder, tmp_path):
    Image.effect_noise((64, 64), 50).save(tmp_path / "whole.png")
    cut = tmp_path / "cut.png"
    cut.write_bytes((tmp_path / "whole.png").read_bytes()[:200])
    detector = adframe.load(folder)
    with Image.open(cut) as image, pytest.raises(ImageError, match="cut.png: unreadable image"):
        detector.score(image)
    with pytest.raises(ImageError, match="PIL image of mode La: unreadable image"):
        detector.score(Image.new("La", (16, 16)))


@pytest.mark.parametrize(
    "given",
    [None, 3, io.BytesIO(b"a"), [None], [1, 2], np.array(3), torch.tensor(3),
     np.array([b"a.png"])],
    ids=lambda given: type(given).__name__,
)  # fmt: skip
def test_what_is_no_image_is_refused_in_one_line(folder, given):
    with pytest.raises(UserError, match="^expected [^\n]*, not [^\n]*$"):
        adframe.load(folder).score(given)


def test_pixels_without_a_meaning_are_refused(folder):
    circle = []
    circle.append(circle)
    odd = {
        "a masked array": np.ma.masked_all((16, 16, 3), np.uint8),
        "a nested tensor": torch.nested.nested_tensor([torch.zeros(16, 3)], layout=torch.jagged),
        "0x0 pixels are no image": Image.new("RGB", (0, 0)),
        "nested too deeply": circle,
    }
    detector = adframe.load(folder)
    for words, images in odd.items():
        with pytest.raises(adframe.UserError, match=words):
            detector.score(images)
    whole = np.ma.array(np.zeros((16, 16, 3), np.uint8), mask=False)
    assert detector.score(whole) == detector.score(whole.data)


def test_a_path_with_a_null_character_is_an_unreadable_file(folder):
    ((_, error),) = adframe.load(folder).score_files(["a\0b"])
    assert isinstance(error, ImageError)


def test_files_are_scored_block_by_block_and_bad_ones_do_not_end_it(
    folder, written, tmp_path, monkeypatch
):
    monkeypatch.setattr("adframe.engine.explain.MOST_FILES", 3)
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no image")
    paths = [*list(written)[:4], bad, *list(written)[4:7]]
    detector = adframe.load(folder)
    asked = []
    found = list(detector.score_files(asked.append(path) or path for path in paths))
    assert [path for path, _ in found] == paths == asked
    for path, result in found:
        if path is bad:
            assert isinstance(result, ImageError)
            assert str(result) == f"{bad}: not an image"
        else:
            assert result == pytest.approx(written[path], abs=1e-6)
    assert [path for path, _ in detector.score_files(bad)] == [bad]
    with pytest.raises(ImageError, match=r"bad.png: not an image \(1 more like it\)"):
        detector.score([paths[0], bad, bad])


def test_only_a_block_of_files_is_asked_for_ahead(folder, written, monkeypatch):
    monkeypatch.setattr("adframe.engine.explain.MOST_FILES", 3)
    monkeypatch.setattr("adframe.data.ahead.AT_ONCE", 3)
    asked = []
    results = adframe.load(folder).score_files(asked.append(path) or path for path in written)
    next(results)
    assert len(asked) == 3


def test_images_that_are_not_square_are_scored_as_pixels_and_as_files(folder, tmp_path):
    detector = adframe.load(folder)
    detector.size = (3, 16, 20)
    pixels = np.random.default_rng(0).integers(0, 256, (16, 20, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    assert detector.score(tmp_path / "wide.png") == detector.score(pixels)


def test_files_of_deep_grey_are_read_as_in_training(toy, tmp_path):
    rng = np.random.default_rng(0)
    for name in ("good", "bad"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for index in range(4):
            values = rng.integers(0, 4096, (16, 16), dtype=np.uint16)
            Image.fromarray(values).save(tmp_path / "data" / name / f"{index}.png")
    table = f"dataset={{name: image_folder, root: {tmp_path / 'data'}, normal: good, depth: 12}}"
    adframe.run(toy(table, "train.epochs=1"), tmp_path / "run")
    detector = adframe.load(tmp_path / "run")
    bright = Image.fromarray(np.full((16, 16), 4095, np.uint16))
    bright.save(tmp_path / "bright.png")
    white = np.full((16, 16, 3), 255, np.uint8)
    assert detector.score(tmp_path / "bright.png") == detector.score(white)
    assert detector.score(bright) == detector.score(white)


@pytest.mark.parametrize("fit", ["crop", "squash", "pad"])
def test_files_are_brought_to_size_as_in_training(toy, tmp_path, fit):
    rng = np.random.default_rng(0)
    for name in ("good", "bad"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for index in range(4):
            values = rng.integers(0, 256, (16, 48, 3), dtype=np.uint8)
            Image.fromarray(values).save(tmp_path / "data" / name / f"{index}.png")
    table = f"{{name: image_folder, root: {tmp_path / 'data'}, normal: good, size: 16, fit: {fit}}}"
    adframe.run(toy(f"dataset={table}", "train.epochs=1"), tmp_path / "run")
    detector, path = adframe.load(tmp_path / "run"), tmp_path / "data/bad/0.png"
    assert detector.reading == ReadAs((16, 16), fit=fit)
    as_read = adframe.read_images(path, 16, fit=fit)
    np.testing.assert_array_equal(detector.score(path), detector.score(as_read))
    with Image.open(path) as image:
        np.testing.assert_array_equal(detector.score(image), detector.score(as_read))
    others = {adframe.read_images(path, 16, fit=fit).numpy().tobytes() for fit in get_args(Fit)}
    assert len(others) == 3


# --- fitting again -------------------------------------------------------------------------------


def test_a_scorer_that_knew_outliers_is_given_some_to_be_fitted_again(toy, shapes, tmp_path):
    table = f"{{name: image_folder, root: {shapes}, normal: dark}}"
    exposure = f"exposure={{ratio: 0, dataset: {table}}}"
    adframe.run(toy(exposure, "scorer=few_shot_mahalanobis", "train.epochs=1"), tmp_path / "run")
    detector = adframe.load(tmp_path / "run")
    normal, known = sorted((shapes / "left").iterdir()), sorted((shapes / "dark").iterdir())
    before = detector.score(known)
    with pytest.raises(UserError, match="needs known outliers; pass them as exposed="):
        detector.fit(normal)
    np.testing.assert_array_equal(detector.score(known), before)
    assert (detector.fit(normal, exposed=known).score(known) != before).any()


@pytest.mark.parametrize("call", [adframe.load, adframe.load_config])
@pytest.mark.parametrize("path", [None, 3, b"run", ["run"]])
def test_what_is_no_path_is_one_line(call, path):
    with pytest.raises(UserError, match=f"^expected a path, not {type(path).__name__}$"):
        call(path)


def test_a_run_folder_is_a_path(toy):
    with pytest.raises(UserError, match="^expected a path, not int$"):
        adframe.run(toy(), 3)
