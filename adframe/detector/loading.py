"""Loads detectors: of a run folder, or of a file that a detector was saved to."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from adframe.config.model import load_config
from adframe.detector import saved
from adframe.detector.detector import Detector, restored
from adframe.engine import model_file
from adframe.engine.global_state import kept
from adframe.io.paths import AnyPath, as_list, as_path


def load(
    path: str | Path,
    *,
    plugins: AnyPath | Iterable[AnyPath] = (),
    without: str | Iterable[str] = (),
    allow_code: bool = False,
) -> Detector:
    """Loads the detector of a finished run, or one that was saved to a file.

    Args:
        path: a run folder, or the file of ``Detector.save``.
        plugins, without, allow_code: as for ``load_config``.

    Raises:
        UserError: the folder holds no finished run; a file is damaged; or a plugin is missing.
    """
    path = as_path(path)
    with kept():
        if os.path.isfile(path):
            config, model = saved.read(
                path, plugins=[as_path(each) for each in as_list(plugins)], without=without
            )
            return restored(config, model, path)
        model = model_file.model_facts(path)
        config = load_config(
            path / "config.yaml", plugins=plugins, without=without, allow_code=allow_code
        )
        model_file.check_model(path, config, model[1])
        return restored(config, model, path / "model.safetensors")
