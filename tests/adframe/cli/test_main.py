"""The command line: verbs, exit statuses, one line per error, and imports of each verb."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import adframe
from adframe.cli.main import main
from adframe.errors import UserError
from adframe.io.rows import open_rows

SHOULD_NOT_LOAD = ("torch", "pydantic", "torchvision", "ruamel", "sklearn", "numpy")


@pytest.mark.parametrize(
    "command",
    [["--help"], [], ["list"], ["plugins"], ["rum"],
     *([verb, "--help"] for verb in ("run", "reproduce", "runs", "compare"))],
)  # fmt: skip
def test_looking_around_imports_no_torch(command):
    code = (
        "import sys, io, contextlib\n"
        "from adframe.cli.main import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        f"    main({command!r})\n"
        f"print([name for name in {SHOULD_NOT_LOAD!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_three_typos_are_three_located_lines_and_status_2(toy_file, tmp_path, capsys):
    config = tmp_path / "typos.yaml"
    config.write_text(
        f"extends: {toy_file}\n"
        "objective:\n"
        "  - {loss: {name: uniclr, temprature: 0.5}}\n"
        "scorer: nearest_cosin\n"
        "train: {epoch: 3}\n"
    )
    out = tmp_path / "run"
    assert main(["run", str(config), "--out", str(out)]) == 2
    printed = capsys.readouterr()
    assert sorted(printed.err.splitlines()) == [
        f"{config}:3: objective.0.loss.temprature: unknown key; did you mean 'temperature'?",
        f"{config}:4: scorer: no scorer named 'nearest_cosin'; did you mean 'nearest_cosine'?",
        f"{config}:5: train.epoch: unknown key; did you mean 'epochs'?",
    ]
    assert printed.out == ""
    assert not out.exists()


def test_run_check_evaluate_and_score(toy_file, shapes, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["check", str(toy_file)]) == 0
    assert main(["run", str(toy_file), "--set", "train.epochs=1"]) == 0
    folder = tmp_path / "runs/toy-1"
    assert json.loads((folder / "result.json").read_text())["epochs"] == 1
    printed = capsys.readouterr().out
    assert "image_folder" in printed
    assert f"{json.loads((folder / 'result.json').read_text())['mean_auroc']:.4f}" in printed
    assert main(["evaluate", str(folder)]) == 0
    capsys.readouterr()

    bad = tmp_path / "broken.png"
    bad.write_bytes(b"no image")
    assert main(["score", str(folder), str(shapes / "dark"), str(bad)]) == 2
    printed = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(printed.out)))
    assert [row["path"] for row in rows] == sorted(map(str, (shapes / "dark").iterdir()))
    assert str(bad) in printed.err
    expected = adframe.load(folder).score([row["path"] for row in rows])
    assert [float(row["score"]) for row in rows] == pytest.approx(expected.tolist(), abs=1e-6)

    assert main(["score", str(folder), str(shapes / "dark"), "--out", "scores.csv"]) == 0
    assert Path("scores.csv").read_text() == printed.out
    assert not Path("scores.csv.part").exists()


def test_scores_are_written_as_they_come_and_outlast_an_interrupt(
    toy_file, shapes, tmp_path, capsys, monkeypatch
):
    adframe.run(adframe.load_config(toy_file, ["train.epochs=1"]), tmp_path / "run")
    out, part = tmp_path / "scores.csv", tmp_path / "scores.csv.part"
    out.write_text("older scores")
    score_files = adframe.Detector.score_files
    rows = []

    def interrupted(detector, paths):
        for number, result in enumerate(score_files(detector, paths)):
            rows.append(next(tmp_path.glob(".scores.csv.*.part")).read_text())
            if number == 3:
                raise KeyboardInterrupt
            yield result

    monkeypatch.setattr(adframe.Detector, "score_files", interrupted)
    command = ["score", str(tmp_path / "run"), str(shapes / "dark"), "--out", str(out)]
    assert main(command) == 130
    assert [text.count("\n") for text in rows] == [0, 2, 3, 4]
    assert part.read_text() == rows[-1]
    assert out.read_text() == "older scores"
    monkeypatch.undo()
    assert main(command) == 0
    assert not part.exists()
    assert out.read_text().startswith(rows[-1])
    capsys.readouterr()
    command[1] = str(tmp_path)
    assert main(command) == 2
    assert "not a run folder" in capsys.readouterr().err
    assert not part.exists()
    assert main([*command[:-1], str(tmp_path / "no/scores.csv")]) == 2
    expected = f"{tmp_path}/no/scores.csv: cannot be written: No such file or directory\n"
    assert capsys.readouterr().err == expected


def test_a_run_takes_the_next_free_folder(toy_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs/toy-1").mkdir(parents=True)
    assert main(["run", str(toy_file), "--set", "train.epochs=1"]) == 0
    assert (tmp_path / "runs/toy-2/result.json").exists()


def test_a_run_that_never_began_leaves_no_folder(toy_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["run", str(toy_file), "--set", "dataset.root=gone"]
    before = list(tmp_path.iterdir())
    assert main(words) == 2
    assert list(tmp_path.iterdir()) == before
    (tmp_path / "runs").mkdir()
    assert main(words) == 2
    assert list((tmp_path / "runs").iterdir()) == []


ONE_FILE = '''
import torch
from adframe import hookimpl
from adframe.interfaces import Loss, Positive


class Spread(Loss):
    """Pushes all views apart.

    Args:
        scale: [guess] Multiplies the mean similarity.
    """

    def __init__(self, scale: Positive = 1.0) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, embeddings, views):
        z = torch.nn.functional.normalize(embeddings.float())
        return self.scale * (z @ z.T).mean()


@hookimpl
def adframe_register(add):
    add("loss", "spread", Spread)
'''


def test_a_one_file_plugin_brings_a_loss(toy_file, shapes, tmp_path, capsys):
    plugin = tmp_path / "spread.py"
    plugin.write_text(ONE_FILE)
    out = tmp_path / "run"
    options = ["--plugin", str(plugin), "--set", "objective=[{loss: {name: spread, scale: 2}}]"]
    assert main(["run", str(toy_file), *options, "--out", str(out)]) == 0
    assert "spread_4" in (out / "metrics.jsonl").read_text()
    capsys.readouterr()
    # The run names the plugin's file, and code a config names is not run unasked.
    image = str(shapes / "dark/00.png")
    assert main(["score", str(out), image]) == 2
    assert "pass --allow-code" in capsys.readouterr().err
    assert main(["score", str(out), image, "--allow-code"]) == 0
    assert main(["score", str(out), image, "--plugin", str(plugin)]) == 0
    assert main(["list", "loss", "--plugin", str(plugin)]) == 0
    assert "Pushes all views apart. [from spread]" in capsys.readouterr().out


def test_a_broken_plugin_leaves_the_rest_working(tmp_path, capsys, monkeypatch):
    """An installed distribution whose plugin raises on import, found through its entry point."""
    site = tmp_path / "site"
    (site / "broken_things").mkdir(parents=True)
    (site / "broken_things/__init__.py").write_text("raise RuntimeError('out of cheese')\n")
    info = site / "broken_things-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-things\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[adframe]\nthings = broken_things\n")
    monkeypatch.syspath_prepend(site)

    assert main(["plugins"]) == 0
    assert "things 1.2" in (printed := capsys.readouterr().out)
    assert "did not load: RuntimeError: out of cheese" in printed
    assert main(["list", "loss"]) == 0
    printed = capsys.readouterr()
    assert "uniclr" in printed.out
    assert printed.err.count("out of cheese") == 1
    assert main(["check", "configs/quickstart.yaml"]) == 0
    capsys.readouterr()
    assert main(["check", "configs/quickstart.yaml", "--set", "scorer=cheese"]) == 2
    assert "plugin 'things' did not load: RuntimeError: out of cheese" in capsys.readouterr().err
    assert main(["check", "configs/quickstart.yaml", "--without", "things"]) == 0


def test_list_json_is_the_documented_form(capsys):
    assert main(["list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {tuple(row) for row in rows} == {("kind", "name", "plugin", "version", "summary")}
    by_name = {(row["kind"], row["name"]): row for row in rows}
    assert by_name["loss", "uniclr"]["plugin"] == "unicon_ha"
    assert all(row["summary"] for row in rows)
    assert main(["list", "shift", "--json"]) == 0
    assert {row["kind"] for row in json.loads(capsys.readouterr().out)} == {"shift"}


def test_show_tells_options_bounds_and_provenance(capsys):
    assert main(["show", "loss", "uniclr"]) == 0
    printed = capsys.readouterr().out
    assert "temperature: number > 0, default 0.5" in printed
    assert "[published: 0.5] tau of Eq. 1" in printed
    assert main(["show", "loss", "unicl"]) == 2
    assert "did you mean 'uniclr'?" in capsys.readouterr().err
    assert main(["show", "los", "uniclr"]) == 2
    assert "no kind 'los'; did you mean 'loss'?" in capsys.readouterr().err
    assert main(["show", "loss", "uniclr", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert [option["name"] for option in facts["options"]] == [
        "temperature",
        "soft_aggregation",
        "soft_temperature",
    ]


def test_schema_is_json_schema_that_knows_the_components(capsys):
    import jsonschema

    assert main(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    good = {"extends": "base.yaml", "objective": [{"loss": "uniclr"}], "train": {"epochs": 1}}
    assert not list(validator.iter_errors(good))
    bad = {"objective": [{"loss": {"name": "uniclr", "temprature": 1}}]}
    (error,) = validator.iter_errors(bad)
    assert list(error.absolute_path) == ["objective", 0, "loss"]
    assert "temprature" in error.message


def test_a_usage_error_is_status_2(capsys):
    assert main(["fly"]) == 2
    assert main(["run", "no/such/config.yaml"]) == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith("no/such/config.yaml: no such file or bundled config; see: adf")
    assert main(["run", "configs/quickstart.yaml", "--resume"]) == 2


def test_a_fault_of_adframe_keeps_its_traceback(toy_file, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.optim.SGD, "step", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["run", str(toy_file), "--out", str(tmp_path / "run")])


@pytest.mark.parametrize(("closed", "status"), [("stdout", 0), ("stderr", 2)])
def test_a_closed_stream_is_no_error_and_gets_nothing_into_the_other(
    closed, status, capsys, monkeypatch
):
    monkeypatch.setattr(sys, closed, None)
    assert main(["list", "loss"] if closed == "stdout" else ["lst"]) == status
    getattr(sys, closed).close()
    assert capsys.readouterr() == ("", "")


LONG = "a" * 300


@pytest.mark.parametrize(
    "words",
    [["evaluate", LONG], ["score", LONG, "x.png"], ["run", LONG], ["run", "CONFIG", "--out", LONG],
     ["check", "CONFIG", "--plugin", LONG], ["reproduce", LONG]],
    ids=lambda words: words[0],
)  # fmt: skip
def test_a_name_too_long_for_a_file_is_one_line(words, toy_file, capsys):
    status = main([str(toy_file) if word == "CONFIG" else word for word in words])
    assert status == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_scores_go_through_a_link_and_into_a_pipe_and_not_onto_a_folder(tmp_path):
    target, link, pipe = tmp_path / "target.csv", tmp_path / "link.csv", tmp_path / "pipe"
    target.write_text("old")
    link.symlink_to(target)
    with open_rows(link) as out:
        out.write("new")
    assert link.is_symlink()
    assert target.read_text() == "new"

    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with open_rows(pipe) as out:
        out.write("rows")
    assert os.read(reader, 100) == b"rows"
    os.close(reader)
    assert pipe.is_fifo()

    with pytest.raises(UserError, match="is not a file"), open_rows(tmp_path):
        pytest.fail("was opened")
