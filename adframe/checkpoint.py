"""The run folder: what is in it, and how a run is saved and taken up again. No pickle.

``model.safetensors`` is what scoring needs (weights, fitted scorers); ``state.safetensors`` is
what resuming needs beside it (weights, optimiser state, position); ``state.json`` repeats its
facts for people. Random state needs no saving: every draw is a function of seed and position.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from adframe import __version__
from adframe.config import RunConfig
from adframe.errors import UserError
from adframe.files import read_tensors, write, write_json, write_tensors
from adframe.interfaces import Images, Method, Scorer

FORMAT = 1
Optimizers = dict[str, torch.optim.Optimizer]


def open_folder(path: Path, config: RunConfig, resume: bool) -> None:
    """Make a run folder, or take up one of the same config.

    Raises:
        UserError: it holds a run already; or, with ``resume``, a run of another config.
    """
    text = config.yaml()
    existing = path / "config.yaml"
    if existing.exists():
        if not resume:
            raise UserError(f"{path}: holds a run already; go on with --resume, or choose --out")
        changed = _changed(existing, config)
        if changed:
            raise UserError(f"{path}: its run has another config; different: {', '.join(changed)}")
        return
    try:
        path.mkdir(parents=True, exist_ok=True)
        occupied = any(path.iterdir())
    except OSError as error:
        raise UserError(f"{path}: cannot be made: {error.strerror or error}") from error
    if occupied:
        raise UserError(f"{path}: is not empty and holds no run; choose another --out")
    write(existing, text)


def _changed(existing: Path, config: RunConfig) -> list[str]:
    from adframe.tree import read_file

    old, new = read_file(existing).plain(), json.loads(json.dumps(config.dump()))
    return [f"{key}" for key in sorted({*old, *new}) if old.get(key) != new.get(key)]


def save_state(folder: Path, facts: dict[str, Any], method: Method, optimizers: Optimizers) -> None:
    """Write what resuming needs; the last state stays until this one is whole."""
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
    facts = {"format": FORMAT, "adframe": __version__, **facts, "scalars": scalars}
    write_tensors(folder / "state.safetensors", tensors, facts)
    digest = hashlib.sha256((folder / "state.safetensors").read_bytes()).hexdigest()
    write_json(folder / "state.json", {**facts, "sha256": {"state.safetensors": digest}})


def load_state(folder: Path, method: Method, optimizers: Optimizers) -> dict[str, Any]:
    """Take up a saved state; returns the facts it was saved with, empty where there is none.

    Raises:
        UserError: the state is damaged or belongs to another model.
    """
    path = folder / "state.safetensors"
    if not path.exists():
        return {}
    tensors, facts = read_tensors(path)
    _check_format(path, facts)
    states: dict[str, dict[int, dict[str, Any]]] = {group: {} for group in optimizers}
    model = {}
    for key, value in [*tensors.items(), *facts["scalars"].items()]:
        kind, _, name = key.partition("/")
        if kind == "model":
            model[name] = value
        else:
            group, index, slot = name.split("/")
            states[group].setdefault(int(index), {})[slot] = value
    _load_weights(path, method, model)
    for group, optimizer in optimizers.items():
        blank = optimizer.state_dict()
        optimizer.load_state_dict({**blank, "state": states[group]})
    return facts


def save_model(folder: Path, method: Method, scorers: list[Scorer], facts: dict[str, Any]) -> None:
    """Write what scoring needs."""
    tensors = {f"method/{name}": tensor for name, tensor in method.state_dict().items()}
    for index, scorer in enumerate(scorers):
        for name, tensor in scorer.state().items():
            tensors[f"scorer/{index}/{name}"] = tensor
    facts = {"format": FORMAT, "adframe": __version__, **facts}
    write_tensors(folder / "model.safetensors", tensors, facts)


def model_facts(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and facts of a run's model.

    Raises:
        UserError: the folder holds no finished run, or its model is damaged.
    """
    if not (folder / "config.yaml").is_file():
        raise UserError(f"{folder}: not a run folder: it has no config.yaml")
    path = folder / "model.safetensors"
    if not path.exists():
        raise UserError(f"{folder}: its run is not finished; go on with adframe run --resume")
    tensors, facts = read_tensors(path)
    _check_format(path, facts)
    return tensors, facts


def restore_model(
    folder: Path, tensors: dict[str, Tensor], method: Method, scorers: list[Scorer]
) -> None:
    """Put a saved model's weights into a method and its scorers.

    Raises:
        UserError: the model was made by another config.
    """
    parts: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        if key.startswith("method/"):
            parts.setdefault("method", {})[key.removeprefix("method/")] = tensor
        else:
            owner, _, name = key.rpartition("/")
            parts.setdefault(owner, {})[name] = tensor
    _load_weights(folder / "model.safetensors", method, parts.get("method", {}))
    for index, scorer in enumerate(scorers):
        scorer.restore(parts.get(f"scorer/{index}", {}))


def _check_format(path: Path, facts: dict[str, Any]) -> None:
    if facts.get("format") != FORMAT:
        raise UserError(f"{path}: format {facts.get('format')}, but this adframe reads {FORMAT}")


def _load_weights(path: Path, method: Method, weights: dict[str, Tensor]) -> None:
    try:
        method.load_state_dict(weights)
    except RuntimeError as error:
        reason = str(error).partition("\n")[2].strip().partition("\n")[0]
        raise UserError(f"{path}: does not fit the network of config.yaml: {reason}") from error


def environment(config: RunConfig, train: Images, device: torch.device) -> dict[str, Any]:
    """What a result may depend on beside its config: versions, machine, data."""
    import importlib.metadata

    names = ("torch", "torchvision", "numpy", "scikit-learn", "safetensors", "pydantic")
    return {
        "adframe": __version__,
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in names},
        "plugins": {p.name: p.version for p in config.host.registry.plugins if not p.error},
        "platform": platform.platform(),
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "seed": config.seed,
        "train_images": len(train),
        "train_sha256": hashlib.sha256(train.pixels.numpy().tobytes()).hexdigest(),
    }
