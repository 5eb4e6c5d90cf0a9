"""The checks of a plan, and im2rec's arithmetic of splits and shuffles."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordkit.errors import PlanError
from recordkit.packing.plan import PackPlan
from recordkit.packing.splits import packing_order, split_samples

ratios = st.sampled_from([0.0, 0.1, 0.2, 0.25, 1 / 3, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 1.0]) | st.floats(0, 1)


def split_positions(n, **options):
    return {split.suffix: list(range(split.begin, split.end)) for split in split_samples(n, **options)}


def r(begin, last):
    return list(range(begin, last + 1))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"": r(0, 9)}),
        ({"shards": 3}, {"_0": r(0, 3), "_1": r(4, 7), "_2": r(8, 9)}),
        ({"train_ratio": 0.75, "test_ratio": 0.25}, {"_test": r(0, 1), "_train": r(2, 8)}),
        ({"train_ratio": 0.6, "test_ratio": 0.2}, {"_test": r(0, 1), "_train": r(2, 7), "_val": r(8, 9)}),
        ({"train_ratio": 0.5}, {"_train": r(0, 4), "_val": r(5, 9)}),
        (
            {"train_ratio": 0.5, "shards": 2},
            {"_0_train": r(0, 1), "_0_val": r(2, 4), "_1_train": r(5, 6), "_1_val": r(7, 9)},
        ),
        ({"train_ratio": 0.7, "test_ratio": 0.3}, {"_test": r(0, 2), "_train": r(3, 9)}),
        ({"train_ratio": 1.0, "test_ratio": 0.3}, {"": r(0, 9)}),
    ],
)
def test_ten_samples_are_divided_as_by_im2rec(options, expected):
    assert split_positions(10, **options) == expected


def test_more_shards_than_needed_are_empty():
    splits = split_positions(10, shards=7)
    assert [len(splits[f"_{shard}"]) for shard in range(7)] == [2, 2, 2, 2, 2, 0, 0]


def test_no_samples_make_empty_splits():
    assert split_positions(0, shards=2, train_ratio=0.5) == {"_0_val": [], "_0_train": [], "_1_val": [], "_1_train": []}


@pytest.mark.parametrize(
    ("n", "options", "text"),
    [
        (5, {"shards": 10_001}, "shards: expected at most 10000, got 10001"),
        (20_000, {"shards": 20_001}, "shards: expected at most 20000, got 20001"),
        (5, {"train_ratio": -0.1}, "train_ratio: expected a fraction from 0 to 1, got -0.1"),
        (5, {"train_ratio": 1.1}, "train_ratio: expected a fraction from 0 to 1, got 1.1"),
        (5, {"train_ratio": math.nan}, "train_ratio: expected a fraction from 0 to 1, got nan"),
        (5, {"train_ratio": 0.5, "test_ratio": -0.1}, "test_ratio: expected a fraction from 0 to 1, got -0.1"),
        (5, {"train_ratio": 0.5, "test_ratio": 1.1}, "test_ratio: expected a fraction from 0 to 1, got 1.1"),
    ],
)
def test_too_many_shards_and_ratios_out_of_range_are_refused(n, options, text):
    with pytest.raises(PlanError) as caught:
        split_samples(n, **options)
    assert str(caught.value) == text


def test_as_many_shards_as_samples_or_10000_are_allowed():
    assert len(split_samples(5, shards=10_000)) == 10_000
    assert len(split_samples(10_001, shards=10_001)) == 10_001


@given(st.integers(0, 60), st.integers(1, 12), ratios, ratios)
def test_any_division_is_im2recs(n, shards, train_ratio, test_ratio):
    # The slices of make_list in tools/im2rec.py.
    items = list(range(n))
    expected = {}
    size = math.ceil(n / shards)
    for number in range(shards):
        shard = items[number * size : (number + 1) * size]
        suffix = f"_{number}" if shards > 1 else ""
        sep, sep_test = int(size * train_ratio), int(size * test_ratio)
        if train_ratio == 1.0:
            expected[suffix] = shard
            continue
        if test_ratio:
            expected[f"{suffix}_test"] = shard[:sep_test]
        if train_ratio + test_ratio < 1.0:
            expected[f"{suffix}_val"] = shard[sep_test + sep :]
        expected[f"{suffix}_train"] = shard[sep_test : sep_test + sep]
    splits = split_positions(n, shards=shards, train_ratio=train_ratio, test_ratio=test_ratio)
    assert splits == expected and list(splits) == list(expected)


def test_the_shuffle_is_im2recs():
    assert list(packing_order(10, shuffle=True)) == [4, 0, 5, 9, 3, 1, 6, 8, 7, 2]
    assert list(packing_order(4, shuffle=False)) == [0, 1, 2, 3]


@given(st.integers(0, 300), st.integers(0, 2**40))
def test_the_shuffle_is_pythons_for_any_seed(n, seed):
    expected = list(range(n))
    random.Random(seed).shuffle(expected)
    assert list(packing_order(n, shuffle=True, seed=seed)) == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resize": 0}, "resize: expected a length of at least 1 pixel, got 0"),
        ({"resize": 8, "filter": "bicubic"}, "filter: expected one of antialias, bilinear, .*, got 'bicubic'"),
        ({"filter": "area"}, "filter 'area' needs a resize; set resize too"),
        ({"channels": 2}, "channels: expected one of 3, 1, keep, None, got 2"),
        ({"encoding": ".jpg"}, "encoding: expected one of jpg, png, raw, None, got '.jpg'"),
        ({"labels": "some"}, "labels: expected one of all, first, got 'some'"),
        ({"on_error": "die"}, "on_error: expected one of report, skip, raise, got 'die'"),
        ({"shards": 0}, "shards: expected at least 1, got 0"),
        ({"threads": -1}, "threads: expected at least 0, got -1"),
        ({"quality": 0}, "quality: expected a JPEG quality of 1 to 100, got 0"),
        ({"quality": 101}, "quality: expected a JPEG quality of 1 to 100, got 101"),
        ({"quality": 10, "encoding": "png"}, "quality: expected a PNG level of 0 to 9, got 10"),
        ({"quality": 5, "encoding": "raw"}, "quality: raw images have none; leave it out"),
        (
            {"val_ratio": -0.1},
            "val_ratio and test_ratio: expected fractions from 0 to 1 with a sum of at most 1, got -0.1 and 0.0",
        ),
        ({"val_ratio": 0.6, "test_ratio": 0.5}, "val_ratio and test_ratio: expected fractions .*, got 0.6 and 0.5"),
        ({"val_ratio": float("nan")}, "val_ratio and test_ratio: expected fractions .*, got nan and 0.0"),
        *(
            (
                {"pass_through": True, **option},
                "pass_through copies bytes; it cannot be combined with "
                "resize, center_crop, channels, encoding or quality",
            )
            for option in ({"resize": 8}, {"center_crop": True}, {"channels": 1}, {"encoding": "png"}, {"quality": 90})
        ),
    ],
)
def test_a_plan_that_contradicts_itself_cannot_be_made(options, message):
    with pytest.raises(PlanError, match=f"^{message}$"):
        PackPlan(**options)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"quality": 0, "encoding": "png"},
        {"quality": 100},
        {"val_ratio": 0.5, "test_ratio": 0.5},
        {"val_ratio": 1},
        {"test_ratio": 1},
        {"channels": "keep"},
    ],
)
def test_a_plan_with_values_at_their_limits_can_be_made(options):
    PackPlan(**options)


@pytest.mark.parametrize(
    "option", [{"resize": 8}, {"center_crop": True}, {"channels": "keep"}, {"encoding": "jpg"}, {"quality": 9}]
)
def test_bytes_are_copied_unless_a_field_needs_pixels(option):
    assert PackPlan().passes_through(pixels=False)
    assert not PackPlan(**option).passes_through(pixels=False)
    assert not PackPlan().passes_through(pixels=True)


def test_pixels_cannot_be_passed_through():
    message = "pass_through: ubyte files hold pixels, so there are no encoded images to copy"
    with pytest.raises(PlanError, match=f"^{message}$"):
        PackPlan(pass_through=True).passes_through(pixels=True)


@pytest.mark.parametrize(
    ("order", "plain", "split"), [("walked", True, True), ("published", False, True), ("listed", False, False)]
)
def test_only_walked_or_divided_sources_are_shuffled(order, plain, split):
    assert PackPlan().shuffles(order) is plain
    assert PackPlan(val_ratio=0.1).shuffles(order) is split
    assert PackPlan(shuffle=True).shuffles(order) and not PackPlan(shuffle=False).shuffles(order)


def test_a_plan_is_compared_by_value_and_cannot_be_changed():
    assert PackPlan(resize=8) == PackPlan(resize=8) and hash(PackPlan()) == hash(PackPlan())
    with pytest.raises(AttributeError):
        PackPlan().resize = 8
