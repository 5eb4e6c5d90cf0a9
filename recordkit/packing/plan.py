"""The settings of a pack: order, splits, pixels, labels and bad samples."""

from __future__ import annotations

from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Literal, get_args

from recordkit.codec import ENCODINGS, OTHER_DECODERS, Channels
from recordkit.errors import PlanError
from recordkit.packing.splits import IM2REC_SEED
from recordkit.transforms import Resize
from recordkit.transforms.resize import Filter

OnError = Literal["report", "skip", "raise"]
Labels = Literal["all", "first"]


@dataclass(frozen=True, kw_only=True, repr=False)
class PackPlan:
    """The settings of a pack. Every field has a default.

    Attributes
    ----------
    shuffle : bool or None, default None
        Pack in shuffled order. None shuffles folders, as im2rec does, and ubyte files if a split is taken from them;
        lists keep their order.
    seed : int, default 100
        Seed of the shuffle; 100 gives im2rec's order.
    val_ratio, test_ratio : float, 0 to 1, default 0
        Fractions of the samples for PREFIX_val and PREFIX_test; the rest goes to PREFIX_train. In a folder of ubyte
        files only the training split is divided.
    shards : int, default 1
        Number of sets, PREFIX_0 to PREFIX_n, that the samples are divided into before the splits are taken.
    resize : int or None
        Length of the short side, in pixels.
    filter : str, default "antialias"
        Filter of the resize, see `recordkit.transforms.resize`; im2rec's is "bilinear".
    exact : bool, default False
        Resize the pixels that readers see. False resizes the planes of a JPEG that becomes a JPEG, with the filter
        "antialias", as they are stored: Y, Cb and Cr. This is faster, and differs as `recordkit.packing.native` says.
    center_crop : bool, default False
        Keep the central square, before the resize.
    channels : {3, 1, "keep"} or None
        3 is RGB, 1 is gray, "keep" is as stored. None is 3 if files are re-encoded, and "keep" for ubyte files.
    encoding : {"jpg", "png", "raw"} or None
        None is jpg if files are re-encoded, and png for ubyte files.
    quality : int or None
        JPEG quality 1 to 100 (default 95) or PNG level 0 to 9 (default 3).
    pass_through : bool or None, default None
        Copy the bytes of the files. None copies them unless one of the six fields above needs pixels.
    decoders : tuple of str, default ()
        Further formats to decode, of those in `recordkit.codec.OTHER_DECODERS`, if files are re-encoded.
    any_file : bool, default False
        Also copy files that do not begin like an image, as im2rec does.
    labels : {"all", "first"}, default "all"
        Pack all labels of a row, or only the first, as im2rec does without ``pack_label``.
    exact_labels : bool, default False
        Keep whole labels exactly, in PREFIX.labels.npy; the .rec file has them rounded to float32.
    checksums : bool, default True
        Write the CRC-32 of each record to PREFIX.crc, 4 bytes per record; `recordkit.upkeep.verify` and readers with
        ``check=True`` find damaged records by it.
    first_label_in_header : bool, default False
        Also write the first of several labels into the header, as the native im2rec does.
    on_error : {"report", "skip", "raise"}, default "report"
        A bad sample is left out and named in PREFIX.failed.tsv. "report" counts the pack as failed, "skip" does not.
        "raise" ends the pack at the first bad sample, and nothing is written.
    write_list : bool, default True
        Write PREFIX.lst with the packed rows. A list that is the source is never overwritten.
    threads : int, 0 to 1024, default 0
        Number of threads; 0 is the number of CPUs this process may use.

    Raises
    ------
    PlanError
        A value is out of range, or two values contradict each other.

    Examples
    --------
    >>> import numpy as np, recordkit as rk, tempfile
    >>> prefix = tempfile.mkdtemp() + "/digits"
    >>> plan = rk.PackPlan(val_ratio=0.5, resize=14, encoding="jpg")
    >>> [each.n_packed for each in rk.pack((np.zeros((6, 28, 28), np.uint8), np.arange(6)), prefix, plan=plan).sets]
    [3, 3]
    """

    shuffle: bool | None = None
    seed: int = IM2REC_SEED
    val_ratio: float = 0.0
    test_ratio: float = 0.0
    shards: int = 1
    resize: int | None = None
    filter: Filter = "antialias"
    exact: bool = False
    center_crop: bool = False
    channels: Channels | None = None
    encoding: Literal["jpg", "png", "raw"] | None = None
    quality: int | None = None
    pass_through: bool | None = None
    decoders: tuple[str, ...] = ()
    any_file: bool = False
    labels: Labels = "all"
    exact_labels: bool = False
    checksums: bool = True
    first_label_in_header: bool = False
    on_error: OnError = "report"
    write_list: bool = True
    threads: int = 0

    def __repr__(self) -> str:
        changes = [
            f"{each.name}={getattr(self, each.name)!r}"
            for each in fields(self)
            if getattr(self, each.name) != each.default
        ]
        return f"PackPlan({', '.join(changes)})"

    def __post_init__(self) -> None:
        if self.resize is not None:
            Resize(self.resize, self.filter)
        elif self.filter != "antialias":
            raise PlanError(f"`filter` {self.filter!r} needs a resize", advice="set `resize` too")
        _check_choice("channels", self.channels, (3, 1, "keep", None))
        _check_choice("encoding", self.encoding, (*ENCODINGS, None))
        _check_choice("labels", self.labels, get_args(Labels))
        _check_choice("on_error", self.on_error, get_args(OnError))
        _check_minimum("shards", self.shards, 1)
        _check_minimum("threads", self.threads, 0)
        if not isinstance(self.seed, Integral):
            raise PlanError(argument="seed", expected="a whole number", got=repr(self.seed))
        _check_choice("shuffle", self.shuffle, (True, False, None))
        self._check_quality()
        self._check_decoders()
        if not all(isinstance(ratio, Real) for ratio in (self.val_ratio, self.test_ratio)) or not (
            0 <= self.val_ratio <= 1 and 0 <= self.test_ratio <= 1 and self.val_ratio + self.test_ratio <= 1
        ):
            raise PlanError(
                "`val_ratio` and `test_ratio`",
                expected="fractions from 0 to 1 with a sum of at most 1",
                got=f"{self.val_ratio!r} and {self.test_ratio!r}",
            )
        if self.pass_through and self._needs_pixels():
            raise PlanError(
                "`pass_through` copies bytes; it cannot be combined with `resize`, `center_crop`, `channels`, "
                "`encoding` or `quality`"
            )

    def _check_quality(self) -> None:
        if self.quality is None:
            return
        if self.encoding == "raw":
            raise PlanError(argument="quality", message="raw images have none", advice="leave it out")
        low, high, unit = (0, 9, "PNG level") if self.encoding == "png" else (1, 100, "JPEG quality")
        if not isinstance(self.quality, Integral) or not low <= self.quality <= high:
            raise PlanError(argument="quality", expected=f"a {unit} of {low} to {high}", got=repr(self.quality))

    def _check_decoders(self) -> None:
        if not isinstance(self.decoders, tuple):
            raise PlanError(argument="decoders", expected="a tuple of names", got=repr(self.decoders))
        for name in self.decoders:
            _check_choice("decoders", name, tuple(OTHER_DECODERS))
        if self.decoders and not self._needs_pixels():
            raise PlanError(
                "`decoders` decode images, and this plan copies them", advice="set `encoding` too, for example to jpg"
            )

    def _needs_pixels(self) -> bool:
        settings = (self.resize, self.channels, self.encoding, self.quality)
        return self.center_crop or any(setting is not None for setting in settings)

    def passes_through(self, *, pixels: bool) -> bool:
        """Tell whether the bytes of the images are copied.

        Parameters
        ----------
        pixels : bool
            True if the source holds pixels, which have no bytes to copy.

        Raises
        ------
        PlanError
            `pass_through` is set for a source of pixels.
        """
        if pixels and self.pass_through:
            raise PlanError(
                argument="pass_through", message="ubyte files hold pixels, so there are no encoded images to copy"
            )
        return not pixels and not self._needs_pixels()

    def resizes_planes(self, encoding: str, channels: Channels) -> bool:
        """Tell whether JPEGs are resized as they are stored (`exact`), for an encoding and channels of the result."""
        is_resized = self.resize is not None and self.filter == "antialias" and not self.exact
        return is_resized and encoding == "jpg" and channels in (3, "keep")

    def splits(self) -> bool:
        """Tell whether the samples are divided into train, val and test."""
        return self.val_ratio > 0 or self.test_ratio > 0

    def shuffles(self, order: str) -> bool:
        """Tell whether a source with this `Source.order` is shuffled."""
        if self.shuffle is not None:
            return self.shuffle
        return order == "walked" or (order == "published" and self.splits())


def plan_or_default(plan: PackPlan | None) -> PackPlan:
    """Return the plan of a pack, by default one without settings.

    Raises
    ------
    PlanError
        `plan` is something else, such as a dict or the class.
    """
    if plan is None:
        return PackPlan()
    if not isinstance(plan, PackPlan):
        raise PlanError(argument="plan", expected="a PackPlan", got=repr(plan), advice="PackPlan(...) makes one")
    return plan


def _check_choice(argument: str, value: object, choices: tuple[object, ...]) -> None:
    if value not in choices:
        raise PlanError(argument=argument, expected=f"one of {', '.join(map(str, choices))}", got=repr(value))


def _check_minimum(argument: str, value: int, minimum: int) -> None:
    if not isinstance(value, Integral):
        raise PlanError(argument=argument, expected="a whole number", got=repr(value))
    if value < minimum:
        raise PlanError(argument=argument, expected=f"at least {minimum}", got=value)
