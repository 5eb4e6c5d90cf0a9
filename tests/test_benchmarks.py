"""Programs in benchmarks/ that need no other library run once, on little, and write what they found."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from bench.reports import report
from images import noise, picture, save, write

FOLDER = Path(__file__).parent.parent / "benchmarks"


def run(name, *words, folder):
    target = folder / "found.json"
    command = [sys.executable, str(FOLDER / f"{name}.py"), *map(str, words), "--json", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout, json.loads(target.read_text())["results"]


def test_growth(tmp_path):
    _, (found,) = run("compare_sizes", "--most", 1000, "--repeats", 1, folder=tmp_path)
    (row,) = found["rows"]
    assert row["records"] == 1000 and row["pack_s"] > 0 and row["load_mb"] > 5


def test_agreement(tmp_path):
    paths = [tmp_path / f"{number}.json" for number in range(3)]
    for path, faster in zip(paths, (1.0, 1.0, 2.0), strict=True):
        path.write_text(json.dumps(report(faster=faster).as_json()))
    said, (found,) = run("compare_repeats", *paths, folder=tmp_path)
    inside = {row["case"].split(",")[0]: sum(row["inside"]) for row in found["rows"]}
    assert inside == {"recordkit native": 2, "MXNet ImageRecordIter": 6}
    assert "8 of 12 inside (67%)" in said


@pytest.mark.usefixtures("require_native")
def test_slowed(tmp_path):
    rec = write(tmp_path / "photos.rec", [save(picture(noise(40, 50)), "JPEG") for _ in range(200)])
    _, found = run("compare_slowdown", rec, "--rounds", 2, folder=tmp_path)
    assert [row["change_made"] for row in found] == ["the same code", "10% slower"]
