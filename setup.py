"""Builds the native core. Without a compiler and the libraries, recordkit installs without it and still runs.

All metadata is in setup.cfg. Two variables of the environment change the build:

RECORDKIT_REQUIRE_NATIVE=1
    An install fails if the core cannot be built.
RECORDKIT_ZLIB=1
    The core uses zlib even if libdeflate is installed. Otherwise it uses zlib only if libdeflate.h is missing.
"""

import os
import shlex
import sys
import tempfile
from pathlib import Path

from pybind11.setup_helpers import ParallelCompile, Pybind11Extension, build_ext
from setuptools import setup
from setuptools.errors import CompileError, LinkError

source = Path("recordkit/native/src")
exports = Path("recordkit/native/exports.map")
ParallelCompile(default=os.cpu_count() or 1).install()


class BuildCore(build_ext):
    """Compiles the core with the libraries whose headers the compiler finds."""

    def build_extension(self, ext):
        """Compile the core. If that fails, remove the core of an earlier build, which would be installed instead."""
        try:
            self._choose_libraries(ext)
            super().build_extension(ext)
        except (CompileError, LinkError):
            Path(self.get_ext_fullpath(ext.name)).unlink(missing_ok=True)
            raise

    def _choose_libraries(self, ext):
        """Choose libdeflate or zlib, and compile again if a library is another one than for the last core."""
        jpeg = self._preprocess("#include <stdio.h>\n#include <jpeglib.h>\nLIBJPEG_TURBO_VERSION JPEG_LIB_VERSION")
        if jpeg is None:
            packages = "apt-get update && apt-get install g++ libjpeg-dev"
            raise CompileError(f"no C++ compiler that finds jpeglib.h (Debian: {packages})")
        deflate = self._preprocess("#include <libdeflate.h>\nLIBDEFLATE_VERSION_STRING")
        if os.environ.get("RECORDKIT_ZLIB"):
            deflate = None
        left_out = "deflate_zlib.cpp" if deflate else "deflate_libdeflate.cpp"
        ext.sources = [path for path in ext.sources if Path(path).name != left_out]
        ext.libraries = ["jpeg", "deflate" if deflate else "z"]
        found = f"libjpeg-turbo {jpeg}, {f'libdeflate {deflate}' if deflate else 'zlib'}"
        self.announce(f"the native core is compiled with {found}", level=2)
        stamp = Path(self.get_finalized_command("build").build_base, f"core-{sys.implementation.cache_tag}.txt")
        if not stamp.exists() or stamp.read_text() != found:
            stamp.parent.mkdir(parents=True, exist_ok=True)
            stamp.write_text(found)
        ext.depends.append(str(stamp))

    def _preprocess(self, text):
        """Return the last line of a preprocessed program, or None if a header is missing."""
        with tempfile.TemporaryDirectory() as folder:
            program, result = Path(folder, "probe.cpp"), Path(folder, "probe.i")
            program.write_text(text + "\n")
            flags = shlex.split(" ".join(os.environ.get(name, "") for name in ("CFLAGS", "CXXFLAGS")))
            folders = self.compiler.include_dirs
            try:
                self.compiler.preprocess(str(program), str(result), include_dirs=folders, extra_postargs=flags)
            except CompileError:
                return None
            return result.read_text().splitlines()[-1].replace('"', "")


core = Pybind11Extension(
    "recordkit.native._core",
    sorted(map(str, source.glob("*.cpp"))),
    depends=[*sorted(map(str, source.glob("*.hpp"))), str(exports)],
    cxx_std=17,
    # Fused multiply-adds would give other numbers than Python; without them results are equal on every CPU.
    extra_compile_args=["-O3", "-ffp-contract=off", "-fno-trapping-math", "-Wall", "-Wextra"],
    extra_link_args={
        "linux": [f"-Wl,--version-script={exports}"],
        "darwin": ["-Wl,-exported_symbol,_PyInit__core"],
    }.get(sys.platform, []),
    optional=not os.environ.get("RECORDKIT_REQUIRE_NATIVE"),
)
setup(ext_modules=[core], cmdclass={"build_ext": BuildCore})
