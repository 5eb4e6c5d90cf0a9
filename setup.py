"""Builds the native core where a compiler and the libraries are; without them recordkit installs and runs all the same.

RECORDKIT_REQUIRE_NATIVE=1 turns a core that cannot be built into a failed install. All metadata is in setup.cfg.
"""

import os
from pathlib import Path

from pybind11.setup_helpers import ParallelCompile, Pybind11Extension
from setuptools import setup

source = Path("recordkit/native/src")
ParallelCompile(default=os.cpu_count() or 1).install()

core = Pybind11Extension(
    "recordkit.native._core",
    sorted(map(str, source.glob("*.cpp"))),
    depends=sorted(map(str, source.glob("*.hpp"))),
    cxx_std=17,
    # Without fused operations: numbers are the same as in Python, on every CPU.
    extra_compile_args=["-O3", "-ffp-contract=off", "-Wall", "-Wextra"],
    libraries=["jpeg", "deflate"],
    optional=not os.environ.get("RECORDKIT_REQUIRE_NATIVE"),
)
setup(ext_modules=[core])
