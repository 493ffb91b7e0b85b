"""adframe: a plugin-based framework for contrastive image anomaly detection.

Everything here is imported when first used, so that ``import adframe`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from adframe._version import __version__ as __version__

if TYPE_CHECKING:
    from adframe.config.model import load_config as load_config
    from adframe.data.find import find_images as find_images
    from adframe.data.load import open_images as open_images
    from adframe.data.load import read_images as read_images
    from adframe.data.load import readable_images as readable_images
    from adframe.data.masks import open_masks as open_masks
    from adframe.detector import Detector as Detector
    from adframe.detector import load as load
    from adframe.detector.export import export as export
    from adframe.detector.exported import ExportedDetector as ExportedDetector
    from adframe.detector.exported import load_export as load_export
    from adframe.detector.hub import pull as pull
    from adframe.detector.hub import push as push
    from adframe.engine.build import build as build
    from adframe.engine.compare import compare as compare
    from adframe.engine.comparison import Comparison as Comparison
    from adframe.engine.runner import run as run
    from adframe.errors import UserError as UserError
    from adframe.interfaces.run import Report as Report
    from adframe.interfaces.run import Run as Run
    from adframe.interfaces.types import Views as Views
    from adframe.io.listing import read_table as read_table
    from adframe.registry.every_rank import every_rank as every_rank
    from adframe.registry.hookspecs import Add as Add
    from adframe.registry.hookspecs import hookimpl as hookimpl
    from adframe.reports.page import report as report
    from adframe.start.first_config import FirstConfig as FirstConfig
    from adframe.start.first_config import init as init

_HOME = {
    "Add": "registry.hookspecs",
    "Comparison": "engine.comparison",
    "Detector": "detector",
    "ExportedDetector": "detector.exported",
    "FirstConfig": "start.first_config",
    "Report": "interfaces.run",
    "Run": "interfaces.run",
    "UserError": "errors",
    "Views": "interfaces.types",
    "build": "engine.build",
    "compare": "engine.compare",
    "every_rank": "registry.every_rank",
    "export": "detector.export",
    "find_images": "data.find",
    "hookimpl": "registry.hookspecs",
    "init": "start.first_config",
    "load": "detector",
    "load_config": "config.model",
    "load_export": "detector.exported",
    "open_images": "data.load",
    "open_masks": "data.masks",
    "pull": "detector.hub",
    "push": "detector.hub",
    "read_images": "data.load",
    "read_table": "io.listing",
    "readable_images": "data.load",
    "report": "reports.page",
    "run": "engine.runner",
}
__all__ = sorted(_HOME)  # noqa: PLE0605


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'adframe' has no attribute '{name}'")
    value = getattr(importlib.import_module(f"adframe.{_HOME[name]}"), name)
    globals()[name] = value
    return value
