"""Chunks and batches of pixels equal the pixels."""

import hashlib

import pytest
import torch

from adframe.data import lazy
from adframe.data.lazy import image_digests, iter_batches, iter_chunks, sha256, subset, to_device

PIXELS = torch.randint(0, 256, (30, 3, 4, 4), generator=torch.Generator().manual_seed(0)).byte()
MAX_ROWS_PER_PASS = torch.tensor([5, 2, 9, 9, 0, 29])


def test_some_of_a_tensor_behave_as_their_copy_does():
    some, copy = subset(PIXELS, MAX_ROWS_PER_PASS), PIXELS[MAX_ROWS_PER_PASS]
    assert (len(some), some.shape, some.dtype, some.ndim) == (6, copy.shape, copy.dtype, copy.ndim)
    mask = torch.tensor([True, False, True, False, False, True])
    for index in (2, -1, slice(1, 4), slice(None), slice(0, 0), [3, 1], mask, torch.tensor([4])):
        assert torch.equal(some[index], copy[index])
    assert torch.equal(torch.stack(list(some)), copy)
    with pytest.raises(IndexError):
        some[6]
    assert torch.equal(subset(some, torch.tensor([4, 0]))[:], copy[[4, 0]])
    assert torch.equal(PIXELS[MAX_ROWS_PER_PASS], copy)


def test_batches_come_in_the_order_asked_for():
    order = [torch.tensor([3, 1]), torch.tensor([], dtype=torch.long), torch.tensor([2])]
    for of in (PIXELS, subset(PIXELS, torch.arange(30))):
        found = list(iter_batches(of, order))
        assert len(found) == 3
        assert all(torch.equal(b, PIXELS[rows]) for b, rows in zip(found, order, strict=True))


def test_the_digest_of_images_is_that_of_the_digests_of_each(monkeypatch):
    rows = [hashlib.blake2b(one.numpy().tobytes(), digest_size=16).digest() for one in PIXELS]
    expected = hashlib.sha256(b"".join(rows)).hexdigest()
    turned = PIXELS.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    for size in (1, 48 * 7, lazy.BLOCK):
        monkeypatch.setattr(lazy, "BLOCK", size)
        for pixels in (PIXELS, subset(PIXELS, torch.arange(30)), turned):
            assert image_digests(pixels).tobytes() == b"".join(rows)
            assert sha256(image_digests(pixels)) == expected
    assert sha256(image_digests(PIXELS.flip(0))) != expected
    assert [len(block) for block in iter_chunks(PIXELS, 20)] == [20, 10]


def test_what_goes_to_cuda_is_pinned_first(monkeypatch):
    done = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: (done.append("pin"), self)[1])
    monkeypatch.setattr(
        torch.Tensor, "to", lambda self, device, **how: (done.append((device.type, how)), self)[1]
    )
    to_device(torch.device("cpu"), PIXELS)
    to_device(torch.device("cuda"), PIXELS)
    how = {"non_blocking": True}
    assert done == [("cpu", how), "pin", ("cuda", how)]
