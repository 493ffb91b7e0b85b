"""Sections of a config described from their models."""

import pytest

from adframe import UserError
from adframe.config.describe import SECTIONS, argument_docs, describe_section


@pytest.mark.parametrize("name", SECTIONS)
def test_every_key_of_a_section_has_a_type_and_a_doc(name, loaded):
    for key in describe_section(name, loaded.registry)["keys"]:
        assert "anything" not in key["type"], key
        assert key["doc"].endswith("."), key


def test_a_key_says_its_type_bounds_and_default(loaded):
    keys = {key["name"]: key for key in describe_section("train", loaded.registry)["keys"]}
    assert keys["epochs"]["required"]
    assert (keys["batch_size"]["type"], keys["batch_size"]["default"]) == (
        "integer >= 2 <= 65536",
        32,
    )
    assert keys["device"]["default"] == "auto"
    weight = describe_section("objective", loaded.registry)["keys"][2]
    assert (weight["name"], weight["default"]) == ("weight", 1.0)


def test_keys_at_the_top_take_the_default_of_their_kind(loaded):
    keys = {key["name"]: key for key in describe_section("config", loaded.registry)["keys"]}
    assert keys["backbone"]["default"] == "the kind's default"
    assert not keys["backbone"]["required"]
    assert keys["dataset"]["required"]


def test_an_unknown_section_suggests_the_nearest():
    with pytest.raises(UserError, match="did you mean 'train'"):
        describe_section("trian")


class Documented:
    """A class with options.

    Args:
        width: [published: 4 for one, 8 for another's
            net] Factor of the
            channels.
        size: Side of an image [pixels].
        depth:
            [guess: 2] Number of layers.

    Example:
        depth: not an option
    """


class Wider(Documented):
    """A class with one option.

    Args:
        width: [guess: 1] Factor of the
            channels.
    """


def test_the_brackets_of_an_option_may_span_lines():
    assert argument_docs(Documented) == {
        "width": ("published: 4 for one, 8 for another's net", "Factor of the channels."),
        "size": ("", "Side of an image [pixels]."),
        "depth": ("guess: 2", "Number of layers."),
    }
    assert argument_docs(Wider)["width"] == ("guess: 1", "Factor of the channels.")
