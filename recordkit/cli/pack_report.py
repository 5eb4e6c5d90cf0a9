"""The report of a pack: its lines on stdout, and its warnings on stderr."""

from __future__ import annotations

from recordkit.cli.console import old_file_lines
from recordkit.cli.terminal import print_message
from recordkit.errors import plural
from recordkit.packing import PackPreview, PackReport

# Number of failures to print for each set; PREFIX.failed.tsv lists all of them.
_N_PRINTED_FAILURES = 10


def pack_lines(report: PackReport) -> list[str]:
    """Return a line for each set, and one about the whole pack."""
    lines = []
    for done in report.sets:
        failed = f", {done.n_failed} failed (see {done.failed_path})" if done.n_failed else ""
        lines.append(
            f"{done.prefix}.rec: {done.n_listed} listed, {done.n_packed} packed{failed}; "
            f"{_megabytes(done.input_bytes)} in, {_megabytes(done.output_bytes)} out"
        )
    lines += [f"{path}: the manifest of these shards" for path in report.manifests]
    if report.uploaded_bytes == 0:
        lines.append("all files were already there, nothing uploaded")
    lines.append(
        f"{plural(report.n_packed, 'image')} in {report.duration_s:.1f} s, {report.rate_img_s:.0f} img/s, "
        f"{report.engine} engine, {plural(report.n_threads, 'thread')}"
    )
    return lines


def preview_lines(preview: PackPreview) -> list[str]:
    """Return the lines of a dry run: the files of each set, and those that would be replaced and removed."""
    lines = []
    for each in preview.sets:
        beside = ", ".join(path.name.removeprefix(each.prefix.name) for path in each.files[1:])
        lines.append(f"{each.files[0]}: {plural(each.n_images, 'image')}, with {beside}")
    lines += [f"{path}: the manifest of these shards" for path in preview.manifests]
    lines += old_file_lines(preview.replaced, preview.removed)
    return [*lines, f"{plural(preview.n_images, 'image')} would be packed; a dry run writes nothing"]


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:.1f} MB"


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
            share = f"{set_report.n_missing} of {plural(set_report.n_listed, 'image')} do not exist"
            print_message(program, f"warning: {share}; is {root} right?")
        for note, n in set_report.notes.items():
            print_message(program, f"warning: {plural(n, 'image')}: {note}")
