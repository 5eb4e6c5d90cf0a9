"""`benchmarks/random_kills.py` kills processes of a pack, and the bytes are the same."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from images import noise, picture, save

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "random_kills.py"


@pytest.mark.slow
@pytest.mark.usefixtures("require_native")
def test_a_pack_whose_processes_are_killed_has_the_same_bytes(tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed")
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(4):
        (photos / f"{number}.jpg").write_bytes(save(picture(noise(300, 400)), "JPEG"))
    words = ["--photos", photos, "--images", 3000, "--shards", 6, "--workers", 2, "--resize", 224]
    words += ["--kill-workers", 2, "--kill-drivers", 1, "--repeats", 0, "--json", tmp_path / "results.json"]
    done = subprocess.run([sys.executable, PROGRAM, *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout
    _, kills = json.loads((tmp_path / "results.json").read_text())["results"]
    assert kills["differ"] == []
    assert kills["not_killed"] == 0
    assert 0 < kills["twice"] < 1
