"""Saves and restores what scoring needs: ``model.safetensors``, weights and fitted scorers.

The file contains the SHA-256 of its content, and fingerprints of config and training images.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from adframe._version import __version__
from adframe.config.identity import identity
from adframe.config.model import RunConfig
from adframe.data.region import Region
from adframe.engine.build import Assembly
from adframe.engine.checkpoint import FORMAT, check_format, load_weights
from adframe.engine.decision import check_calibration
from adframe.engine.learned import pack, unpack
from adframe.engine.run_folder import differences
from adframe.engine.state import Run
from adframe.errors import UserError
from adframe.interfaces import Method, Scorer
from adframe.io.folders import check_folder
from adframe.io.tensors import read_tensors, write_tensors

NAMES = "names"  # tensor with the names of the training images, UTF-8 with a zero between two
Model = tuple[dict[str, Tensor], dict[str, Any]]  #: tensors by name, and facts
#: Sorted scores of the calibration images by each scorer; None for one that has none.
Calibration = Sequence[Tensor | None]


def save_model(
    run: Run,
    folder: Path,
    calibration: Calibration = (),
    thresholds: Sequence[float | None] = (),
) -> None:
    """Write the weights and the fitted scorers of a run, and scores of its calibration images.

    ``thresholds`` are those of each scorer that labelled images gave, if they did.
    """
    facts = {
        "format": FORMAT,
        "adframe": __version__,
        "image_size": list(run.data.train.pixels.shape[1:]),
        "classes": list(run.data.classes),
        "epochs": run.epoch,
        "config": identity(run.config),
        "images": run.fingerprint.get("images", ""),
        **({"finished": run.finished} if run.finished else {}),
        **({"region": run.region.facts} if run.region else {}),
    }
    if run.started_from:
        facts["started_from"] = run.started_from
    if any(bound is not None for bound in thresholds):
        facts["thresholds"] = list(thresholds)
    parts = run.assembly.method, run.assembly.scorers, facts, calibration, run.data.train.names
    write_tensors(folder / "model.safetensors", *packed(run.config, *parts))


def packed(
    config: RunConfig,
    method: Method,
    scorers: Sequence[Scorer],
    facts: Mapping[str, Any],
    calibration: Calibration = (),
    names: Sequence[str] = (),
) -> Model:
    """Weights and what scorers learned, as tensors by name; the rest is added to ``facts``.

    ``names`` are those of the images that the scorers were fitted on.
    """
    tensors = {f"method/{name}": tensor for name, tensor in method.state_dict().items()}
    if names:
        text = "\0".join(names).encode("utf-8", "surrogateescape")
        tensors[NAMES] = torch.frombuffer(bytearray(text), dtype=torch.uint8)
    scorers_named = [spec.entry.name for spec in config.scorer]
    learned: list[dict[str, Any] | None] = [None] * len(scorers)  # None: it failed
    for index, (name, scorer) in enumerate(zip(scorers_named, scorers, strict=True)):
        try:
            found, values = pack(scorer, name)
        except UserError:  # the report names it
            continue
        if any(bool(tensor.isnan().any()) for tensor in found.values()):
            continue
        tensors |= {f"scorer/{index}/{key}": tensor for key, tensor in found.items()}
        # Sorted: a restored scorer may have its attributes in another order.
        learned[index] = {"tensors": _shapes(found), "values": dict(sorted(values.items()))}
    known = {index: of for index, of in enumerate(calibration) if of is not None}
    tensors |= {f"calibration/{index}": of for index, of in known.items()}
    return tensors, {**facts, "scorers": scorers_named, "learned": learned}


def names_of(tensors: Mapping[str, Tensor]) -> list[str]:
    """Names of the images that the scorers of a model were fitted on; empty if it has none."""
    found = tensors.get(NAMES)
    if found is None or found.dtype != torch.uint8:
        return []
    return found.numpy().tobytes().decode("utf-8", "surrogateescape").split("\0")


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """Type and shape of each tensor, as text: ``float32 [3, 4]``."""
    return {
        name: f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
        for name, tensor in sorted(tensors.items())
    }


def model_facts(folder: Path) -> Model:
    """Read the tensors and metadata of ``model.safetensors``.

    Raises:
        UserError: the folder holds no finished run, or its model is damaged.
    """
    try:
        os.lstat(folder / "config.yaml")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UserError(f"{folder}: not a run folder: it has no config.yaml") from error
    except OSError as error:
        raise UserError(f"{folder}: {error.strerror or error}") from error
    check_folder(folder)
    path = folder / "model.safetensors"
    if not path.exists():
        raise UserError(f"{folder}: its run is not finished; continue with adframe run --resume")
    tensors, facts = read_tensors(path)
    check_format(path, facts)
    check_facts(path, facts)
    return tensors, facts


def check_facts(path: Path, facts: Mapping[str, Any]) -> None:
    """Check that all facts of a model are there.

    Raises:
        UserError: the file is damaged.
    """
    wanted = {"image_size": list, "classes": list, "epochs": int, "config": dict, "images": str}
    for key, kind in wanted.items():
        if not isinstance(facts.get(key), kind):
            raise UserError(f"{path}: damaged: {key} is missing")
    bounds = facts.get("thresholds", [])
    if not isinstance(bounds, list) or not all(b is None or type(b) is float for b in bounds):
        raise UserError(f"{path}: damaged: thresholds are {bounds}")
    try:
        Region.of_facts(facts.get("region"))
    except ValueError as error:
        raise UserError(f"{path}: damaged: {error}") from error
    size = facts["image_size"]
    if len(size) != 3 or not all(type(side) is int and 0 < side < 1 << 16 for side in size):
        raise UserError(f"{path}: damaged: image_size is {size}")


def started_from(facts: Mapping[str, Any]) -> str:
    """SHA-256 of the weights that the network of a model started with; empty if it was drawn."""
    return str(facts.get("started_from", ""))


def check_model(folder: Path, config: RunConfig, facts: Mapping[str, Any]) -> None:
    """Check that a model was trained with a config, except for places and ways of working.

    Raises:
        UserError: it was trained with another one.
    """
    if changed := differences(facts["config"], identity(config)):
        texts = "; ".join(f"{key}: {text}" for key, text in changed.items())
        raise UserError(f"{folder / 'model.safetensors'}: was trained with another config: {texts}")


def restore_weights(path: Path, tensors: Mapping[str, Tensor], assembly: Assembly) -> None:
    """Load the weights of a saved model into a method.

    Raises:
        UserError: they are those of another network.
    """
    load_weights(path, assembly.method, _part(tensors, "method/"))


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    keys = [key for key in tensors if key.startswith(prefix)]
    return {key.removeprefix(prefix): tensors[key] for key in keys}


def restore_model(
    path: Path,
    model: tuple[Mapping[str, Tensor], Mapping[str, Any]],
    config: RunConfig,
    assembly: Assembly,
) -> Calibration:
    """Load a saved model into a method and its scorers.

    Args:
        path: its file, for messages.
        model: tensors and facts, from ``model_facts`` or ``packed``.
        config: config of the run.
        assembly: the components, which are changed.

    Returns:
        Scores of the calibration images.

    Raises:
        UserError: the model belongs to another config, or is damaged.
    """
    tensors, facts = model
    restore_weights(path, tensors, assembly)
    names = [spec.entry.name for spec in config.scorer]
    if facts.get("scorers") != names:
        raise UserError(f"{path}: has scorers {facts.get('scorers')}, config.yaml has {names}")
    for index, (name, scorer) in enumerate(zip(names, assembly.scorers, strict=True)):
        try:
            views = scorer.view_spec()
            state, learned = _part(tensors, f"scorer/{index}/"), facts["learned"][index]
            if learned is None:
                if not index:
                    raise UserError(f"{path}: the scorer {name} failed in this run")
                continue
            scorer.restore(unpack(state, learned["values"]))
            if odd := differences(learned["tensors"], _shapes(state)):
                key, text = min(odd.items())
                raise ValueError(f"{key} is {text.partition(' -> ')[2]}")
            if bad := [key for key, tensor in state.items() if bool(tensor.isnan().any())]:
                raise ValueError(f"{bad[0]} is not a number")
            if scorer.view_spec() != views:
                raise ValueError("it changes the views")
        except (LookupError, ValueError, TypeError, RuntimeError, AttributeError) as error:
            raise UserError(f"{path}: does not fit the scorer {name}: {error}") from error
    return _calibration(path, tensors, len(names))


def _calibration(path: Path, tensors: Mapping[str, Tensor], scorers: int) -> Calibration:
    found = [tensors.get(f"calibration/{index}") for index in range(scorers)]
    for index, scores in enumerate(found):
        try:
            if scores is not None:
                check_calibration(scores)
        except ValueError as error:
            raise UserError(f"{path}: damaged: calibration/{index} {error}") from error
    return found
