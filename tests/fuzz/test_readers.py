"""The fuzz targets of the readers in Python on their seeds, and on a few mutations of these."""

import random

import pytest
from fuzz.readers import TARGETS, run

_N_MUTATIONS = 300


def mutations(seeds, n):
    """Yield damaged copies of the seeds: changed, removed, repeated and inserted bytes. They are equal in each run."""
    draws = random.Random(0)
    for _ in range(n):
        content = bytearray(draws.choice(seeds))
        for _ in range(draws.randint(1, 4)):
            begin = draws.randint(0, len(content))
            end = min(len(content), begin + draws.choice((0, 1, 1, 2, 4, 16)))
            content[begin:end] = draws.choice(
                (draws.randbytes(end - begin), b"", content[begin:end] * 2, b"\xff", b"9" * 9)
            )
        yield bytes(content)


@pytest.mark.parametrize("target", TARGETS)
def test_damage_is_an_error_of_recordkit(target):
    seeds = TARGETS[target][1]
    for content in [*seeds, b"", *mutations(seeds, _N_MUTATIONS)]:
        run(target, content)
