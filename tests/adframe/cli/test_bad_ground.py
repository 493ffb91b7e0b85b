"""Streams that cannot be written or are closed, and names that are not UTF-8."""

import csv
import io
import os
import shutil
import subprocess
import sys

import pytest

import adframe
from adframe.cli.main import main


@pytest.fixture(scope="module")
def run(toy_file, tmp_path_factory):
    """A finished run."""
    out = tmp_path_factory.mktemp("whole") / "run"
    adframe.run(adframe.load_config(toy_file, ["train.epochs=1"]), out)
    return out


def _adframe(words, folder, **options):
    command = [sys.executable, *options.pop("python", ()), "-m", "adframe", *map(str, words)]
    environment = {**os.environ, **options.pop("env", {})}
    return subprocess.run(
        command, cwd=folder, env=environment, timeout=120, check=False,
        **{"capture_output": True, "text": True, **options},
    )  # fmt: skip


def test_a_bad_output_is_told_before_anything_is_loaded(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("adframe.detector.load", lambda *a, **b: pytest.fail("was loaded"))
    monkeypatch.setattr("adframe.data.find.find_images", lambda paths: pytest.fail("was searched"))
    out = tmp_path / "no/such/x.csv"
    assert main(["score", "run", "images", "--out", str(out)]) == 2
    expected = f"{out}: cannot be written: No such file or directory\n"
    assert capsys.readouterr().err == expected


NAMES = [
    b"\xe9t\xe9.png", b"a,b \"c\"\n d.png", b"a\rb.png", b"\x1b[31m.png", b"=1+1.png",
    "é漢.png".encode(), "a\u2028b\x0b.png".encode(),
]  # fmt: skip


@pytest.fixture(scope="module")
def odd_names(toy_file, shapes, tmp_path_factory):
    """A folder with images of odd names, and a run on them, trained where only ASCII is printed."""
    folder = tmp_path_factory.mktemp("odd")
    root = os.fsencode(shutil.copytree(shapes, folder / "shapes"))
    for name in NAMES:
        shutil.copy(root + b"/dark/00.png", root + b"/dark/" + name)
    settings = ["--set", f"dataset.root={folder / 'shapes'}", "--set", "train.epochs=1"]
    words = ["run", toy_file, *settings, "--out", "run"]
    done = _adframe(words, folder, env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_odd_file_names_come_back_from_a_run(odd_names):
    verified = _adframe(["evaluate", "run", "--verify"], odd_names)
    assert (verified.returncode, verified.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_any_file_name_comes_back(odd_names, tmp_path, encoding):
    """On standard output and through --out, byte for byte."""
    words = ["score", "run", "shapes/dark"]
    printed = _adframe(words, odd_names, env={"PYTHONIOENCODING": encoding}, text=False).stdout
    if encoding == "ascii":
        out = tmp_path / "x.csv"
        done = _adframe([*words, "--out", out], odd_names, env={"PYTHONIOENCODING": encoding})
        assert done.returncode == 0, done.stderr
        assert out.read_bytes() == printed
    text = printed.decode("utf-8", "surrogateescape")
    paths = {os.fsencode(row[0]) for row in csv.reader(io.StringIO(text, newline=""))}
    assert {b"shapes/dark/" + name for name in NAMES} < paths


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no such device")
@pytest.mark.parametrize("python", [(), ("-u",)], ids=["", "unbuffered"])
@pytest.mark.parametrize("words", [
    ["list"], ["list", "--json"], ["--help"], ["--version"], ["run", "--help"], ["score"],
], ids=" ".join)  # fmt: skip
def test_standard_output_on_a_full_disk_is_one_line(words, python, run, shapes, tmp_path):
    words = [*words, run, shapes / "dark"] if words == ["score"] else words
    with open("/dev/full", "w") as full:
        done = _adframe(
            words, tmp_path, python=python,
            capture_output=False, stdout=full, stderr=subprocess.PIPE,
        )  # fmt: skip
    line = "standard output: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, line)


@pytest.mark.parametrize("closed", ["0", "1", "2", "0 1", "0 2", "1 2", "0 1 2"])
def test_closed_streams_are_no_error_and_no_file_takes_their_number(closed, tmp_path):
    closing = " ".join(f"{number}>&-" for number in closed.split())
    code = (
        "import os, sys; from adframe.cli.main import main; status = main(['list', 'loss'])\n"
        "with open('file', 'w') as file: number = file.fileno()\n"
        "os._exit(status if number > 2 else 99)"
    )
    line = f'"{sys.executable}" -c "$CODE" {closing}'
    done = subprocess.run(
        ["sh", "-c", line], cwd=tmp_path, env={**os.environ, "CODE": code},
        capture_output=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_text_that_a_terminal_cannot_show_is_escaped(encoding, tmp_path):
    done = _adframe(["run", "漢.yaml"], tmp_path, env={"PYTHONIOENCODING": encoding})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("\\u6f22.yaml: no such file")


@pytest.mark.parametrize("words", [
    ["run", ""], ["run", "CONFIG", "--out", ""], ["score", "RUN", "x", "--out", ""],
    ["evaluate", ""], ["reproduce", "table1", "--out", ""], ["score", "RUN", ""],
    ["check", "CONFIG", "--plugin", ""],
], ids=" ".join)  # fmt: skip
def test_an_empty_path_is_one_line(words, toy_file, run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    known = {"CONFIG": str(toy_file), "RUN": str(run)}
    assert main([known.get(word, word) for word in words]) == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("setting", ["dataset.root=~nobody9/x", "dataset.cache=~nobody9/x"])
def test_a_home_that_is_not_known_is_one_line_with_its_place(setting, toy_file, capsys):
    assert main(["check", str(toy_file), "--set", setting]) == 2
    key = setting.partition("=")[0]
    printed = capsys.readouterr().err
    assert printed.startswith(f"--set {setting}: {key}: ~nobody9/x: the home folder is not known")
    assert printed.count("\n") == 1
    assert main(["reproduce", "table1", "--data", "~nobody9"]) == 2
    assert capsys.readouterr().err == "~nobody9: the home folder is not known\n"


@pytest.mark.slow
def test_a_shell_may_make_the_config(toy_file, tmp_path):
    """``<(command)`` of a shell is a pipe."""
    line = f"'{sys.executable}' -m adframe check <(sed 's/nothing/else/' '{toy_file}')"
    command = ["bash", "-c", line]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("way", ["same", "link to it", "in a linked folder", "second name"])
def test_an_output_never_replaces_an_image_of_a_scored_folder(run, shapes, tmp_path, capsys, way):
    folder = shutil.copytree(shapes / "dark", tmp_path / "photos/deep")
    image, out = folder / "05.png", tmp_path / "out"
    before = image.read_bytes()
    if way == "same":
        out = image
    elif way == "link to it":
        out.symlink_to(image)
    elif way == "second name":
        out.hardlink_to(image)
    else:
        out.symlink_to(folder)
        out = out / "05.png"
    assert main(["score", str(run), str(tmp_path / "photos"), "--out", str(out)]) == 2
    expected = f"{out}: is an image to score, {image}; choose another --out\n"
    assert capsys.readouterr().err == expected
    assert image.read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == [f"0{n}.png" for n in range(8)]


@pytest.mark.parametrize("name", ["model.safetensors", "config.yaml", "scores.csv", "image"])
def test_an_output_never_replaces_the_run_or_an_image(run, shapes, tmp_path, capsys, name):
    own = shutil.copytree(run, tmp_path / "run")
    image = shutil.copy(shapes / "dark/00.png", tmp_path / "image")
    target = image if name == "image" else own / name
    before = target.read_bytes()
    assert main(["score", str(own), str(image), "--out", str(target)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("choose another --out")
    assert target.read_bytes() == before
