"""Fixtures of the tests that kill processes while they publish."""

import os

import pytest
from storage.faults import Faults


@pytest.fixture(scope="module")
def faults():
    with Faults() as started:
        yield started


@pytest.fixture
def no_sync(monkeypatch):
    """Skip fsync in this process, to save time. The killed processes do call it."""
    monkeypatch.setattr(os, "fsync", lambda _handle: None)
