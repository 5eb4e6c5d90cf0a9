"""The core uses the fast instructions of the CPU whatever compiler made it."""

import platform
from pathlib import Path

import pytest

from recordkit import native

pytestmark = pytest.mark.usefixtures("require_native")


def test_images_are_resized_with_avx2_where_the_cpu_has_it():
    cpus = Path("/proc/cpuinfo")
    if platform.machine() == "x86_64" and not cpus.exists():
        pytest.skip("the system does not tell the instructions of its CPU")
    has_avx2 = platform.machine() == "x86_64" and "avx2" in cpus.read_text().split()
    assert native.load().build()["resize"] == ("AVX2" if has_avx2 else "portable")
