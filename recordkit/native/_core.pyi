import numpy as np
from numpy.typing import NDArray

ABI: int

def build() -> dict[str, str]: ...
def frame_records(
    keys: NDArray[np.uint64],
    labels: NDArray[np.float32],
    bounds: NDArray[np.uint64],
    payloads: list[bytes],
    *,
    first_label: bool,
) -> tuple[bytes, list[int]]: ...

class Transcoder:
    def __init__(self, *, channels: int, crop: bool, filter: str, side: int, encoding: str, quality: int) -> None: ...
    def __call__(self, contents: list[bytes | NDArray[np.uint8]]) -> list[bytes | None]: ...
