"""The key ``set_name``, by which a config names a set of outliers."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, create_model
from pydantic_core import PydanticCustomError

from adframe.config.option_types import Settings


class Named(Settings):
    """Base model of a set of outliers, which may have a name."""


def _is_title(value: str) -> str:
    if not value.strip() or not value.isprintable():
        raise PydanticCustomError("set_name", "must be a name of printable characters")
    return value


SetName = Annotated[str, AfterValidator(_is_title)]


@cache
def with_set_name(model: type[BaseModel]) -> type[BaseModel]:
    """A model of options with the key ``set_name``, unless the component has such an option."""
    if "set_name" in model.model_fields:
        return model
    field: Any = (SetName | None, None)
    return create_model(model.__name__, __base__=(Named, model), set_name=field)
