"""The saved state of a loader: JSON values with which an epoch continues at the exact sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from numbers import Integral

from recordkit.errors import FormatError, PlanError
from recordkit.sampling.permutation import MAX_N

VERSION = 1
"""Version of the fields below and of all orders. It must increase if an order returns other indices than before."""

MAX_EPOCH = 2**32 - 1
"""The largest number of an epoch: random draws have 32 bits for it."""


def check_epoch(epoch: int) -> None:
    """Refuse a number that no epoch has.

    Raises
    ------
    PlanError
        `epoch` is not 0 to `MAX_EPOCH`.
    """
    if not (isinstance(epoch, Integral) and 0 <= epoch <= MAX_EPOCH):
        raise PlanError(argument="epoch", expected="0 to 2**32 - 1", got=repr(epoch))


@dataclass(frozen=True, kw_only=True)
class LoaderState:
    """The position of a loader's next sample, and the facts that identify its sequence of samples.

    Batch size and ranks are not part of the state, so an epoch can continue with others.

    Attributes
    ----------
    fingerprint : str
        Fingerprint of the dataset.
    n_samples : int
        Number of samples in the dataset.
    order : str
        The ``repr`` of the order.
    seed : int, 0 to 2**64 - 1
        Seed of the transforms.
    epoch : int, 0 to 2**32 - 1, default 0
    position : int, 0 to `MAX_N`, default 0
        Number of samples of the epoch that all ranks together have had.
    version : int
        `VERSION` of the recordkit that wrote it.

    Examples
    --------
    >>> state = LoaderState(fingerprint="5d41", n_samples=60, order="Shuffled(n=60, seed=3)", seed=3)
    >>> later = state.at(epoch=1, position=48)
    >>> later.to_dict()["position"]
    48
    >>> LoaderState.from_dict(later.to_dict(), current=state) == later
    True
    """

    fingerprint: str
    n_samples: int
    order: str
    seed: int
    epoch: int = 0
    position: int = 0
    version: int = VERSION

    def at(self, *, epoch: int, position: int) -> LoaderState:
        """Return the state of the same loader at another position."""
        return replace(self, epoch=epoch, position=position)

    def to_dict(self) -> dict[str, int | str]:
        """Return the fields by name, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: Mapping[str, object], *, current: LoaderState) -> LoaderState:
        """Return a saved state, after a check that the loader of `current` gives the same samples.

        Parameters
        ----------
        saved : mapping of str to int or str
            The result of `to_dict`.
        current : LoaderState
            Any state of the loader that continues.

        Raises
        ------
        FormatError
            `saved` is not a state, or has another version.
        PlanError
            The dataset, the order or the seed differ.
        """
        if not isinstance(saved, Mapping) or "version" not in saved:
            raise FormatError(
                "loader state",
                expected="what state_dict() of a loader returned",
                got="a mapping with other keys" if isinstance(saved, Mapping) else type(saved).__name__,
            )
        if saved["version"] != VERSION:
            raise FormatError(
                "loader state",
                expected=f"version {VERSION}",
                got=repr(saved["version"]),
                advice="continue with the version of recordkit that saved it, or start the epoch again",
            )
        if saved.keys() != (names := current.to_dict().keys()):
            raise FormatError("loader state", expected=", ".join(names), got=", ".join(map(str, saved)))
        for name, value in current.to_dict().items():
            if name not in ("epoch", "position") and saved[name] != value:
                raise PlanError(
                    f"loader state: {name}",
                    expected=f"{value!r}, as in this loader",
                    got=repr(saved[name]),
                    advice="open the same data with the same arguments as when it was saved, or start the epoch again",
                )
        return current.at(epoch=_whole(saved, "epoch", MAX_EPOCH), position=_whole(saved, "position", MAX_N))


def _whole(saved: Mapping[str, object], name: str, largest: int) -> int:
    value = saved[name]
    if type(value) is not int or not 0 <= value <= largest:
        raise FormatError(f"loader state: {name}", expected=f"a whole number from 0 to {largest}", got=repr(value))
    return value
