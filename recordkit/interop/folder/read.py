"""Reading a folder of images back: by the list beside it, if there is one, which has all keys and labels."""

from __future__ import annotations

from pathlib import Path

from recordkit.sample import Source
from recordkit.sources import ListSource, open_source
from recordkit.sources.classes import find_classes


def read_folder(path: str | Path) -> Source | dict[str, Source]:
    r"""Open a folder of images, or what `write_folder` wrote: with the list beside the folder, or the lists in it.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    source : Source, or dict of str to Source
        A dict has a source for each split.

    Raises
    ------
    NotFoundError, SourceError, FormatError
        See `recordkit.sources.open_source`.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp(), "digits")
    >>> folder.mkdir()
    >>> (folder / "a.png").touch()
    >>> _ = folder.with_name("digits.lst").write_text("7\t4\ta.png\n")
    >>> read_folder(folder).entries([0])
    [Entry(key=7, labels=(4,), name='a.png')]
    """
    folder = Path(path)
    if (list_path := _list_beside(folder)).is_file():
        return _open_list(list_path, folder)
    if folder.is_dir():
        names = sorted(item.name for item in folder.iterdir() if item.is_dir())
        if names and all(_list_beside(folder / name).is_file() for name in names):
            return {name: _open_list(_list_beside(folder / name), folder / name) for name in names}
    return open_source(folder)


def _list_beside(folder: Path) -> Path:
    return folder.parent / f"{folder.name}.lst"


def _open_list(path: Path, root: Path) -> Source:
    return ListSource(path, root, classes=find_classes(path))
