# Two outputs for two labels of an image: multi_label.py REC
import logging
import sys

import mxnet as mx
import numpy as np

logging.basicConfig(level=logging.INFO)
batch_size = 40


class MultiIter(mx.io.DataIter):
    """Gives each column of the labels a name of its own."""

    def __init__(self, data_iter):
        super(MultiIter, self).__init__()
        self.data_iter = data_iter
        self.batch_size = data_iter.batch_size

    @property
    def provide_data(self):
        return self.data_iter.provide_data

    @property
    def provide_label(self):
        return [("digit_label", (self.batch_size,)), ("even_label", (self.batch_size,))]

    def hard_reset(self):
        self.data_iter.hard_reset()

    def reset(self):
        self.data_iter.reset()

    def next(self):
        batch = self.data_iter.next()
        label = batch.label[0]
        return mx.io.DataBatch(data=batch.data, label=[label[:, 0], label[:, 1]], pad=batch.pad, index=batch.index)


class MultiAccuracy(mx.metric.EvalMetric):
    """Accuracy of each output."""

    def __init__(self, num):
        self.num = num
        super(MultiAccuracy, self).__init__("multi-accuracy")

    def reset(self):
        self.hits = np.zeros(self.num, dtype=np.int)
        self.count = 0

    def update(self, labels, preds):
        mx.metric.check_label_shapes(labels, preds)
        for i in range(self.num):
            self.hits[i] += (preds[i].asnumpy().argmax(axis=1) == labels[i].asnumpy().astype(np.int)).sum()
        self.count += labels[0].shape[0]

    def get(self):
        return ["accuracy-%d" % i for i in range(self.num)], list(self.hits / np.float(max(self.count, 1)))


train = mx.io.ImageRecordIter(
    path_imgrec=sys.argv[1], data_shape=(1, 28, 28), batch_size=batch_size, label_width=2, scale=1.0 / 255, shuffle=True
)
data = mx.symbol.Variable("data")
fc1 = mx.symbol.FullyConnected(mx.symbol.Flatten(data), name="fc1", num_hidden=128)
act1 = mx.symbol.Activation(fc1, act_type="relu")
digit = mx.symbol.FullyConnected(act1, name="fc_digit", num_hidden=10)
even = mx.symbol.FullyConnected(act1, name="fc_even", num_hidden=2)
group = mx.symbol.Group([mx.symbol.SoftmaxOutput(digit, name="digit"), mx.symbol.SoftmaxOutput(even, name="even")])
print(group.list_outputs(), group.list_arguments()[-1])

devs = [mx.gpu(0)] if mx.context.num_gpus() > 0 else [mx.cpu()]
mod = mx.mod.Module(group, context=devs, label_names=["digit_label", "even_label"])
metric = MultiAccuracy(num=2)
mod.fit(
    MultiIter(train),
    num_epoch=6,
    optimizer_params={"learning_rate": 0.1, "momentum": 0.9, "wd": 0.00001},
    initializer=mx.init.Xavier(factor_type="in", magnitude=2.34),
    eval_metric=metric,
    batch_end_callback=mx.callback.Speedometer(batch_size, 5),
)
print("%s: %.3f %s: %.3f" % tuple(x for pair in metric.get_name_value() for x in pair))
