"""Some fuzz cases, and round trips of any config tree and any tensors."""

import json
import re

import fuzz
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import CONFIGS, SCALARS, TABLES, TENSORS

from adframe.config.compose import merge, set_value
from adframe.config.model import load_config
from adframe.config.yaml_tree import ConfigNode, parse
from adframe.io.tensors import read_tensors, write_tensors


@pytest.mark.slow
@pytest.mark.parametrize("name", ["config", "setting", "checkpoint", "image"])
def test_damaged_files_are_read_or_refused_in_a_line(name, tmp_path, capsys):
    assert fuzz.fuzz(name, fuzz.readers(tmp_path)[name], 200, 1) == []
    assert int(re.search(r"(\d+) refused", capsys.readouterr().out)[1]) > 50, "damage is done"


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


@given(CONFIGS)
def test_a_config_that_is_written_is_read_back_the_same(
    loaded, from_mapping, tmp_path_factory, table
):
    config = from_mapping(table, loaded)
    path = tmp_path_factory.getbasetemp() / "again.yaml"
    path.write_text(config.yaml(), encoding="utf-8")
    assert load_config(path, loaded=loaded).dump() == config.dump()


def _content(tensors):
    return {
        name: (each.dtype, each.shape, each.contiguous().reshape(-1).view(torch.uint8).tolist())
        for name, each in tensors.items()
    }


@given(TENSORS, TABLES)
def test_tensors_of_any_kind_come_back_bit_for_bit(tmp_path_factory, tensors, facts):
    path = tmp_path_factory.getbasetemp() / "x.safetensors"
    write_tensors(path, tensors, facts)
    first = path.read_bytes()
    found, said = read_tensors(path)
    assert said == facts
    assert _content(found) == _content(tensors)
    write_tensors(path, dict(reversed(tensors.items())), facts)
    assert path.read_bytes() == first, "equal content makes equal bytes"
