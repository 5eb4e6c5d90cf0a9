"""InsightFace's own code reads our files, and its files are read here: with MXNet, and with recordkit in its place.

`RECORDKIT_TEST_INSIGHTFACE` is a copy of InsightFace's repository, of which the folder ``recognition`` is used. Without
it, or without PyTorch or scikit-learn, the tests are skipped; those with MXNet are skipped without it.
"""

import hashlib
import importlib.util
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import recordkit as rk
from recordkit import codec
from recordkit.interop.insightface import (
    read_insightface,
    read_verification_set,
    write_insightface,
    write_verification_set,
)
from recordkit.sources import open_source

pytestmark = pytest.mark.slow
PROGRAM = Path(__file__).parent / "consumer.py"


@pytest.fixture(params=["recordkit", "mxnet"])
def consumer(request):
    """Run an action of consumer.py, and return what it got."""
    checkout = os.environ.get("RECORDKIT_TEST_INSIGHTFACE")
    if not checkout:
        pytest.skip("RECORDKIT_TEST_INSIGHTFACE is not set: no code of InsightFace to run")
    for name in ("torch", "sklearn", *(["mxnet", "cv2"] if request.param == "mxnet" else [])):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")

    def run(*words):
        words = [sys.executable, str(PROGRAM), request.param, checkout, *map(str, words)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout)

    run.reader = request.param
    return run


@pytest.fixture
def faces(tmp_path):
    """A face dataset of 3 people with 2, 3 and 4 images."""
    rng = np.random.default_rng(0)
    for number, name in enumerate(("alice", "bob", "carol")):
        (tmp_path / "people" / name).mkdir(parents=True)
        for image in range(number + 2):
            pixels = rng.integers(0, 256, (112, 112, 3), np.uint8)
            (tmp_path / "people" / name / f"{image}.jpg").write_bytes(codec.encode(pixels, "jpg"))
    write_insightface(open_source(tmp_path / "people"), tmp_path / "faces")
    return tmp_path / "faces"


def expected(folder):
    """Return what consumer.py prints of the samples of a face dataset."""
    with rk.RecordDataset(folder / "train.rec") as dataset:
        pixels = [codec.decode(sample.payload, channels=3) for sample in dataset]
        digests = [hashlib.sha256(image.tobytes()).hexdigest()[:16] for image in pixels]
        return [[int(label), [112, 112, 3], digest] for label, digest in zip(dataset.labels, digests, strict=True)]


def test_arcface_torch_gets_the_samples(consumer, faces, tmp_path):
    assert consumer("samples", faces) == expected(faces)
    write_insightface(read_insightface(faces), tmp_path / "shuffled", shuffle_seed=1)
    assert consumer("samples", tmp_path / "shuffled") == expected(tmp_path / "shuffled")
    assert sorted(expected(tmp_path / "shuffled")) == sorted(expected(faces))


def test_insightfaces_builder_writes_the_same_bytes(consumer, faces, tmp_path):
    assert consumer("build", faces / "train.rec", tmp_path / "built") == [0, 1, 2]
    for name in ("train.rec", "train.idx", "property"):
        assert (tmp_path / "built" / name).read_bytes() == (faces / name).read_bytes()
    assert read_insightface(tmp_path / "built").notes == []


def test_datasets_that_insightface_shuffles_are_read(consumer, faces, tmp_path):
    consumer("rec2shufrec", faces, tmp_path / "other")
    consumer("shuffle", faces)
    with pytest.warns(UserWarning, match="the index does not exist"):  # rec2shufrec.py writes none
        assert sorted(expected(tmp_path / "other")) == sorted(expected(faces))
    shuffled = tmp_path / "shuffled_faces"
    assert sorted(expected(shuffled)) == sorted(expected(faces))
    assert read_insightface(shuffled).notes == []
    assert consumer("samples", shuffled) == expected(shuffled)


def test_arcface_torch_loads_verification_sets(consumer, faces, tmp_path):
    images = [bytes(sample.payload) for sample in rk.RecordDataset(faces / "train.rec")][:8]
    (tmp_path / "a.bin").write_bytes(pickle.dumps((images, [True, False, True, True])))
    write_verification_set(read_verification_set(tmp_path / "a.bin"), tmp_path / "b.bin")
    loaded = consumer("pairs", tmp_path / "b.bin")
    assert loaded == consumer("pairs", tmp_path / "a.bin")
    assert (loaded[0], loaded[-1]) == ([8, 3, 112, 112], [True, False, True, True])
