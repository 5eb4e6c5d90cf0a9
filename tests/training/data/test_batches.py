"""Batches of all three iterators: every image once per epoch, ordered by the seed, augmented."""

import collections

import numpy as np
import pytest
from training.bars import images, survey_for_mxnet, write_rec

from recordkit.errors import ImageError, TrainError
from recordkit.training.augment import AUGMENTS
from recordkit.training.data.iterators import ITERATORS, open_batches
from recordkit.training.data.normalization import Normalization
from recordkit.training.data.shuffle import Shuffle

SHIFT = AUGMENTS["shift"]


def opened(*arguments, **options):
    return open_batches(*arguments, normalization=Normalization(), **options)


def test_all_iterators_give_the_same_pixels_if_nothing_is_random(mx, rec):
    readers = [
        opened(mx, survey_for_mxnet(rec), iterator=name, shape=(1, 24, 24), batch_size=16, threads=2)
        for name in ITERATORS[1:]
    ]
    for (expected, n), *batches in zip(*(reader.epoch() for reader in readers), strict=True):
        for batch, n_valid in batches:
            assert n_valid == n
            np.testing.assert_array_equal(batch.data[0].asnumpy(), expected.data[0].asnumpy())
            np.testing.assert_array_equal(batch.label[0].asnumpy(), expected.label[0].asnumpy())


def test_every_image_counts_once_in_each_epoch(mx, tmp_path, iterator):
    # The label is the index, so that order and number are visible.
    path = write_rec(tmp_path / "train.rec", [(float(i), image) for i, (_, image) in enumerate(images(37))])
    data = survey_for_mxnet(path)

    def epoch(reader, shuffle=None):
        return [int(label) for batch, n in reader.epoch(shuffle) for label in batch.label[0].asnumpy()[:n]]

    reader = opened(mx, data, iterator=iterator, shape=(1, 28, 28), batch_size=8, threads=2)
    orders = [epoch(reader, Shuffle(0, number, SHIFT)) for number in (1, 2, 1)]
    assert epoch(reader) == epoch(reader) == list(range(37))
    assert all(sorted(order) == list(range(37)) for order in orders)
    assert orders[0] == orders[2] != orders[1]


def test_a_batch_is_not_overwritten_while_three_more_are_read(mx, tmp_path, iterator):
    # The label is the number of the batch.
    path = write_rec(tmp_path / "train.rec", [(float(i // 8), image) for i, (_, image) in enumerate(images(160))])
    reader = opened(mx, survey_for_mxnet(path), iterator=iterator, shape=(1, 28, 28), batch_size=8, threads=2)
    latest = collections.deque(maxlen=4)
    for number, (batch, _) in enumerate(reader.epoch()):
        latest.append(batch)
        labels = [batch.label[0].asnumpy()[0] for batch in latest]
        assert labels == list(range(max(0, number - 3), number + 1))


def test_shifts_are_the_same_for_the_same_epoch_and_differ_in_others(mx, rec, iterator):
    def pixels(reader, epoch, augment=SHIFT):
        return np.concatenate([batch.data[0].asnumpy() for batch, _ in reader.epoch(Shuffle(3, epoch, augment))])

    reader = opened(mx, survey_for_mxnet(rec), iterator=iterator, shape=(1, 28, 28), batch_size=16, threads=2)
    first = pixels(reader, 1)
    np.testing.assert_array_equal(first, pixels(reader, 1))
    assert (first != pixels(reader, 1, AUGMENTS["none"])).mean() > 0.5
    assert (first != pixels(reader, 2)).mean() > 0.5


def test_pixels_are_normalized(mx, rec, iterator):
    label, image = next(images(1))
    reader = opened(mx, survey_for_mxnet(rec), iterator=iterator, shape=(1, 28, 28), batch_size=16, threads=1)
    batch, _ = next(reader.epoch())
    np.testing.assert_array_equal(batch.data[0].asnumpy()[0, 0], (image[:, :, 0].astype(np.float32) - 128) / 256)
    assert label == batch.label[0].asnumpy()[0]


def test_a_name_with_mxnets_syntax_is_taken_literally(mx, rec, tmp_path, iterator):
    odd = rec.rename(tmp_path / "a;b#c?d.rec")
    rec.with_suffix(".idx").rename(tmp_path / "a;b#c?d.idx")
    reader = opened(mx, survey_for_mxnet(odd), iterator=iterator, shape=(1, 28, 28), batch_size=16, threads=1)
    assert sum(n for _, n in reader.epoch()) == 70


def test_an_image_that_does_not_decode_is_an_error_of_one_line(mx, tmp_path, iterator):
    # OpenCV in Gluon decodes such a PNG to a black image.
    bad = b"\xff\xd8\xff" + bytes(80) if iterator == "gluon" else b"\x89PNG\r\n\x1a\n" + bytes(80)
    samples = [*images(30), (0.0, bad)]
    data = survey_for_mxnet(write_rec(tmp_path / "train.rec", samples))
    reader = opened(mx, data, iterator=iterator, shape=(1, 28, 28), batch_size=8, threads=1)
    message = "key 30: " if iterator == "recordkit" else "MXNet cannot decode an image \\(.*run 'recordkit verify"
    with pytest.raises((TrainError, ImageError), match=rf"train\.rec: {message}") as info:
        list(reader.epoch())
    assert "\n" not in str(info.value)


def test_another_file_in_the_place_of_the_surveyed_one_is_an_error(mx, tmp_path, iterator):
    rec = write_rec(tmp_path / "train.rec", images(12))
    reader = opened(mx, survey_for_mxnet(rec), iterator=iterator, shape=(1, 28, 28), batch_size=4, threads=1)
    assert sum(n_valid for _, n_valid in reader.epoch()) == len(reader.survey)
    same = rec.with_name("same.rec")
    same.write_bytes(rec.read_bytes())
    same.replace(rec)
    with pytest.raises(TrainError, match="expected the file that was read before the training, got another one; start"):
        list(reader.epoch())
