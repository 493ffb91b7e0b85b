"""Files of tensors and JSON values with a checksum."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from adframe.errors import UserError
from adframe.io import atomic
from adframe.io.read import open_regular

MAX_HEADER = 1 << 24  #: bytes; a model of ten thousand tensors needs a tenth of this


def write_tensors(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write tensors and JSON values as one safetensors file that contains its SHA-256.

    Equal content gives equal bytes.
    """
    plain = torch.contiguous_format
    ready = {name: t.detach().cpu().clone(memory_format=plain) for name, t in tensors.items()}
    facts = json.loads(json.dumps(facts))
    # One entry only: the order in which the library writes several entries varies.
    metadata = {"adframe": json.dumps({"sha256": digest_of_tensors(ready, facts), "facts": facts})}
    atomic.write(path, save(ready, metadata))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the tensors, on the CPU, and the values that ``write_tensors`` wrote.

    Raises:
        UserError: the file is missing or damaged, or adframe did not write it.
    """
    try:
        with _checked(path), safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {}).get("adframe", "null"))
            names = list(file.keys())
            # Copied to aligned memory: how libraries round depends on the alignment of a tensor.
            tensors = {name: file.get_tensor(name).clone() for name in names}
    except (SafetensorError, OSError, ValueError, RuntimeError, TypeError) as error:
        raise UserError(f"{path}: damaged, or not written by adframe: {error}") from error
    if not isinstance(metadata, dict) or not isinstance(metadata.get("facts"), dict):
        raise UserError(f"{path}: not written by adframe, or by another version")
    facts: dict[str, Any] = metadata["facts"]
    if metadata.get("sha256") != digest_of_tensors(tensors, facts):
        raise UserError(f"{path}: damaged: its content does not match its SHA-256")
    return tensors, facts


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of any safetensors file, on the CPU.

    Raises:
        UserError: the file is missing, damaged or of another format.
    """
    try:
        with _checked(path), safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, RuntimeError, TypeError) as error:
        raise UserError(f"{path}: damaged, or no safetensors file: {error}") from error


def read_facts(path: Path) -> dict[str, Any]:
    """The values of such a file alone, without its tensors; their SHA-256 is not compared.

    Raises:
        UserError: the file is missing or damaged, or adframe did not write it.
    """
    try:
        with _checked(path), safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {})["adframe"])["facts"]
    except (SafetensorError, OSError, ValueError, LookupError, TypeError, RuntimeError) as error:
        raise UserError(f"{path}: damaged, or not written by adframe: {error}") from error
    if not isinstance(facts, dict):
        raise UserError(f"{path}: not written by adframe, or by another version")
    return facts


@contextmanager
def _checked(path: Path) -> Iterator[None]:
    """Check that a file can be read whole, before the library opens it by its name.

    Raises:
        UserError: it is no regular file, or it or its header is too large.
    """
    with open_regular(path) as file:
        size, header = os.fstat(file.fileno()).st_size, int.from_bytes(file.read(8), "little")
        if MAX_HEADER < header < size:  # a larger one is damaged
            raise UserError(f"{path}: too large; its header has more than {MAX_HEADER} bytes")
        if size > _memory():
            raise UserError(f"{path}: larger than the memory of this machine")
        yield


def _memory() -> float:
    """Bytes of memory of this machine; infinite if it is unknown."""
    with suppress(AttributeError, ValueError, OSError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return float("inf")


def digest_of_tensors(tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> str:
    """SHA-256 of the content of a file: facts, and name, dtype, shape and values of each tensor."""
    digest = hashlib.sha256(json.dumps(facts).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        if tensor.numel():
            digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
