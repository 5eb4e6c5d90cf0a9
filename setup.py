"""Builds the native core. Without a compiler and the libraries, recordkit installs without it and still runs.

With RECORDKIT_REQUIRE_NATIVE=1, an install fails if the core cannot be built. All metadata is in setup.cfg.
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
    # Fused multiply-adds would give other numbers than Python; without them results are equal on every CPU.
    extra_compile_args=["-O3", "-ffp-contract=off", "-Wall", "-Wextra"],
    libraries=["jpeg", "deflate"],
    optional=not os.environ.get("RECORDKIT_REQUIRE_NATIVE"),
)
setup(ext_modules=[core])
