"""What ``attack.py`` draws: the words of one command and the ground it runs on, by kind."""

from __future__ import annotations

import json
import os
import random
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from attack_ground import Case, Ground, odd_image
from ruamel.yaml import YAML

DATA = YAML(typ="safe").load(Path(__file__).with_name("attack.yaml"))
ODD: list[str] = [*DATA["odd"], "a" * 300, "x/" * 3000]
KINDS: dict[str, Callable[[random.Random, Ground], Case]] = {}
RESUME = ["run", "run/config.yaml", "--out", "run", "--resume"]


def kind(share: int) -> Callable[[Callable[[random.Random, Ground], Case]], Any]:
    """Register a function that draws cases; ``share`` is its part of all cases."""

    def register(function: Any) -> Any:
        function.share = share
        KINDS[function.__name__] = function
        return function

    return register


@kind(20)
def setting(draw: random.Random, ground: Ground) -> Case:
    """``check --set`` with odd keys and values."""
    key = draw.choice([*DATA["keys"], *ODD, "a." * 10_000])
    sign = draw.choices(["=", "+=", "", "==", " = "], [9, 1, 1, 1, 1])[0]
    value = draw.choice([*DATA["values"], *ODD, "[" * 9999, "9" * 5000])
    return Case(["check", ground.config(), "--set", key + sign + value], ground.case)


@kind(20)
def variable(draw: random.Random, ground: Ground) -> Case:
    """Environment variables in the values of a config."""
    value = draw.choice([*ODD, "photos #2", "[2024] x", "@x", "3"])
    uses = [
        "dataset: {root: '${V}'}",
        "dataset: {root: '${V:-x}'}",
        "dataset: {root: '${V}/a${V}'}",
        "dataset: {normal: '${V}'}",
        "seed: ${V}",
        "train: {epochs: '${V:-3}'}",
        "plugins: ['${V}']",
        "scorer: '${V}'",
        "extends: ${V}",
    ]
    text = f"extends: {ground.kept}/tiny.yaml\n{draw.choice(uses)}\n"
    (ground.case / "v.yaml").write_text(text)
    environment = {"V": value.replace("\0", "")}
    return Case([draw.choice(["check", "run"]), "v.yaml"], ground.case, environment)


@kind(20)
def words(draw: random.Random, ground: Ground) -> Case:
    """Odd words on the command line."""
    ground.run()
    ground.photo()
    ground.config()
    count = draw.randint(0, 4)
    drawn = [draw.choice(DATA["words"] if draw.random() < 0.6 else ODD) for _ in range(count)]
    return Case([draw.choice([*DATA["verbs"], draw.choice(ODD)]), *drawn], ground.case)


@kind(25)
def run_file(draw: random.Random, ground: Ground) -> Case:
    """A run folder in which one or two files are something else."""
    run = ground.run()
    names = sorted(path.name for path in run.iterdir())
    names += [".lock", *(f"{name}.part" for name in names)]
    for name in draw.sample(names, draw.choice([1, 1, 1, 2])):
        ground.spoil(draw, run / name)
    if draw.random() < 0.1:
        ground.spoil(draw, run)
    if run.is_symlink():
        run.unlink()  # a folder that the user names may be a link
    config = ground.config()
    commands = [
        ["score", "run", ground.photo()],
        ["evaluate", "run"],
        ["evaluate", "run", "--verify"],
        RESUME,
        ["run", config, "--out", "run", "--resume"],
        ["run", config, "--out", "run"],
    ]
    return Case(draw.choice(commands), ground.case)


@kind(15)
def tensors(draw: random.Random, ground: Ground) -> Case:
    """A model or state whose tensors are forged; its checksum is right."""
    from adframe.io.tensors import read_tensors, write_tensors

    path = ground.run() / draw.choice(["model.safetensors", "state.safetensors"])
    found, facts = read_tensors(path)
    facts.pop("sha256", None)
    strange = ["views", "augmentation", "fit", "__class__"]
    others = ["scorer/9/x", "x", "method/../x", "optimizer/main/0/x"]
    name = draw.choice([*found, *others, *(f"scorer/0/{attribute}" for attribute in strange)])
    old = found.pop(name, torch.zeros(3))
    types = [torch.float64, torch.int64, torch.bool, torch.complex64]
    forged = [None, torch.empty(0), torch.tensor(10**9), *(old.to(dtype) for dtype in types)]
    forged += [old[None], old.flatten(), old.flatten()[:1], old * float("nan"), old + float("inf")]
    if (tensor := draw.choice(forged)) is not None:
        found[name] = tensor
    if draw.random() < 0.3:
        odd = [None, -1, "x", [], {}, 10**30, [3, -1, 5], [3, 10**9, 10**9], ["a"] * 9, 1.5]
        facts[draw.choice([*facts, "classes", "epochs", "image_size"])] = draw.choice(odd)
    write_tensors(path, found, facts)

    def finite(end: Any) -> None:
        assert end.status or "nan" not in end.out.lower(), "a score is not finite"

    photo = ground.photo()
    commands = [
        ["score", "run", photo],
        ["evaluate", "run"],
        ["evaluate", "run", "--verify"],
        RESUME,
    ]
    return Case(draw.choice(commands), ground.case, expect=finite)


@kind(15)
def out(draw: random.Random, ground: Ground) -> Case:
    """Odd places to write to."""
    ground.run()
    if draw.random() < 0.7:
        ground.spoil(draw, ground.case / "o")
    if str(ground.outside) in os.path.realpath(ground.case / "o"):
        (ground.case / "o").unlink()  # what the user names is written to, also through a link
    name = draw.choice(["o", "o/x", "o", *ODD])
    commands = [
        ["score", "run", ground.photo(), "--out", name],
        ["run", ground.config(), "--out", name],
        ["new", "loss", "mine", "--out", name],
        ["reproduce", "table6", "--out", name, "--dry-run"],
    ]
    return Case(draw.choices(commands, [4, 4, 1, 1])[0], ground.case)


@kind(15)
def images(draw: random.Random, ground: Ground) -> Case:
    """A folder of images with odd names, kinds and contents, scored or trained on."""
    root = ground.photos()
    names = [name for name in ODD if name.strip(".") and not {"/", "\0"} & set(name)]
    for number in range(draw.randint(1, 4)):
        name = f"{number}{draw.choice(names)}"[:100]
        folder = root / draw.choice(["good", "bad", ".", "good/.hidden", "good/deep/er"])
        path = folder / (name + draw.choice([".png", ".jpg", ".tif", ".txt", ""]))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((root / "good/0.png").read_bytes())
        if draw.random() < 0.6:
            ground.spoil(draw, path)
        else:
            odd_image(draw, path)
    if draw.random() < 0.5:
        ground.run()
        return Case(["score", "run", "d"], ground.case)
    skip = draw.choice(["true", "false"])
    more = ["--set", f"dataset.skip_unreadable={skip}", "--set", "dataset.root=d"]
    return Case(["run", ground.config(), "--out", "o", *more], ground.case)


@kind(10)
def plugin_file(draw: random.Random, ground: Ground) -> Case:
    """A plugin file that does what no plugin should."""
    path = ground.case / draw.choice(["p.py", "my plugin-é.py", "p.txt", "lambda.py"])
    path.write_bytes(draw.choice(DATA["strange"]).encode("utf-8", "surrogatepass"))
    if draw.random() < 0.2:
        ground.spoil(draw, path)
    commands = [["list"], ["list", "--json"], ["plugins"], ["check", ground.config()], ["schema"]]
    command = draw.choice(commands)

    def is_json(end: Any) -> None:
        assert end.status or json.loads(end.out) is not None

    expect = is_json if "--json" in command else None
    return Case([*command, "--plugin", path.name], ground.case, expect=expect)


def plugin(body: str, kind: str, name: str) -> str:
    """Source of a plugin with one component ``C``."""
    tail = DATA["tail"].replace("KIND", kind).replace("NAME", name)
    return "\n\n".join([DATA["head"], body, tail])


@kind(10)
def plugin_return(draw: random.Random, ground: Ground) -> Case:
    """A component that returns, or raises, what it should not."""
    name = draw.choice(list(DATA["seams"]))
    seam = DATA["seams"][name]
    drawn = draw.choice(seam["returns"] if draw.random() < 0.6 else DATA["ends"])
    body = seam["body"].replace("HERE", drawn).replace("HOOK", draw.choice(DATA["hooks"]))
    of = {"fit": "scorer", "constructor": "loss", "hook": "loss"}.get(name, name)
    (ground.case / "p.py").write_text(plugin(body, of, "c"))
    more = [word for value in seam["settings"] for word in ("--set", value)]
    return Case(["run", ground.config(), "--out", "o", "--plugin", "p.py", *more], ground.case)


@kind(15)
def plugin_option(draw: random.Random, ground: Ground) -> Case:
    """A component with an option of an odd type or default."""
    default = f" = {draw.choice(DATA['defaults'])}" if draw.random() < 0.8 else ""
    option = f"x: {draw.choice(DATA['types'])}{default}"
    made = f"def __init__(self, {option}) -> None:\n        super().__init__()\n        self.x = x"
    decorator = ""
    if draw.random() < 0.2:  # a dataclass writes no constructor
        decorator = "@dataclasses.dataclass\n"
        made = f"{option}\n\n    def __post_init__(self):\n        super().__init__()"
    body = f'{decorator}class C(Loss):\n    """A loss."""\n\n    {made}\n\n'
    body += "    def forward(self, embeddings, views):\n        return embeddings.square().mean()"
    (ground.case / "p.py").write_text(plugin(body, "loss", "probe"))
    given = f", x: {draw.choice(DATA['given'])}" if draw.random() < 0.6 else ""
    uses = f"objective=[{{loss: {{name: probe{given}}}}}]"
    check = ["check", ground.config(), "--set", uses]
    command = draw.choice([check, ["show", "loss", "probe"], ["schema"], ["list", "loss"]])
    return Case([*command, "--plugin", "p.py"], ground.case)


@kind(10)
def streams(draw: random.Random, ground: Ground) -> Case:
    """Closed or full standard streams and poor encodings."""
    ground.run()
    photo = ground.photo(draw.choice(["Schölkopf.png", "日本.png", "\udcff.png", "\x1b[31m.png"]))
    config = ground.config()
    commands = [["list"], ["plugins"], ["configs"], ["--help"], ["schema"], ["check", "x"]]
    commands += [["score", "run", photo], ["evaluate", "run"], ["run", config, "--out", "o"]]
    commands += [["check", config], ["show", "loss", "uniclr"]]
    one = [(), ("stdin",), ("stdout",), ("stderr",)]
    closed = draw.choice([*one, (), ("stdout", "stderr"), ("stdin", "stdout", "stderr")])
    full = "/dev/full" if draw.random() < 0.3 and "stdout" not in closed else None
    encoding = draw.choice(["utf-8", "ascii", "latin-1", "cp1252"])
    command = draw.choice(commands)
    return Case(command, ground.case, closed=closed, stdout=full, encoding=encoding)


@kind(10)
def places(draw: random.Random, ground: Ground) -> Case:
    """Files and folders that the user may not read or write. Only an ordinary user sees it."""
    run, photo, config, photos = ground.run(), ground.photo(), ground.config(), ground.photos()
    (ground.case / "p.py").write_text("x = 1\n")
    (ground.case / "runs").mkdir()
    inside = [photo, config, "p.py", "runs"]
    closed = [run, *sorted(run.iterdir()), photos, photos / "good", photos / "good/0.png"]
    for path in draw.sample([*closed, *(ground.case / name for name in inside)], 2):
        folder = stat.S_ISDIR(path.stat().st_mode)
        path.chmod(draw.choice([0, 0o444, 0o555, 0o111]) if folder else 0)
    commands = [
        ["score", "run", photo],
        ["score", "run", "d", "--out", "runs/x.csv"],
        ["evaluate", "run"],
        ["run", config],
        ["run", config, "--set", "dataset.root=d", "--out", "o"],
        ["run", config, "--set", "dataset.cache=runs", "--out", "o"],
        ["list", "--plugin", "p.py"],
        ["new", "loss", "mine"],
        RESUME,
    ]
    gone = draw.random() < 0.1

    def leave() -> None:
        if gone:  # the current folder is removed
            Path("lost").mkdir()
            os.chdir("lost")
            os.rmdir("../lost")

    return Case(draw.choice(commands), ground.case, prepare=leave)
