"""Run something between two system calls of a reader.

A profile function counts every call from Python into the operating system, as in faults.py, so the tests need no list
of the places where a reader opens a file. Calls inside of the native core are not seen.
"""

import sys

from storage.faults import act_before_call


def interleave(read, action, at):
    """Call `read` and, before its `at`-th system call, `action`; return the result and tell if `action` was called."""

    def act():
        sys.setprofile(None)  # the calls of the action do not count
        action()

    n_calls = act_before_call(at, act)
    try:
        result = read()
    finally:
        sys.setprofile(None)
    return result, n_calls() >= at
