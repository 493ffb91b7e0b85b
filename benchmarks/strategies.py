"""Hypothesis strategies for input files: configs, tensors, images, and damaged files.

``benchmarks/fuzz.py`` and ``tests/adframe/test_fuzz.py`` both draw from them.
"""

from __future__ import annotations

import io
import math

import numpy as np
import torch
from hypothesis import strategies as st
from PIL import Image

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
    | st.sampled_from(["", "no", "1e3", "~", "a: b", "#", "- x", "\n", "'\"\\", "日本", "$HOME"])
)
_KEYS = st.text("abc.xyz_1ü", min_size=1, max_size=4)
#: What JSON and YAML hold, with a mapping at the top.
TABLES = st.dictionaries(
    st.text("kl", min_size=1, max_size=3),
    st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
        max_leaves=12,
    ),
    min_size=1, max_size=4,
)  # fmt: skip

#: Valid configs, as mappings.
CONFIGS = st.fixed_dictionaries({
    "seed": st.integers(0, 2**63 - 1),
    "dataset": st.just("lfw_faces"),
    "objective": st.builds(
        lambda temperature, weight: [
            {"loss": {"name": "uniclr", "temperature": temperature}, "weight": weight}
        ],
        st.floats(1e-3, 1e3), st.floats(0, 1e6),
    ),
    "train": st.fixed_dictionaries(
        {"epochs": st.integers(1, 5000)}, optional={"batch_size": st.integers(2, 5000)}
    ),
})  # fmt: skip

DTYPES = [
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32,
    torch.int16, torch.int8, torch.uint8, torch.bool,
]  # fmt: skip


@st.composite
def _tensor(draw: st.DrawFn) -> torch.Tensor:
    dtype = draw(st.sampled_from(DTYPES))
    shape = draw(st.lists(st.integers(0, 3), max_size=3))
    count = math.prod(shape) * torch.empty(0, dtype=dtype).element_size()
    data = bytearray(draw(st.binary(min_size=count, max_size=count)))  # NaNs of all kinds
    if not count:
        return torch.empty(shape, dtype=dtype)
    flat = torch.frombuffer(data, dtype=torch.uint8)
    tensor = (flat > 127 if dtype is torch.bool else flat.view(dtype)).view(shape)
    return tensor.transpose(0, -1) if draw(st.booleans()) and tensor.dim() > 1 else tensor


#: Named tensors: any dtype, up to 3 axes of up to 3, also empty or not contiguous.
TENSORS = st.dictionaries(
    st.sampled_from(["a", "../../x", "a/b/c", "ü", "\x00", " ", "b"]), _tensor(), max_size=4
)


@st.composite
def image_files(draw: st.DrawFn, side: int) -> bytes:
    """Image files of noise; half of them are ``side`` pixels high and wide."""
    kind = draw(st.sampled_from(["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM"]))
    size = st.tuples(st.integers(1, 40), st.integers(1, 40)) | st.just((side, side))
    shape = (*draw(size), *draw(st.sampled_from([(3,), ()])))
    noise = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 256, shape, dtype=np.uint8)
    image, stream = Image.fromarray(noise), io.BytesIO()
    exif = image.getexif()
    exif[0x0112] = draw(st.integers(1, 8))  # the orientation
    options = {"exif": exif} if draw(st.booleans()) else {}  # a format without EXIF ignores it
    animation = {"save_all": True, "append_images": [image]} if kind == "GIF" else {}
    image.save(stream, kind, progressive=draw(st.booleans()), **options, **animation)
    return stream.getvalue()


#: What means something in YAML, or is no text.
WORDS = [
    *b"&a *a << !!int !!python/name:os.system [ ] { } : ' \" # % | > ? , ~ 1e999 -1 .nan".split(),
    *b".inf null true 0x1f 1_000 name ... --- ../../etc/passwd \0 \xff \xe2\x80\xa8".split(),
    b"- ", b"\n", b"\t", b"9" * 120, b"extends: x",
]  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn, files: st.SearchStrategy[bytes], text: bool) -> tuple[bytes, ...]:
    """A valid file, another one, and a copy of the first with up to four damaged places.

    An injury replaces a stretch of bytes by nothing, itself twice, itself with a bit flipped,
    zeros, a piece of the other file, random bytes, or (``text``) one of ``WORDS``.
    """
    whole, other = draw(files), draw(files)
    choose = draw(st.randoms(use_true_random=True))  # hypothesis would favour the start of files
    data = whole
    for _ in range(choose.randint(0, 4)):
        at, start = choose.randint(0, len(data)), choose.randint(0, len(other))
        size = choose.choice([0, 1, 2, 4, 8, choose.randint(0, len(data) // 2), len(data)])
        old = data[at : at + size]
        flipped = bytes(byte ^ 1 << choose.randrange(8) for byte in old[:1]) + old[1:]
        pieces = [b"", flipped, old + old, bytes(len(old)), other[start : start + size]]
        pieces += [choose.randbytes(min(size, 64)), *choose.choices(WORDS, k=2 * text)]
        data = data[:at] + choose.choice(pieces) + data[at + size :]
    return whole, other, data
