"""`recordkit.cluster.rank`: training processes share an epoch, and go on with another number of them."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import recordkit as rk
import recordkit.cluster

N = 90
WORKER = Path(__file__).with_name("train_worker.py")


@pytest.fixture
def digits(tmp_path):
    """Ninety tiny images with the keys 0 to 89."""
    import numpy as np

    from recordkit.formats import ubyte

    (tmp_path / "train-images-idx3-ubyte").write_bytes(ubyte.pack(np.zeros((N, 8, 8), np.uint8)))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(ubyte.pack(np.zeros(N, np.uint8)))
    rk.pack(tmp_path, tmp_path / "digits", plan=rk.PackPlan(encoding="raw"))
    return tmp_path / "digits_train.rec"


def train(tmp_path, path, *phases):
    """Run the phases of a training, (kind of loader, number of ranks, number of batches); return their results."""
    root = str(Path(rk.__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": root, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    arguments = [sys.executable, WORKER, path, tmp_path, json.dumps(phases)]
    result = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def keys_of(results):
    return Counter(key for result in results for keys in result["keys"] for key in keys)


def test_a_process_alone_has_the_whole_epoch():
    assert rk.cluster.rank() == (0, 1)


def test_each_sample_comes_once_when_three_ranks_become_two(tmp_path, digits):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    first, rest = train(tmp_path, digits, ("arrays", 3, 4), ("arrays", 2, None))
    assert [len(result["keys"]) for result in first] == [4, 4, 4]
    assert len({json.dumps(result["state"]) for result in first}) == 1
    assert len(rest[0]["keys"]) == len(rest[1]["keys"])
    assert keys_of(first) + keys_of(rest) == Counter(range(N))
    assert {result["state"]["epoch"] for result in rest} == {1}


@pytest.mark.parametrize("kind", ["arrays", "torch"])
def test_ranks_that_read_from_a_store_become_fewer_with_an_empty_cache(tmp_path, digits, object_store, kind):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    for path in digits.parent.glob("digits_train.*"):
        object_store.put(f"sets/{path.name}", path.read_bytes())
    first, rest = train(tmp_path, f"{object_store.url}/sets/digits_train.rec", (kind, 3, 4), (kind, 2, None))
    assert keys_of(first) + keys_of(rest) == Counter(range(N))
    caches = [list((tmp_path / f"meeting-{number}-cache").glob("objects/*/pages/*")) for number in range(2)]
    assert [len(pages) for pages in caches] == [1, 1]


def test_loaders_of_arrays_and_of_tensors_go_on_for_each_other(tmp_path, digits):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    phases = train(tmp_path, digits, ("arrays", 2, 3), ("torch", 3, 2), ("arrays", 1, None))
    assert sum(map(keys_of, phases), Counter()) == Counter(range(N))


@pytest.mark.slow
def test_workers_of_ray_train_share_an_epoch(ray, tmp_path, digits):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from ray.train import RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    def work(config):
        from recordkit.cluster.ranks import _train_rank, rank

        assert _train_rank() == rank()
        number, n_ranks = rank()
        loader = rk.Loader(config["path"], batch_size=4, rank=(number, n_ranks), last_batch="pad", channels=1)
        keys = [batch.key[: batch.n_valid].tolist() for batch in loader]
        Path(config["folder"], f"{number}.json").write_text(json.dumps({"keys": keys, "n_ranks": n_ranks}))

    trainer = TorchTrainer(
        work,
        train_loop_config={"path": str(digits), "folder": str(tmp_path)},
        scaling_config=ScalingConfig(num_workers=2),
        run_config=RunConfig(storage_path=str(tmp_path / "runs")),
    )
    assert trainer.fit().error is None
    results = [json.loads((tmp_path / f"{number}.json").read_text()) for number in range(2)]
    assert [result["n_ranks"] for result in results] == [2, 2]
    assert keys_of(results) == Counter(range(N))
