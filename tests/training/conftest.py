"""Fixtures: .rec files of bars, every iterator, both APIs."""

import signal

import pytest
from training.bars import APIS, ITERATORS, images, write_rec


# Gluon's iterator starts processes for each epoch, so it runs in one quick test, of a resumed run, and here with --all.
@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.slow if name == "gluon" else ()) for name in ITERATORS])
def iterator(request):
    """Each iterator."""
    return request.param


@pytest.fixture(autouse=True)
def wake_the_main_thread():
    """Interrupt waits every half a minute.

    When Gluon ends its processes, Python has been seen to wait forever for a thread of theirs that had already ended. A
    signal that does nothing makes it look again.
    """
    before = signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 30, 30)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(params=APIS)
def api(request):
    """Each API of MXNet that makes updates."""
    return request.param


@pytest.fixture
def rec(tmp_path):
    return write_rec(tmp_path / "train.rec", images(70))


@pytest.fixture
def val(tmp_path):
    return write_rec(tmp_path / "val.rec", images(25, seed=1))
