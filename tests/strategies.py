"""Hypothesis strategies: records that stress the framing, headers, list rows and ubyte arrays."""

import struct

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from recordkit.formats.frame import MAGIC_BYTES
from recordkit.formats.irheader import IRHeader
from recordkit.formats.lst import Row
from recordkit.formats.ubyte import DTYPES

keys = st.integers(0, 2**64 - 1)
float32s = st.floats(width=32, allow_nan=False)

# Magics at every alignment, incomplete magics, and bytes that look like the second word of a head.
records = st.lists(
    st.one_of(
        st.just(MAGIC_BYTES),
        st.sampled_from([MAGIC_BYTES[:n] for n in (1, 2, 3)]),
        st.sampled_from([struct.pack("<I", cflag << 29 | 4) for cflag in range(8)]),
        st.binary(max_size=9),
    ),
    max_size=12,
).map(b"".join)

# One label, or a vector of at least one.
headers = st.builds(
    IRHeader,
    label=st.one_of(float32s, st.lists(float32s, min_size=1, max_size=9).map(tuple)),
    id=keys,
    id2=keys,
)

# File names: any bytes except those that a list row cannot hold.
paths = (
    st.lists(st.one_of(st.binary(min_size=1, max_size=8), st.text(max_size=8).map(str.encode)), min_size=1, max_size=4)
    .map(b"".join)
    .filter(lambda name: not set(name) & set(b"\t\n\r\0"))
    .map(lambda name: name.decode("utf-8", "surrogateescape"))
    .filter(str.strip)
)
labels = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
)
rows = st.builds(Row, keys, st.lists(labels, min_size=1, max_size=5).map(tuple), paths)

ubyte_arrays = st.sampled_from(sorted(DTYPES.values())).flatmap(
    lambda dtype: npst.arrays(np.dtype(dtype), npst.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4))
)
