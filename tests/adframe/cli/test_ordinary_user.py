"""What an ordinary user may not read or write. Root may do all, so a test becomes somebody else."""

import os
import shutil
import sys
import tempfile
import traceback
from pathlib import Path

import pytest
from PIL import Image

from adframe.cli.main import main

NOBODY = 65534
FAST = ["--set", "train.epochs=1", "--set", "train.device=cpu"]

pytestmark = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become another user"
)


@pytest.fixture(scope="module")
def finished(toy_file, shapes, tmp_path_factory):
    """A finished run. All is imported that a command needs: others may not read this Python."""
    home = tmp_path_factory.mktemp("finished")
    out, image = home / "run", str(shapes / "dark/00.png")
    cache = f"dataset.cache={home / 'cache'}"
    for words in (
        ["run", str(toy_file), "--out", str(out), *FAST], ["list"], ["check", str(toy_file)],
        ["run", str(toy_file), "--out", str(home / "other"), *FAST, "--set", cache],
        ["evaluate", str(out)], ["evaluate", str(out), "--verify"], ["score", str(out), image],
        ["reproduce", "table1", "--dry-run", "--budget", "smoke"],
        ["runs", str(home)], ["compare", str(out)],
    ):  # fmt: skip
        assert main(words) == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        assert main(["new", "mine"]) == 0
    return out


@pytest.fixture
def place(finished, shapes, toy_file):
    """A folder of the ordinary user, with all that a command needs."""
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to others
        place = Path(name)
        shutil.copytree(shapes, place / "data")
        shutil.copytree(finished, place / "run")
        text = toy_file.read_text().replace(str(shapes), "data")
        (place / "toy.yaml").write_text(text)
        saved = place / "run/config.yaml"
        saved.write_text(saved.read_text().replace(str(shapes), "data"))
        shutil.copy(saved, place / "again.yaml")
        (place / "below.yaml").write_text("extends: toy.yaml\n")
        (place / "plugin.py").write_text("adframe_api = 1\n")
        (place / "locked").mkdir()
        shutil.copy(place / "toy.yaml", place / "locked/toy.yaml")
        (place / "cache").mkdir()
        (place / "runs").mkdir()
        Image.new("RGB", (16, 16)).save(place / "photo.png")
        for path in (place, *place.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        yield place


def as_nobody(words, folder, removed=False):
    """Status and output of a command that another user calls; the process is a copy of this one."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        child = os.fork()
        if not child:
            status = 99
            try:
                sys.stdout, sys.stderr = out, err
                os.chdir(folder)
                if removed:
                    shutil.rmtree(folder)
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
                status = main(words)
            except BaseException:
                traceback.print_exc()
            finally:
                out.flush()
                err.flush()
                os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        out.seek(0)
        err.seek(0)
        return status, out.read(), err.read()


def content(place):
    return {
        str(path.relative_to(place)): path.read_bytes() if path.is_file() else None
        for path in place.rglob("*")
    }


CASES = [
    # what is closed, its mode, the command, what the line names
    ("toy.yaml", 0, ["check", "toy.yaml"], "toy.yaml"),
    ("toy.yaml", 0, ["check", "below.yaml"], "toy.yaml"),
    ("toy.yaml", 0, ["run", "toy.yaml", "--out", "out", *FAST], "toy.yaml"),
    ("locked", 0, ["check", "locked/toy.yaml"], "locked/toy.yaml: Permission denied"),
    ("plugin.py", 0, ["list", "--plugin", "plugin.py"], "plugin.py"),
    ("plugin.py", 0, ["check", "toy.yaml", "--plugin", "plugin.py"], "plugin.py"),
    ("locked", 0, ["list", "--plugin", "locked/plugin.py"], "locked/plugin.py: Permission denied"),
    *[("data", 0, ["run", "toy.yaml", "--out", "out", *FAST, "--set", f"dataset.root={root}"],
       f"{root}: cannot be read: Permission denied") for root in ("data", "data/left")],
    *[("run", mode, words, "run")
      for words in (["evaluate", "run"], ["run", "again.yaml", "--out", "run", "--resume"])
      for mode in (0, 0o111, 0o444, 0o555)],
    *[("run", mode, ["evaluate", "run", "--verify"], "run") for mode in (0, 0o111, 0o444)],
    *[("run", mode, ["score", "run", "photo.png"], "run: Permission denied")
      for mode in (0, 0o111, 0o444)],
    *[(f"run/{name}", 0, words, name)
      for name in ("config.yaml", "model.safetensors")
      for words in (["evaluate", "run"], ["evaluate", "run", "--verify"],
                    ["score", "run", "photo.png"])],
    ("run/scores.csv", 0, ["evaluate", "run", "--verify"], "scores.csv"),
    *[("run", mode, ["compare", "run"], "run") for mode in (0, 0o111, 0o444)],
    *[(f"run/{name}", 0, ["compare", "run"], name)
      for name in ("config.yaml", "result.json", "scores.csv")],
    ("run/state.safetensors", 0, ["run", "again.yaml", "--out", "run", "--resume"],
     "state.safetensors"),
    ("run/config.yaml", 0, ["run", "again.yaml", "--out", "run", "--resume"], "config.yaml"),
    *[(folder, mode, ["run", "toy.yaml", "--out", "out", *FAST], folder)
      for folder in ("data", "data/left") for mode in (0, 0o111, 0o444)],
    ("data/left/03.png", 0, ["run", "toy.yaml", "--out", "out", *FAST], "data/left/03.png"),
    *[("data/dark", mode, ["score", "run", "data/dark"], "data/dark") for mode in (0, 0o111)],
    *[("cache", mode, ["run", "toy.yaml", "--out", "out", *FAST, "--set", "dataset.cache=cache"],
       "cache") for mode in (0, 0o111, 0o444, 0o555)],
    *[("locked", mode, ["score", "run", "photo.png", "--out", "locked/x.csv"], "locked/x.csv")
      for mode in (0, 0o444, 0o555)],
    *[("locked", mode, ["run", "toy.yaml", "--out", out, *FAST], out)
      for out in ("locked", "locked/run", "locked/a/b") for mode in (0, 0o444, 0o555)],
    *[("runs", mode, ["run", "toy.yaml", *FAST], "runs/toy-1") for mode in (0, 0o444, 0o555)],
    *[("locked", mode, ["reproduce", "table1", "--out", "locked/t", "--data", "data", "--budget",
                        "smoke"], "") for mode in (0, 0o555)],
    *[("", mode, words, name) for mode in (0, 0o444)
      for words, name in ((["check", "toy.yaml"], "toy.yaml"), (["run", "toy.yaml"], "toy.yaml"),
                          (["evaluate", "run"], "run"), (["score", "run", "photo.png"], "run"),
                          (["new", "mine"], "mine"), (["runs"], "runs"))],
    *[("", 0o555, words, name)
      for words, name in ((["run", "toy.yaml", "--out", "out", *FAST], "out"),
                          (["new", "mine"], "mine"),
                          (["score", "run", "photo.png", "--out", "x.csv"], "x.csv"))],
]  # fmt: skip


@pytest.mark.parametrize(
    ("closed", "mode", "words", "named"), CASES,
    ids=[f"{closed or '.'}-{mode:o}-{' '.join(words)}" for closed, mode, words, _ in CASES],
)  # fmt: skip
def test_what_may_not_be_read_or_written_is_one_line(place, closed, mode, words, named):
    before = content(place)
    os.chmod(place / closed, mode)
    status, printed, errors = as_nobody(words, place)
    assert "Traceback" not in errors, errors
    assert status in (1, 2), (printed, errors)
    lines = [line for line in errors.splitlines() if not line.startswith("warning: passed over: ")]
    assert len(lines) == 1, errors
    assert named in errors
    assert printed == ""
    os.chmod(place / closed, 0o755)
    assert content(place) == before


@pytest.mark.parametrize("words", [
    ["check", "quickstart"], ["run", "quickstart"], ["score", "x", "y"], ["evaluate", "x"],
    ["list"], ["new", "mine"], ["reproduce", "table1"],
], ids=" ".join)  # fmt: skip
def test_a_removed_current_folder_is_one_line(words, place):
    status, printed, errors = as_nobody(words, place / "locked", removed=True)
    expected = "the current folder: No such file or directory; change to another\n"
    assert (status, printed, errors) == (2, "", expected)


@pytest.mark.parametrize(
    ("closed", "mode"),
    [("run", 0), ("run", 0o111), ("run", 0o444), ("run/config.yaml", 0), ("run/result.json", 0)],
)
def test_a_run_that_may_not_be_read_is_a_line_of_the_list(place, closed, mode):
    os.chmod(place / closed, mode)
    status, printed, errors = as_nobody(["runs", "."], place)
    assert (status, errors) == (0, "")
    _, row, count = printed.splitlines()
    assert row.startswith("run ")
    assert "damaged: " in row
    assert "ermission denied" in row
    assert count == ".: 1 run"


def test_a_run_folder_that_may_only_be_read_can_be_scored(place):
    os.chmod(place / "run", 0o555)
    status, printed, errors = as_nobody(["score", "run", "photo.png"], place)
    assert (status, errors) == (0, "")
    assert printed.startswith("path,score\nphoto.png,")


def test_an_image_that_may_not_be_read_is_named_and_the_others_are_scored(place):
    os.chmod(place / "data/dark/03.png", 0)
    status, printed, errors = as_nobody(["score", "run", "data/dark"], place)
    named, count = errors.splitlines()
    assert status == 2
    assert named == "data/dark/03.png: Permission denied"
    assert count == "1 of 8 files could not be read"
    assert printed.count("\n") == 8
