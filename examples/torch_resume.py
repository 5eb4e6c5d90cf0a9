"""Train with PyTorch, and continue after a kill as if nothing had happened.

Shows that a checkpoint of network, optimizer and `batch.state` resumes in the middle of an epoch: the final weights
are those of a run without a stop. A network with dropout must save `torch.get_rng_state()` too.

Run: python examples/torch_resume.py    (needs torch and scikit-learn); stop it with Ctrl-C or kill and run it again
Prints: the position at the beginning and at each checkpoint, and a digest of the final weights. The files are in
out/torch_resume.
"""

import hashlib
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

import recordkit as rk
from recordkit.formats import ubyte
from recordkit.interop.torch import Loader

out = Path("out/torch_resume")
if not (out / "digits_train.rec").exists():
    out.mkdir(parents=True, exist_ok=True)
    digits = load_digits()
    (out / "train-images-idx3-ubyte").write_bytes(ubyte.pack((digits.images * (255 / 16)).astype(np.uint8)))
    (out / "train-labels-idx1-ubyte").write_bytes(ubyte.pack(digits.target.astype(np.uint8)))
    rk.pack(out, out / "digits")

torch.manual_seed(0)
torch.set_num_threads(1)  # more threads only slow down so small a network
net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 5 * 5, 10))
optimizer = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
transforms = [rk.RandomCrop(7), rk.Normalize(127.5, 127.5)]
options = {"dtype": "float32", "transforms": transforms}
train = Loader(out / "digits_train.rec", batch_size=32, shuffle=True, **options)
checkpoint, n_epochs = out / "checkpoint.pt", 4
if checkpoint.exists():
    saved = torch.load(checkpoint)
    net.load_state_dict(saved["net"])
    optimizer.load_state_dict(saved["optimizer"])
    train.load_state_dict(saved["train"])
print(f"begins at epoch {train.state_dict()['epoch']}, sample {train.state_dict()['position']}", flush=True)

for epoch in range(train.state_dict()["epoch"], n_epochs):
    for number, batch in enumerate(train, 1):
        loss = nn.functional.cross_entropy(net(batch.data), batch.label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if number % 10 == 0:
            state = {"net": net.state_dict(), "optimizer": optimizer.state_dict(), "train": batch.state}
            torch.save(state, out / "new.pt")
            (out / "new.pt").replace(checkpoint)  # a kill leaves the old checkpoint or the new one
            print(f"saved at epoch {epoch}, sample {batch.state['position']}, loss {loss.item():.3f}", flush=True)
weights = b"".join(value.numpy().tobytes() for value in net.state_dict().values())
print("final weights:", hashlib.sha256(weights).hexdigest()[:16])
checkpoint.unlink()
