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
    # MXNet takes half of the CPUs by itself. Its threads wait often and shortly: they spin for some microseconds,
    # because to sleep makes the training half as fast, and no longer, because the decoder wants the CPUs too.
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    os.environ.setdefault("OMP_WAIT_POLICY", "active")
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    os.environ.setdefault("MXNET_SUBGRAPH_VERBOSE", "0")
    return threads
