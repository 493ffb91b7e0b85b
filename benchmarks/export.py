"""Exported detectors against the detector in Python: equal scores, and seconds for one image.

    python benchmarks/export.py IMAGES [--scorer knn] [--size 64] [--to onnx] [--to torch]

An untrained network of the quickstart (``--width 1``: ResNet-18) is fitted on half of the images,
and 200 others are scored. Prints for each format the largest difference of a score, whether the
loader of the format accepts the file, and the median milliseconds for one image, one thread, taking
turns: the file, ``Detector.score`` and ``Detector.quick().score``.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

import adframe


def main() -> None:
    """Export, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("images", nargs="+", help="files or folders")
    parser.add_argument("--scorer", default="knn", help="as in a config; '' is the quickstart's")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--to", action="append", choices=("onnx", "torch"))
    parser.add_argument("--rounds", type=int, default=50)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    files = adframe.find_images(arguments.images)
    order = np.random.default_rng(0).permutation(len(files))
    used = [files[row] for row in order[:400]]
    known, others = used[: len(used) // 2], used[len(used) // 2 :]
    with tempfile.TemporaryDirectory() as name:
        detector = fitted(Path(name), known, arguments)
        quick = detector.quick()
        for to in arguments.to or ["onnx", "torch"]:
            file = Path(name, "detector.onnx" if to == "onnx" else "detector.pt2")
            parity = adframe.export(detector, file, to, others)
            accepted(file, to)
            exported = adframe.load_export(file)
            given = detector.score(others)
            largest = float(np.abs(exported.score(others) - given).max())
            image = np.asarray(adframe.read_images(others[0], arguments.size)[0].permute(1, 2, 0))
            contenders = {
                to: exported.score, "Detector": detector.score, "quick": quick.score,
            }  # fmt: skip
            spent = compared(contenders, image, arguments.rounds)
            print(
                f"{to}: {parity.images} images, largest difference {largest:.1e} (scores "
                f"{given.min():.3g} to {given.max():.3g}); accepted; {file.stat().st_size:,} bytes"
            )
            for key, seconds in spent.items():
                ratio = seconds / spent["Detector"]
                print(f"  {key}: {1000 * seconds:.1f} ms for one image, {ratio:.2f} of Detector")


def fitted(folder: Path, known: list[Path], arguments: argparse.Namespace) -> adframe.Detector:
    """A detector whose scorer compares with some images."""
    (folder / "data").mkdir()
    rows = [f"{path.resolve()},good" for path in known]
    (folder / "data" / "list.csv").write_text("\n".join(["path,label", *rows]), encoding="utf-8")
    settings = [
        f"dataset={{name: image_table, table: {folder}/data/list.csv, size: {arguments.size}}}",
        f"backbone.width={arguments.width}", "train.epochs=0", "train.device=cpu",
        *([f"scorer={arguments.scorer}"] if arguments.scorer else []),
    ]  # fmt: skip
    adframe.run(adframe.load_config("quickstart", settings), folder / "run")
    return adframe.load(folder / "run")


def accepted(file: Path, to: str) -> None:
    """Load a file with the tools of its format; they raise an error if it is wrong."""
    if to == "onnx":
        import onnx

        onnx.checker.check_model(onnx.load(file), full_check=True)
    else:
        torch.export.load(file)


def compared(
    calls: dict[str, Callable[[np.ndarray], object]], image: np.ndarray, rounds: int
) -> dict[str, float]:
    """Median seconds of each call, which take turns."""
    spent: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(rounds + 3):
        for name, call in calls.items():
            start = time.thread_time()
            call(image)
            if number >= 3:  # the first ones warm up
                spent[name].append(time.thread_time() - start)
    return {name: statistics.median(of) for name, of in spent.items()}


if __name__ == "__main__":
    main()
