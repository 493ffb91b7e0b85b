"""A folder that is watched: each image is scored once, also over a restart."""

import csv
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

import adframe
from adframe.cli.main import main
from adframe.cli.watch import watch
from adframe.config.model import load_config
from adframe.errors import UserError


@pytest.fixture(scope="module")
def run(toy_file, tmp_path_factory):
    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("watch") / "run"
    adframe.run(load_config(toy_file, ["train.epochs=0", "scorer=knn"]), path)
    return path


@pytest.fixture
def look(run, tmp_path):
    """``look(times)``: look so often into the folder ``in``; returns the rows of the CSV."""
    detector = adframe.load(run)

    def look(times, between=lambda number: None):
        numbers = iter(range(times + 1))

        def stopped():
            number = next(numbers)
            between(number)
            return number == times

        header, row = ["path", "score"], lambda score: [score]
        watch(detector, [tmp_path / "in"], tmp_path / "x.csv", header, row, 0, stopped)
        with (tmp_path / "x.csv").open() as file:
            return list(csv.reader(file))

    (tmp_path / "in").mkdir()
    return look


def test_each_image_is_scored_once_also_over_a_restart(look, run, shapes, tmp_path):
    images = sorted((shapes / "dark").iterdir())
    for image in images[:3]:
        shutil.copy(image, tmp_path / "in")
    first = look(3)
    assert [row[0] for row in first[1:]] == [str(tmp_path / "in" / one.name) for one in images[:3]]
    scores = adframe.load(run).score(images[:3])
    np.testing.assert_allclose([float(row[1]) for row in first[1:]], scores, atol=1e-6)
    shutil.copy(images[3], tmp_path / "in")
    again = look(3)
    assert again[: len(first)] == first
    assert len(again) == len(first) + 1


def test_a_file_that_grows_is_waited_for(look, shapes, tmp_path):
    data = next((shapes / "dark").iterdir()).read_bytes()
    path = tmp_path / "in" / "a.png"

    def grow(number):
        path.write_bytes(data[: 100 * (number + 1)] if number < 3 else data)

    rows = look(6, grow)
    assert len(rows) == 1, "each look finds it changed"
    assert len(look(3)) == 2


def test_a_row_that_a_kill_has_cut_is_written_again(look, shapes, tmp_path):
    for image in sorted((shapes / "dark").iterdir())[:2]:
        shutil.copy(image, tmp_path / "in" / f'{image.stem}"\n.png')  # a name that is quoted
    rows = look(3)
    assert len(rows) == 3
    whole = (tmp_path / "x.csv").read_bytes()
    for cut in range(len("path,score\n"), len(whole), 7):
        (tmp_path / "x.csv").write_bytes(whole[:cut])
        assert look(3) == rows


def test_an_unreadable_image_is_named_once(look, tmp_path, capsys):
    (tmp_path / "in" / "bad.png").write_bytes(b"no image")
    assert look(3)[1] == [str(tmp_path / "in" / "bad.png"), ""]
    assert look(3)[1:] == [[str(tmp_path / "in" / "bad.png"), ""]]
    assert capsys.readouterr().err.count("bad.png") == 1


def test_another_file_is_not_appended_to(look, tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="has other columns"):
        look(1)
    assert (tmp_path / "x.csv").read_text() == "a,b\n1,2\n"


def test_wrong_arguments_are_refused(run, tmp_path, capsys):
    for arguments, text in [
        ([str(tmp_path)], "appends rows to --out"),
        ([str(run / "config.yaml"), "--out", str(tmp_path / "x")], "is not a folder"),
    ]:
        assert main(["score", str(run), "--watch", *arguments]) == 2
        assert text in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_is_ended_by_a_signal(run, shapes, tmp_path):
    shutil.copytree(shapes / "dark", tmp_path / "in")
    out = tmp_path / "x.csv"
    command = [
        sys.executable,
        "-m",
        "adframe",
        "score",
        run,
        tmp_path / "in",
        "--watch",
        "--out",
        out,
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and (not out.exists() or len(out.read_text().splitlines()) < 9):
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode in (143, -signal.SIGTERM)
    assert "Traceback" not in errors
    assert len(out.read_text().splitlines()) == 9
