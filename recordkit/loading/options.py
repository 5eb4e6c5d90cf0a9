"""The arguments of a loader, checked together."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import PlanError, plural
from recordkit.loading.native import choose_engine
from recordkit.loading.plan import LoadPlan
from recordkit.loading.probe import check_label_options
from recordkit.sampling.order import Order, Sequential, Shuffled
from recordkit.sampling.sampler import Sampler
from recordkit.threads import count_threads

ON_ERROR = ("raise", "skip", "replace")

# The arguments for what arguments of torch's DataLoader and of torchvision's datasets do.
_MEANT = {
    "num_workers": "threads=...",
    "drop_last": 'last_batch="drop"',
    "transform": "transforms=[...]",
    "sampler": "shuffle=..., which takes an order of recordkit.sampling.order",
    "generator": "seed=...",
}


@dataclass(frozen=True, kw_only=True)
class LoaderOptions:
    """The arguments of `recordkit.Loader`, which describes them, without the path.

    They are checked as far as they do not depend on a dataset. A loader is made of them, and its pickle has them.

    Attributes
    ----------
    plan : LoadPlan
        The arguments that decide about the items of a batch.

    Raises
    ------
    PlanError
        Arguments are out of range or contradict each other.
    MissingError
        The engine is not built.
    """

    batch_size: int
    transforms: Sequence[object] = ()
    shuffle: bool | Order = False
    seed: int = 0
    threads: int = 0
    engine: str = "auto"
    dtype: Any = None
    layout: str = "NHWC"
    channels: int | str = 3
    label: str = "array"
    label_dtype: Any = "stored"
    last_batch: str = "keep"
    rank: tuple[int, int] = (0, 1)
    on_error: str = "raise"
    check: bool = False
    exact: bool = False
    memory: int | str | None = None
    cache_dir: str | Path | None = None
    cache_bytes: int | str | None = None
    plan: LoadPlan = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.on_error not in ON_ERROR:
            raise PlanError(argument="on_error", expected=f"one of {', '.join(ON_ERROR)}", got=repr(self.on_error))
        if not (isinstance(self.rank, Sequence) and len(self.rank) == 2):
            raise PlanError(argument="rank", expected="(number of this loader, number of loaders)", got=repr(self.rank))
        if not isinstance(self.shuffle, bool | Order):
            raise PlanError(
                argument="shuffle", expected="True, False or an order such as Pages(n)", got=repr(self.shuffle)
            )
        plan = LoadPlan(self.transforms, self.dtype, self.layout, self.channels, self.seed, self.exact)
        object.__setattr__(self, "plan", plan)
        check_label_options(self.label, self.label_dtype)
        choose_engine(self.engine)
        count_threads(self.threads)

    def open_dataset(self, path: str | Path | Sequence[str | Path] | RecordDataset) -> RecordDataset:
        """Open the dataset of a loader, or return the one that is given.

        Raises
        ------
        PlanError
            A dataset is given, and arguments that it had to be opened with.
        FormatError, NotFoundError
            The dataset cannot be opened.
        """
        if not isinstance(path, RecordDataset):
            return RecordDataset(
                path,
                check=self.check,
                on_error="raise" if self.on_error == "raise" else "skip",
                cache_dir=self.cache_dir,
                cache_bytes=self.cache_bytes,
            )
        for name in ("cache_dir", "cache_bytes"):
            if getattr(self, name) is not None:
                raise PlanError(argument=name, expected="a path", got="a dataset", advice="open the dataset with it")
        if self.check and not path.is_checked:
            raise PlanError(
                argument="check", expected="a dataset with checksums", got=path, advice="open it with `check`"
            )
        return path

    def make_sampler(self, n_samples: int) -> Sampler:
        """Return the division of the samples of a dataset into batches.

        Raises
        ------
        PlanError
            The order is one of another number of samples, or they do not fill a batch.
        """
        order = self._make_order(n_samples)
        n_ranks = self.rank[1]
        sampler = Sampler(
            order=order,
            batch_size=self.batch_size,
            rank=self.rank[0],
            n_ranks=n_ranks,
            last_batch=self.last_batch,  # type: ignore[arg-type]  # any str, which Sampler checks
        )
        if not sampler.n_batches():
            raise PlanError(
                argument="last_batch",
                expected=f"enough samples for a batch of {self.batch_size} for each of {n_ranks} ranks with 'drop'",
                got=order.n,
                advice="make `batch_size` smaller, or keep or pad the last batch",
            )
        return sampler

    def _make_order(self, n_samples: int) -> Order:
        """Return the order that the argument `shuffle` asks for."""
        if isinstance(self.shuffle, bool):
            return Shuffled(n_samples, self.plan.seed) if self.shuffle else Sequential(n_samples)
        if self.shuffle.n_samples != n_samples:
            raise PlanError(
                argument="shuffle",
                expected=f"an order of {plural(n_samples, 'sample')}",
                got=f"one of {self.shuffle.n_samples}",
            )
        return self.shuffle


def check_names(options: Mapping[str, object], loader: str, meant: Mapping[str, str] | None = None) -> None:
    """Refuse an argument that a loader does not have, with the one that the caller means by it.

    Parameters
    ----------
    options : mapping of str to object
        Arguments by name.
    loader : str
        Where the loader is imported from, for the error.
    meant : mapping of str to str, optional
        Further answers, by the name of an argument that is refused.

    Raises
    ------
    TypeError
        An argument has another name, as in a call of any function.
    """
    names = {option.name for option in fields(LoaderOptions) if option.init}
    for name in options.keys() - names:
        near = ", ".join(f"{each}=..." for each in difflib.get_close_matches(name, names, n=1))
        advice = (_MEANT | dict(meant or {})).get(name) or near
        raise TypeError(
            f"Loader() got an unexpected keyword argument {name!r}; "
            + (f"did you mean {advice}?" if advice else f"help({loader}) lists them")
        )
