"""When blocks are computed again in the backward pass."""

import pytest
import torch

from adframe_backbones.blocks import LARGE, recomputes


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_large_maps_are_recomputed_in_every_precision(dtype):
    def maps(values: int) -> torch.Tensor:
        return torch.empty(1, dtype=dtype).expand(1, values // 1000, 10, 100)

    assert recomputes(None, maps(LARGE), LARGE // 1000)
    assert not recomputes(None, maps(LARGE - 1000), LARGE // 1000 - 1)
    assert recomputes(None, maps(LARGE // 2), LARGE // 1000)  # the output has as many channels
    assert recomputes(True, maps(1000), 1)
    assert not recomputes(False, maps(LARGE), LARGE // 1000)
    with torch.no_grad():
        assert not recomputes(True, maps(LARGE), LARGE // 1000)
