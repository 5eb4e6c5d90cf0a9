"""Training on a dataset in an object store."""

import numpy as np
import pytest
from click.testing import CliRunner

import recordkit as rk
from recordkit.cli.main import recordkit
from recordkit.errors import PlanError
from recordkit.interop.fetch.datasets import DATASETS
from recordkit.interop.fetch.download import fetch
from recordkit.training.data.iterators import resolve_iterator


def test_train_eval_and_predict_read_urls(mx, tiny_mnist, tmp_path, object_store, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rk.pack(tiny_mnist, tmp_path / "digits")
    for path in tmp_path.glob("digits_t*"):
        object_store.put(path.name, path.read_bytes())
    url = f"{object_store.url}/digits_train.rec"
    for command in (f"train {url} --num-epochs 1 --batch-size 10", f"eval digits_train-model/book {url}"):
        result = CliRunner().invoke(recordkit, command.split(), catch_exceptions=False)
        assert result.exit_code == 0, result.output
    result = CliRunner().invoke(recordkit, ["predict", "digits_train-model/book", url], catch_exceptions=False)
    assert np.all([line.startswith(f"{url}[") for line in result.output.splitlines()])


@pytest.mark.parametrize("iterator", ["mxnet", "gluon"])
def test_mxnets_iterators_refuse_urls(iterator):
    with pytest.raises(PlanError, match=f"^iterator: expected recordkit, which alone reads URLs, got {iterator}$"):
        resolve_iterator(iterator, "s3://bucket/train.rec")


def test_nothing_is_fetched_to_a_url():
    with pytest.raises(PlanError, match="^folder: expected a path of this machine, got the URL s3://bucket/mnist$"):
        fetch(DATASETS["mnist"], "s3://bucket/mnist")
