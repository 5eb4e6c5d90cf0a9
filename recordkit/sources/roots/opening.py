"""Opening the folder of a list's images, here or in a store. What reads stores is imported at the first URL."""

from __future__ import annotations

import os
from pathlib import Path

from recordkit.sources.outside import ImageRoot
from recordkit.storage.remote.urls import is_url


def open_root(folder: str | Path, *, allow_outside: bool, listed: bool = False) -> ImageRoot:
    """Return the folder that the paths of a list start from.

    Parameters
    ----------
    folder : str or Path
        A folder of this machine or the URL of one.
    allow_outside : bool
        Allow paths that lead out of the folder.
    listed : bool, default False
        List a folder of a store with all folders below it, so that it is known which images exist.

    Raises
    ------
    RemoteError, NotFoundError
        The store does not answer or refuses; a web server has no list.
    """
    if not is_url(folder):
        return ImageRoot(os.fspath(folder), allow_outside=allow_outside)
    from recordkit.sources.roots.listed import open_stored_root

    return open_stored_root(folder, allow_outside=allow_outside, listed=listed)
