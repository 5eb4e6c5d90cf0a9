"""Run something between two system calls of a reader.

A profile function counts every call from Python into the operating system, as in faults.py, so the tests need no list
of the places where a reader opens a file. Calls inside of the native core are not seen.
"""

import sys

from storage.faults import is_system_call


def interleave(read, action, at):
    """Call `read` and, before its `at`-th system call, `action`; return the result and tell if `action` was called."""
    n_calls = 0

    def count(_frame, event, function):
        nonlocal n_calls
        if event != "c_call" or not is_system_call(function):
            return
        n_calls += 1
        if n_calls == at:
            sys.setprofile(None)
            action()

    sys.setprofile(count)
    try:
        result = read()
    finally:
        sys.setprofile(None)
    return result, n_calls >= at
