"""The machine of a measurement: its hardware, its load by other processes, and its page cache."""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import time
from pathlib import Path
from typing import Any

from recordkit.threads import count_threads

# A run is noisy if other processes took more than this share of the processor time.
NOISY_SHARE = 0.05


def describe() -> dict[str, Any]:
    """Return the CPU model, the number of CPUs, the memory, the operating system and the Python version."""
    models = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    memory_kb = [int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")]
    return {
        "cpu": models[0] if models else platform.processor() or platform.machine(),
        "cpus": count_threads(0),
        "memory_gb": round(memory_kb[0] * 1024 / 1e9, 1) if memory_kb else None,
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


class Load:
    """The load of the processors by other processes since this object was made.

    Attributes
    ----------
    known_s : float
        Processor time of the measured processes in seconds, which the caller adds up; it is not load by others.
    """

    def __init__(self) -> None:
        self.known_s = 0.0
        self._begin_s, self._begin_busy_s, self._begin_own_s = time.perf_counter(), busy_s(), time.process_time()

    def others_share(self) -> float | None:
        """Return the share of the processor time that others took, 0 to 1; None if it is unknown or nothing ran."""
        wall_s, now_busy_s = time.perf_counter() - self._begin_s, busy_s()
        if now_busy_s is None or self._begin_busy_s is None or not self.known_s:
            return None
        own_s = time.process_time() - self._begin_own_s + self.known_s
        return max(0.0, now_busy_s - self._begin_busy_s - own_s) / wall_s / (os.cpu_count() or 1)


def busy_s() -> float | None:
    """Return the time that all CPUs together were busy or stolen since boot, in seconds; None if unknown."""
    for line in _lines("/proc/stat")[:1]:
        user, nice, system, _idle, _wait, irq, softirq, steal = map(int, line.split()[1:9])
        return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    return None


def drop_from_cache(path: Path) -> None:
    """Ask the kernel to drop a file from the page cache; it keeps pages that are dirty, mapped or locked."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def cached_share(path: Path) -> float:
    """Return the share of a file that is in the page cache, 0 to 1, by the C library's `mincore`.

    Raises
    ------
    OSError
        The file cannot be mapped, or `mincore` failed.
    """
    size = path.stat().st_size
    if not size:
        return 0.0
    with (
        open(path, "rb") as file,
        mmap.mmap(file.fileno(), size, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE) as view,
    ):
        n_pages = -(-size // mmap.PAGESIZE)
        residency = (ctypes.c_ubyte * n_pages)()
        first_byte = ctypes.c_char.from_buffer(view)
        failed = ctypes.CDLL(None, use_errno=True).mincore(
            ctypes.c_void_p(ctypes.addressof(first_byte)), ctypes.c_size_t(size), residency
        )
        del first_byte  # the view cannot be closed while this refers to it
    if failed:
        raise OSError(ctypes.get_errno(), "mincore failed", str(path))
    return sum(page & 1 for page in residency) / n_pages
