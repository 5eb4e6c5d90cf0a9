"""Fixtures of the tests of edits."""

import pytest


@pytest.fixture(params=["python", "native"])
def both_engines(request):
    """Read and copy records by each engine."""
    request.getfixturevalue("require_native" if request.param == "native" else "no_native")
