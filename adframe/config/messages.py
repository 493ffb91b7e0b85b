"""Translates pydantic's errors: which key in which file is wrong, and what to write there."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError, PydanticKnownError

from adframe.config.yaml_tree import has_part
from adframe.errors import KeyPath, Problem, did_you_mean

_NESTED = "adframe_component"  # type of an error that contains the problems of a component


def nested(problems: list[Problem]) -> PydanticCustomError:
    """Error to raise in a pydantic validator, with the problems of a nested component."""
    return PydanticCustomError(_NESTED, "", {"problems": problems})


def exactly(choices: tuple[Any, ...], value: Any) -> Any:
    """Validate a choice strictly: pydantic accepts true for 1 and 1.0 for 1, this does not."""
    if value in choices and not any(type(c) is type(value) and c == value for c in choices):
        raise literal_error(choices)
    return value


def literal_error(choices: tuple[Any, ...]) -> PydanticKnownError:
    """Error to raise in a pydantic validator for what is none of the choices."""
    *most, last = map(repr, choices)
    expected = f"{', '.join(most)} or {last}" if most else last
    return PydanticKnownError("literal_error", {"expected": expected})


def problems_of(error: ValidationError, model: type[BaseModel], table: Any) -> list[Problem]:
    """The problems of a mapping, each once, paths relative to it."""
    found: dict[KeyPath, Problem] = {}
    for item in error.errors(include_url=False):
        path = _trim(item["loc"], table, keep_last=item["type"] == "missing")
        if item["type"] == _NESTED:
            inner = [Problem((*path, *sub.path), sub.message) for sub in item["ctx"]["problems"]]
        else:
            inner = [Problem(path, _message(item, _model_at(model, path[:-1])))]
        for problem in inner:  # a union reports each branch; keep the first
            found.setdefault(problem.path, problem)
    # Of the branches of a union, keep the one that fails deepest: it is the most likely one.
    above = {path[:length] for path in found for length in range(len(path))}
    return [problem for path, problem in found.items() if path not in above]


def _trim(loc: KeyPath, table: Any, keep_last: bool) -> KeyPath:
    """Path of an error in the mapping: pydantic's location without the names of union branches."""
    path: list[str | int] = []
    for index, part in enumerate(loc):
        if has_part(table, part):
            table = table[part]
        elif not (keep_last and index == len(loc) - 1):
            continue
        path.append(part)
    return tuple(path) if path or not loc else (loc[0],)


def _model_at(model: type[BaseModel] | None, path: KeyPath) -> type[BaseModel] | None:
    for part in path:
        if isinstance(part, str) and model is not None:
            field = model.model_fields.get(part)
            model = _inner_model(field.annotation) if field else None
    return model


def _inner_model(hint: Any) -> type[BaseModel] | None:
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return hint
    return next(filter(None, map(_inner_model, get_args(hint))), None)


_SAY = {
    "missing": "missing",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be {ge} or more",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be {le} or less",
    "finite_number": "must be a finite number",
    "multiple_of": "must be a multiple of {multiple_of}",
    "literal_error": "must be one of {expected}",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "none_required": "must be null",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping of keys",
    "model_type": "must be a mapping of keys",
    "path_type": "must be a path",
    "too_short": "must have {min_length} items or more",
    "too_long": "must have {max_length} items or fewer",
}
_AS_YAML = {"None": "null", "True": "true", "False": "false"}


def _message(item: Any, model: type[BaseModel] | None) -> str:
    kind, value = item["type"], item["input"]
    if kind == "extra_forbidden":
        fields = model.model_fields if model else ()
        return "unknown key" + did_you_mean(str(item["loc"][-1]), fields)
    bounds = {name: _short(bound) for name, bound in item.get("ctx", {}).items()}
    text: str = _SAY[kind].format(**bounds) if kind in _SAY else item["msg"]
    if kind in ("missing", "home"):
        return text
    shown = repr(value)
    shown = _AS_YAML.get(shown, shown)
    hint = ""
    if kind == "literal_error" and isinstance(value, str):
        known = item["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        hint = "" if value in known else did_you_mean(value, known)  # the number 1 is not '1'
    return f"{text}, not {shown if len(shown) <= 60 else shown[:57] + '...'}{hint}"


def _short(bound: Any) -> Any:
    return int(bound) if isinstance(bound, float) and bound.is_integer() else bound
