"""The greedy choice against an explicit loop."""

import torch

from adframe_scorers import coreset as module
from adframe_scorers.coreset import coreset


def greedy(rows, count):
    chosen = [int((rows - rows.mean(0)).square().sum(1).argmin())]
    while len(chosen) < count:
        distance = torch.cdist(rows.double(), rows[chosen].double()).amin(1)
        distance[chosen] = -1
        chosen.append(int(distance.argmax()))
    return sorted(chosen)


def test_it_is_the_greedy_choice_for_any_pool(monkeypatch):
    rows = torch.randn(300, 5, generator=torch.Generator().manual_seed(0))
    for pool in (1, 7, 64, 1000):
        monkeypatch.setattr(module, "POOL", pool)
        assert coreset(rows, 60).tolist() == greedy(rows, 60)


def test_all_rows_are_their_own_coreset_and_equal_rows_are_fine():
    rows = torch.ones(9, 3)
    assert coreset(rows, 9).tolist() == list(range(9))
    assert len(set(coreset(rows, 4).tolist())) == 4


def test_wide_rows_are_projected_and_far_groups_are_all_found():
    generator = torch.Generator().manual_seed(1)
    groups = 20 * torch.randn(10, 200, generator=generator)
    rows = groups.repeat_interleave(50, 0) + torch.randn(500, 200, generator=generator)
    assert {index // 50 for index in coreset(rows, 10).tolist()} == set(range(10))
