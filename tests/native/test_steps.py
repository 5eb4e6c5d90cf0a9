"""The core refuses steps that Python never describes, before it plans an image by them."""

import numpy as np
import pytest

STEPS = {
    "a short side of at least 1": {"kind": "resize", "height": 0},
    "a height and a width of at least 1": {"kind": "random_crop", "height": 5, "width": 0},
    "sides of a square": {"kind": "size_crop", "height": 5, "width": 5, "side_low": 0, "side_high": 0},
    "the smallest first": {"kind": "center_size_crop", "height": 5, "width": 5, "side_low": 9, "side_high": 8},
    "ranges of area and ratio above 0": {
        "kind": "resized_crop", "height": 5, "width": 5, "low": 0.1, "high": 1.0, "ratio_low": -1.0, "ratio_high": 2.0,
    },
    "a probability of 0 to 1": {"kind": "flip", "high": float("nan")},
    "finite ranges of a warp": {"kind": "warp", "scale": (1.0, float("inf"))},
    "sides of an image": {"kind": "pad", "margin": 2**32 - 1},
    "limits of 0 to 255": {"kind": "hsl", "limit": 3.0, "saturation": -1.0},
    "a shift of the hue of at most 180": {"kind": "hsl", "limit": 181.0},
    "a rectangle": {"kind": "cutout", "height": 5, "width": 5, "n": 0},
    "a step number below 65,536": {"kind": "flip", "high": 0.5, "number": 2**16},
}  # fmt: skip


@pytest.mark.parametrize("expected", STEPS)
def test_a_step_of_impossible_parameters_is_refused(require_native, expected):
    with pytest.raises(ValueError, match=expected):
        make_loader({"number": 0, "filter": "bilinear"} | STEPS[expected])


@pytest.mark.parametrize("kind", ["center_crop", "pad"])
def test_a_side_of_0_keeps_its_meaning(require_native, kind):
    make_loader({"kind": kind, "number": 0})


def make_loader(step):
    """Return the core's loader of gray images with one step."""
    from recordkit import native

    options = {"channels": 1, "gray_only": False, "scale_in_dct": False, "seed": 0, "dtype": "uint8", "planar": False}
    constants = np.ones(1, np.float32)
    return native.load().BatchLoader(steps=[step], height=5, width=5, mean=constants, factor=constants, **options)
