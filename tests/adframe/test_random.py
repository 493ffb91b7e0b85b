"""RandomKeys against SplitMix64 in plain Python, and against statistics of random numbers."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from adframe.random import RandomKeys, seed_of

GOLDEN = 0x9E3779B97F4A7C15
MASK = (1 << 64) - 1


def mix(z: int) -> int:
    """SplitMix64's finaliser over Python integers, which never wrap."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def signed(number: int) -> int:
    number &= MASK
    return number - (1 << 64) if number >> 63 else number


def fraction(bits: int) -> float:
    return (bits >> 40) / 2**24


def many(count: int = 20_000, seed: int = 3) -> RandomKeys:
    return RandomKeys.from_index(seed, torch.arange(count))


def assert_uniform(values: Tensor) -> None:
    """Kolmogorov-Smirnov, and chi-squared over 256 cells; the keys are fixed, so never flaky."""
    numbers = values.flatten().double().numpy()
    assert stats.kstest(numbers, "uniform").pvalue > 1e-3
    counts = np.bincount((numbers * 256).astype(int), minlength=256)
    assert stats.chisquare(counts).pvalue > 1e-3


def assert_independent(a: Tensor, b: Tensor) -> None:
    """Chi-squared over 16 x 16 cells, which an identity and a correlation both fail."""
    cell = (a.flatten() * 16).long() * 16 + (b.flatten() * 16).long()
    counts = np.bincount(cell.numpy(), minlength=256)
    assert stats.chisquare(counts).pvalue > 1e-3


# --- the numbers themselves -----------------------------------------------------------------------


def test_draws_splitmix64s_published_numbers() -> None:
    published = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    drawn = RandomKeys(torch.tensor([1234567])).uniform(5)
    assert drawn.tolist() == [[fraction(number) for number in published]]


@pytest.mark.parametrize("key", [0, 1, -1, 2**63 - 1, -(2**63), 0x123456789ABCDEF])
def test_equals_splitmix64_in_plain_python(key: int) -> None:
    drawn = RandomKeys(torch.tensor([key])).uniform(200)[0].tolist()
    assert drawn == [fraction(mix((key + n * GOLDEN) & MASK)) for n in range(1, 201)]


@pytest.mark.parametrize("seed", [0, 7, -(2**63), 2**63 - 1])
def test_keys_of_images_equal_plain_python(seed: int) -> None:
    index = [0, 1, 2, 49_999, 2**40]
    keys = RandomKeys.from_index(seed, torch.tensor(index)).values.tolist()
    assert keys == [signed(mix((mix((i * GOLDEN + seed) & MASK) + GOLDEN) & MASK)) for i in index]


def test_keys_do_not_depend_on_the_integer_type_of_the_index() -> None:
    narrow, wide = (
        RandomKeys.from_index(5, torch.arange(9, dtype=t)).values
        for t in (torch.int32, torch.int64)
    )
    assert torch.equal(narrow, wide)


def test_uniform_is_float32_within_zero_and_one_exclusive() -> None:
    drawn = many().uniform(50)
    assert drawn.dtype == torch.float32
    assert drawn.shape == (20_000, 50)
    assert drawn.min() >= 0
    assert drawn.max() < 1


def test_shapes_are_one_number_an_image_or_as_asked() -> None:
    keys = many(5)
    assert len(keys) == 5
    assert keys.uniform().shape == (5,)
    assert keys.uniform(3).shape == (5, 3)
    assert keys.uniform(2, 4).shape == (5, 2, 4)
    assert keys.normal(2, 4).shape == (5, 2, 4)


def test_two_calls_draw_what_one_larger_call_draws() -> None:
    whole, parts = many(7), many(7)
    expected = whole.uniform(6)
    drawn = torch.cat([parts.uniform()[:, None], parts.uniform(2), parts.uniform(3)], dim=1)
    assert torch.equal(drawn, expected)


def test_is_the_same_again_from_the_same_keys() -> None:
    assert torch.equal(many().uniform(3), many().uniform(3))


# --- belongs to an image, not to a batch ----------------------------------------------------------


@pytest.mark.parametrize("kind", ["uniform", "normal"])
def test_an_images_numbers_do_not_depend_on_its_batch(kind: str) -> None:
    index = torch.tensor([5, 3, 800, 41])
    together = getattr(many(1000), kind)(4)
    apart = getattr(RandomKeys.from_index(3, index), kind)(4)
    assert torch.equal(apart, together[index])


def test_forks_and_copies_do_not_depend_on_the_batch() -> None:
    rows = torch.tensor([9, 2, 2])
    whole, part = many(10), RandomKeys(many(10).values[rows])
    assert torch.equal(part.fold_in(4).uniform(3), whole.fold_in(4).uniform(3)[rows])
    copies = whole.repeat(2).uniform(3).view(2, 10, 3)[:, rows].flatten(0, 1)
    assert torch.equal(part.repeat(2).uniform(3), copies)


# --- what random numbers should be ----------------------------------------------------------------


def test_numbers_of_one_draw_over_many_images_are_uniform() -> None:
    keys = many(100_000)
    for _ in range(3):
        assert_uniform(keys.uniform())


def test_numbers_of_one_image_are_uniform() -> None:
    assert_uniform(RandomKeys.from_index(3, torch.tensor([17])).uniform(100_000))


@pytest.mark.parametrize("seed", [0, 1])
def test_low_bits_are_uniform_too(seed: int) -> None:
    low = (many(50_000, seed).uniform(2).double() * 2**16) % 1  # the last 8 bits of 24
    assert stats.chisquare(np.bincount((low.flatten() * 256).long().numpy())).pvalue > 1e-3


def test_successive_draws_of_an_image_are_independent() -> None:
    drawn = many(100_000).uniform(2)
    assert_independent(drawn[:, 0], drawn[:, 1])


@pytest.mark.parametrize("gap", [1, 2, 1024])
def test_neighbouring_images_are_independent(gap: int) -> None:
    drawn = many(100_000).uniform()
    assert_independent(drawn[:-gap], drawn[gap:])


def test_neighbouring_seeds_are_independent() -> None:
    assert_independent(many(100_000, 0).uniform(), many(100_000, 1).uniform())


@pytest.mark.parametrize("step", [1, 2, 3])
def test_one_images_stream_is_not_anothers_shifted(step: int) -> None:
    """As it would be if an index were added to the counter, not mixed."""
    drawn = many(500).uniform(60)
    later = {*drawn[:, step:].flatten().tolist()}
    shared = sum(value in later for value in drawn[:, 0].tolist())
    # 500 numbers out of 2^24 values against 30,000: one hit is expected, ten never.
    assert shared < 10


def test_forks_are_uniform_and_independent_of_each_other_and_of_their_origin() -> None:
    keys = many(100_000)
    origin, *forks = (each.uniform() for each in (keys, keys.fold_in(1), keys.fold_in(2)))
    for fork in forks:
        assert_uniform(fork)
        assert_independent(origin, fork)
    assert_independent(*forks)


def test_every_tag_makes_its_own_fork() -> None:
    forks = torch.cat([many(100).fold_in(tag).values for tag in range(-20, 21)])
    assert len(forks.unique()) == 41 * 100


def test_forks_of_forks_do_not_commute() -> None:
    keys = many(100)
    assert not (keys.fold_in(1).fold_in(2).values == keys.fold_in(2).fold_in(1).values).any()


def test_a_fork_does_not_depend_on_what_was_drawn_before() -> None:
    early, late = many(9), many(9)
    late.uniform(100)
    assert torch.equal(early.fold_in(1).uniform(), late.fold_in(1).uniform())


def test_a_fork_leaves_its_origin_as_it_was() -> None:
    keys = many(9)
    keys.fold_in(1).uniform(5)
    keys.repeat(2).uniform(5)
    assert torch.equal(keys.uniform(4), many(9).uniform(4))


def test_copies_come_in_order_and_each_row_is_its_own() -> None:
    keys = many(50_000)
    copies = keys.repeat(3)
    assert len(copies) == 150_000
    assert len(copies.values.unique()) == 150_000
    one, two, three = copies.uniform().chunk(3)
    assert_independent(one, two)
    assert_independent(two, three)
    assert torch.equal(keys.repeat(2).uniform(), torch.cat([one, two]))


def test_stages_and_views_of_a_step_never_share_a_key() -> None:
    rows = many(500).repeat(4)
    keys = torch.cat([rows.fold_in(level).repeat(2).values for level in range(1, 5)])
    assert len(keys.unique()) == 500 * 4 * 4 * 2


# --- normal ---------------------------------------------------------------------------------------


def test_normal_has_the_moments_of_the_normal_distribution() -> None:
    values = many(200_000).normal().double()
    count = len(values)
    assert abs(values.mean()) < 4 / math.sqrt(count)
    assert abs(values.var() - 1) < 4 * math.sqrt(2 / count)
    assert abs(stats.skew(values)) < 4 * math.sqrt(6 / count)
    assert abs(stats.kurtosis(values)) < 4 * math.sqrt(24 / count)


def test_normal_is_normal_and_successive_ones_are_independent() -> None:
    drawn = many(100_000).normal(2)
    for column in drawn.unbind(1):
        assert stats.kstest(column.numpy(), "norm").pvalue > 1e-3
    first, second = (torch.special.ndtr(column).clamp(max=1 - 2**-24) for column in drawn.T)
    assert_independent(first, second)


def test_normal_is_finite_at_both_ends_of_uniform() -> None:
    class Ends(RandomKeys):
        def uniform(self, *shape: int) -> Tensor:
            return torch.tensor([0.0, 1 - 2**-24])

    drawn = Ends(torch.zeros(2, dtype=torch.int64)).normal()
    assert drawn.isfinite().all()


# --- seeds ----------------------------------------------------------------------------------------


def test_seeds_are_the_same_in_every_process_and_version() -> None:
    assert seed_of(0, "epoch", 3) == 8405428280607487038
    assert seed_of() == 5694367389426422167


def test_seeds_tell_parts_apart() -> None:
    parts = [(1, 2), (12,), ("1", 2), (1, "2"), (2, 1), ("a", "b"), ("ab",), ("a,b",), (1, 2, 0)]
    assert len({seed_of(*each) for each in parts}) == len(parts)


def test_seeds_fill_a_signed_64_bit_number() -> None:
    seeds = [seed_of("seed", number) for number in range(1000)]
    assert all(-(2**63) <= seed < 2**63 for seed in seeds)
    ranks = [seed / 2**64 + 0.5 for seed in seeds]
    assert stats.kstest(ranks, "uniform").pvalue > 1e-3
