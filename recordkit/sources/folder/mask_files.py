"""A note on images that are masks of other images by their names, such as ``1_mask.png`` beside ``1.png``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from recordkit.errors import plural
from recordkit.sources.image_tree import join_name

_WORDS = ("mask", "segmentation", "groundtruth")
_MASK = re.compile(rf"[-_ ]?({'|'.join(_WORDS)})[-_ ]?\d*\.[^.]+$", re.IGNORECASE)


def note_on_masks(files: Mapping[str, Sequence[str]], folders: Iterable[str]) -> str | None:
    """Return a note if images are called like others in their folder, with the word for a mask after it.

    Parameters
    ----------
    files : mapping of str to sequence of str
        The names of the images in each folder.
    folders : iterable of str
        The folders to look at.

    Examples
    --------
    >>> note_on_masks({"cat": ["1.png", "1_mask.png"]}, ["cat"])
    '1 image is called like the mask of another one, cat/1_mask.png beside cat/1.png, and is packed too'
    """
    masks: list[tuple[str, str]] = []
    for folder in folders:
        text = "\n".join(files[folder]).lower()
        if not any(word in text for word in _WORDS):
            continue
        names = {name.rpartition(".")[0]: name for name in files[folder]}
        for name in files[folder]:
            if (match := _MASK.search(name)) and (image := names.get(name[: match.start()])):
                masks.append((join_name(folder, name), join_name(folder, image)))
    if not masks:
        return None
    example = f"{masks[0][0]} beside {masks[0][1]}"
    if len(masks) == 1:
        return f"1 image is called like the mask of another one, {example}, and is packed too"
    return f"{plural(len(masks), 'image')} are called like masks of others, such as {example}, and are packed too"
