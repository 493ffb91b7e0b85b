"""Options that a constructor passes on to its base class (PEP 692)."""

from typing import TypedDict, Unpack

import pytest

from adframe.config.schema import model_of
from adframe.config.signature import parameters_of
from adframe.errors import PluginFault
from adframe.interfaces import Count, Positive


class Shared(TypedDict, total=False):
    width: Count
    height: Count | None


class Mixin:
    """Without a constructor."""


class Base(Mixin):
    def __init__(self, width: Count = 3, height: Count | None = None, hidden: bool = True) -> None:
        self.size = width, height, hidden


class Middle(Base):
    def __init__(self, scale: Positive, **options: Unpack[Shared]) -> None:
        super().__init__(**options)
        self.scale = scale


class More(Shared, total=False):
    scale: Positive


class Last(Middle):
    def __init__(self, width: Count = 9, **options: Unpack[More]) -> None:
        super().__init__(**options)


def defaults(component: type) -> dict[str, object]:
    return {name: p.default for name, (p, _) in parameters_of(component).items()}


def test_options_of_the_typed_dict_have_the_defaults_of_the_base_class():
    options = defaults(Middle)
    assert list(options) == ["scale", "width", "height"]
    assert (options["width"], options["height"]) == (3, None)


def test_a_constructor_that_is_inherited_counts():
    class Heir(Middle):
        pass

    assert defaults(Heir) == defaults(Middle)


def test_the_schema_validates_options_that_are_passed_on():
    fields = model_of(Middle).model_fields
    assert fields["scale"].is_required()
    assert fields["height"].default is None
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        model_of(Middle)(scale=1.0, width=0)
    with pytest.raises(ValueError, match="hidden"):
        model_of(Middle)(scale=1.0, hidden=False)


def test_an_option_that_is_both_own_and_passed_on_is_refused():
    with pytest.raises(PluginFault, match="Last: constructor: 'width' is declared twice"):
        parameters_of(Last)


def test_an_option_that_no_base_class_has_is_refused():
    class Other(TypedDict, total=False):
        depth: Count

    class Wrong(Base):
        def __init__(self, **options: Unpack[Other]) -> None:
            super().__init__(**options)

    with pytest.raises(PluginFault, match="constructor: no base class has an option 'depth'"):
        parameters_of(Wrong)


def test_plain_keyword_arguments_are_no_options():
    class Wrong:
        def __init__(self, **options: Count) -> None: ...

    with pytest.raises(PluginFault, match="is not passed by name"):
        model_of(Wrong)
