"""Train a LeNet on Fashion-MNIST with Gluon: packed files, transforms, DataLoader, autograd, save, load, predict.

Shows that Gluon's own ImageRecordDataset reads what recordkit packs, and that the loop of MXNet's tutorials runs.

Run: recordkit fetch fashion-mnist fashion/ && python examples/fashion_gluon.py fashion/    (needs recordkit[mxnet])
Prints: the test accuracy of each epoch, and six labels with their predictions. The files are in out/fashion_gluon.
"""

import sys
from pathlib import Path

import recordkit as rk
from recordkit.interop import mxnet

mx = mxnet.load()
nn, gdata, vision = mx.gluon.nn, mx.gluon.data, mx.gluon.data.vision
folder, out, n_epochs = Path(sys.argv[1]), Path("out/fashion_gluon"), 8
out.mkdir(parents=True, exist_ok=True)
NAMES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")

rk.pack(folder, out / "fashion")
to_input = vision.transforms.Compose([vision.transforms.ToTensor(), vision.transforms.Normalize(0.13, 0.31)])
train_set = vision.ImageRecordDataset(str(out / "fashion_train.rec"), flag=0)
test_set = vision.ImageRecordDataset(str(out / "fashion_test.rec"), flag=0)
train = gdata.DataLoader(train_set.transform_first(to_input), batch_size=256, shuffle=True, num_workers=2)
test = gdata.DataLoader(test_set.transform_first(to_input), batch_size=256, num_workers=2)


def lenet():
    net = nn.HybridSequential()
    for n_filters, kernel, padding in ((6, 5, 2), (16, 3, 0)):
        net.add(nn.Conv2D(n_filters, kernel, padding=padding, activation="relu"), nn.MaxPool2D(2, 2))
    net.add(nn.Dense(120, activation="relu"), nn.Dense(84, activation="relu"), nn.Dense(10))
    return net


net = lenet()
net.initialize(mx.init.Xavier())
net.hybridize()
loss = mx.gluon.loss.SoftmaxCrossEntropyLoss()
trainer = mx.gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 0.002})
for epoch in range(n_epochs):
    accuracy = mx.metric.Accuracy()
    for batch in train:
        data, label = (array.as_in_context(mx.cpu()) for array in batch)  # copies from the workers' shared memory
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
for image, label in (test_set[index] for index in range(6)):
    predicted = int(loaded(to_input(image).expand_dims(0)).argmax(axis=1).asscalar())
    print(f"{NAMES[int(label)]}: {NAMES[predicted]}")
