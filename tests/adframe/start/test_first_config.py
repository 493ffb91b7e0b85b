"""The config that init writes runs as it is; it overwrites nothing."""

import shlex
import shutil

import pytest
from PIL import Image

import adframe
from adframe.cli.main import main
from adframe.config.model import load_config
from adframe.errors import UserError
from adframe.start import first_config
from adframe.start.budget import Cost, in_words
from adframe.start.recipe import COMPARE, TRAIN, recipe_for


@pytest.fixture
def quick(monkeypatch):
    """Nothing is measured: an epoch takes a second."""
    monkeypatch.setattr(first_config, "measure", lambda config: Cost(1.0, 1.0))


def test_a_config_of_classes_is_measured_and_runs_as_it_is(shapes, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    given = ["--normal", "left", "--minutes", "0.001", "--recipe", "train"]
    assert main(["init", str(shapes), *given]) == 0
    (config,) = tmp_path.glob("*.yaml")
    printed = capsys.readouterr().out.splitlines()
    assert printed[1] == "train: 12 left"
    assert printed[2] == "test: 8 dark, 8 right"
    assert printed[-1] == f"next: adframe run {config.name}"
    assert printed[-2].startswith(f"wrote {config.name}: 5 epochs, about ")
    run = load_config(config)
    assert (run.train.epochs, run.dataset.options["normal"]) == (5, "left")
    quick = load_config(config, ["train.epochs=1", "backbone.width=0.0625"])
    report = adframe.run(quick, tmp_path / "run")
    assert next(iter(report.outcomes.values())).decision is not None
    assert not report.failed


def test_images_that_lie_alike_are_compared_and_nothing_is_trained(shapes, tmp_path, capsys):
    out = tmp_path / "x.yaml"
    assert main(["init", str(shapes), "--normal", "left", "--out", str(out)]) == 0
    *_, place, wrote, following = capsys.readouterr().out.splitlines()
    assert place.startswith("place: the normal images lie alike (correlation 0.")
    assert wrote == f"wrote {out}: nothing to train, about 10 seconds on this machine"
    assert following == f"next: adframe run {out}"
    text = out.read_text()
    assert "# region: [0, 0, 16, 16]" in text
    out.write_text(text.replace("# region: [0, 0, 16, 16]", "region: [0, 0, 16, 8]"))
    report = adframe.run(load_config(out), tmp_path / "run")
    assert next(iter(report.outcomes.values())).decision is not None
    assert not report.failed
    assert adframe.load(tmp_path / "run").size == (3, 16, 16)


def test_the_recipe_is_chosen_by_the_normal_images(shapes, monkeypatch):
    found = first_config.find(shapes, "left")
    assert recipe_for(found) == recipe_for(found, "compare") == COMPARE
    assert recipe_for(found, "train") == TRAIN
    monkeypatch.setattr("adframe.start.recipe.MOST", 11)  # one less than there are
    assert recipe_for(found) == TRAIN
    with pytest.raises(UserError, match="^recipe: must be one of auto, compare, train, not 'x'$"):
        recipe_for(found, "x")


def test_nothing_is_overwritten(shapes, tmp_path, quick):
    out = tmp_path / "x.yaml"
    out.write_text("mine")
    with pytest.raises(UserError, match=r"x.yaml: already exists; nothing was overwritten"):
        adframe.init(shapes, out, normal="left")
    assert out.read_text() == "mine"


@pytest.mark.parametrize("name", ["plain", "a: b", "${HOME} 'x\"", "né\n# x: [", "- {y}"])
def test_a_class_of_any_name_is_data(name, shapes, tmp_path, quick):
    for of, to in (("left", name), ("dark", "odd")):
        shutil.copytree(shapes / of, tmp_path / "in" / to)
    written = adframe.init(tmp_path / "in", tmp_path / "x.yaml", normal=name, recipe="train")
    config = load_config(written.out)
    assert config.dataset.options["normal"] == name
    assert config.train.epochs == written.epochs == 60


@pytest.mark.parametrize("masks", [8, 7])  # 7: one has none
def test_masks_next_to_the_classes_are_no_class(masks, shapes, tmp_path):
    shutil.copytree(shapes / "left", tmp_path / "in/good")
    shutil.copytree(shapes / "dark", tmp_path / "in/dark")
    (tmp_path / "in/empty").mkdir()
    (tmp_path / "in/ground_truth/dark").mkdir(parents=True)
    for file in sorted((tmp_path / "in/dark").iterdir())[:masks]:
        to = tmp_path / "in/ground_truth/dark" / f"{file.stem}_mask.png"
        Image.new("L", (16, 16), 255).save(to)
    written = adframe.init(tmp_path / "in", tmp_path / "x.yaml")
    report = adframe.run(load_config(written.out, [] if masks == 8 else ["metrics=[]"]))
    (outcome,) = (of for name, of in report.outcomes.items() if name == "nearest_grid")
    assert len(outcome.scores["anomalies"]) == 8


@pytest.mark.parametrize("masks", [True, False])
def test_each_product_has_a_command_that_is_accepted(masks, shapes, tmp_path, quick):
    for product in ("big 'nut'", "cable"):
        for place in ("train/good", "test/good", "test/cut", "ground_truth/cut")[: 3 + masks]:
            shutil.copytree(shapes / "left", tmp_path / "in" / product / place)
    written = adframe.init(tmp_path / "in", tmp_path / "x.yaml")
    for product, command in zip(("big 'nut'", "cable"), written.commands, strict=True):
        _, _, config, *sets = shlex.split(command)
        options = load_config(config, sets[1::2]).dataset.options
        assert product in str(options["category" if masks else "root"])


def test_a_wrong_image_is_reported_for_the_config_to_be_written(shapes, tmp_path):
    table = tmp_path / "t.csv"
    rows = [f"{file},ok,{split}" for split in ("train", "test")
            for file in sorted((shapes / "left").iterdir())]  # fmt: skip
    table.write_text("\n".join(["path,label,split", *rows, f"{tmp_path}/gone.png,odd,test"]))
    with pytest.raises(UserError, match=r"^\S*/x.yaml:\d+: dataset: \S*gone.png: No such file"):
        adframe.init(table, tmp_path / "x.yaml")
    assert not (tmp_path / "x.yaml").exists()


@pytest.mark.parametrize(
    ("fixed", "epoch", "seconds", "epochs"),
    [(10, 1, 60, 50), (10, 10, 900, 60), (100, 20, 900, 40), (0, 60, 900, 15), (0, 900, 900, 5)],
)
def test_epochs_fit_in_the_time(fixed, epoch, seconds, epochs):
    assert Cost(fixed, epoch).epochs(seconds) == epochs


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3, "about 10 seconds"), (64, "about 60 seconds"), (700, "about 12 minutes"),
     (9000, "about 2.5 hours")],
)  # fmt: skip
def test_a_time_is_in_words(seconds, text):
    assert in_words(seconds) == text
