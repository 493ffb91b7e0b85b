"""Work that ranks share gives what one process computes: values, gradients, statistics."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from adframe.errors import RankLost, UserError
from adframe.interfaces import RandomKeys
from adframe.parallel.rows import by_rows, maps_by_rows, sharing
from adframe.parallel.world import World
from adframe.testing.ranks import on_ranks
from adframe.testing.subject import close


class Net(nn.Module):
    """A network with normalisation and dropout, and a penalty on a weight that it uses."""

    def __init__(self, dropout=0.5):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.plain = nn.BatchNorm1d(4, affine=False, momentum=None)
        self.dropout = nn.Dropout(dropout)

    def forward(self, images):
        maps = F.relu(self.norm(self.conv(images)))
        return {"maps": maps, "vectors": [self.dropout(self.plain(maps.mean((2, 3))))]}


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Net().double()


@pytest.fixture
def images():
    torch.manual_seed(1)
    return torch.rand(5, 3, 6, 6, dtype=torch.float64) + 1


def trained(net, images, world):
    """What a step in which every row meets every other changes."""
    net, images = copy.deepcopy(net), images.clone().requires_grad_()
    scale = torch.ones((), dtype=torch.float64, requires_grad=True)
    with sharing(world):
        seen = by_rows(net, net, images * scale)
    (vectors,) = seen["vectors"]
    loss = (
        (vectors @ vectors.T / 8).exp().mean() + seen["maps"].std() + net.conv.weight.square().sum()
    )
    loss.backward()
    pulls = [p.grad for p in [*net.parameters(), images, scale]]
    return [loss.detach(), seen["maps"].detach(), *pulls, *net.buffers(), torch.rand(1)]


@pytest.mark.parametrize("size", [2, 3])
def test_ranks_compute_what_one_process_computes(net, images, size):
    torch.manual_seed(2)
    drawn = torch.get_rng_state()
    one = trained(net, images, World())
    torch.set_rng_state(drawn)
    for each in on_ranks(size, lambda world: trained(net, images, world)):
        for found, expected in zip(each, one, strict=True):
            close(found, expected, "ranks", rtol=1e-11)


def test_channels_last_float32_and_evaluation_are_the_same_too(net, images):
    net = net.float().to(memory_format=torch.channels_last)
    images = images.float().contiguous(memory_format=torch.channels_last)
    torch.manual_seed(2)
    drawn = torch.get_rng_state()
    for training in (True, False):
        torch.set_rng_state(drawn)
        one = trained(net.train(training), images, World())
        torch.set_rng_state(drawn)
        both = on_ranks(2, lambda world: trained(net, images, world))
        for found, expected in zip(both[1], one, strict=True):
            close(found, expected, "ranks", rtol=1e-3)


def test_a_batch_smaller_than_the_ranks_is_computed_by_each(net, images):
    one = trained(net.eval(), images[:2], World())
    for each in on_ranks(3, lambda world: trained(net, images[:2], world)):
        for found, expected in zip(each[:-1], one, strict=False):
            torch.testing.assert_close(found, expected)


def test_keys_draw_for_each_row_what_they_draw_for_all():
    def drawn(world):
        keys = RandomKeys.from_index(0, torch.arange(5))
        keys.uniform(1)
        with sharing(world):
            shared = by_rows(nn.Identity(), lambda own: own.uniform(2), keys)
        return torch.cat([shared, keys.uniform(1)], dim=1)

    one = drawn(World())
    for each in on_ranks(2, drawn):
        assert torch.equal(each, one)


def test_a_feature_map_that_nobody_reads_is_not_gathered(net, images):
    class Counted(World):
        calls = 0

        def __init__(self, of):
            self.rank, self.size, self.of = of.rank, of.size, of

        def stack(self, values):
            self.calls += 1
            return self.of.stack(values)

    def read(world):
        world = Counted(world)
        with sharing(world):
            maps = maps_by_rows(net, lambda own: [own + 1, own + 2, own + 3], images)
            assert world.calls == 0
            last, again = maps[-1], maps[2]
            assert world.calls == 1
            assert torch.equal(again, last)
            first, *rest = maps[:2]
        return len(maps), first, rest[0], last

    for count, first, second, last in on_ranks(2, read):
        assert count == 3
        assert all(map(torch.equal, (first, second, last), (images + 1, images + 2, images + 3)))


def test_nothing_is_shared_outside_of_a_step(net, images):
    def rows(world):
        seen = []
        by_rows(net, lambda own: seen.append(len(own)) or own, images)
        with sharing(world):
            by_rows(
                net, lambda own: seen.append(len(own)) or by_rows(net, lambda x: x, own), images
            )
        return seen

    assert on_ranks(2, rows) == [[5, 2], [5, 3]]


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        (lambda own: own + torch.rand(1), "draws random numbers"),
        (lambda own: F.instance_norm(own, running_mean=torch.zeros(3)), "instance normalisation"),
    ],
)
def test_what_is_not_by_row_is_refused(images, function, problem):
    def shared(world):
        with sharing(world):
            by_rows(nn.Identity(), function, images)

    with pytest.raises(UserError, match=problem):
        on_ranks(2, shared)


def test_a_result_with_another_number_of_rows_is_refused(images):
    def shared(world):
        with sharing(world):
            by_rows(nn.Identity(), lambda own: own.sum(), images)

    with pytest.raises(ValueError, match="one row for each"):
        on_ranks(2, shared)


def test_a_rank_that_ends_ends_the_others():
    def ends(world):
        if world.rank:
            return
        with pytest.raises(RankLost):
            world.broadcast("hello")
        raise ValueError("noticed")

    with pytest.raises(ValueError, match="noticed"):
        on_ranks(2, ends)


def test_shares_cover_all_rows_and_differ_by_one_at_most():
    world = World()
    world.size = 3
    assert [list(range(7))[share] for share in world.shares(7)] == [[0, 1], [2, 3], [4, 5, 6]]
    assert [share.stop - share.start for share in world.shares(2)] == [0, 1, 1]
