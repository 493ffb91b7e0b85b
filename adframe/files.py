"""Writing files whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from adframe.errors import UserError


@contextmanager
def whole(path: Path, temporary: Path | None = None) -> Iterator[BinaryIO]:
    """A file to write under a temporary name in its folder, synced and given its name in the end.

    Raises:
        UserError: the folder is read-only, the disk full, ...; what was there before stays.
    """
    temporary = temporary or path.with_name(path.name + ".part")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:  # an interrupt leaves nothing behind either
        with suppress(OSError):
            temporary.unlink()
        if not isinstance(error, OSError):
            raise
        raise UserError(f"{path}: cannot be written: {error.strerror or error}") from error
    _sync_folder(path.parent)


def write(path: Path, data: bytes | str) -> None:
    """Write a file whole.

    Raises:
        UserError: as ``whole`` says.
    """
    with whole(path) as file:
        file.write(data.encode() if isinstance(data, str) else data)


def _sync_folder(folder: Path) -> None:
    """Make a rename outlast a loss of power, where the file system can be asked to."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file with one key a line."""
    write(path, json.dumps(value, indent=2) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        UserError: it is missing, or no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not valid JSON: {error}") from error


def write_tensors(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write tensors and JSON-able facts about them as one safetensors file with its SHA-256.

    Equal content makes equal bytes.
    """
    plain = torch.contiguous_format
    ready = {name: t.detach().cpu().clone(memory_format=plain) for name, t in tensors.items()}
    facts = json.loads(json.dumps(facts))
    # One entry only: the library writes several in an order of its own.
    metadata = {"adframe": json.dumps({"sha256": _digest(ready, facts), "facts": facts})}
    write(path, save(ready, metadata))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the facts that ``write_tensors`` wrote, on the CPU.

    Raises:
        UserError: the file is missing, damaged, or not adframe's.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {}).get("adframe", "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, RuntimeError, TypeError) as error:
        raise UserError(f"{path}: damaged, or not written by adframe: {error}") from error
    if not isinstance(metadata, dict) or not isinstance(metadata.get("facts"), dict):
        raise UserError(f"{path}: not written by adframe, or by another version")
    facts: dict[str, Any] = metadata["facts"]
    if metadata.get("sha256") != _digest(tensors, facts):
        raise UserError(f"{path}: damaged: its content is not what its SHA-256 says")
    return tensors, facts


def _digest(tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> str:
    """SHA-256 of everything a file of tensors says: facts, names, types, shapes, values."""
    digest = hashlib.sha256(json.dumps(facts).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        if tensor.numel():
            digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
