"""bin/wheel: what is published installs and works on a machine without a compiler, a header or the two libraries."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TOOLS = ROOT / ".envs/wheel/bin"

pytestmark = pytest.mark.skipif(
    not os.environ.get("RECORDKIT_REQUIRE_WHEEL"), reason="RECORDKIT_REQUIRE_WHEEL is not set: bin/wheel takes minutes"
)


# A copy of a test folder runs without the checkout, so that it imports what is installed.
TESTS = [f"tests/{name}" for name in ("test_installed.py", "native", "packing/test_pack.py", "test_codec.py")]
# Under qemu a program takes tens of times as long, so only tests run whose result depends on the machine's code.
TESTS_UNDER_QEMU = [TESTS[0], "tests/test_codec.py"] + [
    f"tests/native/test_{name}.py" for name in ("cpu", "reading", "records", "same_images", "steps", "zlib")
]
TEST_INSTALLED = """
import recordkit
from recordkit import native


def test_the_core_of_the_wheel_is_tested():
    assert recordkit.__file__.startswith({site!r})
    facts = native.load().build()
    assert facts["huffman"] == "fast"
    assert "libdeflate" in facts
"""
PACKAGES_OF_TESTS = ("pytest", "hypothesis")


def output(*command, **options):
    """Return what a command prints, and fail with what it prints if it fails."""
    done = subprocess.run(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def build(folder, *arguments):
    """Run bin/wheel and return the wheel with the core."""
    output(ROOT / "bin/wheel", *arguments, folder)
    (wheel,) = folder.glob("*-cp*.whl")
    return wheel


@pytest.fixture(scope="module")
def native_wheel(tmp_path_factory):
    """The wheel for this Python and this machine; the other files that are published lie beside it."""
    return build(tmp_path_factory.mktemp("dist"), "--python", "{}.{}".format(*sys.version_info))


@pytest.fixture(scope="module")
def aarch64_wheel(tmp_path_factory):
    """The wheel for Python 3.11, which Debian has for qemu, and for aarch64."""
    return build(tmp_path_factory.mktemp("dist"), "--python", "3.11", "--arch", "aarch64")


@pytest.fixture(scope="module")
def published(native_wheel):
    """The folder with the sdist and the wheels."""
    return native_wheel.parent


@pytest.fixture(params=["native_wheel", "aarch64_wheel"])
def wheel(request):
    """Each wheel with a core."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def core(wheel, tmp_path):
    """The compiled module of the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".so"))
        return archive.extract(name, tmp_path)


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """Environment variables of a machine on which nothing can be compiled."""
    folder = tmp_path_factory.mktemp("bin")
    for program in ("bash", "sh", "ldd"):  # a test of the core asks ldd for its libraries
        (folder / program).symlink_to(shutil.which(program))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "RECORDKIT"))}
    return kept | {"PATH": str(folder), "CC": "/bin/false", "CXX": "/bin/false", "LC_ALL": "C.UTF-8"}


@pytest.fixture(scope="module")
def hide():
    """First words of a command that then sees no header of the machine; none without the right to mount."""
    unshare, mount = shutil.which("unshare"), shutil.which("mount")
    words = (unshare, "--mount", "/bin/sh", "-c", f'{mount} -t tmpfs none /usr/include && exec "$@"', "sh")
    works = (
        unshare and mount and subprocess.run([*words, "/bin/true"], capture_output=True, check=False).returncode == 0
    )
    return words if works else ()


def test_the_sdist_has_every_file_that_a_build_needs(published):
    (sdist,) = published.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    tracked = set(output("git", "ls-files", "recordkit", cwd=ROOT).splitlines())
    top = {"setup.py", "setup.cfg", "pyproject.toml", "MANIFEST.in", "LICENSE", "README.md", "CHANGELOG.md"}
    assert tracked | top <= packed


def test_the_core_exports_nothing_but_its_init_function(core):
    symbols = [line.split() for line in output("readelf", "-W", "--dyn-syms", core).splitlines() if ": " in line][1:]
    assert [fields[7] for fields in symbols if fields[6] != "UND"] == ["PyInit__core"]


def test_the_core_needs_no_library_but_those_of_glibc(core):
    needed = set(re.findall(r"\(NEEDED\).*\[(.+?)\.so", output("readelf", "-d", core)))
    assert "libc" in needed
    assert needed <= {"libc", "libm", "libdl", "libpthread", "librt", "ld-linux-x86-64", "ld-linux-aarch64"}


def test_auditwheel_says_manylinux(wheel):
    assert re.search(r'platform tag:\s+"manylinux_2_17_', output(TOOLS / "auditwheel", "show", wheel))


def test_the_wheel_has_the_licences_of_what_it_carries(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if "/licenses/" in name and not name.endswith("/")]
        texts = {name.rpartition("/")[2]: archive.read(name).decode() for name in names}
    assert texts.keys() == {"LICENSE", "LICENSE.libdeflate", "LICENSE.libjpeg-turbo", "LICENSE.pybind11"}
    assert "Eric Biggers" in texts["LICENSE.libdeflate"]
    assert "Wenzel Jakob" in texts["LICENSE.pybind11"]
    assert "Independent JPEG Group" in texts["LICENSE.libjpeg-turbo"]
    assert "D. R. Commander" in texts["LICENSE.libjpeg-turbo"]


def test_pip_takes_the_native_wheel_where_it_fits_and_the_pure_one_elsewhere(published, native_wheel, tmp_path):
    pip = (sys.executable, "-m", "pip", "download", "--no-index", "--no-deps", "--only-binary", ":all:", "recordkit")
    output(*pip, "--find-links", published, "--dest", tmp_path / "here")
    output(*pip, "--find-links", published, "--dest", tmp_path / "windows", "--platform", "win_amd64")
    assert [path.name for path in (tmp_path / "here").iterdir()] == [native_wheel.name]
    assert [path.name.rpartition("-py3-")[2] for path in (tmp_path / "windows").iterdir()] == ["none-any.whl"]


def test_the_native_wheel_runs_the_tests_of_the_core_where_nothing_can_be_compiled(native_wheel, bare, hide, tmp_path):
    python = tmp_path / "env/bin/python"
    output(sys.executable, "-m", "venv", tmp_path / "env")
    install = (python, "-m", "pip", "install", "--quiet", "--only-binary", ":all:", native_wheel, *PACKAGES_OF_TESTS)
    output(*hide, *install, env=bare)
    run_tests(*hide, python, site=tmp_path / "env", folder=tmp_path / "checks", env=bare)
    said = output(*hide, python.parent / "recordkit", "doctor", cwd=tmp_path, env=bare)
    assert "native" in said


def test_the_aarch64_wheel_runs_the_tests_of_the_core_under_qemu(aarch64_wheel, bare, tmp_path):
    output(ROOT / "bin/_wheel", "aarch64_python", tmp_path / "debian")
    site = tmp_path / "site"
    platforms = [f"--platform={name}_aarch64" for name in ("manylinux_2_28", "manylinux_2_17", "manylinux2014")]
    version = ("--python-version", "3.11", "--implementation", "cp", *platforms)
    install = (sys.executable, "-m", "pip", "install", "--quiet", "--only-binary", ":all:", "--target", site, *version)
    output(*install, aarch64_wheel, *PACKAGES_OF_TESTS)
    programs = tmp_path / "debian/bin"
    env = bare | {"PYTHONPATH": str(site), "PATH": f"{programs}:{bare['PATH']}"}
    run_tests(programs / "python", site=site, folder=tmp_path / "checks", env=env, tests=TESTS_UNDER_QEMU)


def run_tests(*python, site, folder, env, tests=TESTS):
    """Run tests with an installed recordkit."""
    shutil.copytree(ROOT / "tests", folder / "tests")
    (folder / "benchmarks").mkdir()
    for name in ("fault_proxy.py", "object_server.py"):  # which fixtures import
        shutil.copy(ROOT / "benchmarks" / name, folder / "benchmarks")
    shutil.copy(ROOT / "setup.cfg", folder)
    (folder / "tests/test_installed.py").write_text(TEST_INSTALLED.format(site=str(site)))
    command = (*python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)
    printed = output(*command, cwd=folder, env=env | {"RECORDKIT_REQUIRE_NATIVE": "1"})
    assert int(re.search(r"(\d+) passed", printed)[1]) > 300


def test_the_pure_wheel_packs_and_reads_with_the_python_engine(published, tmp_path, tiny_folder):
    (wheel,) = published.glob("*-py3-none-any.whl")
    site = tmp_path / "site"
    output(sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target", site, wheel)
    program = """
import sys, warnings
import recordkit
from recordkit import native
from recordkit.codec import decode

assert recordkit.__file__.startswith(sys.argv[1]), recordkit.__file__
assert not native.available()
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    recordkit.pack(sys.argv[2], sys.argv[3])
assert [w.category.__name__ for w in caught] == ["SlowEngineWarning"], caught
dataset = recordkit.RecordDataset(sys.argv[3] + ".rec")
print([decode(sample.payload).shape for sample in dataset[:12]])
"""
    command = (sys.executable, "-c", program, site, tiny_folder, tmp_path / "packed")
    shapes = ast.literal_eval(output(*command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(site)}))
    assert sorted(shapes) == sorted((20 + 3 * n, 30 + label, 3) for label in range(3) for n in range(4))
