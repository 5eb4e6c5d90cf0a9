"""Threads: how many, and results in order."""

import gc
import os
import subprocess
import sys
import threading
import time

import pytest

from recordkit.errors import PlanError
from recordkit.threads import MAX_THREADS, InOrder, count_threads


def ours():
    return [thread for thread in threading.enumerate() if thread.name == "recordkit"]


def wait_until(true):
    for _ in range(500):
        if true():
            return
        time.sleep(0.01)
    pytest.fail("it never came true")


@pytest.fixture(autouse=True)
def none_of_others():
    """Other tests' threads are gone: those of loaders that nobody closed end when they are collected."""
    gc.collect()
    wait_until(lambda: not ours())


def slow(number):
    time.sleep(0.001 * (number % 3))
    return number


@pytest.mark.parametrize("n_threads", [1, 2, 7])
@pytest.mark.parametrize("ahead", [False, True])
def test_results_come_in_the_order_of_the_items(n_threads, ahead):
    with InOrder(slow, range(50), n_threads, ahead=ahead) as results:
        assert list(results) == list(range(50))
    assert not ours()


def test_no_more_than_two_items_a_thread_are_taken_before_their_turn():
    taken = []

    def items():
        for number in range(100):
            taken.append(number)
            yield number

    with InOrder(slow, items(), 3) as results:
        for number in results:
            assert len(taken) <= number + 1 + 6


@pytest.mark.parametrize("n_threads", [1, 3])
def test_an_error_is_raised_in_its_turn_with_its_own_type(n_threads):
    got = []
    with pytest.raises(ZeroDivisionError), InOrder(lambda n: 1 // (5 - n), range(9), n_threads, ahead=True) as results:
        got.extend(results)
    assert len(got) == 5 and not ours()


def test_an_error_of_the_items_is_raised():
    def items():
        yield 1
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"), InOrder(abs, items(), 2) as results:
        list(results)


def test_one_that_is_forgotten_ends_without_being_waited_for():
    for _ in range(20):
        next(InOrder(slow, range(1000), 2))
    gc.collect()
    wait_until(lambda: not ours())


def test_forgotten_ones_do_not_stop_threads_from_being_started():
    class Circle:  # found by the garbage collector, wherever that runs
        def __init__(self):
            self.me = self
            self.results = InOrder(abs, range(9), 2)
            next(self.results)

    def run():
        for _ in range(300):
            Circle()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    for _ in range(300):
        with InOrder(slow, range(4), 2) as results:
            assert list(results) == [0, 1, 2, 3]
    thread.join(60)
    assert not thread.is_alive()


def test_a_program_that_ends_in_the_middle_ends():
    program = "import time\nfrom recordkit.threads import InOrder\nx = InOrder(time.sleep, [0.01] * 1000, 3)\nnext(x)"
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 0


INTERRUPTED = """
import signal, time
from recordkit.threads import InOrder
signal.signal(signal.SIGALRM, signal.default_int_handler)
signal.setitimer(signal.ITIMER_REAL, {after})
try:
    with InOrder(time.sleep, [0.001] * 10000, 50) as results:
        list(results)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize("after", [0.0005, 0.001, 0.002, 0.003, 0.005, 0.01])
def test_an_interrupt_while_threads_are_being_started_ends_them_all(after):
    command = [sys.executable, "-c", INTERRUPTED.format(after=after)]
    done = subprocess.run(command, timeout=60, capture_output=True, text=True)
    assert "interrupted" in done.stdout or "KeyboardInterrupt" in done.stderr


def test_a_forked_process_may_forget_it():
    results = InOrder(slow, range(1000), 2)
    next(results)
    child = os.fork()
    if not child:
        results.close()
        del results
        gc.collect()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    results.close()


def test_none_asked_for_means_as_many_as_there_are_cpus():
    assert 1 <= count_threads(0) <= MAX_THREADS


@pytest.mark.parametrize("asked", [-1, MAX_THREADS + 1, 2_000_000_000])
def test_more_threads_than_a_machine_can_use_are_refused(asked):
    with pytest.raises(PlanError, match=f"threads: expected 0 to 1024, got {asked}"):
        count_threads(asked)
