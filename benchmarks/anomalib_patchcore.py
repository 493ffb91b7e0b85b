"""PatchCore as a whole job, next to anomalib's: fit on normal images, score test images, AUROC.

Both have a ResNet-18 without training, its second and third stage, and a coreset of a tenth. Random
weights, since nothing is downloaded, so the AUROC shows only that both do the same. Each job is a
process tree, from the start of Python; seeds take turns. CPU seconds of one thread, median of the
seeds, and the most memory of a process. ``--python`` is an interpreter that has anomalib.

``--data`` is a folder with train/good, test/good and test/bad; otherwise images are made up.

    python benchmarks/anomalib_patchcore.py [--data FOLDER] [--python PATH] [--quick]
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import pairs
from jobs import make_up, run

THEIRS = """
import logging, sys, warnings
warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)
import torch
from anomalib.data import Folder
from anomalib.engine import Engine
from anomalib.models import Patchcore
root, size, seed, out = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
torch.set_num_threads(1)
torch.manual_seed(seed)
data = Folder(name="parts", root=root, normal_dir="train/good", normal_test_dir="test/good",
              abnormal_dir="test/bad", num_workers=0, seed=seed)
model = Patchcore(backbone="resnet18", layers=("layer2", "layer3"), pre_trained=False,
                  coreset_sampling_ratio=0.1, num_neighbors=1,
                  pre_processor=Patchcore.configure_pre_processor(image_size=(size, size)))
engine = Engine(accelerator="cpu", devices=1, default_root_dir=out, logger=False,
                enable_progress_bar=False)
engine.fit(model, datamodule=data)
print("AUROC", engine.test(model, datamodule=data, verbose=False)[0]["image_AUROC"])
"""


def theirs(python: str, folder: Path, size: int, seed: int) -> tuple[float, float, float]:
    """CPU seconds, MiB and AUROC of anomalib."""
    with tempfile.TemporaryDirectory() as out:
        given = [str(folder), str(size), str(seed), out]
        cpu, memory, text = run([python, "-c", THEIRS, *given])
    found = re.search(r"AUROC ([\d.]+)", text)
    assert found is not None, text
    return cpu, memory, float(found[1])


def ours(folder: Path, size: int, seed: int) -> tuple[float, float, float]:
    """CPU seconds, MiB and AUROC of ``adframe run patchcore/mvtec`` without training."""
    settings = [
        f"dataset={{name: image_folder, root: {folder}/train, test_root: {folder}/test, "
        f"normal: good, size: {size}}}",
        "backbone={name: resnet18, stem: large}",
        "train={epochs: 0, device: cpu}",
        "metrics=[]",
        f"seed={seed}",
    ]
    with tempfile.TemporaryDirectory() as out:
        given = [word for each in settings for word in ("--set", each)]
        command = [sys.executable, "-m", "adframe", "run", "patchcore/mvtec", "--out", out, *given]
        cpu, memory, _ = run(command)
        result = json.loads((Path(out) / "result.json").read_text(encoding="utf-8"))
    return cpu, memory, result["mean_auroc"]


def main() -> None:
    """Runs both in turns and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="folder with train/good, test/good, test/bad")
    parser.add_argument("--python", default=sys.executable, help="interpreter that has anomalib")
    parser.add_argument("--size", type=int, default=128, help="pixels (128)")
    parser.add_argument("--quick", action="store_true", help="fewer images, one seed")
    given = parser.parse_args()
    asked = [given.python, "-c", "import anomalib"]
    if subprocess.run(asked, capture_output=True, check=False).returncode:
        raise SystemExit("skipped: needs anomalib; name an interpreter that has it with --python")
    with tempfile.TemporaryDirectory() as place:
        folder = given.data or Path(place)
        if given.data is None:
            make_up(folder, 20 if given.quick else 200)
        found: dict[str, list[tuple[float, float, float]]] = {"anomalib": [], "adframe": []}
        for seed in range(1 if given.quick else 3):
            found["anomalib"].append(theirs(given.python, folder.absolute(), given.size, seed))
            found["adframe"].append(ours(folder.absolute(), given.size, seed))
    cpu = {name: statistics.median(row[0] for row in rows) for name, rows in found.items()}
    pairs.table(
        ["PatchCore", "CPU s", "times faster", "MiB", "AUROC"],
        [
            [name, cpu[name], cpu["anomalib"] / cpu[name], max(row[1] for row in rows),
             pairs.over_seeds([row[2] for row in rows])]
            for name, rows in found.items()
        ],
    )  # fmt: skip


if __name__ == "__main__":
    main()
