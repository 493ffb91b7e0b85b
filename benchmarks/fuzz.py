"""Calls the readers of configs, settings, checkpoints and images with broken files.

    python benchmarks/fuzz.py --cases 12000 --seed 0

Each case is a complete file with drawn damage (``strategies.py``): bits are flipped; bytes are cut
out, doubled, overwritten or replaced by pieces of another file. The reader must read the file
cleanly (for a checkpoint: return what was written) or refuse it with one clear line, and may not
refuse an undamaged file. Any other exception is a failure; the smallest file that causes it is
printed. A case that takes over 2 s, or over 1 GiB more memory than at the start, is a failure too.
Prints the number of each outcome, the slowest case and the most memory.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import shutil
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import hypothesis
import torch
from hypothesis import strategies as st
from strategies import CONFIGS, TABLES, TENSORS, damaged, image_files

from adframe.config.compose import compose, set_value
from adframe.config.model import validate_tree
from adframe.data.decode import read_image
from adframe.data.reading import ReadAs
from adframe.errors import UserError
from adframe.io.tensors import read_tensors, write_tensors
from adframe.registry.loading import load_plugins

BUNDLED = Path(__file__).parents[1] / "configs"
SIDE = 16  # pixels
SETTINGS = [
    b"objective.0.loss.temperature=0.1", b"scorer={name: nearest_cosine, views: 3}",
    b"train.epochs=3", b"shifts=[{name: rotation, angles: [90, 180]}]", b"seed=12",
    b"objective.0.stages=[1, 2]", b"train={epochs: 2, checkpoint_every: 10min, clip: 1.0}",
]  # fmt: skip
MANY = hypothesis.settings(
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=list(hypothesis.HealthCheck),
)

#: A strategy of whole files; and a function that reads one and may give what was written in it.
Reader = tuple[st.SearchStrategy[bytes], Callable[[bytes], bytes | None]]


def readers(work: Path) -> dict[str, Reader]:
    """The readers by name. They read files in the folder ``work``."""
    shutil.copytree(BUNDLED, work / "configs")
    folder, other = work / "configs/unicon_ha", work / "other"
    loaded, tree = load_plugins(), compose(folder.parent / "quickstart.yaml")
    validate_tree(tree, "x", loaded=loaded)  # imports what the first case would wait for
    texts = [path.read_bytes() for path in sorted(folder.glob("*.yaml"))]
    drawn = (CONFIGS | st.just(tree.plain())).map(lambda config: json.dumps(config).encode())

    def read_config(data: bytes) -> None:
        (folder / "x.yaml").write_bytes(data)
        validate_tree(compose(folder / "x.yaml"), "x", loaded=loaded).yaml()

    def read_setting(data: bytes) -> None:
        validate_tree(set_value(tree, data.decode("utf-8", "replace")), "x", loaded=loaded)

    def written(tensors: dict[str, torch.Tensor], facts: dict[str, object]) -> bytes:
        write_tensors(other, tensors, facts)
        return other.read_bytes()

    def read_checkpoint(data: bytes) -> bytes:
        other.write_bytes(data)
        return written(*read_tensors(other))  # equal content makes equal bytes

    def read_picture(data: bytes) -> None:
        other.write_bytes(data)
        assert read_image(other, ReadAs(SIDE)).shape == (3, SIDE, SIDE)

    tensors = TENSORS.map(lambda drawn: {**drawn, "weight": torch.arange(99.0)})
    return {
        "config": (st.sampled_from(texts) | drawn, read_config),
        "setting": (st.sampled_from(SETTINGS), read_setting),
        "checkpoint": (st.builds(written, tensors, TABLES), read_checkpoint),
        "image": (image_files(SIDE), read_picture),
    }


def fuzz(name: str, reader: Reader, cases: int, seed: int) -> list[str]:
    """Runs the cases of one reader. Returns one line for each failure."""
    files, read = reader
    ends: Counter[str] = Counter()
    slowest = 0.0

    @hypothesis.seed(seed)
    @hypothesis.settings(MANY, max_examples=cases)
    @hypothesis.given(damaged(files, text=name in ("config", "setting")))
    def case(drawn: tuple[bytes, ...]) -> None:
        nonlocal slowest
        whole, other, data = drawn
        found = refusal = None
        gc.disable()  # what hypothesis leaves behind is not the reader's to collect
        begun = time.process_time()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Pillow's, about files it still reads
                found = read(data)
        except UserError as error:
            refusal = str(error)
        finally:
            slowest = max(slowest, time.process_time() - begun)
            gc.enable()
        ends["read" if refusal is None else "refused"] += 1
        if refusal is None:
            assert found in (None, whole, other), "read without an error, but it differs"
        else:
            assert data != whole, f"a whole file is refused: {refusal}"
            clear = (0 < len(line) <= 1000 and line.isprintable() for line in refusal.split("\n"))
            assert all(clear), f"no clear line: {refusal!r}"

    wrong = []
    try:
        case()
    except Exception as error:  # its notes show the smallest file that ends so
        lines = [f"{name}: {type(error).__name__}: {error}", *getattr(error, "__notes__", [])]
        wrong.append("\n".join(lines))
    if slowest > 2:
        wrong.append(f"{name}: {slowest:.1f} s for one case")
    print(f"{name}: {ends['read']} read, {ends['refused']} refused; slowest {slowest:.2f} s")
    return wrong


def main() -> int:
    """Prints the outcomes. Returns 1 if there was a failure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=12_000, help="cases, over all readers")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    start, wrong = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, []
    with tempfile.TemporaryDirectory() as work:
        hypothesis.configuration.set_hypothesis_home_dir(work)
        for name, reader in readers(Path(work)).items():
            wrong += fuzz(name, reader, options.cases // 4, options.seed)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) / 1024
    print(f"memory grew by {grown:.0f} MiB at most")
    wrong += [f"{grown:.0f} MiB more memory"] if grown > 1024 else []
    print("\n".join(wrong) or "no failure")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
