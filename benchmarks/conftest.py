"""Engines and data that several benchmarks share."""

from pathlib import Path

import data
import pytest

from recordkit import codec, native

ENGINES = ["python", "native"]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Name of each engine that is built."""
    if request.param == "native" and not native.available():
        pytest.skip("the native engine is not built")
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20,000 records of 800 bytes."""
    return data.small_records(tmp_path_factory.mktemp("records") / "a", 20_000)


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """64 photo-like JPEGs of 256 x 341."""
    payloads = [codec.encode(data.photo(seed), "jpg", quality=92) for seed in range(64)]
    return data.write_images(tmp_path_factory.mktemp("photos") / "a", payloads)


@pytest.fixture(scope="session", params=["png", "jpg", "raw"])
def digits(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2,048 digit-like images, in each encoding."""
    payloads = [codec.encode(image[:, :, None], request.param) for image in data.digits(2048)]
    return data.write_images(tmp_path_factory.mktemp(request.param) / "a", payloads)
