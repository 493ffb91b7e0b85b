"""Software versions and machine of a run."""

from __future__ import annotations

import os
import platform
from typing import Any

import torch

from adframe._version import __version__
from adframe.config.model import RunConfig


def environment(config: RunConfig, device: torch.device) -> dict[str, Any]:
    """Versions, machine and threads: all that may change a result besides config and data."""
    import importlib.metadata

    names = ("torch", "torchvision", "numpy", "scikit-learn", "safetensors", "pydantic")
    return {
        "adframe": __version__,
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in names},
        "plugins": {p.name: p.version for p in config.loaded.registry.plugins if not p.error},
        "without": config.loaded.without,
        "platform": platform.platform(),
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "seed": config.seed,
    }
