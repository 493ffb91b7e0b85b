"""Saves and restores the state of training. No file is a pickle.

``state.safetensors`` holds what resuming needs: weights, optimiser state, position, and metric sums
of the current epoch. It contains the SHA-256 of its content. ``state.json`` repeats the metadata
for people. No random state is saved, because random numbers depend only on seed and position.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from adframe._version import __version__
from adframe.config.identity import digest, identity
from adframe.config.model import RunConfig
from adframe.engine.state import Run
from adframe.errors import UserError
from adframe.interfaces import Method
from adframe.io.atomic import read_json, write_json
from adframe.io.read import sha256_of
from adframe.io.tensors import read_facts, read_tensors, write_tensors

FORMAT = 4
Optimizers = dict[str, torch.optim.Optimizer]
_PARTS = ("model", "optimizer", "history")  # before the / in the name of a tensor


@dataclass
class State:
    """What of a saved state is restored when training starts.

    Attributes:
        path: its file, for messages.
        sums: metric -> sum over the steps of the epoch so far.
        slots: group, number of a parameter and name -> state of the optimizers.
    """

    path: Path
    sums: dict[str, float]
    slots: dict[str, Any]


def fingerprint(config: RunConfig, *images: str, epochs: int | None = None) -> dict[str, str]:
    """SHA-256 of the config and of the training images of a run.

    Args:
        config: the config of the run.
        images: SHA-256 of each set of images that the run trains on.
        epochs: in place of those of the config.
    """
    values = identity(config)
    values["train"]["epochs"] = values["train"]["epochs"] if epochs is None else epochs
    return {"config": digest(values), "images": " ".join(images)}


def check_state(folder: Path, run: Run) -> None:
    """Check that the state in a folder, if there is one, is of the same config and images.

    Only its metadata are read, before anything is written.

    Raises:
        UserError: it is of another run.
    """
    path = folder / "state.safetensors"
    if path.exists():
        facts = read_facts(path)
        _check_run(path, facts, run)
        run.started_from = str(facts.get("started_from", ""))


def _check_run(path: Path, facts: Mapping[str, Any], run: Run) -> None:
    check_format(path, facts)
    if facts.get("config") not in (run.fingerprint["config"], run.extends or ""):
        raise UserError(f"{path}: the run was trained with another config; choose another --out")
    if facts.get("images") != run.fingerprint["images"]:
        raise UserError(f"{path}: the run was trained on other images; choose another --out")


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
    for name, values in run.history.items():
        tensors[f"history/{name}"] = torch.tensor(values, dtype=torch.float64)
    position = {"epoch": run.epoch, "step": run.step, "sums": dict(sums)}
    position |= {"finished": run.finished} if run.finished else {}
    position |= {"metrics": list(run.history)}  # their order, which the tensors do not have
    facts = {"format": FORMAT, "adframe": __version__, **run.fingerprint, **position}
    if run.started_from:
        facts["started_from"] = run.started_from
    path = run.out / "state.safetensors"
    write_tensors(path, tensors, {**facts, "scalars": scalars})
    _write_summary(path, {**facts, "seconds": run.seconds})


def _write_summary(path: Path, facts: Mapping[str, Any]) -> None:
    """Write ``state.json``: the metadata of a saved state and the seconds that the run took."""
    digest = sha256_of(path)
    write_json(path.with_suffix(".json"), {**facts, "sha256": {path.name: digest}})


def load_state(run: Run, folder: Path | None = None) -> State | None:
    """Restore weights, position and history of a run from its saved state.

    Args:
        run: the run.
        folder: where the state lies; by default the folder of the run, which is written again.

    Returns:
        What is left to restore; None if there is no saved state.

    Raises:
        UserError: the state is damaged, or belongs to another config or other training images.
    """
    folder = run.out if folder is None else folder
    if folder is None or not (folder / "state.safetensors").exists():
        return None
    path = folder / "state.safetensors"
    tensors, facts = read_tensors(path)
    _check_run(path, facts, run)
    try:
        load_weights(path, run.assembly.method, _part(tensors, "model/"))
        run.epoch, run.step = int(facts["epoch"]), int(facts["step"])
        history = _part(tensors, "history/")
        run.history = {
            str(name): [float(value) for value in history[name].tolist()]
            for name in facts.get("metrics", history)
        }
        if facts["config"] != run.extends:  # an extended run continues
            run.finished = str(facts.get("finished", ""))
        sums = {str(name): float(value) for name, value in facts["sums"].items()}
        slots = _part({**tensors, **facts["scalars"]}, "optimizer/")
        if strange := [key for key in tensors if key.partition("/")[0] not in _PARTS]:
            raise ValueError(f"'{strange[0]}' is no part of a state")
    except (LookupError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise UserError(f"{path}: damaged: {error}") from error
    earlier = seconds(path.with_suffix(".json"))
    run.add_seconds(earlier)
    if run.out is not None:  # a kill may have come between the two files
        known = {key: value for key, value in facts.items() if key != "scalars"}
        _write_summary(path, {**known, "seconds": earlier})
    return State(path, sums, slots)


def _part(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {key.removeprefix(prefix): of for key, of in values.items() if key.startswith(prefix)}


def restore_optimizers(state: State, optimizers: Optimizers) -> None:
    """Restore the optimizers from the saved state of a run.

    Raises:
        UserError: the state is damaged, or belongs to other optimizers.
    """
    try:
        _restore(state.slots, optimizers)
    except (LookupError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        text = f"{state.path}: does not fit the optimizer of config.yaml: {error}"
        raise UserError(text) from error
    state.slots.clear()


def _restore(values: Mapping[str, Any], optimizers: Optimizers) -> None:
    states: dict[str, dict[int, dict[str, Any]]] = {group: {} for group in optimizers}
    for key, value in values.items():
        group, index, slot = key.rsplit("/", 2)
        states[group].setdefault(int(index), {})[slot] = value
    for group, optimizer in optimizers.items():
        weights = [weight for part in optimizer.param_groups for weight in part["params"]]
        for number, slots in states[group].items():
            like = weights[number]
            for slot, value in slots.items():
                if isinstance(value, Tensor) and value.numel() > 1 and value.shape != like.shape:
                    raise ValueError(f"{slot} of {group} has shape {tuple(value.shape)}")
                if isinstance(value, Tensor) and not value.isfinite().all():
                    raise ValueError(f"{slot} of {group} is not finite")
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


def validation(path: Path) -> dict[str, float]:
    """Figures on the validation images, from ``result.json``; empty if unknown."""
    try:
        found = read_json(path)["validation"]
    except (UserError, KeyError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def check_format(path: Path, facts: Mapping[str, Any]) -> None:
    """Raise an error if another version of adframe wrote a file in another format."""
    if facts.get("format") != FORMAT:
        raise UserError(f"{path}: format {facts.get('format')}, but this adframe reads {FORMAT}")


def load_weights(path: Path, method: Method, weights: dict[str, Tensor]) -> None:
    """Load the weights of a file into a method.

    Raises:
        UserError: they do not fit, or are not finite.
    """
    _make_room(method, weights)
    try:
        method.load_state_dict(weights)
    except RuntimeError as error:
        reason = str(error).partition("\n")[2].strip().partition("\n")[0]
        raise UserError(f"{path}: does not fit the network of config.yaml: {reason}") from error
    for name, weight in weights.items():
        if not bool(weight.isfinite().all()):
            raise UserError(f"{path}: damaged: weight {name} is not finite")


def _make_room(method: Method, weights: Mapping[str, Tensor]) -> None:
    """Give each buffer that is still empty, until ``begin`` fills it, the shape in the file."""
    for name, buffer in list(method.named_buffers()):
        if not buffer.numel() and name in weights:
            owner, _, key = name.rpartition(".")
            full = torch.empty_like(weights[name], device=buffer.device)
            setattr(method.get_submodule(owner), key, full)
