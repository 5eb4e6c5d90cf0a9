"""The format of all batches of a dataset, found once from the transforms and some samples."""

from __future__ import annotations

from typing import NamedTuple

from recordkit.dataset.dataset import RecordDataset
from recordkit.loading.labels import LabelFormat, find_label_format
from recordkit.loading.plan import ItemFormat, LoadPlan
from recordkit.loading.probe import find_channels, find_format


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


def find_batch_format(dataset: RecordDataset, plan: LoadPlan, *, label: str, label_dtype: str) -> BatchFormat:
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
