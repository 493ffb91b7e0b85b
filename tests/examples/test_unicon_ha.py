"""The one-file example has the loss, the gradient and the score of the framework's method."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

import adframe

ROOT = Path(__file__).parents[2]
FILE = ROOT / "examples/unicon_ha.py"
WIDTH, IMAGES, SIDE = 4, 4, 16
STAGES = 4


def load_example(source: str) -> Any:
    module = ModuleType("unicon_ha")
    exec(compile(source, str(FILE), "exec"), vars(module))
    return module


@pytest.fixture(scope="module")
def example() -> Any:
    return load_example(FILE.read_text(encoding="utf-8"))


@dataclass
class Step:
    """One training step of the framework.

    Attributes:
        pixels: (N, 3, H, W) float64 images in 0..1.
        shifted: (8 N, 3, H, W) what each stage's augmentation is given.
        views: (8 N, 3, H, W) for each stage, what the network sees.
        before: parameters and buffers before the step.
        after: the same after the backward pass; no optimiser step is taken.
        gradients: of every parameter.
    """

    method: Any
    scorer: Any
    pixels: Tensor
    shifted: list[Tensor]
    views: list[Tensor]
    before: dict[str, Tensor]
    after: dict[str, Tensor]
    gradients: dict[str, Tensor]
    loss: float


@pytest.fixture(scope="module")
def step(tmp_path_factory: pytest.TempPathFactory) -> Step:
    """The only place that knows how the framework is put together."""
    from adframe.interfaces import Batch, LossTerm, MethodParts, RandomKeys

    settings = ["dataset=lfw_faces", "train.epochs=1", f"backbone.width={WIDTH / 64}"]
    # All four stages of Eq. 9; without a classifier of shifts the flip may follow the shift.
    settings += ["schedule.stages=null", "objective.0.stages=[1,2,3]", "method.pre_shift=null"]
    config = adframe.load_config(ROOT / "configs/base/unicon_ha.yaml", settings).dump()

    def loss(table: Any) -> Any:
        return lambda: adframe.build("loss", table)

    torch.manual_seed(0)
    shifts = [adframe.build("shift", table) for table in config["shifts"]]
    terms = [LossTerm(loss(t["loss"]), t["stages"], t["weight"]) for t in config["objective"]]
    schedule = adframe.build("schedule", config["schedule"])
    augmentation = schedule.augmentation
    shifted, views = [], []

    def recorded(images: Tensor, keys: RandomKeys, strength: float) -> Tensor:
        shifted.append(images.double() / 255)
        views.append(augmentation(images, keys, strength).double())
        return views[-1]

    schedule.augmentation = recorded
    method = adframe.build("method", config["method"])
    method.setup(
        MethodParts(adframe.build("backbone", config["backbone"]), shifts, schedule, terms, 1)
    )
    method.double()
    with torch.no_grad():  # embeddings of a fresh network are almost parallel
        for parameter in method.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    before = {name: value.clone() for name, value in method.state_dict().items()}

    pixels = torch.randint(0, 256, (IMAGES, 3, SIDE, SIDE), dtype=torch.uint8)
    keys = RandomKeys.from_index(0, torch.arange(IMAGES))
    (update,) = method.step(Batch(pixels, torch.full((IMAGES,), -1), keys), 0.0)
    update.loss.backward()
    (scorer,) = (adframe.build("scorer", table) for table in config["scorer"])
    after = {name: value.clone() for name, value in method.state_dict().items()}
    gradients = {name: parameter.grad.clone() for name, parameter in method.named_parameters()}
    values = method, scorer, pixels.double() / 255, shifted, views, before, after, gradients
    return Step(*values, loss=update.loss.item())


def example_name(name: str) -> str:
    """What the example calls a parameter or buffer of the framework's method."""
    part, first, *rest = name.split(".")
    if part == "backbone":
        if first in ("conv1", "bn1"):
            return ".".join(["stem", "0" if first == "conv1" else "1", *rest])
        return ".".join(["stages", str(int(first.removeprefix("layer")) - 1), *rest])
    assert part == "heads", name
    index = int(first) - 1
    kind, *rest = rest
    layers = 4 * (STAGES - 1 - index)  # of the part that downsamples
    if kind == "downsample":
        block, layer, *rest = rest
        return ".".join(["heads", str(index), str(4 * int(block) + int(layer)), *rest])
    layer, *rest = rest
    return ".".join(["heads", str(index), str(layers + 2 + int(layer)), *rest])


def network(example: Any, step: Step) -> Any:
    """The example's network with the weights of the framework's before its step."""
    net = example.Network(WIDTH).double()
    net.load_state_dict({example_name(name): value for name, value in step.before.items()})
    return net


def differences(example: Any, step: Step) -> dict[str, float]:
    """How far loss, gradients and running statistics of the example are from the framework's.

    A tensor's difference is relative to its norm.
    """
    net = network(example, step)
    loss = example.objective(net, step.views)
    loss.backward()
    mine = {name: parameter.grad for name, parameter in net.named_parameters()}
    assert mine.keys() == {example_name(name) for name in step.gradients}
    found = {"loss": abs(loss.item() - step.loss) / abs(step.loss)}
    for name, expected in step.gradients.items():
        assert expected.norm() > 0, f"{name}: nothing to compare"
        found[f"gradient of {name}"] = relative(mine[example_name(name)], expected)
    after = net.state_dict()
    for name, expected in step.after.items():
        found[name] = relative(after[example_name(name)], expected)
    return found


def relative(value: Tensor, expected: Tensor) -> float:
    return ((value - expected).double().norm() / expected.double().norm()).item()


def test_the_example_imports_nothing_of_the_framework():
    nodes = list(ast.walk(ast.parse(FILE.read_text(encoding="utf-8"))))
    modules = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    modules |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    used = {name.partition(".")[0] for name in modules} - sys.stdlib_module_names
    assert used == {"torch", "torchvision"}


def test_the_example_is_short():
    assert len(FILE.read_text(encoding="utf-8").splitlines()) < 300


def test_the_shifts_are_the_frameworks(example, step):
    expected = torch.cat([example.shift(step.pixels)] * 2)
    assert len(step.shifted) == STAGES
    for shifted in step.shifted:
        assert torch.equal(shifted, expected)


def test_loss_gradients_and_statistics_are_the_frameworks(example, step):
    found = differences(example, step)
    assert len(found) > 100
    assert {name: value for name, value in found.items() if value > 1e-9} == {}


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("others = (cosine / TAU).masked_fill(itself, -torch.inf)", "others = cosine / TAU"),
        ("& ~itself  # (M, M), x' in", "# (M, M), x' in"),
        ("TAU_OMEGA = 0.5", "TAU_OMEGA = 0.4"),
        ("return (w * loss).mean()", "return loss.mean()"),
        (".exp().fill_diagonal_(0)", ".exp()"),
        ("TAU = 0.5", "TAU = 0.4"),
        ("group[: len(group) // 4] = 0", "group[: len(group) // 2] = 0"),
        ("torch.stack(losses).mean()", "torch.stack(losses).sum()"),
    ],
    ids=["eq 1", "eq 5", "eq 7", "eq 6", "eq 7 self", "eq 1 tau", "inliers", "eq 9"],
)
def test_a_broken_equation_is_seen(step, right, wrong):
    source = FILE.read_text(encoding="utf-8")
    assert source.count(right) == 1
    found = differences(load_example(source.replace(right, wrong)), step)
    assert max(found.values()) > 1e-5


def test_features_and_score_are_the_frameworks(example, step):
    net = network(example, step).eval()
    step.method.load_state_dict(step.before)
    step.method.eval()
    with torch.no_grad():
        expected = step.method.embed(step.views[0])["features"]
        features = net(step.views[0]).mean(dim=(2, 3))
    torch.testing.assert_close(features, expected, rtol=1e-9, atol=1e-12)

    torch.manual_seed(0)
    bank, seen = torch.randn(9, 3, 8), torch.randn(5, 3, 8)  # (N, views, C)
    step.scorer.fit({"features": bank[:, :, None]})
    expected = step.scorer.score({"features": seen[:, :, None]})
    torch.testing.assert_close(example.score(seen, bank), expected)


def test_auroc_is_scikit_learns(example):
    from sklearn.metrics import roc_auc_score

    torch.manual_seed(0)
    good, other = torch.randint(0, 6, (20,)), torch.randint(2, 8, (30,))  # with ties
    truth = [0] * len(good) + [1] * len(other)
    expected = roc_auc_score(truth, torch.cat([good, other]))
    assert example.auroc(good, other) == pytest.approx(expected, abs=1e-12)


def test_augmentation_keeps_range_and_depends_on_strength(example):
    torch.manual_seed(0)
    images = torch.rand(8, 3, 12, 12)
    change = []
    for strength in (0.1, 1.0):
        views = example.training_views(images, strength)
        assert views.shape == (64, 3, 12, 12)
        assert 0 <= views.min() <= views.max() <= 1
        inliers = views[: len(images)]
        nearest = [(inliers - images).abs(), (inliers - images.flip(-1)).abs()]
        change.append(torch.stack(nearest).mean(dim=(2, 3, 4)).amin(dim=0).mean())
    assert change[0] < change[1]


SMALL = ["--size", "16", "--width", "2", "--epochs", "1", "--device", "cpu"]


@pytest.mark.slow
def test_it_runs_on_two_folders(shapes, warm):
    words = [str(shapes / "left"), "--other", str(shapes / "dark"), *SMALL]
    command = [str(warm / "python"), str(FILE), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "epoch 1/1: loss " in done.stdout
    assert re.search(
        r"^AUROC [01]\.\d{3} \(4 good images, 8 anomalous\)$", done.stdout, re.MULTILINE
    )
    assert done.stdout.count(".png") == 10


def test_without_anomalous_images_it_prints_scores_alone(example, shapes, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["unicon_ha.py", str(shapes / "left"), *SMALL])
    example.main()
    printed = capsys.readouterr().out
    assert "AUROC" not in printed
    assert printed.count(".png") == 4


def test_without_a_folder_it_makes_images_up(example, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["unicon_ha.py", *SMALL])
    example.main()
    assert "(33 good images, 100 anomalous)" in capsys.readouterr().out


def test_it_explains_itself(example, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["unicon_ha.py", "--help"])
    with pytest.raises(SystemExit):
        example.main()
    assert "folder of good images" in capsys.readouterr().out


def test_it_reads_what_it_is_given(example, tmp_path):
    Image.new("L", (20, 10), 255).save(tmp_path / "wide.png")
    Image.new("RGB", (8, 8), (0, 51, 255)).save(tmp_path / "colour.png")
    (tmp_path / "notes.txt").write_text("no image")
    images, names = example.read_folder(tmp_path, 8)
    assert [Path(name).name for name in names] == ["colour.png", "wide.png"]
    assert images.shape == (2, 3, 8, 8)
    assert images[0, :, 0, 0].tolist() == pytest.approx([0, 0.2, 1])
    assert images[1].min() == 1
    with pytest.raises(SystemExit, match="no PNG or JPEG"):
        example.read_folder(tmp_path / "nothing", 8)
