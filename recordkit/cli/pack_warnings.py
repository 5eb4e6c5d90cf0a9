"""Warnings of a finished pack on stderr, for ``recordkit pack`` and ``im2rec``."""

from __future__ import annotations

from recordkit.cli.terminal import print_message
from recordkit.errors import plural
from recordkit.packing import PackReport

# Number of failures to print for each set; PREFIX.failed.tsv lists all of them.
_N_PRINTED_FAILURES = 10


def print_warnings(program: str, report: PackReport) -> None:
    """Print the warnings of a pack, and the first failures of each set.

    Parameters
    ----------
    program : str
        Name of the program, which begins each line.
    report : PackReport
    """
    for warning in report.warnings:
        print_message(program, f"warning: {warning}")
    for set_report in report.sets:
        for failure in set_report.failures[:_N_PRINTED_FAILURES]:
            print_message(program, f"{failure.name}: {failure.reason}; left out")
        if set_report.n_missing > set_report.n_listed / 2:
            root = "ROOT" if program == "im2rec" else "--root"
            share = f"{set_report.n_missing} of {set_report.n_listed} images do not exist"
            print_message(program, f"warning: {share}; is {root} right?")
        for note, n in set_report.notes.items():
            print_message(program, f"warning: {plural(n, 'image')}: {note}")
