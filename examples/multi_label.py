"""Give each image several labels: a digit, and 1 if it is even.

Shows that a .lst file may have several label columns, and that batches then have labels of shape (n, 2). MXNet's
trainer learns each label with an output layer of its own:
recordkit train out/multi_label/digits_train.rec --val out/multi_label/digits_val.rec --num-epochs 2

Run: python examples/multi_label.py    (needs scikit-learn; the command above needs recordkit[mxnet])
Prints: the labels of a batch. The files are in out/multi_label.
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

import recordkit as rk
from recordkit import codec

out = Path("out/multi_label")
out.mkdir(parents=True, exist_ok=True)
rows = []
for key, (image, digit) in enumerate(zip(*load_digits(return_X_y=True), strict=True)):  # 8 x 8, enlarged to 28 x 28
    large = np.pad(np.kron(image.reshape(8, 8) * (255 / 16), np.ones((3, 3))), 2).astype(np.uint8)
    (out / f"{key}.png").write_bytes(codec.encode(large[:, :, None], "png"))
    rows.append(f"{key}\t{digit}\t{int(digit % 2 == 0)}\t{key}.png\n")
(out / "digits.lst").write_text("".join(rows))
rk.pack(out / "digits.lst", out / "digits", plan=rk.PackPlan(val_ratio=0.2))

labels = rk.RecordDataset(out / "digits_train.rec").labels  # read without the images
assert labels.shape[1] == 2 and (labels[:, 1] == (labels[:, 0] % 2 == 0)).all()
with rk.Loader(out / "digits_train.rec", batch_size=4, channels="keep", label_dtype="auto", shuffle=True) as loader:
    batch = next(iter(loader))
    print(f"a batch: {batch.data.shape}, labels {batch.label.tolist()}")
