"""How long does it take to open a file? With its .idx file, and without it, by a scan."""

import shutil
import warnings

import recordkit as rk


def test_open(benchmark, records):
    benchmark(lambda: rk.RecordDataset(records).close())


def test_scan(benchmark, records, tmp_path):
    path = tmp_path / "alone.rec"
    shutil.copy(records, path)

    def scan():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rk.RecordDataset(path).close()

    benchmark(scan)
