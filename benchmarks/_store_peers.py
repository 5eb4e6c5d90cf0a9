"""The other readers of `compare_object_store.py`, and how their own forms of the data are made.

Each is used as its manual says, with two workers where it has workers. None decodes by itself: all give encoded images
to `_store_read.BatchDecoder`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from _store_read import BATCH_SIZE, BUCKET, N_REQUESTS, N_THREADS, BatchDecoder, Request, StartEpoch, by_ranges

# Shards are as large as recordkit's pages, so that a cold cache needs as many bytes, and each worker has some.
SHARD_BYTES = 8 * 2**20

PACKAGES = {
    "boto3": ("boto3",),
    "s3fs": ("s3fs",),
    "webdataset": ("webdataset", "torch", "boto3"),
    "litdata": ("litdata", "torch", "boto3"),
    "streaming": ("streaming", "torch", "boto3"),
}
"""The modules that each reader imports."""

DISTRIBUTIONS = {"streaming": "mosaicml-streaming"}
"""Names of packages for pip that differ from those of modules."""


def boto3(request: Request) -> StartEpoch:
    """Read a range for each record, in threads; boto3's client may be shared by them."""
    from concurrent.futures import ThreadPoolExecutor

    client, key = _client(), _key(request.url)
    threads = ThreadPoolExecutor(N_REQUESTS)

    def read(bounds: tuple[int, int]) -> bytes:
        answer = client.get_object(Bucket=BUCKET, Key=key, Range=f"bytes={bounds[0]}-{bounds[1] - 1}")
        payload: bytes = answer["Body"].read()
        return payload

    return by_ranges(request, lambda ranges: list(threads.map(read, ranges)))


def s3fs(request: Request) -> StartEpoch:
    """Read the ranges of a batch at once."""
    import s3fs as library

    files = library.S3FileSystem()
    path = request.url.removeprefix("s3://")

    def read_ranges(ranges: list[tuple[int, int]]) -> list[bytes]:
        begins, ends = ([bounds[side] for bounds in ranges] for side in (0, 1))
        payloads: list[bytes] = files.cat_ranges([path] * len(ranges), begins, ends, on_error="raise")
        return payloads

    return by_ranges(request, read_ranges)


def webdataset(request: Request) -> StartEpoch:
    """Read tar shards in two workers, from the body of boto3's answers: no program such as aws is started."""
    import webdataset as library
    from torch.utils.data import DataLoader

    # The package has a function of the name of this module.
    sys.modules["webdataset.gopen"].gopen_schemes["s3"] = _open_body
    listed = _client().list_objects_v2(Bucket=BUCKET, Prefix=f"{_key(request.url)}/")
    urls = [f"s3://{BUCKET}/{each['Key']}" for each in listed["Contents"] if each["Key"].endswith(".tar")]
    collate = _collate(request)
    shards = (
        library.WebDataset(urls, shardshuffle=False, empty_check=False)
        .to_tuple("jpg;png")
        .batched(BATCH_SIZE, collation_fn=lambda samples: collate([payload for (payload,) in samples]))
    )
    return lambda: map(len, DataLoader(shards, batch_size=None, num_workers=N_THREADS))


def litdata(request: Request) -> StartEpoch:
    """Read LitData's chunks with its loader and two workers."""
    from litdata import StreamingDataLoader, StreamingDataset
    from litdata.streaming import downloader

    # The server speaks plain HTTP, which LitData 0.2.76 has no option for.
    downloader._OBSTORE_CLIENT_OPTIONS["allow_http"] = True
    streamed = StreamingDataset(
        request.url, cache_dir=f"{request.cache}/litdata", max_cache_size=request.cache_bytes, shuffle=False
    )
    collate = _collate(request)
    epochs = StreamingDataLoader(
        streamed,
        batch_size=BATCH_SIZE,
        num_workers=N_THREADS,
        collate_fn=lambda samples: collate([sample["image"] for sample in samples]),
    )
    return lambda: map(len, epochs)


def streaming(request: Request) -> StartEpoch:
    """Read Streaming's shards in two workers of PyTorch's loader."""
    from streaming import StreamingDataset
    from torch.utils.data import DataLoader

    streamed = StreamingDataset(
        remote=request.url,
        local=f"{request.cache}/streaming",
        cache_limit=request.cache_bytes,
        batch_size=BATCH_SIZE,
        shuffle=False,
    )
    collate = _collate(request)
    epochs = DataLoader(
        streamed,
        batch_size=BATCH_SIZE,
        num_workers=N_THREADS,
        collate_fn=lambda samples: collate([sample["image"] for sample in samples]),
    )
    return lambda: map(len, epochs)


READERS: dict[str, Callable[[Request], StartEpoch]] = {
    each.__name__: each for each in (boto3, s3fs, webdataset, litdata, streaming)
}


def write_webdataset(rec: Path, folder: Path) -> None:
    """Write tar shards by recordkit's export."""
    from recordkit import RecordDataset
    from recordkit.interop.webdataset.write import write_webdataset as write

    write(RecordDataset(rec), folder, shard_bytes=SHARD_BYTES)


def write_litdata(rec: Path, folder: Path) -> None:
    """Write LitData's chunks, encoded images as they are."""
    from litdata import optimize

    import recordkit as rk

    n = len(rk.RecordDataset(rec))
    optimize(
        fn=_LitDataSample(rec),
        inputs=list(range(n)),
        output_dir=str(folder),
        chunk_bytes=SHARD_BYTES,
        num_workers=1,
        keep_data_ordered=True,
        verbose=False,
    )


class _LitDataSample:
    """Returns one sample; LitData's worker gets this object pickled."""

    def __init__(self, rec: Path) -> None:
        self._rec, self._dataset = rec, None

    def __call__(self, index: int) -> dict[str, Any]:
        import recordkit as rk

        if self._dataset is None:
            self._dataset = rk.RecordDataset(self._rec)  # type: ignore[assignment]
        sample = self._dataset[index]  # type: ignore[index]
        return {"image": bytes(sample.payload), "label": int(sample.label)}


def write_streaming(rec: Path, folder: Path) -> None:
    """Write Streaming's shards, encoded images as they are."""
    from streaming import MDSWriter

    import recordkit as rk

    columns = {"image": "bytes", "label": "int"}
    with (
        MDSWriter(out=str(folder), columns=columns, size_limit=SHARD_BYTES) as writer,
        rk.RecordDataset(rec) as records,
    ):
        for index in range(len(records)):
            sample = records[index]
            writer.write({"image": bytes(sample.payload), "label": int(sample.label)})


WRITERS = {"webdataset": write_webdataset, "litdata": write_litdata, "streaming": write_streaming}
"""Functions that write a .rec file in the form of a peer into a folder, which is uploaded."""


def _client() -> Any:
    import boto3 as library
    from botocore.config import Config

    return library.client("s3", config=Config(max_pool_connections=N_REQUESTS))


def _key(url: str) -> str:
    return url.removeprefix(f"s3://{BUCKET}/")


def _open_body(url: str, mode: str = "rb", bufsize: int = 1 << 16, **_options: Any) -> Any:
    """Open an object as WebDataset's table of schemes asks for."""
    del mode, bufsize
    return _client().get_object(Bucket=BUCKET, Key=_key(url))["Body"]


class _collate:  # noqa: N801 (used as a function; a class, because workers may get it pickled)
    """Returns the images of a batch, or its encoded images."""

    def __init__(self, request: Request) -> None:
        self._decoder = BatchDecoder(request.channels) if request.decode else None

    def __call__(self, payloads: Sequence[bytes]) -> Any:
        import torch

        return list(payloads) if self._decoder is None else torch.from_numpy(self._decoder(payloads))


def main() -> None:
    """Write one form of a .rec file: the arguments are the name of the peer, the file, and the folder."""
    name, rec, folder = sys.argv[1:]
    WRITERS[name](Path(rec), Path(folder))
    print(json.dumps({"n": 1}))


if __name__ == "__main__":
    main()
