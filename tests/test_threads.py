"""The number of threads, and ThreadedMap."""

import gc
import os
import subprocess
import sys
import threading
import time

import pytest

from recordkit.errors import PlanError
from recordkit.threads import MAX_THREADS, ThreadedMap, count_threads


def running_threads():
    return [thread for thread in threading.enumerate() if thread.name == "recordkit"]


def wait_until(condition):
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("the condition stayed false for 60 s")


@pytest.fixture(autouse=True)
def no_threads_of_earlier_tests():
    """Wait until earlier tests' threads have ended: a loader that was not closed ends its threads when collected."""
    gc.collect()
    wait_until(lambda: not running_threads())


def slow(number):
    time.sleep(0.001 * (number % 3))
    return number


@pytest.mark.parametrize("n_threads", [1, 2, 7])
@pytest.mark.parametrize("ahead", [False, True])
def test_results_come_in_the_order_of_the_items(n_threads, ahead):
    with ThreadedMap(slow, range(50), n_threads, ahead=ahead) as results:
        assert list(results) == list(range(50))
    assert not running_threads()


def test_at_most_two_items_a_thread_are_taken_ahead():
    consumed = []

    def items():
        for number in range(100):
            consumed.append(number)
            yield number

    with ThreadedMap(slow, items(), 3) as results:
        for number in results:
            assert len(consumed) <= number + 1 + 6


@pytest.mark.parametrize("n_threads", [1, 3])
def test_an_error_is_raised_at_its_item_with_its_own_type(n_threads):
    got = []
    with (
        pytest.raises(ZeroDivisionError),
        ThreadedMap(lambda n: 1 // (5 - n), range(9), n_threads, ahead=True) as results,
    ):
        got.extend(results)
    assert len(got) == 5 and not running_threads()


def test_an_error_of_the_items_is_raised():
    def items():
        yield 1
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"), ThreadedMap(abs, items(), 2) as results:
        list(results)


def test_a_dropped_map_ends_its_threads_without_waiting():
    for _ in range(20):
        next(ThreadedMap(slow, range(1000), 2))
    gc.collect()
    wait_until(lambda: not running_threads())


def test_dropped_maps_do_not_block_the_start_of_threads():
    class Cycle:  # only the garbage collector frees it, wherever that runs
        def __init__(self):
            self.itself = self
            self.results = ThreadedMap(abs, range(9), 2)
            next(self.results)

    def run():
        for _ in range(300):
            Cycle()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    for _ in range(300):
        with ThreadedMap(slow, range(4), 2) as results:
            assert list(results) == [0, 1, 2, 3]
    thread.join(300)
    assert not thread.is_alive()


def test_a_program_may_end_while_threads_are_running():
    program = (
        "import time\nfrom recordkit.threads import ThreadedMap\nx = ThreadedMap(time.sleep, [0.01] * 1000, 3)\nnext(x)"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=300).returncode == 0


DROPPED = """
import os, sys, time
from threading import Event
from recordkit.threads import ThreadedMap
begun = Event()
def work(item):
    if item:
        begun.set()
        time.sleep(0.3)
        print("finished")
results = ThreadedMap(work, range(2), 1, ahead=True)
next(results)
begun.wait()
del results
if not os.fork():
    sys.exit()  # the threads are not in this process, so it waits for none
"""


def test_a_program_ends_after_the_threads_of_a_dropped_map():
    process = subprocess.run([sys.executable, "-c", DROPPED], timeout=300, capture_output=True, text=True)
    assert (process.returncode, process.stdout) == (0, "finished\n")


INTERRUPTED = """
import signal, time
from recordkit.threads import ThreadedMap
signal.signal(signal.SIGALRM, signal.default_int_handler)
signal.setitimer(signal.ITIMER_REAL, {after})
try:
    with ThreadedMap(time.sleep, [0.001] * 10000, 50) as results:
        list(results)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize("after", [0.0005, 0.001, 0.002, 0.003, 0.005, 0.01])
def test_an_interrupt_while_threads_are_being_started_ends_them_all(after):
    command = [sys.executable, "-c", INTERRUPTED.format(after=after)]
    process = subprocess.run(command, timeout=300, capture_output=True, text=True)
    assert "interrupted" in process.stdout or "KeyboardInterrupt" in process.stderr


def test_a_forked_process_may_close_and_drop_the_map():
    results = ThreadedMap(slow, range(1000), 2)
    next(results)
    child = os.fork()
    if not child:
        results.close()
        del results
        gc.collect()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    results.close()


def test_zero_threads_means_the_cpus_of_this_process():
    assert 1 <= count_threads(0) <= MAX_THREADS


@pytest.mark.parametrize("threads", [-1, MAX_THREADS + 1, 2_000_000_000])
def test_more_threads_than_a_machine_can_use_are_refused(threads):
    with pytest.raises(PlanError, match=f"threads: expected 0 to 1024, got {threads}"):
        count_threads(threads)


@pytest.mark.parametrize("n_startable", [0, 1, 3])
def test_threads_that_cannot_start_are_done_without(monkeypatch, n_startable):
    start, n_started = threading.Thread.start, []

    def start_some(thread):
        if thread.name == "recordkit":
            if len(n_started) == n_startable:
                raise RuntimeError("can't start new thread")
            n_started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_some)
    with ThreadedMap(slow, range(50), 5, ahead=True) as results:
        assert list(results) == list(range(50))
    assert len(n_started) == n_startable and not running_threads()
    with pytest.raises(ZeroDivisionError), ThreadedMap(lambda n: 1 // (5 - n), range(9), 5) as results:
        list(results)


def test_no_more_items_than_asked_for_are_taken_ahead():
    taken = []
    with ThreadedMap(slow, (taken.append(n) or n for n in range(20)), 4, n_ahead=2) as results:
        for number in results:
            assert len(taken) <= number + 1 + 2


def test_a_function_is_told_that_nobody_waits_any_more():
    stopped, n_steps = bytearray(1), []

    def steps(_item):
        for _ in range(10_000):
            if stopped[0]:
                return
            n_steps.append(1)
            time.sleep(0.01)

    with ThreadedMap(steps, range(4), 2, stopped=stopped) as results:
        results._submit(0)
        wait_until(lambda: n_steps)
    assert len(n_steps) < 10_000 and not running_threads()
