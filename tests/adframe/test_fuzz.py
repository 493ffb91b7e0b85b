"""A slice of the fuzz, and the round trips it rests on, as properties of any tree and tensor."""

import importlib.util
import json
import math
from pathlib import Path

import torch
from hypothesis import given
from hypothesis import strategies as st

from adframe.config.compose import merge, set_value
from adframe.config.model import from_mapping, load_config
from adframe.config.yaml_tree import ConfigNode, parse
from adframe.io.tensors import read_tensors, write_tensors

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


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
    | st.sampled_from(["", "no", "1e3", "~", "a: b", "#", "- x", "\n", "'\"\\", "日本", "$HOME"])
)
KEYS = st.text("abc.xyz_1ü", min_size=1, max_size=4)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
TABLES = st.dictionaries(st.text("kl", min_size=1, max_size=3), TREES, min_size=1, max_size=4)


def _node(table):
    return parse(json.dumps(table, ensure_ascii=False), "t")


@given(TABLES)
def test_json_is_read_as_it_was_written(table):
    assert _node(table).plain() == table


@given(TABLES, TABLES)
def test_merging_replaces_what_it_names_and_keeps_the_rest(base, over):
    one, two = _node(base), _node(over)
    assert merge(one, one).plain() == base
    assert merge(one, ConfigNode({}, "t")).plain() == base
    merged = merge(one, two).plain()
    assert merged.keys() == {*base, *over}
    for key in merged:
        if key not in over:
            assert merged[key] == base[key]
        elif key not in base or not isinstance(over[key], dict):
            assert merged[key] == over[key]
    assert merge(merge(one, two), two).plain() == merged


@given(TABLES, SCALARS | st.lists(SCALARS, max_size=3), st.data())
def test_a_setting_changes_its_key_alone(table, value, data):
    key = data.draw(st.sampled_from(sorted(table)))
    after = set_value(_node(table), f"{key}={json.dumps(value, ensure_ascii=False)}").plain()
    assert after == {**table, key: value}


@given(
    train=st.dictionaries(st.sampled_from(["epochs", "batch_size"]), st.integers(2, 5000)),
    seed=st.integers(0, 2**63 - 1),
    temperature=st.floats(1e-3, 1e3),
    weight=st.floats(0, 1e6),
)
def test_a_config_that_is_written_is_read_back_the_same(
    loaded, tmp_path_factory, train, seed, temperature, weight
):
    table = {
        "seed": seed,
        "dataset": "lfw_faces",
        "objective": [{"loss": {"name": "uniclr", "temperature": temperature}, "weight": weight}],
        "train": {"epochs": 1, **train},
    }
    config = from_mapping(table, loaded)
    path = tmp_path_factory.getbasetemp() / "again.yaml"
    path.write_text(config.yaml(), encoding="utf-8")
    assert load_config(path, loaded=loaded).dump() == config.dump()


DTYPES = [
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32,
    torch.int16, torch.int8, torch.uint8, torch.bool,
]  # fmt: skip


@st.composite
def _tensors(draw):
    dtype = draw(st.sampled_from(DTYPES))
    shape = draw(st.lists(st.integers(0, 3), max_size=3))
    count = math.prod(shape) * torch.empty(0, dtype=dtype).element_size()
    data = bytearray(draw(st.binary(min_size=count, max_size=count)))  # NaNs of all kinds
    if not count:
        return torch.empty(shape, dtype=dtype)
    flat = torch.frombuffer(data, dtype=torch.uint8)
    flat = flat > 127 if dtype is torch.bool else flat.view(dtype)
    tensor = flat.view(shape)
    return tensor.transpose(0, -1) if draw(st.booleans()) and tensor.dim() > 1 else tensor


NAMES = st.sampled_from(["a", "../../x", "a/b/c", "ü", "\x00", " ", "b"])


@given(st.dictionaries(NAMES, _tensors(), max_size=4), TABLES)
def test_tensors_of_any_kind_come_back_bit_for_bit(tmp_path_factory, tensors, facts):
    path = tmp_path_factory.getbasetemp() / "x.safetensors"
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
