"""The ground that ``attack.py`` runs commands on: folders, a finished run, and what spoils them."""

from __future__ import annotations

import encodings.unicode_escape  # noqa: F401  # the user of a case may not read Python's folder
import importlib.readers  # noqa: F401
import os
import pwd
import random
import shlex
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

SIDE = 16  # pixels
TINY = f"""\
extends: {Path(__file__).parents[1]}/configs/base/unicon_ha.yaml
dataset: {{name: image_folder, root: PHOTOS, normal: good, size: {SIDE}}}
backbone: {{width: 0.0625}}
scorer: {{name: nearest_cosine, augmentation: null}}
train: {{epochs: 1, batch_size: 4}}
"""


@dataclass
class Case:
    """A command: its words, and on what ground it runs.

    Attributes:
        stdout: path of a device in place of standard output.
        closed: names of standard streams that are closed.
        prepare: called in the process of the command before it runs.
        expect: asserts about the end of the command.
    """

    words: list[str]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    encoding: str = "utf-8"
    closed: tuple[str, ...] = ()
    stdout: str | None = None
    prepare: Callable[[], None] | None = None
    expect: Callable[[Any], None] | None = None

    def describe(self) -> str:
        """The command, its environment, and the files of its folder."""
        files = sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*"))
        lines = [f"adframe {shlex.join(self.words)}", *files[:40]]
        lines += [f"{name}={value!r}" for name, value in self.environment.items()]
        return "\n".join(lines).encode("ascii", "backslashreplace").decode()


class Ground:
    """Folders of the attacks: photographs and a finished run to copy, and what must not change."""

    def __init__(self, work: Path, user: str | None) -> None:
        self.user = None if user is None else pwd.getpwnam(user)
        work.chmod(0o755)
        self.work, self.kept = work, work / "kept"
        self.kept.mkdir()
        draw = np.random.default_rng(0)
        for name, count in (("good", 8), ("bad", 2)):
            (self.kept / "photos" / name).mkdir(parents=True)
            for number in range(count):
                pixels = draw.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(self.kept / "photos" / name / f"{number}.png")
        torch.set_num_threads(1)
        from adframe.cli.main import main

        self.tiny = TINY.replace("PHOTOS", str(self.kept / "photos"))
        (self.kept / "tiny.yaml").write_text(self.tiny)
        status = main(["run", str(self.kept / "tiny.yaml"), "--out", str(self.kept / "run")])
        assert status == 0, "the plain run fails"

    def claim(self) -> None:
        """Make the folders of one process that runs cases."""
        own = self.work / str(os.getpid())
        self.outside, self.case = own / "outside", own / "case"
        (self.outside / "folder").mkdir(parents=True)
        (self.outside / "target").write_text("keep me\n")
        if self.user is not None:
            for path in [self.outside, *self.outside.rglob("*")]:
                os.chown(path, self.user.pw_uid, self.user.pw_gid)

    def clear(self) -> None:
        """Empty the working folder."""
        shutil.rmtree(self.case, ignore_errors=True)
        self.case.mkdir()

    def give(self) -> None:
        """Give the working folder to the user."""
        if self.user is not None:
            for path in [self.case, *self.case.rglob("*")]:
                os.chown(path, self.user.pw_uid, self.user.pw_gid, follow_symlinks=False)

    def config(self, text: str = "", name: str = "c.yaml") -> str:
        """Write the tiny config and more lines into the working folder."""
        (self.case / name).write_text(self.tiny + text)
        return name

    def run(self, name: str = "run") -> Path:
        """A copy of the finished run in the working folder."""
        shutil.copytree(self.kept / "run", self.case / name)
        return self.case / name

    def photo(self, name: str = "p.png") -> str:
        """A copy of a photograph in the working folder."""
        shutil.copy(self.kept / "photos/good/0.png", self.case / name)
        return name

    def photos(self, name: str = "d") -> Path:
        """A copy of the folder of photographs in the working folder."""
        shutil.copytree(self.kept / "photos", self.case / name)
        return self.case / name

    def spoil(self, draw: random.Random, path: Path) -> None:
        """Put something odd in place of a file or folder, or nothing."""
        data = path.read_bytes() if path.is_file() else b"{}"
        with suppress(OSError):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        devices = ["/dev/zero", "/dev/full", "/dev/random", "/dev/stdin"]
        links = ["target", "folder", "new"]
        odd = draw.choice(
            ["link", "loop", "fifo", "device", "folder", "data", "closed", "huge", ""]
        )
        if odd == "link":
            path.symlink_to(self.outside / draw.choice(links))
        elif odd == "loop":
            path.symlink_to(path)
        elif odd == "fifo":
            os.mkfifo(path)
        elif odd == "device":
            path.symlink_to(draw.choice(devices))
        elif odd == "folder":
            path.mkdir()
        elif odd == "data":
            path.write_bytes(_damaged(draw, data))
        elif odd == "closed":
            path.write_bytes(data)
            path.chmod(0)
        elif odd == "huge":
            with path.open("wb") as file:
                file.truncate(draw.choice([2**31, 2**40]))  # sparse


def _damaged(draw: random.Random, data: bytes) -> bytes:
    at = draw.randint(0, max(0, len(data) - 1))
    whole = [b"", b"null", b"[]", b"[" * 50_000, b"\xff\xfe", b"1", b'"x"', b"{}"]
    changed = data[:at] + draw.randbytes(draw.randint(1, 9)) + data[at + 1 :]
    return draw.choice([draw.choice(whole), data[:at], changed])


def odd_image(draw: random.Random, path: Path) -> None:
    """Write an image of an odd mode or format."""
    noise = np.random.default_rng(draw.randrange(99)).integers(0, 4096, (SIDE, SIDE))
    types = {"F": np.float32, "I": np.int32, "I;16": np.uint16}
    mode = draw.choice(["1", "L", "P", "LA", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", *types])
    formats = ["PNG", "TIFF", "BMP", "GIF", "EPS", "PDF", "PPM", "WEBP", "ICO", "TGA"]
    with suppress(Exception):  # not every format holds every mode
        image = Image.fromarray(noise.astype(types.get(mode, np.uint8)))
        image = image if mode in types else image.convert("RGB").convert(mode)
        image.save(path, draw.choice(formats))
