"""Provoke an error or a warning, find an advice in its text, and return what the advice names."""

import re
import shlex
import warnings

from advice.sites import skeleton_regex


def advice(module, skeleton, text):
    """Return the values in an advice; a test follows it with them.

    `text` is what a program printed, or a function that raises or warns. The first two arguments are constants, in
    which test_all_sites.py looks up what is walked.
    """
    if not isinstance(text, str):
        text = text_of(text)
    match = re.search(skeleton_regex(skeleton), text, re.DOTALL)
    assert match, f"{module}: expected {skeleton!r}, got {text!r}"
    return [value.rstrip("\n") for value in match.groups()]


def commands(text):
    """Return the arguments of each command of recordkit that a text quotes.

    Examples
    --------
    >>> commands("a.rec: the index does not exist; run 'recordkit reindex a.rec'")
    [['reindex', 'a.rec']]
    """
    return [shlex.split(command) for command in re.findall(r"'recordkit ([^']*)'", text)]


def text_of(function):
    """Return the text of the error or of the warnings of a function."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            function()
        except Exception as error:  # noqa: BLE001 (of recordkit, or of Python with a text of recordkit)
            return str(error.args[0]) if isinstance(error, KeyError) else str(error)
    assert caught, "nothing was raised, and there was no warning"
    return "\n".join(str(warning.message) for warning in caught)
