"""The lines that show the report of a pack."""

from __future__ import annotations

from recordkit.errors import plural
from recordkit.packing.report import PackReport


def pack_lines(report: PackReport) -> list[str]:
    """Return a line for each set, and one about the whole pack."""
    lines = []
    for done in report.sets:
        failed = f", {done.n_failed} failed (see {done.failed_path})" if done.n_failed else ""
        lines.append(
            f"{done.prefix}.rec: {done.n_listed} listed, {done.n_packed} packed{failed}; "
            f"{_megabytes(done.input_bytes)} in, {_megabytes(done.output_bytes)} out"
        )
    lines.append(
        f"{plural(report.n_packed, 'image')} in {report.duration_s:.1f} s, {report.rate_img_s:.0f} img/s, "
        f"{report.engine} engine, {plural(report.n_threads, 'thread')}"
    )
    return lines


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:.1f} MB"
