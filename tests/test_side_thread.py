"""SideThread: calls that a thread makes while its owner does something else."""

import os
import signal
import threading

import pytest

from recordkit.side_thread import SideThread


def test_a_side_thread_works_while_its_owner_does():
    side, owner_works = SideThread(), threading.Event()
    with side.calling(owner_works.wait, 10):
        owner_works.set()
    results = []
    with side.calling(results.append, 1):
        pass
    assert results == [1]
    side.close()
    side.close()


def test_a_side_thread_raises_the_error_of_its_call_after_the_block():
    side, steps = SideThread(), []
    with pytest.raises(ZeroDivisionError), side.calling(lambda n: 1 / n, 0):
        steps.append("block")
    with pytest.raises(KeyError, match="block"), side.calling(steps.append, "call"):
        raise KeyError("block")
    assert steps == ["block", "call"]
    side.close()


def test_without_a_side_thread_the_owner_makes_the_call(monkeypatch):
    def refuse(_thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    callers = []
    with SideThread().calling(lambda _: callers.append(threading.current_thread()), None):
        assert callers == [threading.current_thread()]


def test_a_forked_process_has_a_side_thread_of_its_own():
    side, results = SideThread(), []
    with side.calling(results.append, "parent"):
        pass
    child = os.fork()
    if not child:
        signal.alarm(60)  # ends the child if it waits for ever
        with side.calling(results.append, "child"):
            pass
        side.close()
        os._exit(0 if results == ["parent", "child"] else 1)
    assert os.waitpid(child, 0)[1] == 0
    side.close()


def test_a_forked_process_may_close_the_side_thread_of_the_other():
    side = SideThread()
    with side.calling(str, 1):
        pass
    child = os.fork()
    if not child:
        signal.alarm(60)
        side.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    with side.calling(str, 1):
        pass
    side.close()
