"""Options of constructors, read without importing anything."""

import sys

import pytest

from adframe.registry.source import options_in_source

MODULES = {
    "__init__": "from .base import Options as Others",
    "base": """
from typing import TypedDict

class First(TypedDict):
    a: int

class Options(First, total=False):
    b: int

class Base:
    def __init__(self, a: int = 0, b: int = 0) -> None:
        pass
""",
    "derived": """
from typing import Unpack
from . import Others
from .base import Base, Options as Known
from .nowhere import Lost

class Passes(Base):
    def __init__(self, c: int = 0, *, d: int = 0, **options: Unpack[Known]) -> None:
        pass

class ByPackage(Base):
    def __init__(self, **options: Unpack[Others]) -> None:
        pass

class Inherits(Passes):
    x: int = 3

class OfLost(Lost):
    pass

class PassesLost(Base):
    def __init__(self, **options: Unpack[Lost]) -> None:
        pass

class Untyped(Base):
    def __init__(self, **options) -> None:
        pass

class Two(Base, Passes):
    pass

class Decorated(Base):
    @staticmethod
    def __init__(a: int) -> None:
        pass
""",
    "circle": "from .circle import Round\nfrom .other import B\nclass A(B): ...",
    "other": "from .circle import A\nclass B(A): ...",
    "shadow": "from .base import Base\nclass Base(Base): ...",
    "method": """
from .base import Base
class Sub(Base):
    def _old__init__(self, z: int) -> None: ...
""",
    "rebound": "from .base import Base\nclass Sub(Base): ...\nSub = print(Sub)",
    "fallback": """
from .base import Base
try:
    from .derived import Passes as Base
except ImportError:
    pass
class Sub(Base): ...
""",
    "assigned": "from .base import Base\nclass Sub(Base): ...\nSub.__init__ = print",
    "condition": """
from typing import TypedDict, Unpack
from .base import Base
class Options(TypedDict):
    a: int
    if True:
        b: int
class Sub(Base):
    def __init__(self, **options: Unpack[Options]) -> None: ...
""",
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "odd_options"
    folder.mkdir()
    for name, text in MODULES.items():
        (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield "odd_options"
    assert not {"odd_options", "odd_options.derived"} & set(sys.modules)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("base:Base", ["a", "b"]),
        ("derived:Passes", ["c", "d", "a", "b"]),
        ("derived:ByPackage", ["a", "b"]),
        ("derived:Inherits", ["c", "d", "a", "b"]),
        ("derived:OfLost", None),
        ("derived:PassesLost", None),
        ("derived:Untyped", None),
        ("derived:Two", None),
        ("derived:Decorated", None),
        ("derived:NoClass", None),
        ("circle:Round", None),
        ("circle:A", None),
        ("shadow:Base", None),
        ("method:Sub", ["a", "b"]),
        ("rebound:Sub", None),
        ("fallback:Sub", None),
        ("assigned:Sub", None),
        ("condition:Sub", None),
    ],
)
def test_options_are_followed_through_imports(package, name, options):
    assert options_in_source(f"{package}.{name}") == options
