"""A PyTorch LeNet learns as much from a .rec file as from the arrays."""

import os

import numpy as np
import pytest

import recordkit as rk
from recordkit.codec import encode
from recordkit.recordio import IRHeader, MXIndexedRecordIO, pack

if not os.environ.get("RECORDKIT_REQUIRE_TORCH"):
    pytest.importorskip("torch", reason="PyTorch is not installed")
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from recordkit.interop.torch import Loader, RecordDataset

N_TRAINED, N_EPOCHS, BATCH_SIZE = 1400, 3, 32
NORMALIZE = rk.Normalize(127.5, 127.5)


@pytest.fixture
def one_thread():
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # two trainings that each use all processors block each other
    yield
    torch.set_num_threads(n_threads)


@pytest.fixture
def digits():
    """1,797 handwritten digits, uint8 (n, 32, 32, 1), and their labels."""
    pytest.importorskip("sklearn", reason="scikit-learn, which has the digits, is not installed")
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    enlarged = images.reshape(-1, 8, 8).repeat(4, 1).repeat(4, 2) * (255 / 16)
    return enlarged.round().astype(np.uint8)[..., None], labels


def write(path, images, labels):
    with MXIndexedRecordIO(str(path.with_suffix(".idx")), str(path), "w") as writer:
        for key, (image, label) in enumerate(zip(images, labels, strict=True)):
            writer.write_idx(key, pack(IRHeader(0, float(label), key, 0), encode(image, "png")))
    return path


def train(epochs):
    """Train a LeNet-5 on these epochs of batches."""
    torch.manual_seed(0)
    features = [nn.Conv2d(1, 6, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2)]
    classes = [nn.Flatten(), nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10)]
    net = nn.Sequential(*features, *classes)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for batches in epochs:
        for data, label in batches:
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(data), label).backward()
            optimizer.step()
    return net


@torch.no_grad()
def accuracy(net, batches):
    right = [(net(data).argmax(1) == label).float() for data, label in batches]
    return torch.cat(right).mean().item()


@pytest.mark.usefixtures("one_thread")
def test_a_lenet_learns_the_same_from_records_and_from_arrays(tmp_path, digits, engine):
    images, labels = digits
    options = {"dtype": "float32", "transforms": [NORMALIZE], "engine": engine}
    path = write(tmp_path / "train.rec", images[:N_TRAINED], labels[:N_TRAINED])
    loader = Loader(path, batch_size=BATCH_SIZE, shuffle=True, last_batch="drop", **options)
    orders = [[batch.index.tolist() for batch in loader] for _ in range(N_EPOCHS)]
    loader.set_epoch(0)
    val = RecordDataset(write(tmp_path / "val.rec", images[N_TRAINED:], labels[N_TRAINED:]), **options)
    of_records = accuracy(train([loader] * N_EPOCHS), DataLoader(val, batch_size=100))

    arrays = torch.from_numpy(np.stack([NORMALIZE(image) for image in images])).permute(0, 3, 1, 2)
    plain = TensorDataset(arrays, torch.from_numpy(labels))
    rest = torch.utils.data.Subset(plain, range(N_TRAINED, len(plain)))
    of_arrays = accuracy(
        train(DataLoader(plain, batch_sampler=order) for order in orders), DataLoader(rest, batch_size=100)
    )
    assert of_records >= 0.9 and abs(of_records - of_arrays) <= 0.01
