"""recordkit's batches in MXNet's training loops."""

import gc
import logging
import subprocess
import sys

import numpy as np
import pytest
from images import picture, save, write

from recordkit.interop import mxnet

OPTIONS = {"data_shape": (1, 12, 12), "batch_size": 8}


@pytest.fixture(scope="module")
def halves(tmp_path_factory):
    """50 gray images whose left half (label 0) or right half (label 1) is bright."""
    payloads = []
    for number in range(50):
        image = np.random.default_rng(number).integers(0, 100, (12, 12, 1), np.uint8)
        image[:, 6 * (number % 2) :][:, :6] += 150
        payloads.append(save(picture(image), "PNG"))
    return write(tmp_path_factory.mktemp("rec") / "halves.rec", payloads, [float(n % 2) for n in range(50)])


def test_batches_are_mxnets_arrays_and_are_never_overwritten(mx, halves, engine):
    iterator = mxnet.ImageRecordIter(path_imgrec=halves, engine=engine, **OPTIONS)
    assert isinstance(iterator, mx.io.DataIter) and iterator.batch_size == 8
    assert iterator.provide_data == [mx.io.DataDesc("data", (8, 1, 12, 12))] == [("data", (8, 1, 12, 12))]
    assert iterator.provide_data[0].dtype == np.float32 and iterator.provide_label[0].layout == "NCHW"
    kept = list(iterator)
    copies = [batch.data[0].asnumpy().copy() for batch in kept]
    assert [batch.pad for batch in kept] == [0] * 6 + [6] and kept[-1].index.tolist() == [48, 49, 0, 1, 2, 3, 4, 5]
    with pytest.raises(StopIteration):
        iterator.next()
    for _ in range(3):
        iterator.reset()
        list(iterator)
    gc.collect()
    assert all(np.array_equal(batch.data[0].asnumpy(), copy) for batch, copy in zip(kept, copies, strict=True))
    real = mx.io.ImageRecordIter(path_imgrec=str(halves), verbose=False, **OPTIONS)
    for ours, theirs in zip(copies, real, strict=True):
        assert np.array_equal(ours, theirs.data[0].asnumpy())


@pytest.mark.parametrize("dtype", ["uint8", "int8", "float16", "float32"])
def test_arrays_have_the_requested_dtype(mx, halves, dtype):
    batch = mxnet.ImageRecordIter(path_imgrec=halves, dtype=dtype, **OPTIONS).next()
    assert batch.data[0].dtype == np.dtype(dtype) and batch.label[0].dtype == np.float32
    assert isinstance(batch.data[0], mx.nd.NDArray) and batch.label[0].shape == (8,)


def test_the_arrays_of_a_batch_can_be_fetched_one_by_one(mx, halves):
    ours = mxnet.ImageRecordIter(path_imgrec=halves, **OPTIONS)
    real = mx.io.ImageRecordIter(path_imgrec=str(halves), verbose=False, **OPTIONS)
    for _ in range(2):
        assert ours.iter_next() and real.iter_next()
        for a, b in ((ours.getdata(), real.getdata()), (ours.getlabel(), real.getlabel())):
            assert type(a) is type(b) and np.array_equal(a.asnumpy(), b.asnumpy())
        assert ours.getpad() == real.getpad() == 0
        real.first_batch = None  # otherwise MXNet returns it again


def test_arrays_are_on_the_cpu_in_any_default_context(mx, halves):
    with mx.cpu(1):  # or a GPU
        batch = mxnet.ImageRecordIter(path_imgrec=halves, **OPTIONS).next()
    assert batch.data[0].context == batch.label[0].context == mx.cpu(0)


def test_module_trains_on_it(mx, halves):
    mx.random.seed(1)
    train = mxnet.ImageRecordIter(path_imgrec=halves, shuffle=True, mean_r=128, std_r=64, **OPTIONS)
    net = mx.sym.FullyConnected(mx.sym.flatten(mx.sym.Variable("data")), num_hidden=2)
    module = mx.mod.Module(mx.sym.SoftmaxOutput(net, name="softmax"), logger=logging.getLogger("quiet"))
    module.fit(train, num_epoch=4, optimizer_params={"learning_rate": 0.1}, eval_data=train)
    train.reset()
    assert module.score(train, "acc")[0][1] == 1
    assert module.predict(train).shape == (50, 2)  # without the padding


def test_a_gluon_loop_trains_on_it(mx, halves):
    mx.random.seed(1)
    net = mx.gluon.nn.Dense(2)
    net.initialize()
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1})
    loss_of = mx.gluon.loss.SoftmaxCrossEntropyLoss()
    batches = mxnet.ImageRecordIter(path_imgrec=halves, shuffle=True, mean_r=128, std_r=64, **OPTIONS)
    losses = []
    for _ in range(4):
        for batch in batches:
            with mx.autograd.record():
                loss = loss_of(net(batch.data[0]), batch.label[0])
            loss.backward()
            trainer.step(8)
            losses.append(float(loss.mean().asscalar()))
        batches.reset()
    assert losses[-1] < 0.2 < losses[0]


def test_a_process_that_holds_batches_exits_cleanly(mx, halves):
    script = (
        "import sys; from recordkit.interop import mxnet\n"
        "batches = mxnet.ImageRecordIter(path_imgrec=sys.argv[1], data_shape=(1, 12, 12), batch_size=8)\n"
        "kept = [batch.data[0] * 2 for batch in batches] + [batches]"
    )
    subprocess.run([sys.executable, "-c", script, str(halves)], check=True)
