# A network with two layers for points in the plane: with NumPy, with mx.nd and with Module.
import mxnet as mx
import numpy as np
from mxnet import nd

np.random.seed(1)
mx.random.seed(1)
m = 400
t = np.random.rand(m) * np.pi
Y = (np.arange(m) % 2).reshape(m, 1).astype(np.int)
X = np.hstack([np.cos(t).reshape(m, 1) + Y, (np.sin(t).reshape(m, 1) * (1 - 2 * Y)) + 0.5 * Y])
X += np.random.randn(m, 2) * 0.1


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


# NumPy: forward and backward by hand
n_h, rate = 12, 1.2
W1, b1 = np.random.randn(2, n_h) * 0.5, np.zeros((1, n_h))
W2, b2 = np.random.randn(n_h, 1) * 0.5, np.zeros((1, 1))
for i in range(1500):
    A1 = np.tanh(X.dot(W1) + b1)
    A2 = sigmoid(A1.dot(W2) + b2)
    cost = -np.sum(Y * np.log(A2) + (1 - Y) * np.log(1 - A2)) / m
    dZ2 = A2 - Y
    dZ1 = dZ2.dot(W2.T) * (1 - np.power(A1, 2))
    W2 -= rate * A1.T.dot(dZ2) / m
    b2 -= rate * dZ2.sum(axis=0, keepdims=True) / m
    W1 -= rate * X.T.dot(dZ1) / m
    b1 -= rate * dZ1.sum(axis=0, keepdims=True) / m
print("numpy: cost %f accuracy %.3f" % (np.asscalar(np.array(cost)), ((A2 > 0.5) == Y.astype(np.bool)).mean()))

# the same with mx.nd
ctx = mx.gpu(0)
x, y = nd.array(X, ctx=ctx), nd.array(Y, ctx=ctx)
w1, c1 = nd.random.normal(scale=0.5, shape=(2, n_h), ctx=ctx), nd.zeros((1, n_h), ctx=ctx)
w2, c2 = nd.random.normal(scale=0.5, shape=(n_h, 1), ctx=ctx), nd.zeros((1, 1), ctx=ctx)
for i in range(500):
    a1 = nd.tanh(nd.dot(x, w1) + c1)
    a2 = nd.sigmoid(nd.dot(a1, w2) + c2)
    dz2 = a2 - y
    dz1 = nd.dot(dz2, w2.T) * (1 - a1**2)
    w2 -= rate * nd.dot(a1.T, dz2) / m
    c2 -= rate * nd.sum(dz2, axis=0, keepdims=True) / m
    w1 -= rate * nd.dot(x.T, dz1) / m
    c1 -= rate * nd.sum(dz1, axis=0, keepdims=True) / m
print("nd: accuracy %.3f" % ((a2 > 0.5) == y).mean().asscalar())

# and with Module
batch_size = 40
train_iter = mx.io.NDArrayIter(X, Y.reshape(m), batch_size, shuffle=True, label_name="softmax_label")
net = mx.sym.Variable("data")
net = mx.sym.FullyConnected(net, name="fc1", num_hidden=n_h)
net = mx.sym.Activation(net, name="tanh1", act_type="tanh")
net = mx.sym.FullyConnected(net, name="fc2", num_hidden=2)
net = mx.sym.SoftmaxOutput(net, name="softmax")
mod = mx.mod.Module(symbol=net, context=ctx, data_names=["data"], label_names=["softmax_label"])
mod.fit(
    train_iter,
    optimizer="adam",
    optimizer_params={"learning_rate": 0.03},
    initializer=mx.init.Xavier(),
    eval_metric="acc",
    num_epoch=25,
)
print("module: accuracy %.3f" % mod.score(train_iter, "acc")[0][1])
prob = mod.predict(mx.io.NDArrayIter(X, batch_size=batch_size)).asnumpy()
print("first predictions:", prob.argmax(axis=1)[:5].astype(np.int), "labels:", Y[:5, 0])
