"""MXNet's settings that it reads from the environment while it is loaded."""

from __future__ import annotations

import os

from recordkit.threads import count_threads


def set_threads(threads: int) -> int:
    """Set the number of MXNet's threads. This has no effect in a process that has already loaded MXNet.

    Settings that the user has made in the environment stay.

    Parameters
    ----------
    threads : int
        Number of threads; 0 for the CPUs this process may use.

    Returns
    -------
    n_threads : int
        Number of threads, at least 1.
    """
    n_threads = count_threads(threads)
    # By default MXNet uses half of the CPUs. Its threads wait often and briefly. They spin for some microseconds,
    # because sleeping makes training half as fast; they do not spin longer, because the decoder needs the CPUs too.
    settings = {
        "OMP_NUM_THREADS": str(n_threads),
        "OMP_WAIT_POLICY": "active",
        "GOMP_SPINCOUNT": "10000",
        "MXNET_SUBGRAPH_VERBOSE": "0",
    }
    for name, value in settings.items():
        os.environ.setdefault(name, value)  # noqa: TID251 (MXNet reads these from the environment alone)
    return n_threads
