"""Single values of a YAML text: numbers, true and false, null, text."""

from __future__ import annotations

import re
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import ScalarNode

from adframe.errors import UserError

TAG = "tag:yaml.org,2002:"
_TEXT = ("str", "bool", "timestamp", "value", "merge")  # tags of values that stay text


def scalar(raw: ScalarNode, origin: str) -> Any:
    """Value of a node of ruamel.

    Raises:
        UserError: its tag is not a plain value's, or it is a number too long to read.
    """
    tag, text = str(raw.tag), raw.value
    try:
        if tag in (TAG + "int", TAG + "float") and len(text) > 99:
            raise ValueError
        if tag == TAG + "int":
            return int(text, 0 if text.lstrip("+-")[:2] in ("0x", "0o", "0b") else 10)
        if tag == TAG + "float":
            return float(re.sub(r"\.(?=inf|nan)", "", text.lower()))
    except ValueError as error:
        raise UserError(f"{origin}: not a number: {text[:40]}") from error
    if tag == TAG + "null":
        return None
    if tag == TAG + "bool" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if not tag.startswith(TAG) or tag[len(TAG) :] not in _TEXT:
        raise UserError(f"{origin}: tag '{tag}' is not allowed; a config holds plain values")
    if "\0" in text:
        raise UserError(f"{origin}: text may not hold a null character")
    return text


def scalar_of(text: str) -> Any:
    """The number, boolean or null that a whole text is in YAML; any other text as it is."""
    yaml = YAML(typ="safe", pure=True)
    tag = str(yaml.resolver.resolve(ScalarNode, text, (True, False)))
    try:
        return scalar(ScalarNode(tag, text), "") if text else text
    except UserError:
        return text
