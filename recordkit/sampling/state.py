"""Where a loader was left: a few numbers and names that fit into JSON and say how to go on, exact to the sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from recordkit.errors import FormatError, PlanError
from recordkit.sampling.permutation import MAX_N

VERSION = 1
"""Of the fields below and of every order: a change of what an order gives needs a new one."""


@dataclass(frozen=True, kw_only=True)
class LoaderState:
    """The next sample of a loader.

    Neither batch size nor ranks are part of it: whoever goes on may choose others.

    Attributes
    ----------
    fingerprint : str
        Of the dataset.
    n_samples : int
        Of the dataset.
    order : str
        The ``repr`` of the order.
    seed : int, 0 to 2**64 - 1
        Of the transforms.
    epoch : int, 0 to 2**32 - 1, default 0
    position : int, 0 to `MAX_N`, default 0
        Samples of the epoch's order that all ranks together were given.
    version : int
        `VERSION` of the recordkit that wrote it.

    Examples
    --------
    >>> own = LoaderState(fingerprint="5d41", n_samples=60, order="Shuffled(n=60, seed=3)", seed=3)
    >>> later = own.at(epoch=1, position=48)
    >>> later.to_dict()["position"]
    48
    >>> LoaderState.from_dict(later.to_dict(), own=own) == later
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
        """Return the state of the same loader at another place."""
        return replace(self, epoch=epoch, position=position)

    def to_dict(self) -> dict[str, int | str]:
        """Return the fields by name, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: Mapping[str, object], *, own: LoaderState) -> LoaderState:
        """Return a state that was saved, if the loader that is to go on from it gives the same samples.

        Parameters
        ----------
        saved : mapping of str to int or str
            What `to_dict` returned.
        own : LoaderState
            Any state of the loader that is to go on.

        Raises
        ------
        FormatError
            `saved` is not a state, or one of another version.
        PlanError
            It is of another dataset, order or seed.
        """
        if saved.get("version") != VERSION:
            raise FormatError(
                f"loader state: expected version {VERSION}, got {saved.get('version')!r}; "
                "go on with the recordkit that saved it, or begin the epoch anew"
            )
        if saved.keys() != (names := own.to_dict().keys()):
            raise FormatError(f"loader state: expected {', '.join(names)}, got {', '.join(map(str, saved))}")
        for name, mine in own.to_dict().items():
            if name not in ("epoch", "position") and saved[name] != mine:
                raise PlanError(
                    f"loader state: {name}: expected {mine!r}, as this loader has it, got {saved[name]!r}; "
                    "open the data it was saved for with the options of then, or begin the epoch anew"
                )
        return own.at(epoch=_whole(saved, "epoch", 2**32 - 1), position=_whole(saved, "position", MAX_N))


def _whole(saved: Mapping[str, object], name: str, most: int) -> int:
    value = saved[name]
    if type(value) is not int or not 0 <= value <= most:
        raise FormatError(f"loader state: {name}: expected a whole number from 0 to {most}, got {value!r}")
    return value
