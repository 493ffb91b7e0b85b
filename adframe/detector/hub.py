"""Detectors on the Hugging Face Hub: the file of ``Detector.save`` in a repository of models."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from adframe.detector.detector import Detector
from adframe.detector.loading import load
from adframe.errors import UserError
from adframe.io.paths import AnyPath
from adframe.registry.registry import reason

FILE = "detector.safetensors"  # its name in a repository


def _library() -> Any:
    try:
        import huggingface_hub
    except ImportError as error:
        text = "needs huggingface_hub: pip install 'adframe[hub]'"
        raise UserError(text) from error
    return huggingface_hub


def push(detector: Detector, repository: str, *, private: bool = True) -> None:
    """Uploads a detector to the Hugging Face Hub; the library knows address and token.

    Args:
        detector: what is uploaded, as by ``Detector.save``.
        repository: ``OWNER/NAME``; it is made if it does not exist.
        private: whether a repository that is made is private.

    Raises:
        UserError: it cannot be uploaded, or the library is missing.
    """
    api = _library().HfApi()
    with TemporaryDirectory() as folder:
        path = Path(folder, FILE)
        detector.save(path)
        try:
            api.create_repo(repository, private=private, exist_ok=True)
            api.upload_file(path_or_fileobj=path, path_in_repo=FILE, repo_id=repository)
        except Exception as error:  # of the network, of the Hub, or for the name
            raise UserError(f"{repository}: cannot be uploaded: {reason(error)}") from error


def pull(
    repository: str,
    *,
    revision: str | None = None,
    plugins: AnyPath | Iterable[AnyPath] = (),
    without: str | Iterable[str] = (),
) -> Detector:
    """Loads a detector from the Hugging Face Hub.

    Args:
        repository: ``OWNER/NAME``.
        revision: a commit, branch or tag; the newest by default.
        plugins, without: as for ``load``.

    Raises:
        UserError: it cannot be downloaded, or as for ``load``.
    """
    try:
        path = _library().hf_hub_download(repository, FILE, revision=revision)
    except UserError:
        raise
    except Exception as error:  # of the network, of the Hub, or for the name
        raise UserError(f"{repository}: cannot be downloaded: {reason(error)}") from error
    return load(path, plugins=plugins, without=without)
