"""Batches of all three iterators: every image once, in an order of the seed's, changed as asked for."""

import numpy as np
import pytest
from training.bars import images, looked, write_rec

from recordkit.errors import ImageError, TrainError
from recordkit.training.augment import AUGMENTS
from recordkit.training.data.feed import ITERATORS, Shuffle, make_feed

SHIFT = AUGMENTS["shift"]


def test_all_iterators_give_the_same_pixels_where_nothing_is_random(mx, rec):
    feeds = [
        make_feed(mx, looked(rec), iterator=name, shape=(1, 24, 24), batch_size=16, threads=2) for name in ITERATORS[1:]
    ]
    for (one, n), *others in zip(*(feed.epoch() for feed in feeds), strict=True):
        for other, m in others:
            assert n == m
            np.testing.assert_array_equal(one.data[0].asnumpy(), other.data[0].asnumpy())
            np.testing.assert_array_equal(one.label[0].asnumpy(), other.label[0].asnumpy())


def test_every_image_counts_once_in_each_epoch(mx, tmp_path, iterator):
    # The label is the position, so that order and number can be seen.
    path = write_rec(tmp_path / "train.rec", [(float(i), image) for i, (_, image) in enumerate(images(37))])
    data = looked(path)

    def epoch(feed, shuffle=None):
        return [int(label) for batch, n in feed.epoch(shuffle) for label in batch.label[0].asnumpy()[:n]]

    feed = make_feed(mx, data, iterator=iterator, shape=(1, 28, 28), batch_size=8, threads=2)
    orders = [epoch(feed, Shuffle(0, number, SHIFT)) for number in (1, 2, 1)]
    assert epoch(feed) == epoch(feed) == list(range(37))
    assert all(sorted(order) == list(range(37)) for order in orders)
    assert orders[0] == orders[2] != orders[1]


def test_shifts_are_the_same_for_the_same_epoch_and_differ_in_others(mx, rec, iterator):
    def pixels(feed, epoch, augment=SHIFT):
        return np.concatenate([batch.data[0].asnumpy() for batch, _ in feed.epoch(Shuffle(3, epoch, augment))])

    feed = make_feed(mx, looked(rec), iterator=iterator, shape=(1, 28, 28), batch_size=16, threads=2)
    first = pixels(feed, 1)
    np.testing.assert_array_equal(first, pixels(feed, 1))
    assert (first != pixels(feed, 1, AUGMENTS["none"])).mean() > 0.5
    assert (first != pixels(feed, 2)).mean() > 0.5


def test_pixels_are_centred_and_scaled(mx, rec, iterator):
    label, image = next(images(1))
    feed = make_feed(mx, looked(rec), iterator=iterator, shape=(1, 28, 28), batch_size=16, threads=1)
    batch, _ = next(feed.epoch())
    np.testing.assert_array_equal(batch.data[0].asnumpy()[0, 0], (image[:, :, 0].astype(np.float32) - 128) / 256)
    assert label == batch.label[0].asnumpy()[0]


def test_a_name_with_mxnets_own_syntax_is_only_a_name(mx, rec, tmp_path, iterator):
    odd = rec.rename(tmp_path / "a;b#c?d.rec")
    rec.with_suffix(".idx").rename(tmp_path / "a;b#c?d.idx")
    feed = make_feed(mx, looked(odd), iterator=iterator, shape=(1, 28, 28), batch_size=16, threads=1)
    assert sum(n for _, n in feed.epoch()) == 70


def test_an_image_that_does_not_decode_is_one_line(mx, tmp_path, iterator):
    # Of such a PNG OpenCV, when Gluon asks, makes a black image.
    bad = b"\xff\xd8\xff" + bytes(80) if iterator == "gluon" else b"\x89PNG\r\n\x1a\n" + bytes(80)
    samples = [*images(30), (0.0, bad)]
    data = looked(write_rec(tmp_path / "train.rec", samples))
    feed = make_feed(mx, data, iterator=iterator, shape=(1, 28, 28), batch_size=8, threads=1)
    said = "key 30: " if iterator == "recordkit" else "MXNet cannot decode an image \\(.*run 'recordkit verify"
    with pytest.raises((TrainError, ImageError), match=rf"train\.rec: {said}") as info:
        list(feed.epoch())
    assert "\n" not in str(info.value)
