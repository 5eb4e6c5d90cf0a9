"""How many photographs of handwriting does a model name right? With and without --invert and --center, by kind.

Usage: python benchmarks/compare_photographs.py MODEL_PREFIX MNIST_TEST.rec [--n 30] [--json FILE]

Method: the first digits of the file become pictures in 13 ways: as they are, and in 12 ways in which people photograph
or draw them. Each picture is a file that `recordkit.training.predict.Predictor` reads. "Silent" is the number of wrong
predictions whose picture was not said to be unlike the training images.

It does not show real photographs: no ruled paper, no shadows, one digit a picture.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from _run import write
from numpy.typing import NDArray
from PIL import Image

import recordkit as rk
from recordkit import codec
from recordkit.training.predict import Predictor

OPTIONS: dict[str, dict[str, Any]] = {
    "no option": {},
    "--invert auto": {"invert": "auto"},
    "both": {"invert": "auto", "center": True},
}
_SHEET = (480, 640)
Pixels = NDArray[Any]


def _ink(digit: Pixels, scale: float, size: tuple[int, int] = _SHEET, at: tuple[float, float] = (0.5, 0.5)) -> Pixels:
    """Return a sheet with the strength of the ink, 0 to 1: an enlarged digit, its centre at two shares of the sides."""
    side = round(28 * scale)
    stroke = np.asarray(Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC), np.float32) / 255
    sheet: Pixels = np.zeros(size, np.float32)
    top, left = (
        min(max(0, round(whole * share - side / 2)), whole - side) for whole, share in zip(size, at, strict=True)
    )
    sheet[top : top + side, left : left + side] = stroke
    return sheet


def pictures(digit: Pixels, rng: np.random.Generator) -> Iterator[tuple[str, Pixels, str]]:
    """Yield each kind of picture: its name, its pixels, and the suffix of its file."""
    at = (rng.uniform(0.25, 0.75), rng.uniform(0.2, 0.8))
    rows, columns = np.mgrid[-1 : 1 : _SHEET[0] * 1j, -1 : 1 : _SHEET[1] * 1j]
    paper = 205 + rng.uniform(-30, 30) * rows + rng.uniform(-30, 30) * columns + rng.normal(0, 5, _SHEET)

    def drawn(ink: Pixels, paper: Any, level: float) -> Pixels:
        levels: Pixels = paper * (1 - ink) + level * ink
        return levels

    def transparent(ink: Pixels, level: float) -> Pixels:
        return np.dstack([np.full((*ink.shape, 3), level), 255 * ink])

    yield "as published", digit, ".png"
    yield "dark on white", 255 - digit, ".png"
    yield "dark on white, large", drawn(_ink(digit, 10, (280, 280)), 255, 0), ".png"
    yield "off-centre", drawn(_ink(digit, 9, at=at), 250, 10), ".png"
    yield "small", drawn(_ink(digit, 3.5, at=at), 245, 30), ".png"
    yield "uneven paper", drawn(_ink(digit, 11), paper, 45), ".png"
    yield "uneven paper, small", drawn(_ink(digit, 5, at=at), paper, 45), ".png"
    yield "pencil", drawn(_ink(digit, 8), paper, 110), ".png"
    yield "transparent, dark ink", transparent(_ink(digit, 10, (300, 300)), 20), ".png"
    yield "transparent, white ink", transparent(_ink(digit, 10, (280, 280)), 255), ".png"
    yield "transparent, small", transparent(_ink(digit, 4, (300, 400), (0.66, 0.75)), 20), ".png"
    yield "blackboard", drawn(_ink(digit, 5, at=(0.4, 0.3)), rng.normal(25, 4, _SHEET), 240), ".png"
    ink = _ink(digit, 8)
    yield "blue pen, JPEG", np.dstack([drawn(ink, paper, level) for level in (40, 60, 160)]), ".jpg"


def main() -> None:
    """Make the pictures, predict them, print a table and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model_prefix", type=Path)
    parser.add_argument("rec", type=Path)
    parser.add_argument("--n", type=int, default=30)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rng, labels, kinds = np.random.default_rng(0), [], []
    with tempfile.TemporaryDirectory() as folder, rk.RecordDataset(arguments.rec) as dataset:
        for number in range(arguments.n):
            sample = dataset[number]
            labels.append(int(sample.label))
            for kind, pixels, suffix in pictures(codec.decode(sample.payload, channels=1)[:, :, 0], rng):
                path = Path(folder, kind, f"{number:04}{suffix}")
                path.parent.mkdir(exist_ok=True)
                Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path)
                kinds.append(kind)
        rows: list[dict[str, Any]] = []
        for kind in dict.fromkeys(kinds):
            row: dict[str, Any] = {"kind": kind, "n_images": arguments.n}
            for name, options in OPTIONS.items():
                predictions = list(Predictor(arguments.model_prefix, **options).predict([Path(folder, kind)]))
                wrong = [one for one, label in zip(predictions, labels, strict=True) if one.labels != (label,)]
                n_silent = sum(not one.unlike for one in wrong)
                row[name] = {"n_right": arguments.n - len(wrong), "n_silent": n_silent}
            facts = ", ".join(f"{name} {row[name]['n_right']} ({row[name]['n_silent']} silent)" for name in OPTIONS)
            print(f"{kind}: of {arguments.n} {facts}", flush=True)
            rows.append(row)
    write(arguments.json, [{"model": arguments.model_prefix.name, "rows": rows}])


if __name__ == "__main__":
    main()
