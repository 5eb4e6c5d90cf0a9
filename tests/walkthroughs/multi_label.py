"""A list with two labels for each image is packed, and one network with two outputs is trained on it.

Usage: python multi_label.py IMAGES OUT [EPOCHS]

IMAGES has files such as 000000_5.png. Each gets two labels: the digit, and 1 if it is even. Shows: recordkit packs a
.lst with several label columns, and the trainer adds an output layer for each.
"""

import subprocess
import sys
from pathlib import Path

images, out, n_epochs = Path(sys.argv[1]), Path(sys.argv[2]), (*sys.argv[3:], "10")[0]
out.mkdir(parents=True, exist_ok=True)


def recordkit(*words):
    """Run a command of recordkit."""
    subprocess.run([sys.executable, "-m", "recordkit", *map(str, words)], check=True)


names = sorted(path.name for path in images.iterdir())
for split, is_in_split in (("train", lambda number: number % 5), ("val", lambda number: not number % 5)):
    rows = []
    for number, name in enumerate(names):
        if is_in_split(number):
            digit = int(name.rpartition("_")[2].split(".")[0])
            rows.append(f"{number}\t{digit}\t{int(digit % 2 == 0)}\t{name}\n")
    (out / f"{split}.lst").write_text("".join(rows))
    recordkit("pack", out / f"{split}.lst", out / f"digits_{split}", "--root", images)

recordkit(
    *("train", out / "digits_train.rec", "--val", out / "digits_val.rec", "--num-epochs", n_epochs),
    *("--model-prefix", out / "model" / "two_heads"),
)
recordkit("eval", out / "model" / "two_heads", out / "digits_val.rec")
