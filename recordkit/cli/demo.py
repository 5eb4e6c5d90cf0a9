"""The main job from end to end, on real handwriting: what ``bin/demo`` runs once its environment stands.

Images are listed, packed and verified, the packed file is read back through MXNet's own ImageRecordIter and compared
with the list, LeNets are trained from it, and the run fails unless the last checkpoint, read back from disk, is
accurate enough on images it has not seen. Without data of one's own the images are scikit-learn's 1,797 handwritten
digits, a fifth of them held out; else a folder of MNIST or Fashion-MNIST files.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from recordkit.cli.lists import write_lists
from recordkit.cli.program import examples, run
from recordkit.cli.progress import progress_bar
from recordkit.codec import encode
from recordkit.errors import TrainError
from recordkit.formats.lst import ListFile
from recordkit.interop import mxnet
from recordkit.interop.mxnet.threads import set_threads
from recordkit.packing import pack
from recordkit.sources import FolderSource, ListSource, open_source
from recordkit.training.fit import train
from recordkit.training.plan import TrainPlan
from recordkit.upkeep import verify

HELD_OUT = 0.2
"""Share of scikit-learn's digits that is not learnt from."""

# What a run must reach. The digits' is below the worst of many seeds; the others are far above chance and luck.
GATES = {"digits": 0.97, "mnist": 0.985, "fashion-mnist": 0.88}


@dataclass(frozen=True)
class _Packed:
    name: str
    train: Path
    test: Path
    n_train: int
    n_test: int


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]}, epilog=examples("bin/demo", "bin/demo --data mnist/")
)
@click.option("--data", type=click.Path(path_type=Path, exists=True), help="Folder of MNIST or Fashion-MNIST files.")
@click.option("--output", type=click.Path(path_type=Path), default="demo-output", show_default=True)
@click.option("--seed", default=0, show_default=True, help="Of the training that is gated last.")
@click.option("--more-seeds", type=click.IntRange(0), help="Also train this many others.  [default: 2 for digits]")
def command(data: Path | None, output: Path, seed: int, more_seeds: int | None) -> None:
    """Pack handwriting, check it, read it back through MXNet, train LeNets from it, gate on their accuracy."""
    output.mkdir(parents=True, exist_ok=True)
    set_threads(0)  # before MXNet is loaded to read back
    packed = _pack_digits(output) if data is None else _pack_ubyte(data, output)
    click.echo(f"packed {packed.n_train} + {packed.n_test} images: {packed.train} and {packed.test}, verified")
    _read_back(packed.test)
    click.echo(f"read {packed.test.name} back through MXNet's ImageRecordIter: every label as in the list")
    n_more = more_seeds if more_seeds is not None else (2 if data is None else 0)
    accuracies = []
    with progress_bar(1 + n_more, "train", unit="LeNet") as progress:
        for each in range(seed, seed + 1 + n_more):
            accuracies.append(_accuracy(packed, output, each, pictures=each == seed))
            progress(1)
    accuracy, *others = accuracies
    click.echo(f"trained the LeNet, seed {seed}: {output / 'lenet'}-seed{seed}-*.params, pictures beside them (*.png)")
    gate = GATES[packed.name]
    listed = " ".join(f"{other:.4f}" for other in others) or "not run (--more-seeds)"
    click.echo(f"held-out accuracy of {n_more} other seeds: {listed}; all must reach {gate}")
    click.echo(f"accuracy: {accuracy:.4f}")
    if min(accuracies) < gate:
        raise TrainError(f"expected an accuracy of at least {gate}, got {min(accuracies):.4f}")


def _pack_digits(output: Path) -> _Packed:
    root = output / "digits"
    _write_digits(root)
    prefix = output / "digits_rec"
    source = FolderSource(root)
    write_lists(source, prefix, train_ratio=1 - HELD_OUT, write_classes=True)  # the rest goes to _val
    counts = {}
    for split in ("train", "val"):
        path = Path(f"{prefix}_{split}")
        opened = ListSource(f"{path}.lst", root, classes=source.classes)
        _check(pack(opened, path).ok, f"{path}: not every image was packed")
        counts[split] = len(opened)
        _verify(path)
    train_rec, val_rec = (Path(f"{prefix}_{split}.rec") for split in counts)
    return _Packed("digits", train_rec, val_rec, counts["train"], counts["val"])


def _write_digits(root: Path) -> None:
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    for number, (pixels, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        # 8 x 8 pixels of 0 to 16 become MNIST's 28 x 28 of 0 to 255
        small = Image.fromarray((pixels * (255 / 16)).astype(np.uint8))
        large = np.asarray(small.resize((28, 28), Image.Resampling.BILINEAR))
        path = root / str(label) / f"{number:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(large[:, :, None], "png"))


def _pack_ubyte(data: Path, output: Path) -> _Packed:
    source = open_source(data)
    if not isinstance(source, dict) or set(source) != {"train", "test"}:
        raise TrainError(f"{data}: expected the four ubyte files of MNIST or Fashion-MNIST")
    # Nothing in the files says which they are but their content: Fashion-MNIST's first test labels.
    labels = [entry.labels[0] for entry in source["test"].entries(range(min(10, len(source["test"]))))]
    name = "fashion-mnist" if labels == [9, 2, 1, 1, 6, 1, 4, 6, 5, 7] else "mnist"
    prefix = output / name
    with progress_bar(sum(map(len, source.values())), f"pack {name}") as progress:
        _check(pack(source, prefix, progress=progress).ok, f"{data}: not every image was packed")
    train_rec, test_rec = (Path(f"{prefix}_{split}.rec") for split in ("train", "test"))
    for path in (train_rec, test_rec):
        _verify(path)
    return _Packed(name, train_rec, test_rec, len(source["train"]), len(source["test"]))


def _verify(path: Path) -> None:
    report = verify(path, decode=True)
    _check(report.ok, "; ".join(map(str, report.problems[:3])))


def _read_back(rec: Path) -> None:
    """Compare what MXNet's own reader sees with the list."""
    mx = mxnet.load()
    with ListFile(rec.with_suffix(".lst")) as rows:
        expected = [float(rows[index].labels[0]) for index in range(len(rows))]
    reader = mx.io.ImageRecordIter(
        path_imgrec=str(rec), data_shape=(1, 28, 28), batch_size=1, preprocess_threads=1, verbose=False
    )
    got = [float(batch.label[0].asscalar()) for batch in reader]
    _check(got == expected, f"{rec}: expected {len(expected)} labels as in the list, got {len(got)}, or others")


def _accuracy(packed: _Packed, output: Path, seed: int, *, pictures: bool) -> float:
    plan = TrainPlan(packed.train, output / f"lenet-seed{seed}", val=packed.test, seed=seed, pictures=pictures)
    report = train(plan)
    if report.final is None:
        raise TrainError(f"{packed.test}: was not measured")
    return report.final.score.accuracy


def _check(fact: bool, otherwise: str) -> None:
    if not fact:
        raise TrainError(otherwise)


def main() -> None:
    """Run the demo (``bin/demo``)."""
    run(lambda: command.main(standalone_mode=False, prog_name="bin/demo"), "bin/demo")


if __name__ == "__main__":
    main()
