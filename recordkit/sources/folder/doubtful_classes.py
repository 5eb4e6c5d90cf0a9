"""Folders that are hardly classes: what is said of them, and the option or the folder to give instead.

- Names that say what files are, not what they show: ``images``, ``masks``, ``unlabeled``.
- Parts of one dataset: ``fold0`` and ``fold1``.
- A copy of the dataset in one of its folders, and folders that all have the same class folders in them, such as those
  of two cameras.
- One folder with everything in it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from recordkit.errors import SourceError, enumerate_some, quoted
from recordkit.sources.folder.node import Node

# Names in lower case, without digits, blanks, "_" and "-".
_MASKS = {
    "mask", "masks", "segmentationclass", "segmentationobject", "segmentation", "annotation", "annotations",
    "label", "labels", "groundtruth", "gt", "trimap", "trimaps",
}  # fmt: skip
_CONTAINERS = _MASKS | {
    "image", "images", "img", "imgs", "jpg", "jpgs", "jpeg", "jpegs", "jpegimages", "png", "pngs", "bmp",
    "ppm", "webp", "tif", "tiff", "picture", "pictures", "pic", "pics", "photo", "photos", "data", "dataset", "rgb",
}  # fmt: skip
_WITHOUT_CLASS = {
    "unlabeled", "unlabelled", "unlabeledimages", "pred", "predict", "prediction", "predictions", "singleprediction",
    "query", "gallery", "probe", "distractors",
}  # fmt: skip
# A photo may be a class beside a painting.
_STYLES = {"photo", "photos", "picture"}
_NEGATIONS = ("no", "non", "not", "without", "un")
_PARTS = {"fold", "kfold", "cv", "split", "part", "batch", "set", "subset", "shard", "chunk", "group", "folder", "dir"}
# Names of folders that say how or when images of a class were made.
_CONDITIONS = {
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", "january", "february",
    "march", "april", "june", "july", "august", "september", "october", "november", "december", "monday", "tuesday",
    "wednesday", "thursday", "friday", "saturday", "sunday", "spring", "summer", "autumn", "winter", "day", "night",
    "morning", "evening", "noon", "left", "right", "front", "back", "rear", "top", "bottom", "side", "above", "below",
    "north", "south", "east", "west", "indoor", "indoors", "outdoor", "outdoors", "inside", "outside", "near", "far",
    "close", "small", "medium", "large", "big", "old", "new", "raw", "original", "originals", "cropped", "crop",
    "resized", "augmented", "augmentation", "flipped", "rotated", "gray", "grey", "grayscale", "color", "colour",
    "depth", "thermal", "infrared", "clean", "noisy", "blurred",
}  # fmt: skip


def is_container(name: str) -> bool:
    """Tell whether a folder is called after the kind of files that it holds, such as ``JPEGImages`` or ``images_2``."""
    is_numbered_label = _word(name) == "label" and name.lower() != "label"
    return _word(name) in _CONTAINERS and not is_numbered_label


def refuse_doubtful_classes(top: Node, *, are_no_splits: bool) -> None:
    """Refuse the folders of a tree as classes if something else is more likely.

    Parameters
    ----------
    top : Node
        The folder that has the class folders.
    are_no_splits : bool
        The user says that the folders are no splits, so that other folders in them are not the classes.

    Raises
    ------
    SourceError
        The folders are hardly classes, or those in them may be the classes.
    """
    try:
        _refuse(top, top.image_folders(), are_no_splits=are_no_splits)
    except SourceError as error:
        raise error.located(path=top.location) from None


def _refuse(top: Node, folders: Sequence[Node], *, are_no_splits: bool) -> None:
    if folders and all(map(_is_hardly_a_class, folders)):
        _refuse_containers(folders)
    if not are_no_splits:
        _refuse_parts(folders)
        _refuse_copies(folders)
        _refuse_same_folders(folders)
    _refuse_no_classes(top, _list_no_classes(folders))
    _refuse_one_folder(folders)
    _refuse_masks(top)


def _is_hardly_a_class(folder: Node) -> bool:
    return is_container(folder.name) or _word(folder.name) in _WITHOUT_CLASS


def _list_no_classes(folders: Sequence[Node]) -> list[Node]:
    """Return the folders that are hardly classes beside others that may be: not ``mask`` beside ``no_mask``."""
    others = {_word(folder.name) for folder in folders if not _is_hardly_a_class(folder)}
    return [
        folder
        for folder in folders
        if _is_hardly_a_class(folder)
        and _word(folder.name) not in _STYLES
        and others.isdisjoint(beginning + _word(folder.name) for beginning in _NEGATIONS)
    ]


def _refuse_containers(folders: Sequence[Node]) -> None:
    they = "it is a class" if len(folders) == 1 else "they are classes"
    raise SourceError(
        _do_not_look_like_classes(folders),
        advice=f"give {' or '.join(quoted(_deepest(folder).location) for folder in folders)} alone, or "
        f"`class_from=first` if {they}",
    )


def _refuse_parts(folders: Sequence[Node]) -> None:
    texts = {re.sub(r"\d+", "0", folder.name) for folder in folders}
    words = {word.lower() for text in texts for word in re.findall(r"[^\W\d_]+", text)}
    if len(folders) < 2 or len(texts) > 1 or "0" not in texts.pop() or not words & (_PARTS | _CONTAINERS - {"label"}):
        return
    classes = {name for folder in folders for name in _leaf_names(folder) if not is_container(name)}
    inner = (
        "`class_from=last`, for the folders in them as classes" if classes else f"{quoted(folders[0].location)} alone"
    )
    raise SourceError(
        f"{_names(folders)} look like parts of one dataset, not like classes",
        advice=f"give {inner}, or `class_from=first` if they are classes",
    )


def _refuse_copies(folders: Sequence[Node]) -> None:
    """Refuse a folder that has folders of the same names as those beside it."""
    names = {folder.name for folder in folders}
    for folder in folders:
        inner_names = {inner.name for inner in folder.walk() if inner is not folder and inner.has_images()}
        repeated = sorted(inner_names & names - {folder.name})
        if len(repeated) > 1:
            raise SourceError(
                f"'{folder.name}' has folders of the same names as those beside it: {enumerate_some(repeated)}",
                advice=f"move {folder.location} away if it is a copy or another set, or give `class_from=last` "
                "for one class of each name, or `class_from=first` if it is a class",
            )


def _refuse_same_folders(folders: Sequence[Node]) -> None:
    """Refuse folders that all have folders of the same names in them."""
    if len(folders) < 2:
        return
    same = set.intersection(*({name for names, _ in folder.walk_names() for name in names} for folder in folders))
    classes = sorted(name for name in same if _may_be_a_class(name))
    if len(classes) > 1:
        is_last = all(set(classes).issubset(_leaf_names(folder)) for folder in folders)
        inner = "`class_from=last` for the latter" if is_last else f"{quoted(folders[1].location)} alone"
        raise SourceError(
            f"{_names(folders)} have the same folders in them ({enumerate_some(classes)}), and either may be the "
            "classes",
            advice=f"give `class_from=first` for the former, {inner}, or {quoted(folders[0].location)} alone",
        )


def _may_be_a_class(name: str) -> bool:
    is_word = re.fullmatch(r"[^\W\d_]{3,}([\W_]+[^\W\d_]+)*", name) is not None
    return is_word and not is_container(name) and name.lower() not in _CONDITIONS


def _refuse_no_classes(top: Node, folders: Sequence[Node]) -> None:
    if folders:
        them, they = ("it", "it is a class") if len(folders) == 1 else ("them", "they are classes")
        raise SourceError(
            _do_not_look_like_classes(folders),
            advice=f"move {them} out of {top.location}, or give `class_from=first` if {they}",
        )


def _refuse_one_folder(folders: Sequence[Node]) -> None:
    # A folder that is called like a split comes here only if the user has said that it is a class.
    if len(folders) == 1 and folders[0].role is None and folders[0].image_folders():
        inner = _deepest(folders[0])
        raise SourceError(
            f"all images are below one folder, '{folders[0].name}', which has folders of its own",
            advice=f"give {quoted(inner.location)} alone if these are the classes, or `class_from=first` for one class",
        )


def _refuse_masks(top: Node) -> None:
    """Refuse folders of masks or the like beside the images of a class."""
    folders = [(names, folder) for names, folder in top.walk_names() if folder.n_images]
    masks = [names for names, _ in folders if any(_word(name) in _MASKS for name in names[1:])]
    if masks and len(masks) < len(folders):
        verb = (
            "does not look like images of its class" if len(masks) == 1 else "do not look like images of their classes"
        )
        raise SourceError(
            f"{enumerate_some([repr('/'.join(names)) for names in masks])} {verb}",
            advice=f"move {'it' if len(masks) == 1 else 'them'} away, or give `class_from=first`, which packs all "
            "images",
        )


def _leaf_names(folder: Node) -> list[str]:
    """Return the names of the folders below this one that have images directly in them."""
    return [inner.name for inner in folder.walk() if inner is not folder and inner.n_images]


def _deepest(folder: Node) -> Node:
    """Return the first folder with images or with several folders, going down."""
    while not folder.n_images and len(folder.image_folders()) == 1:
        folder = folder.image_folders()[0]
    return folder


def _do_not_look_like_classes(folders: Sequence[Node]) -> str:
    return f"{_names(folders)} {'does not look like a class' if len(folders) == 1 else 'do not look like classes'}"


def _names(folders: Sequence[Node]) -> str:
    return enumerate_some([f"'{folder.name}'" for folder in folders])


def _word(name: str) -> str:
    return re.sub(r"[\d\s_-]+", "", name).lower()
