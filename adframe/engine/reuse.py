"""Evaluates a trained network with other scorers or on other data, as a new run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from adframe.config.identity import identity
from adframe.config.model import load_config
from adframe.engine import model_file
from adframe.engine.global_state import kept
from adframe.engine.report import write_report
from adframe.engine.run_folder import check_config, write_config
from adframe.engine.runner import evaluate_trained, prepare, take_facts, write_environment
from adframe.errors import UserError
from adframe.interfaces import Report
from adframe.io import atomic
from adframe.io.locks import lock_folder
from adframe.io.read import read_bytes

#: Sections of a config that may differ from those that the network was trained with.
FREE = ("dataset", "outliers", "scorer", "metrics")


@kept()
def evaluate_into(
    folder: Path,
    out: Path,
    settings: list[str],
    verbose: bool = False,
    **options: Any,
) -> Report:
    """Fit the scorers of a changed config on the network of a finished run, and evaluate them.

    The result is that of a run of the changed config, byte for byte, if only scorers, metrics and
    outliers differ. Nothing is written before the evaluation has ended.

    Args:
        folder: the folder of the finished run.
        out: the new run folder.
        settings: changes of the config, as for ``load_config``.
        verbose: let plugins show progress and results on the terminal.
        options: plugins, without, allow_code, as for ``load_config``.

    Raises:
        UserError: the folder holds no finished run; a setting changes more than ``FREE``; the
            network does not fit the data; or ``out`` holds something.
    """
    model = model_file.model_facts(folder)
    original = load_config(folder / "config.yaml", **options)
    model_file.check_model(folder, original, model[1])
    config = load_config(folder / "config.yaml", settings, **options)
    before, after = identity(original), identity(config)
    known = {**before, **after}
    changed = [name for name in known if before.get(name) != after.get(name)]
    if fixed := [name for name in changed if name not in FREE]:
        raise UserError(
            f"{', '.join(fixed)}: decided how {folder} was trained; "
            f"evaluate can change {', '.join(FREE)}"
        )
    with lock_folder(out) as lock:
        check_config(out, config, resume=False)
        current = prepare(config, None)
        current.verbose = verbose
        take_facts(current, model[1])
        same = model[1]["images"] == current.fingerprint["images"]
        if "dataset" not in changed and not same:
            raise UserError(f"{folder}: the training images have changed; set dataset, or train")
        path = folder / "model.safetensors"
        model_file.restore_weights(path, model[0], current.assembly)
        current.out, current.lock = out, lock
        with current.observed():
            report = evaluate_trained(current, folder, fitted=False)
            write_config(out, config)
            write_environment(out, current, weights_of=str(folder))
            log = folder / "metrics.jsonl"
            if log.exists():
                atomic.write(out / log.name, read_bytes(log))
            write_report(report, current)
            current.hook.adframe_run_end(run=current, report=report)
        return report
