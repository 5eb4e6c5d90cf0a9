"""What a pack is to do: order, splits, pixels, labels, bad samples. Values only: no file is touched here."""

from __future__ import annotations

import random
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from recordkit.codec import ENCODINGS, Channels
from recordkit.errors import PlanError
from recordkit.transforms import Resize
from recordkit.transforms.resize import Filter

IM2REC_SEED = 100
"""The seed im2rec.py shuffles with, always."""

# im2rec writes empty lists where there are more shards than images; it need not write millions of them.
_MAX_EMPTY_SHARDS = 10_000

OnError = Literal["report", "skip", "raise"]
Labels = Literal["all", "first"]


@dataclass(frozen=True, kw_only=True)
class PackPlan:
    """How to pack a source. Every field has a default; a plan that contradicts itself cannot be made.

    Attributes
    ----------
    shuffle : bool or None, default None
        Pack in shuffled order. None: folders are shuffled, as im2rec does; ubyte files only if a split is taken
        from them; lists keep their order.
    seed : int, default 100
        Of the shuffle; 100 gives im2rec's order.
    val_ratio, test_ratio : float, 0 to 1, default 0
        Shares to put into PREFIX_val and PREFIX_test; the rest goes to PREFIX_train. Of a folder of ubyte files
        only the training split is shared out.
    shards : int, default 1
        Cut the samples into this many sets, PREFIX_0 to PREFIX_n, before they are shared out.
    resize : int or None
        Length of the short side, in pixels.
    filter : str, default "antialias"
        See `recordkit.transforms.resize`. "bilinear" is what im2rec does.
    center_crop : bool, default False
        Keep the central square, before the resize.
    channels : {3, 1, "keep"} or None
        3: RGB, 1: gray, "keep": as stored. None: 3 if files are re-encoded, "keep" for ubyte files.
    encoding : {"jpg", "png", "raw"} or None
        None: jpg where files are encoded anew, png for ubyte files.
    quality : int or None
        JPEG quality 1 to 100 (default 95) or PNG level 0 to 9 (default 3).
    pass_through : bool or None, default None
        Copy the files' bytes. None: unless one of the six fields above asks for pixels.
    any_file : bool, default False
        Pass files through that do not look like images, as im2rec does.
    labels : {"all", "first"}, default "all"
        Pack all labels of a row, or the first only, as im2rec does without ``--pack-label``.
    exact_labels : bool, default False
        Keep whole labels exactly, in PREFIX.labels.npy; in the .rec file they are rounded to float32.
    first_label_in_header : bool, default False
        As the native im2rec, which also writes the first of several labels into the header.
    on_error : {"report", "skip", "raise"}, default "report"
        A bad sample is left out and named in PREFIX.failed.tsv; "report": the pack counts as failed all the same;
        "skip": it does not; "raise": the first one ends it and nothing is written.
    write_list : bool, default True
        Write PREFIX.lst, the rows that were packed. The list that is being packed is left alone in any case.
    threads : int, 0 to 1024, default 0
        0: as many as CPUs this process may use.

    Raises
    ------
    PlanError
        A value is out of range, or two contradict each other.

    Examples
    --------
    >>> PackPlan(resize=256, quality=90).passes_through(pixels=False)
    False
    """

    shuffle: bool | None = None
    seed: int = IM2REC_SEED
    val_ratio: float = 0.0
    test_ratio: float = 0.0
    shards: int = 1
    resize: int | None = None
    filter: Filter = "antialias"
    center_crop: bool = False
    channels: Channels | None = None
    encoding: Literal["jpg", "png", "raw"] | None = None
    quality: int | None = None
    pass_through: bool | None = None
    any_file: bool = False
    labels: Labels = "all"
    exact_labels: bool = False
    first_label_in_header: bool = False
    on_error: OnError = "report"
    write_list: bool = True
    threads: int = 0

    def __post_init__(self) -> None:
        if self.resize is not None:
            Resize(self.resize, self.filter)
        elif self.filter != "antialias":
            raise PlanError(f"filter {self.filter!r} goes with resize; give a size too")
        _one_of("channels", self.channels, (3, 1, "keep", None))
        _one_of("encoding", self.encoding, (*ENCODINGS, None))
        _one_of("labels", self.labels, get_args(Labels))
        _one_of("on_error", self.on_error, get_args(OnError))
        _at_least("shards", self.shards, 1)
        _at_least("threads", self.threads, 0)
        top, what = (9, "PNG level") if self.encoding == "png" else (100, "JPEG quality")
        if self.quality is not None and not (self.encoding != "png") <= self.quality <= top:
            raise PlanError(f"quality: expected a {what} of {int(self.encoding != 'png')} to {top}, got {self.quality}")
        if self.quality is not None and self.encoding == "raw":
            raise PlanError("quality: raw images have none; leave it out")
        if not (0 <= self.val_ratio <= 1 and 0 <= self.test_ratio <= 1 and self.val_ratio + self.test_ratio <= 1):
            raise PlanError(
                "val_ratio and test_ratio: expected shares from 0 to 1 that leave something, got "
                f"{self.val_ratio} and {self.test_ratio}"
            )
        if self.pass_through and self._wants_pixels():
            raise PlanError(
                "pass_through copies bytes; it does not go with resize, crop, channels, encoding or quality"
            )

    def _wants_pixels(self) -> bool:
        settings = (self.resize, self.channels, self.encoding, self.quality)
        return self.center_crop or any(setting is not None for setting in settings)

    def passes_through(self, *, pixels: bool) -> bool:
        """Tell whether bytes are copied.

        Parameters
        ----------
        pixels : bool
            Whether the source holds pixels; then there are no bytes to copy.

        Raises
        ------
        PlanError
            `pass_through` is asked of a source of pixels.
        """
        if pixels and self.pass_through:
            raise PlanError("pass_through: ubyte files hold pixels, there are no encoded images to copy")
        return not pixels and not self._wants_pixels()

    def splits(self) -> bool:
        """Tell whether samples are shared out over several sets."""
        return self.val_ratio > 0 or self.test_ratio > 0

    def shuffles(self, order: str) -> bool:
        """Tell whether to shuffle a source whose `Source.order` is given."""
        if self.shuffle is not None:
            return self.shuffle
        return order == "walked" or (order == "published" and self.splits())


def _one_of(name: str, value: object, allowed: tuple[object, ...]) -> None:
    if value not in allowed:
        raise PlanError(f"{name}: expected one of {', '.join(map(str, allowed))}, got {value!r}")


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise PlanError(f"{name}: expected at least {least}, got {value}")


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of the order that becomes a set of its own.

    Attributes
    ----------
    suffix : str
        What is appended to PREFIX: ``""``, ``"_train"``, ``"_0_val"``.
    begin, end : int
        Positions in the order, `end` not included.
    """

    suffix: str
    begin: int
    end: int


def partition(n: int, *, shards: int = 1, train_ratio: float = 1.0, test_ratio: float = 0.0) -> list[Part]:
    """Cut `n` samples into shards, and each shard into test, train and val, by im2rec's arithmetic.

    The sizes are ``trunc(shard * ratio)`` of a whole shard, also for the last one; val is what is left over, and
    there is none when the two ratios make 1: up to one sample a shard then falls out. ``train_ratio`` 1 means
    no split, whatever ``test_ratio`` says.

    Parameters
    ----------
    n : int
    shards : int, default 1
    train_ratio, test_ratio : float, 0 to 1

    Returns
    -------
    parts : list of Part
        In the order in which im2rec writes its files. Parts may be empty.

    Raises
    ------
    PlanError
        A ratio is not from 0 to 1, or there are more shards than anybody can want.

    Notes
    -----
    Source: ``write_list`` and ``make_list``, tools/im2rec.py of MXNet 1.9.

    Examples
    --------
    >>> [(part.suffix, part.begin, part.end) for part in partition(10, train_ratio=0.6, test_ratio=0.2)]
    [('_test', 0, 2), ('_val', 8, 10), ('_train', 2, 8)]
    """
    if shards > max(n, _MAX_EMPTY_SHARDS) or not (0 <= train_ratio <= 1 and 0 <= test_ratio <= 1):
        raise PlanError(
            f"expected ratios from 0 to 1 and at most {max(n, _MAX_EMPTY_SHARDS)} shards, "
            f"got {train_ratio}, {test_ratio} and {shards}"
        )
    size = -(-n // shards)
    parts: list[Part] = []
    for shard in range(shards):
        begin, end = min(shard * size, n), min((shard + 1) * size, n)
        suffix = f"_{shard}" if shards > 1 else ""
        if train_ratio == 1.0:
            parts.append(Part(suffix, begin, end))
            continue
        test_end = min(begin + int(size * test_ratio), end)
        train_end = min(begin + int(size * test_ratio) + int(size * train_ratio), end)
        if test_ratio:
            parts.append(Part(f"{suffix}_test", begin, test_end))
        if train_ratio + test_ratio < 1.0:
            parts.append(Part(f"{suffix}_val", train_end, end))
        parts.append(Part(f"{suffix}_train", test_end, train_end))
    return parts


def order_of(n: int, *, shuffle: bool, seed: int = IM2REC_SEED) -> Sequence[int]:
    """Return the positions 0 to n - 1 in the order of packing; 8 bytes each where they are shuffled.

    Examples
    --------
    >>> list(order_of(10, shuffle=True))
    [4, 0, 5, 9, 3, 1, 6, 8, 7, 2]
    """
    if not shuffle:
        return range(n)
    order = array("Q", range(n))
    random.Random(seed).shuffle(order)
    return order
