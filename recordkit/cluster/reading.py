"""Reading .rec files as a Ray dataset."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recordkit.cluster.library import import_ray
from recordkit.cluster.read_plan import choose_n_tasks
from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import FormatError, PlanError
from recordkit.loading.probe import count_labels


def read(
    path: str | Path | Sequence[str | Path],
    *,
    classes: bool = False,
    label_lists: bool | None = None,
    check: bool = False,
    concurrency: int | None = None,
    override_num_blocks: int | None = None,
    ray_remote_args: Mapping[str, Any] | None = None,
) -> Any:
    """Return the records of .rec files as a Ray dataset, without decoding the images.

    The files are opened here, on the driver, for their indexes alone. The tasks then read ranges of about 100 MB, each
    from one file, so every machine must reach the files by the same path or URL.

    Parameters
    ----------
    path : str, Path, or sequence of them
        Path as for `recordkit.RecordDataset`.
    classes : bool, default False
        Add the column "class", the name of each sample's class.
    label_lists : bool, optional
        Give labels as lists of numbers. By default they are lists if the first sample has several.
    check : bool, default False
        Compare each record with its CRC-32 in PREFIX.crc.
    concurrency : int, optional
        Most tasks that read at once; by default as many as Ray finds room for.
    override_num_blocks : int, optional
        Number of blocks, each of which a task reads; by default four for each CPU of the cluster, fewer if they were
        smaller than 8 MB, and more if they were larger than 100 MB.
    ray_remote_args : mapping of str, optional
        Ray's options of the tasks that read, such as `num_cpus`, `memory`, `resources` and `runtime_env`. They are
        given to Ray in the way that its version wants, which since 2.60 is a parameter for each.

    Returns
    -------
    dataset : ray.data.Dataset
        The columns are "key" (uint64), "label" (float32, or int64 if the dataset has exact labels, or a list of them),
        "class" (string) if asked for, and "image" (large_binary), the encoded image. Ray gives the order of the files
        if ``ray.data.DataContext.get_current().execution_options.preserve_order`` is true; otherwise blocks come in
        the order in which they are read.

    Raises
    ------
    MissingError
        Ray is not installed.
    PlanError
        Names of classes are asked for, and the dataset has none, or several labels for each sample.
    FormatError, NotFoundError
        The dataset cannot be opened, or has no samples. A damaged record is an error of the task that reads it.

    Examples
    --------
    >>> import ray, recordkit.cluster
    >>> dataset = recordkit.cluster.read("train.manifest.json")  # doctest: +SKIP
    >>> dataset.write_parquet("s3://bucket/train")  # doctest: +SKIP
    """
    ray, ray_data = import_ray(), import_ray("ray.data")
    from recordkit.cluster.datasource import RecordDatasource
    from recordkit.cluster.record_table import TableForm

    dataset = RecordDataset(path, check=check)
    if not len(dataset):
        raise FormatError(path=str(dataset.files[0]), expected="samples", got="none")
    exact = dataset.exact_labels(np.arange(1))
    n_labels = count_labels(dataset) if exact is None else exact.size
    has_lists = n_labels > 1 if label_lists is None else label_lists
    names = _class_names(dataset, has_lists=has_lists) if classes else None
    form = TableForm(exact is not None, has_lists, names)
    source = RecordDatasource(dataset, form)
    if override_num_blocks is None:
        if not ray.is_initialized():
            ray.init()  # as Ray does by itself a little later
        n_cpus = int(ray.cluster_resources().get("CPU", 1))
        override_num_blocks = choose_n_tasks(source.estimate_inmemory_data_size(), n_cpus)
    return ray_data.read_datasource(
        source,
        concurrency=concurrency,
        override_num_blocks=override_num_blocks,
        **_task_options(ray_data.read_datasource, ray_remote_args or {}),
    )


def _task_options(read_datasource: Callable[..., Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of Ray's tasks as its parameters, and as its `ray_remote_args` those that are no parameters.

    Checked with Ray 2.40, which has that alone, and 2.60, which deprecates it. Ray refuses unknown options in it.
    """
    known = inspect.signature(read_datasource).parameters
    named = {name: value for name, value in options.items() if name in known}
    others = {name: value for name, value in options.items() if name not in known}
    return {**named, **({"ray_remote_args": others} if others else {})}


def _class_names(dataset: RecordDataset, *, has_lists: bool) -> dict[int, str]:
    if has_lists:
        raise PlanError(argument="classes", expected="one label for each sample, to name its class", got="lists")
    if dataset.classes is None:
        raise PlanError(
            argument="classes",
            path=str(dataset.files[0]),
            expected="class names in the description of the set",
            got="none",
            advice="leave out `classes`, or name them with 'recordkit relabel'",
        )
    return {label: name for name, label in dataset.classes.items()}
