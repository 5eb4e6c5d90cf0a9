"""One Ray of two CPUs for all tests of this folder, whose tasks reach the object store of the tests."""

import os
import warnings

import pytest
from object_server import missing
from object_store import PERSONAL


@pytest.fixture(scope="session")
def ray_installed():
    """Ray. Without it, tests are skipped, or fail if RECORDKIT_REQUIRE_CLUSTER is set."""
    os.environ |= {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own
        if os.environ.get("RECORDKIT_REQUIRE_CLUSTER"):
            import ray
            import ray.data
        else:
            ray = pytest.importorskip("ray", reason="Ray is not installed")
            pytest.importorskip("ray.data", reason="Ray Data is not installed")
    return ray


@pytest.fixture(scope="session")
def machine(request, tmp_path_factory):
    """The variables of the machine of the tasks: credentials for the store, if there is one, and a cache of its own."""
    server = {} if missing() else request.getfixturevalue("object_server").environment(None)
    folder = tmp_path_factory.mktemp("machine")
    files = {name: str(folder / "none") for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")}
    return server | files | {"XDG_CACHE_HOME": str(folder)}


@pytest.fixture(scope="session")
def ray_runtime(ray_installed, machine):
    """A running Ray."""
    ray = ray_installed
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        for name in PERSONAL:
            patch.delenv(name, raising=False)
        for name, value in machine.items():
            patch.setenv(name, value)
        warnings.simplefilter("ignore")  # Ray's own
        ray.init(
            address="local",
            num_cpus=2,
            include_dashboard=False,
            logging_level="error",
            log_to_driver=False,
            object_store_memory=200_000_000,
        )
    yield ray
    ray.shutdown()


@pytest.fixture
def ray(ray_runtime):
    """The running Ray, whose datasets keep their order, and whose own warnings are not errors."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"ray\.")
        warnings.filterwarnings("ignore", category=ResourceWarning)
        context = ray_runtime.data.DataContext.get_current()
        context.execution_options.preserve_order = True
        context.enable_progress_bars = False
        yield ray_runtime
