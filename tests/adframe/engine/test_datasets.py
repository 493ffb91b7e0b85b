"""Reading the data sets of a run: warnings."""

import numpy as np
import pytest
from PIL import Image

import adframe


@pytest.fixture
def written(tmp_path):
    """``written(make)``: class folders good and bad of four images, ``make(class, index)``."""

    def write(make):
        for name in ("good", "bad"):
            (tmp_path / "data" / name).mkdir(parents=True)
            for index in range(4):
                Image.fromarray(make(name, index)).save(tmp_path / "data" / name / f"{index}.png")
        return f"dataset={{name: image_folder, root: {tmp_path / 'data'}, normal: good}}"

    return write


def test_images_of_few_levels_are_told(written, toy, caplog):
    rng = np.random.default_rng(0)
    table = written(lambda name, index: rng.integers(0, 4096, (16, 16), dtype=np.uint16))
    adframe.run(toy(table, "train.epochs=1"))
    told = "the training images use levels 0 to 16 of 0 to 255; is their bit depth right?"
    assert told in caplog.messages or told.replace("16 of", "15 of") in caplog.messages
    caplog.clear()
    adframe.run(toy(table.replace("}", ", depth: 12}"), "train.epochs=1"))
    assert not [message for message in caplog.messages if "bit depth" in message]
