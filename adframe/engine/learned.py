"""What scorers learned, as tensors and JSON values of a file; no pickle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from adframe.errors import UserError
from adframe.interfaces import Scorer

Packed = tuple[dict[str, Tensor], dict[str, Any]]  #: tensors by name, and JSON values by name
_PLAIN = (type(None), bool, int, float, str)


def pack(scorer: Scorer, name: str) -> Packed:
    """What a scorer learned. A tensor attribute is a tensor of that name; the rest is JSON.

    Args:
        scorer: a fitted scorer.
        name: what errors call it.

    Raises:
        UserError: it learned something that no file can hold without pickle.
    """
    tensors, values = dict[str, Tensor](), dict[str, Any]()
    try:
        state = scorer.state()
    except ValueError as error:
        raise UserError(f"scorer {name}: {error}") from error
    for attribute, value in state.items():
        if isinstance(value, Tensor):
            if value.layout is not torch.strided or value.is_meta:
                raise _lost(name, attribute, "a tensor that is sparse or has no values")
            tensors[attribute] = value
        else:
            inner = dict[str, Tensor]()
            try:
                values[attribute] = _encode(value, attribute, inner)
            except (TypeError, RecursionError) as error:
                if not attribute.startswith("_"):  # else it is taken for a cache
                    raise _lost(name, attribute, str(error)) from error
                continue
            tensors.update(inner)
    return tensors, values


def _lost(name: str, attribute: str, what: str) -> UserError:
    return UserError(
        f"scorer {name}: '{attribute}' cannot be saved, it holds {what}; "
        "keep tensors, arrays, numbers and text in the attributes that fit sets"
    )


def _encode(value: Any, key: str, tensors: dict[str, Tensor]) -> Any:
    """JSON of a value; tensors and arrays in it are added to ``tensors``.

    Raises:
        TypeError: the value, or one in it, is of a type that is not saved; the message names it.
    """
    if isinstance(value, bool | None) or type(value) in _PLAIN:
        return value
    if isinstance(value, np.generic):
        return {"number": _encode(np.asarray(value), key, tensors)["array"]}
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        tensors[key] = torch.from_numpy(np.array(value, dtype=value.dtype.newbyteorder("=")))
        return {"array": key}
    if isinstance(value, Tensor) and value.layout is torch.strided and not value.is_meta:
        tensors[key] = value
        return {"tensor": key}
    if type(value) in (list, tuple):
        items = [_encode(item, f"{key}/{i}", tensors) for i, item in enumerate(value)]
        return {"tuple": items} if isinstance(value, tuple) else items
    if type(value) is dict and all(type(name) in _PLAIN for name in value):
        pairs = enumerate(value.items())
        return {"dict": [[k, _encode(v, f"{key}/{i}", tensors)] for i, (k, v) in pairs]}
    raise TypeError(f"a value of type {type(value).__name__}")


def unpack(tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> dict[str, Any]:
    """The state of a scorer from what ``pack`` returned.

    Raises:
        ValueError, LookupError, TypeError: it is damaged.
    """
    left = dict(tensors)
    state = {name: _decode(value, left) for name, value in values.items()}
    if twice := state.keys() & left.keys():
        raise ValueError(f"'{min(twice)}' is there twice")
    return {**state, **left}


def _decode(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_decode(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    ((how, inner),) = value.items()
    if how == "tuple":
        return tuple(_decode(item, tensors) for item in inner)
    if how == "dict":
        return {key: _decode(item, tensors) for key, item in inner}
    if how not in ("tensor", "array", "number"):
        raise ValueError(f"'{how}' is unknown")
    tensor = tensors.pop(inner)
    return tensor if how == "tensor" else tensor.numpy() if how == "array" else tensor.numpy()[()]
