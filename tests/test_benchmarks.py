"""Programs in benchmarks/ that need no other library run once on little data and write their results."""

import argparse
import gzip
import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bench.reports import report
from images import noise, picture, pixels, save, write

from recordkit.bench.workload import Workload

FOLDER = Path(__file__).parent.parent / "benchmarks"


def run(name, *words, folder):
    target = folder / "results.json"
    command = [sys.executable, str(FOLDER / f"{name}.py"), *map(str, words), "--json", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout, json.loads(target.read_text())["results"]


@pytest.mark.slow
def test_time_and_memory_are_measured_for_each_size(tmp_path):
    _, (facts,) = run("compare_sizes", "--most", 1000, "--repeats", 1, folder=tmp_path)
    (row,) = facts["rows"]
    assert row["records"] == 1000 and row["pack_s"] > 0 and row["load_mb"] > 5


def test_ratios_are_looked_up_in_the_intervals_of_other_runs(tmp_path):
    paths = [tmp_path / f"{number}.json" for number in range(3)]
    for path, faster in zip(paths, (1.0, 1.0, 2.0), strict=True):
        path.write_text(json.dumps(report(faster=faster).as_json()))
    output, (facts,) = run("compare_repeats", *paths, folder=tmp_path)
    inside = {row["case"].split(",")[0]: sum(row["inside"]) for row in facts["rows"]}
    assert inside == {"recordkit native": 2, "MXNet ImageRecordIter": 6}
    assert "8 of 12 inside (67%)" in output


@pytest.mark.slow
@pytest.mark.usefixtures("require_native")
def test_a_slowdown_is_compared_with_the_same_code(tmp_path):
    rec = write(tmp_path / "photos.rec", [save(picture(noise(40, 50)), "JPEG") for _ in range(200)])
    _, facts = run("compare_slowdown", rec, "--rounds", 2, folder=tmp_path)
    assert [row["change_made"] for row in facts] == ["the same code", "10% slower"]


@pytest.fixture
def server_programs():
    """Skip a test where no server of objects can be started."""
    import object_server

    if reason := object_server.missing():
        pytest.skip(reason)


@pytest.mark.slow
@pytest.mark.usefixtures("require_native", "server_programs")
def test_readers_of_a_store_are_timed_and_their_bytes_counted(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(4):
        (photos / f"{number}.jpg").write_bytes(save(picture(noise(280, 300)), "JPEG"))
    words = ["--photos", photos, "--images", 70, "--records", 500, "--range-records", 20, "--repeats", 1]
    words += ["--questions", "ranges,photos256,records,bytes"]
    output, facts = run("compare_object_store", *words, folder=tmp_path)
    requests, images, records, fetched = facts
    assert {row["n_requests"] for row in requests["rows"]} <= {70, 71}  # one more: size and ETag
    loader = [row for row in images["rows"] if row["case"] == "recordkit Loader, sequential"]
    assert [row["epoch"] for row in loader] == ["epoch 1", "epoch 2", "warm"]
    assert [row["n_bytes"] > 0 for row in loader] == [True, False, False]
    assert {row["n"] for row in records["rows"] if row["case"].startswith("recordkit")} == {500}
    assert all(row["ratios"][0] > 0.9 and row["ratios"][1] == 0 for row in fetched["rows"])
    for name, reason in images["skipped"].items():
        assert "not installed; pip install" in reason
        assert name in output


@pytest.mark.slow
@pytest.mark.usefixtures("server_programs")
def test_epochs_with_faults_are_complete_or_end_with_a_clear_error(tmp_path):
    _, (facts,) = run("random_faults", "--runs", 12, "--timeout", 2, "--total", 4, folder=tmp_path)
    assert facts["wrong"] == []
    assert facts["complete"] + sum(facts["errors"].values()) == 12
    assert facts["faults"] > 0


@pytest.mark.usefixtures("require_native")
def test_packs_by_planes_and_as_rgb_are_compared(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for chroma in ("4:2:0", "4:4:4"):
        payload = save(picture(pixels(60, 81)), "JPEG", quality=95, subsampling=chroma)
        (photos / f"{chroma[2]}.jpg").write_bytes(payload)
    (photos / "gray.jpg").write_bytes(save(picture(pixels(60, 81), "L"), "JPEG"))
    _, (facts,) = run("compare_planes", "--photos", photos, "--resize", 24, folder=tmp_path)
    assert len(facts["outputs"]) == 4 * 3  # engines and ways; kinds of photos
    assert all(row["n"] == 1 and row["bytes"] > 500 and row["psnr_db"] > 25 for row in facts["outputs"])
    alone = [row for row in facts["differences"] if row["between"] == "encoding alone"]
    assert len(alone) == 2 and all(max(row["worst_max"]) <= 2 for row in alone)


@pytest.mark.slow
@pytest.mark.usefixtures("require_native")
def test_loaders_that_change_colours_are_compared(tmp_path, tiny_mnist):
    for path in tiny_mnist.glob("train-*-ubyte"):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    words = ["--mnist", tiny_mnist, "--peers", "native,face,dali", "--repeats", 1, "--epochs", 1]
    _, (facts,) = run("compare_colors", *words, folder=tmp_path)
    cases = {case["name"]: case["status"] for case in facts["cases"]}
    assert cases.pop("dali_gray") in ("absent", "measured")
    assert cases == {"native_gray": "measured", "face_gray": "measured"}


@pytest.fixture
def perf():
    """Skip a test where perf cannot count system calls."""
    command = ["perf", "stat", "-e", "syscalls:sys_enter_futex", "true"]
    if not (shutil.which("perf") and shutil.which("g++")) or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("perf does not count system calls here, or there is no g++")


@pytest.mark.slow
@pytest.mark.usefixtures("require_native", "perf")
def test_locks_and_allocations_are_counted_for_each_image(tmp_path):
    _, (facts,) = run("compare_threads", "--threads", "1,2", "--images", 70, folder=tmp_path)
    rows = facts["rows"]
    assert [(row["case"], row["threads"]) for row in rows[::2]] == [
        (case, 1) for case in dict.fromkeys(row["case"] for row in rows)
    ]
    assert all(5 < row["allocations"] < 200 and 0 < row["serial"] < 1 for row in rows)
    assert all(row["speedups"]["16"] < row["speedups"]["64"] < 1 / row["serial"] for row in rows)


def test_every_change_of_colour_is_a_transform_of_the_loader(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER / "peers")
    colors = importlib.import_module("colors")
    workload = Workload("photos", (3, 8, 8), "crop", None, 4)
    names = [type(step).__name__ for step in colors.native_colors.transforms(workload, check=False)]
    steps = ["RandomBrightness", "RandomContrast", "RandomSaturation", "RandomHSL", "RandomLighting"]
    assert names == ["RandomCrop", "RandomFlip", *steps, "Normalize"]
    checked = [type(step).__name__ for step in colors.native_colors.transforms(workload, check=True)]
    assert checked == ["CenterCrop", "Normalize"]


def test_programs_are_timed_and_written(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(FOLDER)
    _run = importlib.import_module("_run")
    program = [sys.executable, "-c", 'print(\'{"n": 6, "seconds": 0.5}\')']
    facts = _run.compare_commands("constant rates", {"first": program, "second": program}, "rec/s", rounds=2)
    assert [case["img_s"] for case in facts["cases"]] == [[12.0, 12.0]] * 2
    output = capsys.readouterr().out
    assert "constant rates: median of 2 rounds" in output and "12 rec/s (12 to 12)  x1.00" in output


def test_loaders_are_compared_with_the_peers_of_bench(tmp_path, tiny_mnist, monkeypatch, capsys):
    monkeypatch.syspath_prepend(FOLDER)
    compare_loading = importlib.import_module("compare_loading")
    for path in tiny_mnist.glob("train-*-ubyte"):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    (tmp_path / "scratch").mkdir()
    question = next(compare_loading.mnist(tiny_mnist, tmp_path / "scratch"))
    options = argparse.Namespace(peers="python", threads=1, repeats=1, epochs=1)
    facts = compare_loading.measure(question, None, options)
    assert facts["question"] == "MNIST digits as png, float32" and facts["cases"][0]["median_img_s"] > 0
    assert "recordkit python, 1 thread" in capsys.readouterr().out
