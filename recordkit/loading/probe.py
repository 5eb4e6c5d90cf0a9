"""The format of all batches of a dataset, found once from the transforms and some samples."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recordkit import codec
from recordkit.arguments import dtype_name
from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import FormatError, ImageError, PlanError
from recordkit.loading.engine import with_sample_location
from recordkit.loading.item import apply_transforms, to_batch_item
from recordkit.loading.plan import ItemFormat, LoadPlan
from recordkit.loading.remote.fetching import start_fetching
from recordkit.transforms.transform import output_size

FORMS = ("array", "pad", "list")
LABEL_DTYPES = ("stored", "auto", "int64", "float32")

# Samples whose size is tried before giving up: the first ones, then others from all over the file.
_N_FIRST, _N_SPREAD = 100, 1000
# Samples whose labels and channels decide about those of all batches: as many first ones as others from all over the
# file. Each may be a request to a store.
_N_PROBED, _N_PROBED_IN_STORE = 100, 8
# Number of random draws that are tried to see whether the transforms after the last crop change the size.
_N_DRAWS = 4


class LabelFormat(NamedTuple):
    """The format of the labels of all batches.

    Attributes
    ----------
    form : {"array", "pad", "list"}
        "array": all samples have as many labels as the first one. "pad": any number, filled up to the widest
        sample of the batch. "list": an array for each sample.
    dtype : {"int64", "float32"}
    n_columns : int
        Number of labels of a sample that the engine reads into `BatchArrays.labels`: 0 if they differ, which are read
        by `recordkit.loading.labels.LabelReader`.
    """

    form: str
    dtype: str
    n_columns: int


class BatchFormat(NamedTuple):
    """The format of all batches. A copy of a loader in another process gets it, and reads no sample to find it.

    Attributes
    ----------
    fingerprint : str
        Fingerprint of the dataset.
    plan : LoadPlan
        The plan, with the number of channels of the images.
    item : ItemFormat
        Shape and dtype of a sample.
    labels : LabelFormat
    """

    fingerprint: str
    plan: LoadPlan
    item: ItemFormat
    labels: LabelFormat


def find_batch_format(dataset: RecordDataset, plan: LoadPlan, *, label: str, label_dtype: Any) -> BatchFormat:
    """Return the format of the batches of a dataset; some samples are read if the arguments leave it open.

    Parameters
    ----------
    dataset : RecordDataset
    plan : LoadPlan
    label, label_dtype
        Arguments of `recordkit.Loader`.

    Raises
    ------
    ImageError
        The transforms do not fix the size of the images, and the first samples cannot be decoded.
    FormatError
        No sample can be read.
    PlanError
        A transform does not return an image, or a function raised an error or returns no array.
    """
    plan = find_channels(dataset, plan)
    labels = find_label_format(dataset, form=label, dtype=label_dtype)
    return BatchFormat(dataset.fingerprint, plan, find_format(dataset, plan), labels)


def find_format(dataset: RecordDataset, plan: LoadPlan) -> ItemFormat:
    """Return the format of the items of a batch.

    If the transforms do not fix the size, or functions make the items, the first sample that can be decoded gives it.

    Raises
    ------
    ImageError
        None of the samples that were tried can be decoded.
    PlanError
        A transform does not return an image, or a function raised an error or returns no array.
    """
    size = None if plan.functions else find_fixed_size(plan)
    return plan.image_format(size) if size is not None else _first_format(dataset, plan)


def format_of_size(plan: LoadPlan, size: tuple[int, int]) -> ItemFormat:
    """Return the format of the items of images of a size. Functions are tried on an image of noise.

    Raises
    ------
    PlanError
        A function raised an error or returns no array.
    """
    if not plan.functions:
        return plan.image_format(size)
    noise = np.random.default_rng(0).integers(0, 256, (*size, plan.channels), np.uint8)
    values = to_batch_item(noise, plan)
    return ItemFormat(values.shape, values.dtype)


def find_channels(dataset: RecordDataset, plan: LoadPlan) -> LoadPlan:
    """Return a plan for gray images if it keeps the channels of the images and those that are probed are gray."""
    if plan.keeps_channels and _are_gray(dataset):
        return replace(plan, channels=1, gray_only=True)
    return plan


def probed_indices(dataset: RecordDataset) -> Iterator[int]:
    """Yield the indices of the samples that decide, the first ones and others from all over the file, each once.

    Those in a store are fetched together.
    """
    n = len(dataset)
    n_probed = _N_PROBED_IN_STORE if dataset.is_remote else _N_PROBED
    spread = np.linspace(0, n - 1, n_probed).astype(int).tolist()
    indices = list(dict.fromkeys([*range(min(n, n_probed)), *spread]))
    fetch = start_fetching(dataset, np.array(indices))
    try:
        fetch.wait()
        yield from indices
    finally:
        fetch.release()


def _are_gray(dataset: RecordDataset) -> bool:
    """Tell whether some samples are gray, which is False if none of them can be decoded."""
    seen_gray = False
    for index in probed_indices(dataset):
        with contextlib.suppress(FormatError, ImageError):
            if not codec.is_gray(dataset[index].payload):
                return False
            seen_gray = True
    return seen_gray


def find_fixed_size(plan: LoadPlan) -> tuple[int, int] | None:
    """Return the height and width that the transforms make of any image; None if they depend on the image.

    The last transform with an `output_size` decides. The transforms after it are tried on a black image.

    Raises
    ------
    PlanError
        A transform does not return an image.

    Examples
    --------
    >>> from recordkit.transforms import CenterCrop, RandomCrop, RandomFlip, Resize
    >>> find_fixed_size(LoadPlan([Resize(256), RandomCrop(224), RandomFlip()]))
    (224, 224)
    >>> find_fixed_size(LoadPlan([CenterCrop(), Resize(256)]))
    """
    for number in reversed(range(len(plan.steps))):
        size = output_size(plan.steps[number])
        if size is not None:
            return _size_after(plan, number + 1, size)
    return None


def _size_after(plan: LoadPlan, first: int, size: tuple[int, int]) -> tuple[int, int] | None:
    """Return the size that the transforms from `first` on make of an image of `size`; None if it is random."""
    if first == len(plan.steps):
        return size
    image = np.zeros((*size, plan.channels), np.uint8)
    results = [apply_transforms(image, plan, 0, position, first=first) for position in range(_N_DRAWS)]
    sizes = {(result.shape[0], result.shape[1]) for result in results}
    return sizes.pop() if len(sizes) == 1 else None


def _first_format(dataset: RecordDataset, plan: LoadPlan) -> ItemFormat:
    """Return the format of the item of the first sample that can be decoded."""
    n, errors = len(dataset), []
    tried = dict.fromkeys([*range(min(n, _N_FIRST)), *np.linspace(0, n - 1, _N_SPREAD).astype(int).tolist()])
    for index in tried:
        try:
            image = codec.decode(dataset[index].payload, channels=plan.channels)
            values = to_batch_item(apply_transforms(image, plan, 0, index), plan)
        except PlanError as error:
            raise with_sample_location(error, dataset, index) from error.__cause__
        except (FormatError, ImageError) as error:
            errors.append(error)
            continue
        return ItemFormat(values.shape, values.dtype)
    first = with_sample_location(errors[0], dataset, 0)
    advice = (first.advice, f"none of the {len(tried)} samples that were tried can be loaded")
    if len(tried) == 1:
        advice = (first.advice, "")
    raise ImageError(
        first.problem,
        path=first.path,
        argument=first.argument,
        offset=first.offset,
        key=first.key,
        advice="; ".join(filter(None, advice)),
    ) from first


def check_label_options(form: str, dtype: Any) -> str:
    """Refuse values that the arguments `label` and `label_dtype` of a loader cannot have, and return the second's name.

    Raises
    ------
    PlanError
        `form` or `dtype` is not allowed.
    """
    name: str = dtype_name(dtype)
    if form not in FORMS:
        raise PlanError(argument="label", expected=f"one of {', '.join(FORMS)}", got=repr(form))
    if name not in LABEL_DTYPES:
        raise PlanError(argument="label_dtype", expected=f"one of {', '.join(LABEL_DTYPES)}", got=repr(name))
    return name


def find_label_format(dataset: RecordDataset, *, form: str, dtype: Any) -> LabelFormat:
    """Return the format of the labels of a dataset.

    Parameters
    ----------
    dataset : RecordDataset
    form : {"array", "pad", "list"}
    dtype : {"stored", "auto", "int64", "float32"} or a type of NumPy or PyTorch
        "stored": int64 if the dataset has exact labels, otherwise float32. "auto": int64 also if the labels of some
        samples are whole numbers; a pass over all would take minutes for millions of records.

    Raises
    ------
    PlanError
        `form` or `dtype` is not allowed.
    FormatError
        No sample can be read.
    """
    dtype = check_label_options(form, dtype)
    n_columns = count_labels(dataset) if form == "array" else 0
    if dtype == "stored":
        dtype = "int64" if dataset.has_exact_labels else "float32"
    elif dtype == "auto":
        dtype = "int64" if dataset.has_exact_labels or _have_whole_labels(dataset) else "float32"
    return LabelFormat(form, dtype, n_columns)


def count_labels(dataset: RecordDataset) -> int:
    """Return the number of labels of the first sample that can be read.

    Raises
    ------
    FormatError
        No sample can be read.
    """
    for index in range(len(dataset)):
        with contextlib.suppress(FormatError):
            return np.atleast_1d(dataset[index].label).size
    return np.atleast_1d(dataset[0].label).size  # raises the error of the first sample


def _have_whole_labels(dataset: RecordDataset) -> bool:
    """Tell whether the labels of some samples are whole numbers; False if none of them can be read."""
    seen = []
    for index in probed_indices(dataset):
        with contextlib.suppress(FormatError):
            seen.append(bool(are_whole(dataset.labels_at(np.array([index]))[0]).all()))
            if not seen[-1]:
                return False
    return bool(seen)


def are_whole(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell of each label whether it is a whole number that an int64 holds."""
    result: NDArray[np.bool_] = (np.trunc(labels) == labels) & (np.abs(labels) < 2.0**63)  # False for NaN
    return result
