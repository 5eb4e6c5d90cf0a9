"""What MXNet must be told through the environment before it is loaded."""

from __future__ import annotations

import os

from recordkit.threads import count_threads


def set_threads(threads: int) -> int:
    """Say to MXNet how many threads it may use; in a process that has loaded it already this does nothing more.

    Parameters
    ----------
    threads : int
        0 for the CPUs this process may use.

    Returns
    -------
    threads : int
    """
    threads = count_threads(threads)
    # MXNet takes half of the CPUs by default. Its threads wait often and briefly. They spin for some microseconds,
    # because sleeping makes training half as fast; they do not spin longer, because the decoder needs the CPUs too.
    settings = {
        "OMP_NUM_THREADS": str(threads),
        "OMP_WAIT_POLICY": "active",
        "GOMP_SPINCOUNT": "10000",
        "MXNET_SUBGRAPH_VERBOSE": "0",
    }
    for name, value in settings.items():
        os.environ.setdefault(name, value)  # noqa: TID251 (MXNet takes these from the environment only)
    return threads
