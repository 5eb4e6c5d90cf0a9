"""Train on two processes with DistributedDataParallel, on the CPU.

Shows that the loader takes its share of an epoch from torch.distributed, that all ranks get equally many batches, and
that two ranks with batches of 16 learn what one process learns with batches of 32.

Run: python examples/torch_ddp.py    (needs torch and scikit-learn)
Prints: the number of batches, and the largest difference of the weights. The files are in out/torch_ddp.
"""

from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import distributed, multiprocessing, nn
from torch.nn.parallel import DistributedDataParallel

import recordkit as rk
from recordkit.formats import ubyte
from recordkit.interop.torch import Loader

out = Path("out/torch_ddp")
torch.set_num_threads(1)  # more threads only slow down so small a network


def train(wrap, batch_size):
    """Return the weights after two epochs, one vector."""
    torch.manual_seed(0)  # the same first weights in each process
    net = wrap(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)))
    transforms = [rk.Normalize(127.5, 127.5)]
    options = {"shuffle": True, "last_batch": "drop", "dtype": "float32", "transforms": transforms}
    loader = Loader(out / "digits_train.rec", batch_size=batch_size, **options)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(2):
        for data, label in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(data), label).backward()
            optimizer.step()
    print(f"{len(loader)} batches of {batch_size} in each epoch", flush=True)
    return torch.cat([value.flatten() for value in net.state_dict().values()])


def run_rank(rank, sync):
    distributed.init_process_group("gloo", init_method=sync, rank=rank, world_size=2)
    torch.save(train(DistributedDataParallel, batch_size=16), out / f"rank{rank}.pt")
    distributed.destroy_process_group()


if __name__ == "__main__":  # the processes of `spawn` import this file
    out.mkdir(parents=True, exist_ok=True)
    digits = load_digits()
    (out / "train-images-idx3-ubyte").write_bytes(ubyte.pack((digits.images * (255 / 16)).astype(np.uint8)))
    (out / "train-labels-idx1-ubyte").write_bytes(ubyte.pack(digits.target.astype(np.uint8)))
    rk.pack(out, out / "digits")
    (out / "sync").unlink(missing_ok=True)  # the file by which the processes find each other
    multiprocessing.spawn(run_rank, args=((out / "sync").resolve().as_uri(),), nprocs=2)
    rank0, rank1 = torch.load(out / "rank0.pt"), torch.load(out / "rank1.pt")
    difference = (rank0 - train(lambda net: net, batch_size=32)).abs().max().item()
    print(f"largest difference of a weight: {difference:.1e}")
    assert torch.equal(rank0, rank1) and difference < 1e-5
