"""A network of a user with names of their own: the layers of VGG-16, with few filters."""

import mxnet as mx


def get_symbol(num_classes, **kwargs):
    net = mx.sym.Variable("data")
    for stage, (n_layers, n_filters) in enumerate(((2, 8), (2, 16), (3, 32), (3, 64), (3, 64)), 1):
        for number in range(1, n_layers + 1):
            name = f"{stage}_{number}"
            net = mx.sym.Convolution(net, num_filter=n_filters, kernel=(3, 3), pad=(1, 1), name=f"conv{name}")
            net = mx.sym.Activation(net, act_type="relu", name=f"relu{name}")
        net = mx.sym.Pooling(net, kernel=(2, 2), stride=(2, 2), pool_type="max", name=f"pool{stage}")
    net = mx.sym.flatten(net, name="flat")
    for number in (6, 7):
        net = mx.sym.FullyConnected(net, num_hidden=64, name=f"fc{number}")
        net = mx.sym.Activation(net, act_type="relu", name=f"relu{number}")
        net = mx.sym.Dropout(net, p=0.5, name=f"drop{number}")
    return mx.sym.SoftmaxOutput(mx.sym.FullyConnected(net, num_hidden=num_classes, name="fc8"), name="softmax")
