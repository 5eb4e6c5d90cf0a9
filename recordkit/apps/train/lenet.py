"""The network: LeNet-5 as the MXNet books and tutorials draw it.

    5x5 convolution, 20 filters, relu, 2x2 max-pool
    5x5 convolution, 50 filters, relu, 2x2 max-pool
    500 fully connected, relu
    one fully connected output per class, softmax

Some tellings have tanh, or nothing, behind the convolutions. On 10,000 training images of MNIST held out from the
other 50,000, relu reaches 99.32% after 6 epochs, and nothing 99.25% (one seed each).

Source: LeCun et al., Gradient-based learning applied to document recognition, 1998; filter counts and
max-pooling from MXNet's LeNet example. How it is trained is in `recordkit.apps.train.fit`.
"""

from __future__ import annotations

from typing import Any

# The two 5x5 convolutions and 2x2 pools leave one pixel of a side of 16.
MIN_SIDE = 16


def symbol(mx: Any, n_classes: int) -> Any:
    """Draw the network.

    Parameters
    ----------
    mx : module
        What `recordkit.interop.mxnet.load` returns.
    n_classes : int

    Returns
    -------
    net : mxnet.symbol.Symbol
        Inputs ``data``, float32 (B, C, H, W), and ``softmax_label``, float32 (B,); output the class
        probabilities, float32 (B, n_classes).
    """
    net = mx.sym.Variable("data")
    for name, n_filters in (("conv1", 20), ("conv2", 50)):
        net = mx.sym.Convolution(net, kernel=(5, 5), num_filter=n_filters, name=name)
        net = mx.sym.Activation(net, act_type="relu", name=f"{name}_relu")
        net = mx.sym.Pooling(net, pool_type="max", kernel=(2, 2), stride=(2, 2), name=f"{name}_pool")
    net = mx.sym.FullyConnected(mx.sym.flatten(net), num_hidden=500, name="fc1")
    net = mx.sym.Activation(net, act_type="relu", name="fc1_relu")
    net = mx.sym.FullyConnected(net, num_hidden=n_classes, name="fc2")
    return mx.sym.SoftmaxOutput(net, name="softmax")
