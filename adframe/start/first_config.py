"""Writes a first config for a folder of images, with a budget for this machine."""

from __future__ import annotations

import json
import re
import shlex
import tempfile
import textwrap
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from adframe.config.model import load_config
from adframe.config.yaml_tree import escaped, to_yaml
from adframe.engine.decision import needed
from adframe.errors import UserError, one_line
from adframe.io.atomic import check_regular, create
from adframe.io.paths import AnyPath, as_path
from adframe.start.budget import Cost, in_words, measure
from adframe.start.layout import Layout, layout_of
from adframe.start.recipe import Choice, Recipe, recipe_for
from adframe.start.survey import Survey, survey

MINUTES = 15.0  # of a first run
ENOUGH = 20  # epochs for which a larger side is taken
BATCH = 32
SHARE = 0.2  # of the training images, to calibrate with
RATES = (0.01, 0.05, 0.1, 0.2)  # of false alarms; the first that the calibration images allow
TEST_SHARE = 0.3  # that a data set without test images holds out


@dataclass(frozen=True)
class FirstConfig:
    """What ``init`` found and wrote.

    Attributes:
        out: the config.
        found: what lies in the folder, in lines.
        epochs: epochs of the config, 0 if nothing is trained.
        seconds: how long the run takes on this machine.
        commands: what to run next: one command, or one for each product.
    """

    out: Path
    found: list[str]
    epochs: int
    seconds: float
    commands: list[str]


def init(
    folder: AnyPath,
    out: AnyPath | None = None,
    normal: str | None = None,
    minutes: float = MINUTES,
    recipe: Choice = "auto",
) -> FirstConfig:
    """Examine a folder of images and write a config that runs as it is.

    Args:
        folder: images; folders of classes; ``train`` and ``test`` with such folders; several
            products of these; or a CSV or Parquet file with the columns ``path`` and ``label``.
        out: the config to write; ``FOLDER.yaml`` in the working directory by default.
        normal: the normal class, if its name does not show it.
        minutes: how long the run may take; decides the number of epochs.
        recipe: ``compare`` compares images with the normal ones and trains nothing, ``train``
            trains a network; ``auto`` compares if the normal images lie alike.

    Raises:
        UserError: the layout is not known, ``out`` exists, or the images cannot be used.
    """
    return write(find(folder, normal), out, minutes, recipe)


def find(folder: AnyPath, normal: str | None = None) -> Survey:
    """What ``init`` finds in a folder.

    Raises:
        UserError: the layout is not known, or an image that must be read is not readable.
    """
    found = survey(layout_of(as_path(folder), normal))
    if len(found.seen) < 3:
        raise UserError("\n".join([f"{folder}: fewer than 3 images", *found.unreadable[:1]]))
    return found


def write(
    found: Survey,
    out: AnyPath | None = None,
    minutes: float = MINUTES,
    recipe: Choice = "auto",
) -> FirstConfig:
    """Measure a training step, or the time to score a few images, and write the config.

    Raises:
        UserError: ``out`` exists, or the images cannot be used.
    """
    if not minutes > 0:
        raise UserError(f"minutes: must be more than 0, not {minutes}")
    path = as_path(out) if out is not None else Path(f"{_slug(found.layout)}.yaml")
    if path.exists() or path.is_symlink():
        raise UserError(f"{path}: already exists; nothing was overwritten; choose --out")
    check_regular(path)
    chosen, epochs = recipe_for(found, recipe), 0
    for side in dict.fromkeys(min(side, _side(found)) for side in chosen.sides):
        cost = _measured(_text(found, chosen, path, side, 1, ""), path)
        epochs = cost.epochs(60 * minutes) if chosen.trains else 0
        if epochs >= ENOUGH or (not chosen.trains and cost.total(0) <= 60 * minutes):
            break
    text = _text(found, chosen, path, side, epochs, _estimate(cost, epochs, minutes))
    _write(path, text)
    return FirstConfig(
        path, list(found.lines()), epochs, cost.total(epochs), _commands(found.layout, path)
    )


def _measured(text: str, path: Path) -> Cost:
    """Cost of a run of a config that will be written to a path.

    Raises:
        UserError: the images cannot be used.
    """
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "draft.yaml"
        draft.write_text(text, encoding="utf-8", errors="surrogateescape")
        try:
            return measure(load_config(draft))
        except UserError as error:
            raise UserError(str(error).replace(str(draft), str(path))) from error


def _estimate(cost: Cost, epochs: int, minutes: float) -> str:
    text = in_words(cost.total(epochs)).capitalize()
    if cost.total(epochs) <= 66 * minutes:
        return text
    least = ", and the fewest epochs that make sense" if epochs else ""
    return f"{text} (more than asked for{least})"


def _write(path: Path, text: str) -> None:
    """Write a new file.

    Raises:
        UserError: it exists, or cannot be written.
    """
    try:
        with open(create(path), "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror or error}") from error


def _text(found: Survey, recipe: Recipe, path: Path, side: int, epochs: int, time: str) -> str:
    layout = found.layout
    train = sum(map(len, layout.train.values()))
    if layout.kind in ("folder", "table") and not _has_test(layout):
        train -= max(1, round(train * TEST_SHARE))
    held = max(1, round(train * SHARE))
    rate = next((rate for rate in RATES if needed(rate) <= held), RATES[-1])
    wide, high = (min(sides) for sides in zip(*(one.size for one in found.seen), strict=True))
    masks = layout.kind == "parts" or layout.masks is not None
    values = {
        "folder": one_line(str(layout.root)),
        "out": one_line(shlex.quote(str(path))),
        "dataset": _comment(layout) + to_yaml(escaped({"dataset": _dataset(found, side)})),
        "region": f"[0, 0, {high}, {wide}]",
        "held": held,
        "needed": needed(rate),
        "rate": rate,
        "share": SHARE,
        "epochs": epochs,
        "batch": min(BATCH, max(2, train - held)),
        "time": time,
        "pixels": ", pixel_auroc, au_pro" if masks else "",
    }
    return Template(_template(recipe.template)).substitute(values)


def _has_test(layout: Layout) -> bool:
    """Whether normal images for testing are given."""
    return any(name in layout.test for name in layout.normal)


def _dataset(found: Survey, side: int) -> dict[str, Any]:
    layout, lines = found.layout, _template("names.txt").splitlines()
    options: dict[str, Any] = {"name": dict(map(str.split, lines))[layout.kind]}
    if layout.kind == "parts" and layout.products:
        options |= {"root": str(layout.root.parent), "category": layout.root.name}
    elif layout.kind == "split":
        options |= {"root": str(layout.root / "train"), "test_root": str(layout.root / "test")}
    else:
        options["table" if layout.kind == "table" else "root"] = str(layout.root)
    if layout.kind != "parts" and layout.normal:
        options["normal"] = layout.normal[0]
    options |= {"size": side} | ({"without": layout.excluded} if layout.excluded else {})
    if layout.masks is not None and layout.kind != "parts":
        options["masks"] = str(layout.masks)
    if found.bits is not None and found.bits < 16:
        options["depth"] = found.bits
    if layout.kind != "parts" and layout.test.keys() - set(layout.normal):
        options["set_name"] = "anomalies"
    if found.unreadable and layout.kind in ("folder", "split"):
        options["skip_unreadable"] = True
    return options


def _side(found: Survey) -> int:
    """Largest side of the squares that images become: small ones are not enlarged."""
    return max(16, min(min(one.size) for one in found.seen) // 8 * 8)


def _comment(layout: Layout) -> str:
    text = _template(f"{layout.kind}.tmpl")
    if layout.products:
        text += "".join(
            textwrap.fill(
                one_line(f"Products: {', '.join(layout.products)}"), 98,
                initial_indent="# ", subsequent_indent="#   ", break_long_words=False,
            )
        ) + "\n"  # fmt: skip
    return text


def _commands(layout: Layout, path: Path) -> list[str]:
    """The command that runs the config, or one for each product."""
    commands = []
    for name in layout.products or [""]:
        if layout.kind == "parts":
            changed = {"category": name}
        else:
            root = layout.root.parent / name
            changed = {"root": str(root / "train"), "test_root": str(root / "test")}
        sets = [f"dataset.{key}={json.dumps(value, ensure_ascii=False)}"
                for key, value in changed.items()] if layout.products else []  # fmt: skip
        more = [word for setting in sets for word in ("--set", setting)]
        commands.append(shlex.join(["adframe", "run", str(path), *more]))
    return commands


def _slug(layout: Layout) -> str:
    """A name for the config, of letters and digits."""
    name = layout.root.resolve().stem or "images"
    return re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip("-.") or "images"


def _template(file: str) -> str:
    return (resources.files("adframe.start") / "templates" / file).read_text(encoding="utf-8")
