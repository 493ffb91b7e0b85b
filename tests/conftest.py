import pytest
import torch

from adframe.plugins import Host, load_plugins


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Tests are small: threads only fight over the cores."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def host() -> Host:
    """The bundled plugins."""
    return load_plugins()
