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
    # MXNet takes half of the CPUs by itself. Threads that spin while they wait would take them from the decoder.
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("MXNET_SUBGRAPH_VERBOSE", "0")
    return threads
