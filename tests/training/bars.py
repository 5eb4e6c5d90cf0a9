"""Tiny images of three classes, 28 x 28, and helpers that the trainer's tests share."""

import numpy as np

from recordkit import codec
from recordkit.formats import idx
from recordkit.formats.frame import RecordWriter
from recordkit.formats.irheader import IRHeader, pack
from recordkit.training.data.survey import survey
from recordkit.training.optimizer import Optimizer
from recordkit.training.plan import TrainPlan
from recordkit.training.results.observer import NullObserver
from recordkit.training.run.checkpoint import Checkpoints

N_CLASSES = 3
ITERATORS = ["recordkit", "mxnet", "gluon"]
APIS = ["module", "gluon"]  # of MXNet, that make updates


def survey_for_mxnet(path):
    return survey(path, iterator="mxnet")


def images(n, seed=0, side=28, channels=1):
    """Noisy bars: the class is the third of the image that is bright."""
    rng = np.random.default_rng(seed)
    for label in np.arange(n) % N_CLASSES:
        image = rng.integers(0, 60, (side, side, channels), dtype=np.uint8)
        begin = label * side // N_CLASSES
        image[begin + 2 : begin + side // N_CLASSES] += 150
        yield float(label), image


def write_rec(path, samples, encoding="png"):
    with open(path, "wb") as file:
        writer = RecordWriter(file)
        offsets = []
        for key, (label, image) in enumerate(samples):
            payload = image if isinstance(image, bytes) else codec.encode(image, encoding)
            offsets.append(writer.write(pack(IRHeader(label, key), payload)))
    path.with_suffix(".idx").write_bytes(idx.lines(range(len(offsets)), offsets))
    return path


def plan(rec, folder, **options):
    optimizer = Optimizer(**{name: options.pop(name) for name in Optimizer.__dataclass_fields__ if name in options})
    defaults = {"epochs": 2, "batch_size": 16, "pictures": False}
    return TrainPlan(rec, folder / "lenet", **defaults | options, optimizer=optimizer)


def params(mx, prefix, epoch):
    loaded = mx.nd.load(str(Checkpoints(prefix).params_path(epoch)))
    return {name: value.asnumpy() for name, value in loaded.items()}


def assert_same(params, expected):
    assert sorted(params) == sorted(expected)
    for name in expected:
        np.testing.assert_array_equal(params[name], expected[name], err_msg=name)


class RecordingObserver(NullObserver):
    def __init__(self):
        self.lines = []
        self.n_images = 0

    def log(self, line):
        self.lines.append(line)

    def report(self, report):
        self.lines.append(str(report))

    def advance(self, n_images, running, lr):
        self.n_images += n_images
