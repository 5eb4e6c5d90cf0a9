"""A training in phases, each with another number of ranks, for test_rank.py.

Arguments: path of the .rec file, folder for files, phases as JSON: a list of [kind of loader, number of ranks, number
of batches or null for all]. A phase goes on from the state of the last rank of the phase before, with an empty cache
of its own for files in a store. The result is a line of JSON: for each phase and rank, the keys of each batch, and the
state.

The ranks are forked, because PyTorch takes seconds to import.
"""

import datetime
import itertools
import json
import multiprocessing
import sys

import torch.distributed

import recordkit.cluster
import recordkit.interop.torch


def run(connection, phase, path, meeting_file, rank, state):
    """Read the batches of one rank, and send what it read."""
    kind, n_ranks, n_batches = phase
    torch.distributed.init_process_group(
        "gloo",
        init_method=f"file://{meeting_file}",
        rank=rank,
        world_size=n_ranks,
        timeout=datetime.timedelta(seconds=60),
    )
    options = {"batch_size": 4, "shuffle": True, "seed": 3, "last_batch": "pad", "channels": 1}
    options["cache_dir"] = f"{meeting_file}-cache"
    if kind == "torch":
        loader = recordkit.interop.torch.Loader(path, **options)
    else:
        loader = recordkit.Loader(path, rank=recordkit.cluster.rank(), **options)
    if state:
        loader.load_state_dict(state)
    keys = []
    for batch in itertools.islice(loader, n_batches):
        keys.append(batch.key[: batch.n_valid].tolist())
        torch.distributed.all_reduce(torch.ones(1))  # would fail if another rank had fewer batches
    connection.send({"keys": keys, "state": loader.state_dict()})
    torch.distributed.destroy_process_group()


def main(path, folder, phases):
    """Run the phases one after the other, and print their results."""
    context = multiprocessing.get_context("fork")
    results, state = [], None
    for number, phase in enumerate(json.loads(phases)):
        ranks = []
        for rank in range(phase[1]):
            receiver, sender = context.Pipe(duplex=False)
            arguments = (sender, phase, path, f"{folder}/meeting-{number}", rank, state)
            process = context.Process(target=run, args=arguments, daemon=True)
            process.start()
            sender.close()
            ranks.append((process, receiver))
        results.append([receiver.recv() for _, receiver in ranks])
        for process, _ in ranks:
            process.join()
        state = results[-1][-1]["state"]
    sys.stdout.write(json.dumps(results) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
