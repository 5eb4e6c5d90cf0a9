"""A list with two labels an image: packed, and one network with two heads trained from it.

Usage: python multi_label.py IMAGES OUT [EPOCHS]

IMAGES holds files as 000000_5.png. Each gets two labels: the digit, and whether it is even. Shows: a .lst with more
label columns is packed as it is, and the trainer makes a head for each of them.
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
for split, wanted in (("train", lambda number: number % 5), ("val", lambda number: not number % 5)):
    rows = []
    for number, name in enumerate(names):
        if wanted(number):
            digit = int(name.rpartition("_")[2].split(".")[0])
            rows.append(f"{number}\t{digit}\t{int(digit % 2 == 0)}\t{name}\n")
    (out / f"{split}.lst").write_text("".join(rows))
    recordkit("pack", out / f"{split}.lst", out / f"digits_{split}", "--root", images)

recordkit(
    *("train", out / "digits_train.rec", "--val", out / "digits_val.rec", "--num-epochs", n_epochs),
    *("--model-prefix", out / "model" / "two_heads"),
)
recordkit("eval", out / "model" / "two_heads", out / "digits_val.rec")
