"""Saves and restores a run. No file is a pickle.

``model.safetensors`` holds what scoring needs: weights and fitted scorers. ``state.safetensors``
holds what resuming needs: weights, optimiser state, position, and metric sums of the current epoch.
Each file contains the SHA-256 of its content. ``state.json`` repeats the metadata for people. No
random state is saved, because random numbers depend only on seed and position.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from adframe._version import __version__
from adframe.config.model import RunConfig
from adframe.engine.build import Assembly
from adframe.engine.run_folder import check_folder
from adframe.engine.state import Run
from adframe.errors import UserError
from adframe.interfaces import Method
from adframe.io.atomic import read_json, write_json
from adframe.io.read import sha256_of
from adframe.io.tensors import read_tensors, write_tensors

FORMAT = 2
Optimizers = dict[str, torch.optim.Optimizer]


def fingerprint(config: RunConfig, *images: str) -> dict[str, str]:
    """SHA-256 of the config and of the training images of a run.

    Args:
        config: the config of the run.
        images: SHA-256 of each set of images that the run trains on.
    """
    config_digest = hashlib.sha256(config.yaml().encode()).hexdigest()
    return {"config": config_digest, "images": " ".join(images)}


def save_state(run: Run, sums: Mapping[str, float], optimizers: Optimizers) -> None:
    """Write the state of training into the run folder, if there is one.

    The older state stays until the new one is complete.
    """
    if run.out is None:
        return
    run.lock.check()
    method = run.assembly.method
    tensors = {f"model/{name}": tensor for name, tensor in method.state_dict().items()}
    scalars: dict[str, Any] = {}
    for group, optimizer in optimizers.items():
        for index, slots in optimizer.state_dict()["state"].items():
            for name, value in slots.items():
                key = f"optimizer/{group}/{index}/{name}"
                if isinstance(value, Tensor):
                    tensors[key] = value
                else:
                    scalars[key] = value
    position = {"epoch": run.epoch, "step": run.step, "sums": dict(sums)}
    facts = {"format": FORMAT, "adframe": __version__, **run.fingerprint, **position}
    path = run.out / "state.safetensors"
    write_tensors(path, tensors, {**facts, "scalars": scalars})
    _write_summary(path, {**facts, "seconds": run.seconds})


def _write_summary(path: Path, facts: Mapping[str, Any]) -> None:
    """Write ``state.json``: the metadata of a saved state and the seconds that the run took."""
    digest = sha256_of(path)
    write_json(path.with_suffix(".json"), {**facts, "sha256": {path.name: digest}})


def load_state(run: Run, optimizers: Optimizers) -> dict[str, Any]:
    """Restore the saved state of a run.

    Returns:
        The metadata saved with the state; empty if there is no saved state.

    Raises:
        UserError: the state is damaged, or belongs to another config or other training images.
    """
    path = (run.out or Path()) / "state.safetensors"
    if run.out is None or not path.exists():
        return {}
    tensors, facts = read_tensors(path)
    _check_format(path, facts)
    for part, what in (("config", "with another config"), ("images", "on other training images")):
        if facts.get(part) != run.fingerprint[part]:
            raise UserError(f"{path}: the run was trained {what}; choose another --out")
    try:
        _restore(path, {**tensors, **facts["scalars"]}, run.assembly.method, optimizers)
        run.epoch, run.step = int(facts["epoch"]), int(facts["step"])
        facts["sums"] = {str(name): float(value) for name, value in facts["sums"].items()}
    except (LookupError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise UserError(f"{path}: does not fit the optimizer of config.yaml: {error}") from error
    earlier = seconds(path.with_suffix(".json"))
    run.add_seconds(earlier)
    # A kill may have come between the two files, so the second is written again.
    known = {key: value for key, value in facts.items() if key != "scalars"}
    _write_summary(path, {**known, "seconds": earlier})
    return facts


def _restore(path: Path, values: Mapping[str, Any], method: Method, optimizers: Optimizers) -> None:
    states: dict[str, dict[int, dict[str, Any]]] = {group: {} for group in optimizers}
    model = {}
    for key, value in values.items():
        kind, _, name = key.partition("/")
        if kind == "model":
            model[name] = value
        else:
            group, index, slot = name.rsplit("/", 2)
            states[group].setdefault(int(index), {})[slot] = value
    _load_weights(path, method, model)
    for group, optimizer in optimizers.items():
        weights = [weight for part in optimizer.param_groups for weight in part["params"]]
        for number, slots in states[group].items():
            like = weights[number]
            for slot, value in slots.items():
                if isinstance(value, Tensor) and value.shape == like.shape:
                    # In the memory format of the weight, so that sums are rounded as before.
                    slots[slot] = torch.empty_like(like, dtype=value.dtype).copy_(value)
        optimizer.load_state_dict({**optimizer.state_dict(), "state": states[group]})


def seconds(path: Path) -> float:
    """Duration of a run in seconds, from ``state.json`` or ``result.json``; 0 if unknown."""
    try:
        value = read_json(path)["seconds"]
        return value if isinstance(value, int | float) else 0.0
    except (UserError, KeyError, TypeError):
        return 0.0


def save_model(run: Run, folder: Path) -> None:
    """Write the weights and the fitted scorers of a run."""
    method, scorers = run.assembly.method, run.assembly.scorers
    tensors = {f"method/{name}": tensor for name, tensor in method.state_dict().items()}
    for index, scorer in enumerate(scorers):
        for name, tensor in scorer.state().items():
            tensors[f"scorer/{index}/{name}"] = tensor
    names = [spec.entry.name for spec in run.config.scorer]
    facts = {
        "format": FORMAT,
        "adframe": __version__,
        "scorers": names,
        "image_size": list(run.data.train.pixels.shape[1:]),
        "classes": list(run.data.classes),
        "epochs": run.epoch,
    }
    write_tensors(folder / "model.safetensors", tensors, facts)


def model_facts(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the tensors and metadata of ``model.safetensors``.

    Raises:
        UserError: the folder holds no finished run, or its model is damaged.
    """
    if not os.path.isfile(folder / "config.yaml"):
        raise UserError(f"{folder}: not a run folder: it has no config.yaml")
    check_folder(folder)
    path = folder / "model.safetensors"
    if not path.exists():
        raise UserError(f"{folder}: its run is not finished; continue with adframe run --resume")
    tensors, facts = read_tensors(path)
    _check_format(path, facts)
    for key, kind in {"image_size": list, "classes": list, "epochs": int}.items():
        if not isinstance(facts.get(key), kind):
            raise UserError(f"{path}: damaged: {key} is missing")
    return tensors, facts


def restore_model(
    folder: Path,
    model: tuple[Mapping[str, Tensor], Mapping[str, Any]],
    config: RunConfig,
    assembly: Assembly,
) -> None:
    """Load a saved model into a method and its scorers.

    Raises:
        UserError: the model belongs to another config.
    """
    tensors, facts = model
    path = folder / "model.safetensors"

    def part(prefix: str) -> dict[str, Tensor]:
        keys = [key for key in tensors if key.startswith(prefix)]
        return {key.removeprefix(prefix): tensors[key] for key in keys}

    _load_weights(path, assembly.method, part("method/"))
    names = [spec.entry.name for spec in config.scorer]
    if facts.get("scorers") != names:
        raise UserError(f"{path}: has scorers {facts.get('scorers')}, config.yaml has {names}")
    for index, (name, scorer) in enumerate(zip(names, assembly.scorers, strict=True)):
        try:
            scorer.restore(part(f"scorer/{index}/"))
        except (LookupError, ValueError, TypeError, RuntimeError) as error:
            raise UserError(f"{path}: does not fit the scorer {name}: {error}") from error


def _check_format(path: Path, facts: dict[str, Any]) -> None:
    if facts.get("format") != FORMAT:
        raise UserError(f"{path}: format {facts.get('format')}, but this adframe reads {FORMAT}")


def _load_weights(path: Path, method: Method, weights: dict[str, Tensor]) -> None:
    try:
        method.load_state_dict(weights)
    except RuntimeError as error:
        reason = str(error).partition("\n")[2].strip().partition("\n")[0]
        raise UserError(f"{path}: does not fit the network of config.yaml: {reason}") from error
