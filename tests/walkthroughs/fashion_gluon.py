"""Fashion-MNIST in Gluon: packed files, transforms, DataLoader, an autograd loop, save, load, six predictions.

Usage: python fashion_gluon.py FOLDER OUT [EPOCHS]

FOLDER holds the four ubyte files, as recordkit fetch fashion-mnist gets them. OUT gets lenet.params and six.png. Shows:
Gluon's own ImageRecordDataset reads what recordkit packs, and the article's loop runs as it was written.
"""

import sys
from pathlib import Path

from matplotlib.figure import Figure

import recordkit as rk
from recordkit.interop import mxnet

mx = mxnet.load()
nn, gdata = mx.gluon.nn, mx.gluon.data
folder, out, n_epochs = Path(sys.argv[1]), Path(sys.argv[2]), int((*sys.argv[3:], 10)[0])
out.mkdir(parents=True, exist_ok=True)
NAMES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")

rk.pack(folder, out / "fashion")
to_input = gdata.vision.transforms.Compose(
    [gdata.vision.transforms.ToTensor(), gdata.vision.transforms.Normalize(0.13, 0.31)]
)
train_set, test_set = (
    gdata.vision.ImageRecordDataset(str(out / f"fashion_{split}.rec"), flag=0) for split in ("train", "test")
)
train = gdata.DataLoader(train_set.transform_first(to_input), batch_size=256, shuffle=True, num_workers=2)
test = gdata.DataLoader(test_set.transform_first(to_input), batch_size=256, num_workers=2)


def lenet():
    """Return the article's network."""
    net = nn.HybridSequential()
    net.add(
        nn.Conv2D(6, kernel_size=5, padding=2, activation="relu"),
        nn.MaxPool2D(pool_size=2, strides=2),
        nn.Conv2D(16, kernel_size=3, activation="relu"),
        nn.MaxPool2D(pool_size=2, strides=2),
        nn.Dense(120, activation="relu"),
        nn.Dense(84, activation="relu"),
        nn.Dense(10),
    )
    return net


net = lenet()
net.initialize(mx.init.Xavier())
net.hybridize()
loss = mx.gluon.loss.SoftmaxCrossEntropyLoss()
trainer = mx.gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 0.002})
for epoch in range(n_epochs):
    accuracy = mx.metric.Accuracy()
    for data, label in train:
        data, label = (
            array.as_in_context(mx.cpu()) for array in (data, label)
        )  # copies from the workers' shared memory
        with mx.autograd.record():
            losses = loss(net(data), label)
        losses.backward()
        trainer.step(len(data))
    for data, label in test:
        accuracy.update(label, net(data.as_in_context(mx.cpu())))
    print(f"epoch {epoch + 1}: test accuracy {accuracy.get()[1]:.4f}")

net.save_parameters(str(out / "lenet.params"))
loaded = lenet()
loaded.load_parameters(str(out / "lenet.params"))
figure = Figure(figsize=(8, 2), layout="constrained")
for axes, (image, label) in zip(figure.subplots(1, 6), (test_set[index] for index in range(6)), strict=True):
    predicted = int(loaded(to_input(image).expand_dims(0)).argmax(axis=1).asscalar())
    axes.imshow(image.asnumpy()[:, :, 0], cmap="gray")
    axes.set_title(NAMES[predicted], color="black" if predicted == int(label) else "tab:red", fontsize=9)
    axes.axis("off")
    print(f"{NAMES[int(label)]}: {NAMES[predicted]}")
figure.savefig(out / "six.png")
