"""Feeds broken files to the readers of configs, settings, checkpoints and images.

    python benchmarks/fuzz.py --cases 12000 --seed 0

Each case is a complete file with seeded damage: bits are flipped; bytes are cut out, doubled,
overwritten or replaced by pieces of another file. The reader must read the file cleanly (for a
checkpoint: return what was written) or refuse it with one clear line. Any other exception is a
failure. A case that takes over 2 s, or over 1 GiB more memory than at the start, is a failure too.
Prints the number of each outcome, the slowest case and the most memory.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import re
import resource
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from adframe.config.compose import compose, set_value
from adframe.config.model import validate_tree
from adframe.data.decode import read_image
from adframe.errors import UserError
from adframe.io.tensors import read_tensors, write_tensors
from adframe.registry.loading import LoadedPlugins, load_plugins

ROOT = Path(__file__).parents[1]
WORDS = [
    b"&a", b"*a", b"<<", b"!!int", b"!!python/name:os.system", b"[", b"]", b"{", b"}", b":", b"- ",
    b"\n", b"\t", b"'", b'"', b"#", b"%", b"|", b">", b"?", b",", b"\0", b"\xff", b"\xe2\x80\xa8",
    b"1e999", b"-1", b"9" * 120, b".nan", b".inf", b"null", b"true", b"0x1f", b"1_000", b"~",
    b"name", b"extends: x", b"...", b"---", b"../../etc/passwd",
]  # fmt: skip


def damage(data: bytes, other: bytes, choose: random.Random, words: bool) -> bytes:
    """Damages the bytes of a file in one to four places, by a seed."""
    out = bytearray(data)
    for _ in range(choose.randint(1, 4)):
        at = choose.randrange(len(out) + 1)
        size = choose.choice((1, 2, 4, 8, choose.randint(1, 1 + len(out) // 2)))
        kind = choose.randrange(8 if words else 6)
        if kind == 0 and out:
            out[at % len(out)] ^= 1 << choose.randrange(8)
        elif kind == 1:
            del out[at : at + size]
        elif kind == 2:
            out[at:at] = out[at : at + size]
        elif kind == 3:
            out[at : at + size] = choose.randbytes(size) if size < 64 else bytes(size)
        elif kind == 4:
            start = choose.randrange(len(other) or 1)
            out[at : at + size] = other[start : start + size]
        elif kind == 5:
            del out[at:]
        else:
            out[at:at] = choose.choice(WORDS)
    return bytes(out)


def _beside(folder: Path, name: bytes) -> bytes:
    return str(folder / name.decode()).encode()


def config_cases(
    work: Path, loaded: LoadedPlugins
) -> tuple[list[bytes], Callable[[bytes], object]]:
    """Reads, composes and validates damaged bundled configs, and one in JSON."""
    names = [ROOT / "configs/quickstart.yaml", *sorted((ROOT / "configs/unicon_ha").glob("*.yaml"))]
    files = [
        re.sub(rb"[\w./]+\.yaml\b(?=[],\n])", lambda m, at=path.parent: _beside(at, m[0]), data)
        for path in names
        for data in [path.read_bytes()]
    ]
    whole = compose(ROOT / "configs/quickstart.yaml").plain()
    files.append(json.dumps(whole, indent=1).encode())
    path = work / "config.yaml"

    def read(data: bytes) -> object:
        path.write_bytes(data)
        return validate_tree(compose(path), str(path), loaded=loaded).yaml()

    return files, read


def setting_cases(loaded: LoadedPlugins) -> tuple[list[bytes], Callable[[bytes], object]]:
    """Applies damaged values of ``--set`` to a valid config."""
    tree = compose(ROOT / "configs/quickstart.yaml")
    lines = [
        b"objective.0.loss.temperature=0.1", b"scorer={name: nearest_cosine, views: 3}",
        b"train.epochs=3", b"shifts=[{name: rotation, angles: [90, 180]}]", b"seed=12",
        b"objective.0.stages=[1, 2]", b"train={epochs: 2, checkpoint_every: 10min, clip: 1.0}",
    ]  # fmt: skip

    def read(data: bytes) -> object:
        return validate_tree(set_value(tree, data.decode("utf-8", "replace")), "x", loaded=loaded)

    return lines, read


def checkpoint_cases(work: Path) -> tuple[list[bytes], Callable[[bytes], object]]:
    """Reads damaged small tensor files. A clean read must return what was written."""
    path, whole, contents = work / "x.safetensors", [], []
    facts = {"format": 2, "epoch": 3, "step": 17, "sums": {"loss": 0.1}, "scalars": {}}
    for dtype in (torch.float32, torch.bfloat16, torch.int64, torch.bool):
        tensors = {f"model/{n}.weight": (torch.randn(n, 3) * 4).to(dtype) for n in (1, 2, 5)}
        write_tensors(path, {**tensors, "scalar": torch.tensor(7), "none": torch.zeros(0)}, facts)
        whole.append(path.read_bytes())
        contents.append(read_tensors(path))

    def read(data: bytes) -> object:
        path.write_bytes(data)
        tensors, found = read_tensors(path)
        same = any(
            found == facts and tensors.keys() == of.keys()
            and all(torch.equal(tensors[name], of[name]) for name in of)
            for of, _ in contents
        )  # fmt: skip
        if not same:
            raise AssertionError("read without an error, but it differs from what was written")
        return found

    return whole, read


def image_cases(work: Path) -> tuple[list[bytes], Callable[[bytes], object]]:
    """Reads a damaged image of each format. A read must return pixels of the requested size."""
    noise = np.random.default_rng(0).integers(0, 256, (24, 20, 3), dtype=np.uint8)
    image, whole = Image.fromarray(noise), []
    exif = image.getexif()
    exif[0x0112] = 6
    square = image.crop((0, 0, 16, 16))  # a plain JPEG that needs no resizing uses another decoder
    for kind, options in [
        ("PNG", {}), ("JPEG", {"exif": exif}), ("JPEG", {}), ("JPEG", {"progressive": True}),
        ("GIF", {"save_all": True, "append_images": [image]}),
        ("BMP", {}), ("WEBP", {}), ("TIFF", {}), ("PPM", {}),
    ]:  # fmt: skip
        stream = io.BytesIO()
        plain = kind == "JPEG" and "exif" not in options
        (square if plain else image).save(stream, kind, **options)
        whole.append(stream.getvalue())
    path = work / "image.png"

    def read(data: bytes) -> object:
        path.write_bytes(data)
        pixels = read_image(path, 16)
        if pixels.shape != (3, 16, 16):
            raise AssertionError(f"pixels of {tuple(pixels.shape)}")
        return pixels

    return whole, read


def fuzz(cases: int, seed: int, work: Path) -> list[str]:
    """Runs the cases of each reader. Returns one line for each failure."""
    loaded = load_plugins()
    readers = {
        "config": config_cases(work, loaded),
        "setting": setting_cases(loaded),
        "checkpoint": checkpoint_cases(work),
        "image": image_cases(work),
    }
    start, wrong = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, []
    for reader, (whole, read) in readers.items():
        for data in whole:
            read(data)
        ends: Counter[str] = Counter()
        slowest = 0.0
        for case in range(cases):
            choose = random.Random(f"{seed} {reader} {case}")
            data, other = choose.choice(whole), choose.choice(whole)
            data = damage(data, other, choose, words=reader in ("config", "setting"))
            begun = time.process_time()
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # Pillow's, about files it still reads
                    read(data)
                ends["read"] += 1
            except UserError as error:
                ends["refused"] += 1
                if any(len(line) > 1000 or not line for line in str(error).split("\n")):
                    wrong.append(f"{reader} {seed} {case}: {str(error)[:200]!r}")
            except Exception as error:
                wrong.append(f"{reader} {seed} {case}: {type(error).__name__}: {error}")
            slowest = max(slowest, time.process_time() - begun)
        if slowest > 2:
            wrong.append(f"{reader}: {slowest:.1f} s for one case")
        print(f"{reader}: {ends['read']} read, {ends['refused']} refused; slowest {slowest:.2f} s")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) / 1024
    print(f"memory grew by {grown:.0f} MiB at most")
    return [*wrong, *([f"{grown:.0f} MiB more memory"] if grown > 1024 else [])]


def main() -> int:
    """Prints the outcomes. Returns 1 if there was a failure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=12_000, help="cases, over all readers")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        wrong = fuzz(options.cases // 4, options.seed, Path(work))
    print("\n".join(wrong) or "no failure")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
