"""Writing a Ray dataset of images into shards of .rec files, with the packing of `recordkit.cluster.pack`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recordkit.cluster.block_source import BlockSource
from recordkit.cluster.library import import_ray
from recordkit.cluster.packing.pack import ClusterPackReport, pack
from recordkit.packing.plan import PackPlan


def write(
    dataset: Any,
    prefix: str | Path,
    *,
    plan: PackPlan | None = None,
    classes: Mapping[str, int] | None = None,
    **options: Any,
) -> ClusterPackReport:
    """Write a Ray dataset of images into shards and a manifest, a shard in each task.

    The dataset is executed once, in its order, and kept in Ray's object store, which spills it to disk if memory is
    short. The files depend on its rows and on `plan`, not on blocks or machines. If the driver or a machine is lost,
    the same call with a dataset of the same rows writes only the shards that are missing.

    Parameters
    ----------
    dataset : ray.data.Dataset
        Columns: "image" with encoded images, or with uint8 arrays of shape (H, W) or (H, W, C); "label" with a number
        or a list of them; optionally "key" with whole numbers, by default the position of the row; optionally "class"
        with the name of the label.
    prefix : str or Path
        As for `recordkit.cluster.pack`.
    plan : PackPlan, optional
        As for `recordkit.cluster.pack`; ``plan.shards`` is the number of tasks. Encoded images are copied, unless an
        option such as `resize` needs pixels; arrays are encoded as ``plan.encoding``.
    classes : mapping of str to int, optional
        Label by class name; by default that of the column "class", if there is one.
    **options
        The other arguments of `recordkit.cluster.pack`: engine, memory, progress and scratch.

    Returns
    -------
    report : ClusterPackReport

    Raises
    ------
    SourceError
        A column is missing or of another type, a key is there twice, or a class has two labels.
    PlanError, FormatError, PackError, PublishError, ClusterError, MissingError
        As `recordkit.cluster.pack` raises them.

    Examples
    --------
    >>> import recordkit.cluster
    >>> from recordkit import PackPlan
    >>> dataset = ray.data.read_parquet("s3://bucket/photos")  # doctest: +SKIP
    >>> report = recordkit.cluster.write(dataset, "out/train", plan=PackPlan(shards=8))  # doctest: +SKIP
    """
    import_ray("ray.data")
    return pack(BlockSource(dataset, classes), prefix, plan=plan, **options)
