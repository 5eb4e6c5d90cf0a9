"""The demo: pack real handwriting, check it, train on it and require an accuracy. ``bin/demo`` runs it.

Images are listed, packed and verified; recordkit's Loader and MXNet's own ImageRecordIter read the packed file back,
and the labels are compared with the list; LeNets are trained. The run fails unless each final checkpoint, reloaded
from disk, is accurate enough on held-out images. By default the images are scikit-learn's 1,797 handwritten digits, of
which a fifth is held out; a folder of MNIST or Fashion-MNIST files can be given instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from recordkit.cli.console import Console
from recordkit.cli.lists import write_lists
from recordkit.cli.options import examples
from recordkit.cli.program import Command, run
from recordkit.cli.terminal import print_line
from recordkit.codec import encode
from recordkit.errors import TrainError, plural
from recordkit.formats.lst import ListFile
from recordkit.interop import mxnet
from recordkit.interop.mxnet.threads import set_threads
from recordkit.loading.loader import Loader
from recordkit.native import ENGINES
from recordkit.packing import PackReport, pack
from recordkit.sources import FolderSource, ListSource, open_source
from recordkit.training.fit import train
from recordkit.training.plan import TrainPlan
from recordkit.upkeep import verify

HELD_OUT = 0.2
"""Share of scikit-learn's digits that is held out."""

# Required accuracies. The digits' minimum is below the worst of many seeds; the other two are far above chance.
MIN_ACCURACY = {"digits": 0.97, "mnist": 0.985, "fashion-mnist": 0.88}


@dataclass(frozen=True)
class _Packed:
    name: str
    train: Path
    test: Path
    n_train: int
    n_test: int
    engine: str


@click.command(
    cls=Command,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples("bin/demo", "bin/demo --data mnist/"),
)
@click.option("--data", type=click.Path(path_type=Path, exists=True), help="Folder of MNIST or Fashion-MNIST files.")
@click.option("--output", type=click.Path(path_type=Path), default="demo-output", show_default=True)
@click.option("--seed", default=0, show_default=True, help="Seed of the training whose accuracy is printed last.")
@click.option("--engine", type=click.Choice(ENGINES), default="auto", show_default=True, help="Engine of recordkit.")
@click.option(
    "--more-seeds", type=click.IntRange(0), help="Number of other seeds to train with.  [default: 2 for digits]"
)
def command(data: Path | None, output: Path, seed: int, engine: str, more_seeds: int | None) -> None:
    """Pack handwriting, check it, read it back through MXNet, train LeNets on it, require their accuracy."""
    output.mkdir(parents=True, exist_ok=True)
    set_threads(0)  # before `_read_back` loads MXNet
    packed = _pack_digits(output, engine) if data is None else _pack_ubyte(data, output, engine)
    print_line(f"packed {packed.n_train} + {packed.n_test} images: {packed.train} and {packed.test}, verified")
    loading_engine = _read_back(packed.test, engine)
    print_line(f"read {packed.test.name} back through Loader and MXNet's ImageRecordIter: every label as in the list")
    n_more = more_seeds if more_seeds is not None else (2 if data is None else 0)
    accuracies = []
    with Console().progress(1 + n_more, "train", unit="LeNet") as progress:
        for number in range(seed, seed + 1 + n_more):
            accuracies.append(_train(packed, output, number, pictures=number == seed))
            progress(1)
    accuracy, *more = accuracies
    print_line(f"trained the LeNet, seed {seed}: {output / 'lenet'}-seed{seed}-*.params, pictures beside them (*.png)")
    min_accuracy = MIN_ACCURACY[packed.name]
    listed = " ".join(f"{value:.4f}" for value in more) or "not run (--more-seeds)"
    print_line(f"held-out accuracy of {n_more} other seeds: {listed}; all must reach {min_accuracy}")
    print_line(f"packed by the {packed.engine} engine, loaded by the {loading_engine} engine")
    print_line(f"accuracy: {accuracy:.4f}")
    if min(accuracies) < min_accuracy:
        raise TrainError(expected=f"an accuracy of at least {min_accuracy}", got=f"{min(accuracies):.4f}")


def _pack_digits(output: Path, engine: str) -> _Packed:
    root = output / "digits"
    _write_digits(root)
    prefix = output / "digits_rec"
    source = FolderSource(root)
    write_lists(source, prefix, train_ratio=1 - HELD_OUT, write_classes=True, overwrite=True)  # to _train and _val
    counts, used = {}, ""
    for split in ("train", "val"):
        path = Path(f"{prefix}_{split}")
        listing = ListSource(f"{path}.lst", root, classes=source.classes)
        used = _check_packed(path, pack(listing, path, engine=engine))
        counts[split] = len(listing)
        _verify(path)
    train_rec, val_rec = (Path(f"{prefix}_{split}.rec") for split in counts)
    return _Packed("digits", train_rec, val_rec, counts["train"], counts["val"], used)


def _write_digits(root: Path) -> None:
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    for number, (pixels, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        # 8 x 8 pixels with levels 0 to 16 are scaled to MNIST's 28 x 28 with levels 0 to 255.
        small = Image.fromarray((pixels * (255 / 16)).astype(np.uint8))
        large = np.asarray(small.resize((28, 28), Image.Resampling.BILINEAR))
        path = root / str(label) / f"{number:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(large[:, :, None], "png"))


def _pack_ubyte(data: Path, output: Path, engine: str) -> _Packed:
    source = open_source(data)
    if not isinstance(source, dict) or set(source) != {"train", "test"}:
        raise TrainError(path=str(data), expected="the four ubyte files of MNIST or Fashion-MNIST", got="others")
    # Names and sizes of both datasets are equal; the first test labels of Fashion-MNIST tell them apart.
    labels = [entry.labels[0] for entry in source["test"].entries(range(min(10, len(source["test"]))))]
    name = "fashion-mnist" if labels == [9, 2, 1, 1, 6, 1, 4, 6, 5, 7] else "mnist"
    prefix = output / name
    with Console().progress(sum(map(len, source.values())), f"pack {name}") as progress:
        used = _check_packed(data, pack(source, prefix, engine=engine, progress=progress))
    train_rec, test_rec = (Path(f"{prefix}_{split}.rec") for split in ("train", "test"))
    for path in (train_rec, test_rec):
        _verify(path)
    return _Packed(name, train_rec, test_rec, len(source["train"]), len(source["test"]), used)


def _check_packed(path: Path, report: PackReport) -> str:
    """Return the name of the engine that packed."""
    if not report.ok:
        raise TrainError("not every image was packed", path=str(path))
    return report.engine


def _verify(path: Path) -> None:
    report = verify(path, decode=True)
    if not report.ok:
        raise TrainError("; ".join(map(str, report.problems[:3])))


def _read_back(path: Path, engine: str) -> str:
    """Compare the labels that the Loader and MXNet's own iterator read with the list; return the Loader's engine."""
    with ListFile(path.with_suffix(".lst")) as rows:
        listed = [float(rows[index].labels[0]) for index in range(len(rows))]
    with Loader(path, batch_size=64, channels=1, engine=engine) as loader:
        _check_labels(path, [label for batch in loader for label in batch.label.tolist()], listed)
    mx = mxnet.load()
    reader = mx.io.ImageRecordIter(
        path_imgrec=str(path), data_shape=(1, 28, 28), batch_size=1, preprocess_threads=1, verbose=False
    )
    _check_labels(path, [float(batch.label[0].asscalar()) for batch in reader], listed)
    return loader.engine


def _check_labels(path: Path, labels: list[float], listed: list[float]) -> None:
    if labels != listed:
        raise TrainError(
            path=str(path),
            expected=f"{plural(len(listed), 'label')} as in the list",
            got=f"{len(labels)}, or different ones",
        )


def _train(packed: _Packed, output: Path, seed: int, *, pictures: bool) -> float:
    """Train a LeNet; return the held-out accuracy of its final checkpoint."""
    plan = TrainPlan(packed.train, output / f"lenet-seed{seed}", val=packed.test, seed=seed, pictures=pictures)
    report = train(plan)
    if report.final is None or report.final.score.accuracy is None:
        raise TrainError("was not evaluated", path=str(packed.test))
    return report.final.score.accuracy


def main() -> None:
    """Run the demo (``bin/demo``)."""
    run(lambda: command.main(standalone_mode=False, prog_name="bin/demo"), "bin/demo")


if __name__ == "__main__":
    main()
