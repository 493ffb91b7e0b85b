"""A slice of the fuzz, and the round trips it rests on, over seeded random trees and tensors."""

import importlib.util
import json
import random
from pathlib import Path

import pytest
import torch

from adframe.compose import merge, set_value
from adframe.files import read_tensors, write_tensors
from adframe.tree import Node, parse

SCRIPT = Path(__file__).parents[2] / "benchmarks/fuzz.py"


def test_damaged_files_are_read_or_refused_in_a_line(tmp_path, capsys):
    spec = importlib.util.spec_from_file_location("fuzz", SCRIPT)
    fuzz = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fuzz)
    assert fuzz.fuzz(150, 1, tmp_path) == []
    ends = capsys.readouterr().out.splitlines()
    assert len(ends) == 5
    refused = [int(line.split(" refused")[0].split()[-1]) for line in ends[:4]]
    assert min(refused) > 50, "damage is done"


def _tree(choose, depth=3):
    kind = choose.randrange(8 if depth else 6)
    if kind == 6:
        return [_tree(choose, depth - 1) for _ in range(choose.randrange(4))]
    if kind == 7:
        keys = choose.sample(["a", "b", "c", "no", "1", "x.y", "ü"], choose.randrange(5))
        return {key: _tree(choose, depth - 1) for key in keys}
    return [
        None, choose.random() < 0.5, choose.randint(-(10**12), 10**12), choose.gauss(0, 1e6),
        choose.choice(["", "no", "1e3", "~", "a: b", "#", "- x", "\n", "'\"\\", "日本"]),
        choose.choice([0.0, 1e-300, -1.5e300, 0.1]),
    ][kind]  # fmt: skip


def _table(choose):
    return {f"k{index}": _tree(choose) for index in range(choose.randrange(1, 5))}


@pytest.mark.parametrize("seed", range(5))
def test_trees_keep_the_laws_of_merging_and_setting(seed):
    choose = random.Random(seed)
    for _ in range(20):
        base, over = _table(choose), _table(choose)
        one, two = (parse(json.dumps(t, ensure_ascii=False), "t") for t in (base, over))
        assert one.plain() == base, "JSON is read as it was written"
        assert merge(one, one).plain() == base
        assert merge(one, Node({}, "t")).plain() == base
        merged = merge(one, two).plain()
        assert merged.keys() == {*base, *over}
        for key in merged:
            if key not in over:
                assert merged[key] == base[key]
            elif key not in base or not isinstance(over[key], dict):
                assert merged[key] == over[key]
        assert merge(merge(one, two), two).plain() == merged
        key = choose.choice(list(base))
        value = _tree(choose, 1)
        text = json.dumps(value, ensure_ascii=False)
        after = set_value(one, f"{key}={text}").plain()
        assert {k: v for k, v in after.items() if k != key} == {
            k: v for k, v in base.items() if k != key
        }
        if not isinstance(value, dict):
            assert after[key] == value


DTYPES = [
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32,
    torch.int16, torch.int8, torch.uint8, torch.bool,
]  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
def test_tensors_of_any_kind_come_back_bit_for_bit(seed, tmp_path):
    choose, path = random.Random(seed), tmp_path / "x.safetensors"
    generator = torch.Generator().manual_seed(seed)
    for _ in range(8):
        tensors = {}
        for index in range(choose.randrange(6)):
            shape = [choose.randrange(4) for _ in range(choose.randrange(4))]
            bits = torch.randint(0, 256, (*shape, 8), generator=generator, dtype=torch.uint8)
            dtype = choose.choice(DTYPES)
            tensor = (bits[..., 0] > 127) if dtype is torch.bool else bits.view(torch.int64)[..., 0]
            if dtype not in (torch.bool, torch.int64):
                width = torch.empty(0, dtype=dtype).element_size()
                tensor = bits[..., :width].contiguous().view(dtype)[..., 0]  # NaNs of all kinds
            name = choose.choice(["a", "../../x", "a/b/c", "ü", "\x00", " "]) + str(index)
            tensors[name] = tensor.transpose(0, -1) if tensor.dim() > 1 else tensor
        facts = {"tree": _tree(choose), "nan": None, "deep": {"rate": choose.random()}}
        write_tensors(path, tensors, facts)
        first = path.read_bytes()
        found, said = read_tensors(path)
        assert said == facts
        assert found.keys() == tensors.keys()
        for name, tensor in tensors.items():
            assert found[name].dtype == tensor.dtype
            assert found[name].shape == tensor.shape
            plain = [t.clone(memory_format=torch.contiguous_format) for t in (found[name], tensor)]
            as_bytes = (t.reshape(-1).view(torch.uint8) for t in plain)
            assert not tensor.numel() or torch.equal(*as_bytes)
        write_tensors(path, dict(reversed(tensors.items())), facts)
        assert path.read_bytes() == first, "equal content makes equal bytes"
