# Accuracy and speed of a checkpoint: mnist_test.py PREFIX EPOCH REC
import sys
import time

import mxnet as mx

prefix, epoch, rec = sys.argv[1], int(sys.argv[2]), sys.argv[3]
batch_size = 50
test_dataiter = mx.io.ImageRecordIter(
    path_imgrec=rec, data_shape=(1, 28, 28), batch_size=batch_size, mean_r=128, scale=0.00390625
)

mod = mx.mod.Module.load(prefix, epoch, context=mx.gpu(2))
mod.bind(data_shapes=test_dataiter.provide_data, label_shapes=test_dataiter.provide_label, for_training=False)
metric = mx.metric.create("acc")
mod.score(test_dataiter, metric)
for name, val in metric.get_name_value():
    print("{}={:.2f}%".format(name, val * 100))

# forward time of a batch
batch = mx.io.DataBatch([mx.random.uniform(-1, 1, (batch_size, 1, 28, 28), ctx=mx.gpu(2))], [])
for i in range(25):
    if i == 5:
        tic = time.time()
    mod.forward(batch, is_train=False)
    for output in mod.get_outputs():
        output.wait_to_read()
print("{:.3f} ms for a batch of {}".format((time.time() - tic) / 20 * 1000, batch_size))
