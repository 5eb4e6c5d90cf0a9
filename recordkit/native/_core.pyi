from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from recordkit.memory import MemoryBudget

ABI: int

def build() -> dict[str, str]: ...
def jpeg_versions() -> tuple[str, str]: ...
def frame_records(
    keys: NDArray[np.uint64],
    labels: NDArray[np.float32],
    bounds: NDArray[np.uint64],
    payloads: list[bytes],
    *,
    first_label: bool,
    checksums: bool,
) -> tuple[bytes, list[int], bytes]: ...

class Transcoder:
    def __init__(
        self, *, channels: int, crop: bool, filter: str, side: int, encoding: str, quality: int, planes: bool = False
    ) -> None: ...
    def __call__(
        self,
        contents: list[bytes | NDArray[np.uint8]],
        budget: MemoryBudget | None = None,
        max_bytes: int = 18446744073709551615,
        stopped: bytearray | None = None,
    ) -> list[bytes | None]: ...

class Records:
    def __init__(
        self,
        files: list[RecordFile],
        file_numbers: NDArray[np.int64],
        offsets: NDArray[np.uint64],
        ends: NDArray[np.uint64],
        checksums: NDArray[np.uint32],
        positions: NDArray[np.int64],
        epoch: int,
    ) -> None: ...

class Payloads:
    def __init__(
        self, data: NDArray[np.uint8], bounds: NDArray[np.uint64], positions: NDArray[np.uint64], epoch: int
    ) -> None: ...

class BatchLoader:
    def __init__(
        self,
        *,
        steps: list[dict[str, object]],
        channels: int,
        gray_only: bool,
        scale_in_dct: bool,
        seed: int,
        dtype: str,
        planar: bool,
        height: int,
        width: int,
        mean: NDArray[np.float32],
        factor: NDArray[np.float32],
    ) -> None: ...
    def load(
        self,
        records: Records,
        data: NDArray[np.generic],
        labels: NDArray[np.float32],
        budget: MemoryBudget,
        stopped: bytearray,
    ) -> NDArray[np.int64]: ...
    def images(
        self,
        records: Records,
        labels: NDArray[np.float32],
        take: Callable[[int, NDArray[np.uint8]], object],
        budget: MemoryBudget,
        stopped: bytearray,
    ) -> NDArray[np.int64]: ...
    def load_payloads(
        self, payloads: Payloads, data: NDArray[np.generic], budget: MemoryBudget, stopped: bytearray
    ) -> NDArray[np.int64]: ...
    def payload_images(
        self,
        payloads: Payloads,
        take: Callable[[int, NDArray[np.uint8]], object],
        budget: MemoryBudget,
        stopped: bytearray,
    ) -> NDArray[np.int64]: ...

def measure_records(
    records: Records, facts: NDArray[np.int64], budget: MemoryBudget | None, stopped: bytearray | None
) -> NDArray[np.int64]: ...
def check_records(
    file: RecordFile, offsets: NDArray[np.uint64], budget: MemoryBudget | None, stopped: bytearray | None
) -> tuple[NDArray[np.uint64], NDArray[np.float32], NDArray[np.uint64], NDArray[np.uint32], NDArray[np.uint8]]: ...

class Extents:
    def __init__(self, size: int, fetch: Callable[[int, int], object]) -> None: ...
    @property
    def size(self) -> int: ...
    @property
    def n_bytes_in_memory(self) -> int: ...
    def add_file(self, begin: int, end: int, path: object, offset: int = 0) -> None: ...
    def add_bytes(self, begin: int, data: bytes) -> None: ...
    def remove(self, begin: int, end: int) -> None: ...
    def missing(self, begins: NDArray[np.uint64], ends: NDArray[np.uint64]) -> list[tuple[int, int]]: ...
    def read(self, size: int, offset: int, at_least: int | None = None) -> bytes: ...

class RecordFile:
    def __init__(
        self, path: object, extents: Extents | None = None, on_close: Callable[[], object] | None = None
    ) -> None: ...
    @property
    def size(self) -> int: ...
    def close(self) -> None: ...
    def read(self, offset: int) -> tuple[bytes, int]: ...
    def read_ahead(self, offset: int) -> list[tuple[bytes, int]]: ...
    def read_frame(self, offset: int) -> tuple[bytes, bytes]: ...
    def scan(self, begin: int = 0, progress: Callable[[int], object] | None = None) -> NDArray[np.uint64]: ...
    def read_many(
        self, offsets: NDArray[np.uint64], n_threads: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint64]]: ...
    def headers(
        self, offsets: NDArray[np.uint64]
    ) -> tuple[NDArray[np.uint64], NDArray[np.float32], NDArray[np.uint64]]: ...
    def payload_sizes(self, offsets: NDArray[np.uint64]) -> NDArray[np.uint64]: ...
    def heads(self, begin: int, end: int) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]: ...
    def digests(
        self, offsets: NDArray[np.uint64], *, payload: bool
    ) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]: ...
    def same_payloads(
        self, offsets: NDArray[np.uint64], other: RecordFile, other_offsets: NDArray[np.uint64]
    ) -> NDArray[np.uint8]: ...
    def advise(self, offsets: NDArray[np.uint64], record_bytes: int) -> None: ...

def read_files(paths: list[bytes], max_bytes: int, total_bytes: int) -> list[bytes | None]: ...
def read_idx(path: object, n_threads: int) -> tuple[NDArray[np.uint64] | None, NDArray[np.uint64]]: ...
def copy_records(
    files: list[RecordFile],
    file_numbers: NDArray[np.int64],
    offsets: NDArray[np.uint64],
    ends: NDArray[np.uint64],
    checksums: NDArray[np.int64],
    keys: NDArray[np.uint64] | None,
    labels: NDArray[np.float32] | None,
    bounds: NDArray[np.uint64] | None,
) -> tuple[NDArray[np.uint8], NDArray[np.uint64], NDArray[np.uint32], NDArray[np.uint32]]: ...
def idx_lines(keys: NDArray[np.uint64], offsets: NDArray[np.uint64]) -> bytes: ...
