"""Scoring in shards gives the rows of one process, each once, also after a kill."""

import csv
import multiprocessing
import os
import shutil
import signal

import pyarrow
import pytest
import torch
from pyarrow import parquet

import adframe
from adframe.cli.main import main
from adframe.config.model import load_config
from adframe.engine import explain
from adframe.jobs.job import Ended
from adframe.shards import scoring, shard
from adframe.shards.shard import ShardJob


@pytest.fixture(scope="module", autouse=True)
def _blocks():
    """Files are scored five at a time, here, so that few are many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(explain, "MOST_FILES", 5)
        yield


@pytest.fixture(scope="module")
def run(toy_file, tmp_path_factory):
    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("shards") / "run"
    settings = ["train.epochs=0", "scorer=knn", "decision={false_alarms: 0.2}"]
    adframe.run(load_config(toy_file, settings), path)
    return path


@pytest.fixture(scope="module")
def images(shapes, tmp_path_factory):
    """28 images and a file that is none, the fifth in order."""
    root = tmp_path_factory.mktemp("images") / "all"
    shutil.copytree(shapes, root)
    (root / "dark/04x.png").write_bytes(b"no image")
    return root


@pytest.fixture(scope="module")
def alone(run, images, tmp_path_factory):
    """The rows of one process."""
    out = tmp_path_factory.mktemp("alone") / "scores.csv"
    assert main(["score", str(run), str(images), "--out", str(out)]) == 2
    return out.read_bytes()


@pytest.fixture
def score(run, tmp_path):
    def score(*paths, out="out", on="local", size=3, more=()):
        where = ["--out", str(tmp_path / out), "--on", on, "--shard", str(size), *more]
        return main(["score", str(run), *map(str, paths), *where])

    score.out = tmp_path / "out"
    return score


def test_the_merged_file_is_that_of_one_process(score, images, alone, capsys):
    assert score(images) == 2
    assert (score.out / "scores.csv").read_bytes() == alone
    with open(score.out / "unreadable.csv", newline="") as file:
        head, (path, reason) = csv.reader(file)
    assert head == ["path", "reason"]
    assert path == str(images / "dark/04x.png")
    assert path in reason
    lines = capsys.readouterr().err.splitlines()
    assert "29 of 29 images, " in lines[-3]
    assert lines[-3].endswith(" a second, 0 s left")
    assert f"1 of 29 files could not be read: {score.out}/unreadable.csv" == lines[-1]
    assert len(list((score.out / "shards").glob("*.unreadable.csv"))) == 6


def test_a_kill_between_any_two_steps_changes_nothing(score, run, images, alone, tmp_path):
    """A process scores and is killed when it opens its n-th file to write, for n = 1, 2, ..."""

    def dies(after):
        left, open_ = [after], shard.atomic_write

        def opening(path):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return open_(path)

        shard.atomic_write = scoring.atomic_write = opening
        os._exit(score(images))

    statuses = []
    for after in (3, 4, 6, 6, 2, 99):
        child = multiprocessing.get_context("fork").Process(target=dies, args=(after,))
        child.start()
        child.join()
        statuses.append(child.exitcode)
    assert statuses == [-9] * 5 + [2]
    assert (score.out / "scores.csv").read_bytes() == alone


def test_a_done_shard_is_not_scored_again_and_other_work_is_refused(
    score, images, monkeypatch, capsys
):
    assert score(images) == 2
    worked = []
    monkeypatch.setattr(ShardJob, "work", lambda job: worked.append(job.number) or "")
    (score.out / "shards/000002.csv").rename(score.out / "kept")
    assert score(images) == 2
    assert "000002.csv: No such file" in capsys.readouterr().err  # the job did nothing here
    assert worked == [2]
    assert score(images, size=6) == 2
    assert "holds the scores of other work" in capsys.readouterr().err
    assert score(images / "left") == 2
    assert "holds the scores of other work" in capsys.readouterr().err


def test_lists_and_encoded_images_are_the_same_images(score, run, images, alone, tmp_path):
    """Folders, a file of paths and Parquet files of paths or of bytes; CSV and Parquet rows."""
    paths = adframe.find_images(images)
    (tmp_path / "list.txt").write_text("".join(f"{path}\n" for path in paths))
    (tmp_path / "list.csv").write_text("n,path\n" + "".join(f"1,{path}\n" for path in paths))
    names = [str(path) for path in paths]
    data = [path.read_bytes() for path in paths]
    parquet.write_table(pyarrow.table({"path": names}), tmp_path / "paths.parquet")
    encoded = pyarrow.table({"bytes": data, "path": names})
    parquet.write_table(encoded, tmp_path / "bytes.parquet", row_group_size=7)
    for name in ("list.txt", "list.csv", "paths.parquet", "bytes.parquet"):
        assert score(tmp_path / name, out=name + ".out") == 2
        assert (tmp_path / f"{name}.out/scores.csv").read_bytes() == alone
    one = tmp_path / "one.csv"
    assert main(["score", str(run), str(tmp_path / "bytes.parquet"), "--out", str(one)]) == 2
    assert one.read_bytes() == alone
    assert score(images, out="rows", more=["--format", "parquet"]) == 2
    head, *rows = csv.reader(alone.decode().splitlines())
    found = parquet.read_table(tmp_path / "rows/scores.parquet")
    assert found.column_names == head
    wanted = [[path, *map(float, cells)] for path, *cells in rows]
    assert [list(row.values()) for row in found.to_pylist()] == wanted


def test_a_shard_that_fails_or_is_lost_ends_without_a_merged_file(
    score, images, monkeypatch, capsys
):
    class Loses:
        def run(self, jobs):
            for index in range(len(jobs)):
                yield index, None
                lost = index == 1
                yield index, Ended("lost", "gone") if lost else Ended(jobs[index].work() or "done")

    monkeypatch.setattr("adframe.cli.shards.executor", lambda name: Loses())
    assert score(images) == 2
    assert capsys.readouterr().err.splitlines()[-2:] == [
        "shard 1: gone", "the same command scores them again",
    ]  # fmt: skip
    assert not (score.out / "scores.csv").exists()
    monkeypatch.undo()
    assert score(images) == 2
    assert (score.out / "scores.csv").exists()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--shard", "3"], "--shard and --format: belong to --on"),
        (["--format", "csv"], "--shard and --format: belong to --on"),
        (["--on", "local"], "--on: writes into a folder, --out DIR"),
        (["--on", "local", "--out", "x", "--shard", "0"], "--shard: at least 1"),
        (["--on", "loca", "--out", "x"], "no executor 'loca'"),
        (["--watch", "--on", "local", "--out", "x"], "without --maps, --explain and --on"),
    ],
)
def test_arguments_that_do_not_fit_are_one_line(run, images, words, line, capsys):
    assert main(["score", str(run), str(images), *words]) == 2
    assert line in capsys.readouterr().err


def test_sources_that_cannot_be_read_are_one_line(score, run, images, tmp_path, capsys):
    table = pyarrow.table({"image": ["a"]})
    parquet.write_table(table, tmp_path / "x.parquet")
    (tmp_path / "x.csv").write_text("file\na\n")
    (tmp_path / "empty.txt").touch()
    for name, line in {
        "x.parquet": "has no column 'path' or 'bytes'",
        "x.csv": "has no column 'path'",
        "empty.txt": "no images in",
        "gone.csv": "No such file",
    }.items():
        assert score(tmp_path / name) == 2
        assert line in capsys.readouterr().err
        assert not score.out.exists()
    parquet.write_table(pyarrow.table({"bytes": [b"x"]}), tmp_path / "b.parquet")
    words = ["score", str(run), str(tmp_path / "b.parquet")]
    assert main([*words, "--explain"]) == 2
    assert "need image files" in capsys.readouterr().err
    assert main(words) == 2
    assert f"{tmp_path}/b.parquet#0" in capsys.readouterr().err
