# The network of folders_train.py.
import mxnet as mx


def get_symbol(num_classes, image_shape, **kwargs):
    channels = int(image_shape.split(",")[0])
    assert channels == 3
    net = mx.sym.Variable("data")
    for i, num_filter in enumerate([16, 32, 64]):
        net = mx.sym.Convolution(net, kernel=(3, 3), pad=(1, 1), num_filter=num_filter, name="conv%d" % i)
        net = mx.sym.BatchNorm(net, fix_gamma=False, name="bn%d" % i)
        net = mx.sym.Activation(net, act_type="relu")
        net = mx.sym.Pooling(net, kernel=(2, 2), stride=(2, 2), pool_type="max")
    net = mx.sym.Pooling(net, global_pool=True, kernel=(1, 1), pool_type="avg")
    net = mx.sym.FullyConnected(mx.sym.Flatten(net), num_hidden=num_classes)
    return mx.sym.SoftmaxOutput(net, name="softmax")
