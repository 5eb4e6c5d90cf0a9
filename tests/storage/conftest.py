"""Fixtures of the tests that kill processes while they publish."""

import pytest
from storage.faults import Faults


@pytest.fixture(scope="module")
def faults():
    with Faults() as started:
        yield started


@pytest.fixture
def tmp_path(memory_path):
    """A folder in memory: these tests publish thousands of times."""
    return memory_path
