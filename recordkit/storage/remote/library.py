"""obstore, the client of all stores, imported when the first store is opened."""

from __future__ import annotations

from typing import Any

from recordkit.errors import MissingError

_INSTALL = "pip install 'recordkit[remote]'"


def load(scheme: str) -> Any:
    """Import obstore and return it.

    Parameters
    ----------
    scheme : str
        Scheme of the URL, for the error.

    Raises
    ------
    MissingError
        It is not installed.
    """
    try:
        import obstore
        import obstore.exceptions
        import obstore.store
    except ImportError as error:
        reason = "" if error.name == "obstore" else f", and it does not load: {error}"
        raise MissingError(f"reading {scheme}:// needs obstore{reason}", advice=_INSTALL) from None
    return obstore
