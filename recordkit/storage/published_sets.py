"""The sets that a program publishes, so that it can name them when it is interrupted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

published_prefixes: ContextVar[list[Path] | None] = ContextVar("published_prefixes", default=None)
"""The list to which each `recordkit.storage.staging.Staging` adds its prefix; None outside `published_sets`."""


@contextlib.contextmanager
def published_sets() -> Iterator[list[Path]]:
    """Collect what is published in a block, so that a program that is interrupted can say what it has written.

    A block inside another one has a list of its own, and the outer list does not get its prefixes. Neither do sets that
    other threads publish.

    Returns
    -------
    prefixes : list of Path
        It grows in the block by the prefix of each `Staging` that is made there and publishes.

    Examples
    --------
    >>> import tempfile
    >>> from recordkit.storage.staging import Staging
    >>> with published_sets() as prefixes, Staging(Path(tempfile.mkdtemp(), "train")) as staging:
    ...     staging.create("train.rec").close()
    ...     staging.commit()
    >>> [prefix.name for prefix in prefixes]
    ['train']
    """
    prefixes: list[Path] = []
    token = published_prefixes.set(prefixes)
    try:
        yield prefixes
    finally:
        published_prefixes.reset(token)
