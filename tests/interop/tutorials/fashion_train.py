# LeNet on Fashion-MNIST with Gluon.
import time

import mxnet as mx
import numpy as np
from mxnet import autograd, gluon, init, nd
from mxnet.gluon import loss as gloss
from mxnet.gluon import nn
from mxnet.gluon.data.vision import transforms


def try_gpu():
    try:
        ctx = mx.gpu()
        _ = nd.array([0], ctx=ctx)
    except mx.base.MXNetError:
        ctx = mx.cpu()
    return ctx


def evaluate_accuracy(data_iter, net, ctx):
    acc_sum, n = nd.array([0], ctx=ctx), 0
    for X, y in data_iter:
        X, y = X.as_in_context(ctx), y.as_in_context(ctx).astype("float32")
        acc_sum += (net(X).argmax(axis=1) == y).sum()
        n += y.size
    return acc_sum.asscalar() / n


# With a seed, each run trains the same network.
mx.random.seed(1)
np.random.seed(1)
batch_size, lr, num_epochs = 256, 0.1, 10
transformer = transforms.Compose([transforms.ToTensor(), transforms.Normalize(0.13, 0.31)])
mnist_train = gluon.data.vision.ImageRecordDataset("train.rec", flag=0)
mnist_test = gluon.data.vision.ImageRecordDataset("val.rec", flag=0)
train_data = gluon.data.DataLoader(
    mnist_train.transform_first(transformer), batch_size=batch_size, shuffle=True, num_workers=4
)
valid_data = gluon.data.DataLoader(mnist_test.transform_first(transformer), batch_size=batch_size, num_workers=4)

ctx = try_gpu()
print("training on", ctx)
net = nn.HybridSequential()
with net.name_scope():
    net.add(
        nn.Conv2D(channels=6, kernel_size=5, activation="relu"),
        nn.MaxPool2D(pool_size=2, strides=2),
        nn.Conv2D(channels=16, kernel_size=3, activation="relu"),
        nn.MaxPool2D(pool_size=2, strides=2),
        nn.Flatten(),
        nn.Dense(120, activation="relu"),
        nn.Dense(84, activation="relu"),
        nn.Dense(10),
    )
net.initialize(init=init.Xavier(), ctx=ctx)
net.hybridize()
loss = gloss.SoftmaxCrossEntropyLoss()
trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": lr})
for epoch in range(num_epochs):
    train_loss, train_acc, n, tic = 0.0, 0.0, 0, time.time()
    for data, label in train_data:
        data, label = data.as_in_context(ctx), label.as_in_context(ctx).astype("float32")
        with autograd.record():
            output = net(data)
            l = loss(output, label)
        l.backward()
        trainer.step(data.shape[0])
        train_loss += l.sum().asscalar()
        train_acc += (output.argmax(axis=1) == label).sum().asscalar()
        n += label.size
    valid_acc = evaluate_accuracy(valid_data, net, ctx)
    print(
        "Epoch %d: loss %.3f, train acc %.3f, test acc %.3f, in %.1f sec"
        % (epoch + 1, train_loss / n, train_acc / n, valid_acc, time.time() - tic)
    )

net.save_parameters("net.params")
net.export("fashion_lenet", epoch=num_epochs)

# prediction with the exported model
deserialized_net = gluon.nn.SymbolBlock.imports("fashion_lenet-symbol.json", ["data"], "fashion_lenet-0010.params", ctx)
text_labels = "t-shirt,trouser,pullover,dress,coat,sandal,shirt,sneaker,bag,ankle boot".split(",")
for i in range(6):
    img, label = mnist_test[i]
    out = deserialized_net(transformer(img).expand_dims(axis=0).as_in_context(ctx))
    print("%s: %s" % (text_labels[int(label)], text_labels[int(out.argmax(axis=1).asscalar())]))
print("exported model: test acc %.3f" % evaluate_accuracy(valid_data, deserialized_net, ctx))
