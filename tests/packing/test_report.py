"""The report of a pack: totals, the limit of kept failures, and its JSON."""

import os
from errno import ENOENT
from pathlib import Path

from recordkit.packing import report
from recordkit.packing.report import Failure, PackReport, SetReport


def make_sets():
    first = SetReport(Path("out/a"), n_listed=5, n_packed=5, input_bytes=70, output_bytes=90)
    first.note("animated", 2)
    first.note("animated", 1)
    second = SetReport(Path("out/b"), n_listed=3, n_packed=3)
    second.fail(Failure(7, "cat/7.jpg", "expected an image, got 0 bytes"))
    return first, second


def test_the_json_of_a_report_has_all_counts():
    sets = make_sets()
    got = PackReport(sets, "native", 2, 1.50051, ("p_val is replaced",), ok=False)
    assert (got.n_packed, got.n_failed) == (8, 1)
    assert got.as_json() == {
        "engine": "native",
        "n_threads": 2,
        "duration_s": 1.501,
        "rate_img_s": 5.3,
        "ok": False,
        "manifests": [],
        "uploaded_bytes": None,
        "warnings": ["p_val is replaced"],
        "sets": [
            {
                "prefix": "out/a",
                "n_listed": 5,
                "n_packed": 5,
                "n_failed": 0,
                "n_missing": 0,
                "failures": [],
                "failed_tsv": None,
                "input_bytes": 70,
                "output_bytes": 90,
                "notes": {"animated": 3},
            },
            {
                "prefix": "out/b",
                "n_listed": 4,
                "n_packed": 3,
                "n_failed": 1,
                "n_missing": 0,
                "failures": [{"key": 7, "name": "cat/7.jpg", "reason": "expected an image, got 0 bytes"}],
                "failed_tsv": "out/b.failed.tsv",
                "input_bytes": 0,
                "output_bytes": 0,
                "notes": {},
            },
        ],
    }


def test_images_that_do_not_exist_are_counted_and_rows_and_damaged_images_are_not():
    done = SetReport(Path("out/a"))
    for key, reason in ((7, os.strerror(ENOENT)), (None, os.strerror(ENOENT)), (8, "expected an image, got 0 bytes")):
        done.fail(Failure(key, "a.jpg", reason))
    assert (done.n_failed, done.n_missing) == (3, 1)


def test_the_rate_of_a_pack_that_took_no_time_is_0():
    assert PackReport(make_sets(), "python", 1, 0.0, (), ok=True).rate_img_s == 0


def test_failures_are_counted_beyond_those_that_are_kept(monkeypatch):
    monkeypatch.setattr(report, "MAX_FAILURES", 2)
    got = SetReport(Path("a"))
    for key in range(4):
        got.fail(Failure(key, "x", "y"))
    assert (got.n_listed, got.n_failed, [failure.key for failure in got.failures]) == (4, 4, [0, 1])
