"""The protocol on a small file: real cases in processes of their own, peers with faults, and the command."""

import json
import math
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest
from click.testing import CliRunner
from images import noise, picture, save, write

from recordkit.bench import machine
from recordkit.bench.child import cpu_s, peak_rss_mb
from recordkit.bench.plan import MIN_ROUNDS, BenchPlan, Schedule
from recordkit.bench.protocol import run_comparison
from recordkit.bench.subset import single_file
from recordkit.bench.workload import resolve_workload
from recordkit.cli.commands.bench import command
from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import FormatError, ImageError, PlanError, PublishError
from recordkit.packing import PackPlan
from recordkit.packing.pack import pack

# Peers in a file of the user's; each has one fault.
WRONG = """
import dataclasses, time
from recordkit.bench.peers.recordkit import RecordkitLoader
from recordkit.bench.workload import Workload

class OtherStd(Workload):
    std = (64.0, 64.0, 64.0)

class Wrong(RecordkitLoader):
    title = "wrong"
    def __init__(self): super().__init__("python"); self.title = "wrong"
    def open(self, workload, threads, *, check):
        return super().open(OtherStd(**dataclasses.asdict(workload)), threads, check=check)

class Mirrored(RecordkitLoader):
    def __init__(self): super().__init__("python"); self.title = "mirrored"
    def open(self, workload, threads, *, check):
        epoch = super().open(workload, threads, check=check)
        return lambda: ((data[..., ::-1], n) for data, n in epoch())

class Short(RecordkitLoader):
    def __init__(self): super().__init__("python"); self.title = "short"
    def open(self, workload, threads, *, check):
        epoch = super().open(workload, threads, check=check)
        return lambda: ((data[:-1], n - 1) for data, n in epoch())

class Failing(RecordkitLoader):
    def __init__(self): super().__init__("python"); self.title = "failing"
    def open(self, workload, threads, *, check):
        if check:
            return super().open(workload, threads, check=check)
        raise MemoryError("out of memory")

class Dying(RecordkitLoader):
    def __init__(self): super().__init__("python"); self.title = "dying"
    def open(self, workload, threads, *, check):
        import os
        os._exit(7)

class Slow(RecordkitLoader):
    def __init__(self): super().__init__("python"); self.title = "slow"
    def open(self, workload, threads, *, check):
        epoch = super().open(workload, threads, check=check)
        def slower():
            for item in epoch():
                time.sleep(0.05)
                yield item
        return slower

class Killed(RecordkitLoader):
    def __init__(self): super().__init__("python"); self.title = "killed"
    def open(self, workload, threads, *, check):
        import os, signal
        print("{", flush=True)  # a line that a peer prints is not taken for facts
        epoch, count = super().open(workload, threads, check=check), [0]
        def killed():
            count[0] += 1
            if count[0] == 3: os.kill(os.getpid(), signal.SIGKILL)
            return epoch()
        return killed

class Counts(RecordkitLoader):
    def __init__(self, title, counts): super().__init__("python"); self.title, self.counts = title, counts
    def open(self, workload, threads, *, check):
        epoch = super().open(workload, threads, check=check)
        return epoch if check else lambda: ((data, n) for data, _ in epoch() for n in self.counts)

twice, nothing = Counts("twice", [8, 8]), Counts("nothing", [0])
wrong, mirrored, short, failing, dying, slow = Wrong(), Mirrored(), Short(), Failing(), Dying(), Slow()
killed = Killed()
"""


@pytest.fixture(scope="module")
def rec(tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "photos.rec"
    return write(path, [save(picture(noise(40 + number % 3, 50)), "JPEG", quality=95) for number in range(20)])


@pytest.fixture(scope="module")
def peers(tmp_path_factory):
    path = tmp_path_factory.mktemp("peers") / "peers.py"
    path.write_text(WRONG)
    return lambda *names: tuple(f"{path}:{name}" for name in names)


def plan(rec, names, **options):
    return BenchPlan(
        resolve_workload(rec, shape=(3, 32, 32), batch_size=8), names, **{"rounds": 2, "epochs": 1, **options}
    )


class TestWorkload:
    def test_small_images_keep_their_size(self, tmp_path):
        workload = resolve_workload(write(tmp_path / "a.rec", [save(picture(noise(28, 28, 1)), "PNG")]))
        assert (workload.shape, workload.preset, workload.mean) == ((1, 28, 28), "none", (128.0,))

    def test_larger_images_are_cropped(self, tmp_path):
        path = write(tmp_path / "a.rec", [save(picture(noise(300, 400)), "PNG")])
        assert resolve_workload(path).shape == (3, 224, 224) and resolve_workload(path).preset == "crop"
        assert resolve_workload(path, resize=100).shape == (3, 100, 100)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"preset": "all"}, "preset: expected one of none, crop, train, got 'all'"),
            ({"shape": (3, 41, 20)}, "shape: expected at most the 40 x 50 pixels of the first image, got 41 x 20"),
            ({"shape": (4, 20, 20)}, "shape: expected 1 or 3 channels"),
            ({"dtype": "int8"}, "dtype: expected one of float32, uint8, got 'int8'"),
            ({"resize": 0}, "resize: expected a length of at least 1 pixel, got 0"),
        ],
    )
    def test_bad_arguments_are_refused(self, rec, options, message):
        with pytest.raises(PlanError, match=message):
            resolve_workload(rec, **options)

    def test_files_without_images_are_named(self, tmp_path):
        with pytest.raises(ImageError, match=r"a\.rec: key 0: expected an image.*run 'recordkit verify"):
            resolve_workload(write(tmp_path / "a.rec", [b"none"]))
        with pytest.raises(FormatError, match=r"b\.rec: expected samples, got none"):
            resolve_workload(write(tmp_path / "b.rec", []))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rounds": 0}, "rounds: expected at least 1, got 0"),
        ({"epochs": 0}, "epochs: expected at least 1, got 0"),
        ({"cache": "hot"}, "cache: expected warm or cold, got 'hot'"),
    ],
)
def test_a_bad_plan_is_refused(rec, options, message):
    with pytest.raises(PlanError, match=message):
        plan(rec, ("python",), **options)


@pytest.mark.slow
def test_both_engines_are_measured_with_each_number_of_threads(rec, require_native):
    report = run_comparison(plan(rec, ("native", "python"), threads=(1, 2)))
    assert [(case.name, case.threads, case.status) for case in report.cases] == [
        ("native", 1, "measured"), ("native", 2, "measured"), ("python", 1, "measured"), ("python", 2, "measured"),
    ]  # fmt: skip
    for case in report.cases:
        assert len(case.img_s) == 2 and min(case.img_s) > 0
        assert min(case.first_batch_s) > 0 and min(case.peak_rss_mb) > 10
    # Without MXNet's ImageIter the others are compared with the Python engine.
    assert report.reference == "python" and report.ratio(report.cases[2]).value == 1
    assert report.file["records"] == 20 and report.noise is not None


FAULTS = {
    "wrong": ("differs", r"its first batch differs from recordkit python's by \d+\.\d\d grey levels"),
    "mirrored": ("differs", "its first batch differs"),
    "short": ("differs", r"its first batch is \(7, 3, 32, 32\), not \(8, 3, 32, 32\)"),
    "failing": ("failed", "MemoryError: out of memory"),
    "dying": ("failed", "its process ended with 7"),
    "killed": ("failed", "its process was killed by SIGKILL"),
    "twice": ("failed", "its epoch has 48 images, the file 20"),
    "nothing": ("failed", "its epoch has 0 images, the file 20"),
}


def test_a_peer_with_a_fault_is_a_row_that_names_it_and_its_steps_are_counted(rec, peers):
    steps = []
    bench_plan = plan(rec, ("python", *peers(*FAULTS)))
    report = run_comparison(bench_plan, progress=steps.append)
    good, *bad = report.cases
    assert good.measured and len(good.first_batch_s) == 2
    for case, (name, (status, note)) in zip(bad, FAULTS.items(), strict=True):
        assert not case.measured and case.status == status, name
        assert re.search(note, case.note), (name, case.note)
    assert sum(steps) == bench_plan.n_steps


class TestRounds:
    @pytest.mark.slow
    @pytest.mark.parametrize(("wide", "n_rounds"), [(0.0, 5), (float("inf"), 4)])
    def test_they_are_added_while_a_ratio_is_uncertain_and_the_budget_is_enough(
        self, rec, peers, monkeypatch, wide, n_rounds
    ):
        monkeypatch.setattr("recordkit.bench.report.WIDE", wide)
        clock = iter(range(0, 1000, 10))  # the comparison begins at 0, its rounds at 10, and each ends 10 s later
        monkeypatch.setattr("recordkit.bench.protocol.time", types.SimpleNamespace(monotonic=lambda: next(clock)))
        seen, steps = [], []
        bench_plan = plan(rec, ("python", *peers("slow", "failing")), rounds=4, budget_s=65)
        report = run_comparison(bench_plan, progress=steps.append, on_round=lambda report, n: seen.append((report, n)))
        assert report.protocol["rounds"] == n_rounds == len(report.cases[1].img_s)
        assert [n for _, n in seen] == [5 if wide == 0 else 4] * n_rounds
        assert sum(steps) == n_rounds * bench_plan.n_steps_per_round
        # Each report is a whole one of the rounds so far, which the later rounds do not change.
        assert [len(report.cases[1].img_s) for report, _ in seen] == list(range(1, n_rounds + 1))
        assert all(report.reference == "python" and report.noise is not None for report, _ in seen)

    def test_a_used_up_budget_leaves_the_fewest(self, rec):
        seen = []
        bench_plan = plan(rec, ("python",), rounds=4, budget_s=0)
        report = run_comparison(bench_plan, on_round=lambda _report, n: seen.append(n))
        assert seen == [MIN_ROUNDS] * MIN_ROUNDS == [3] * report.protocol["rounds"]

    def test_a_negative_budget_is_refused(self, rec):
        with pytest.raises(PlanError, match="budget_s: expected at least 0 seconds, got -1"):
            plan(rec, ("python",), budget_s=-1)

    @pytest.mark.parametrize(
        ("n_done", "left_s", "is_uncertain", "n_rounds"),
        [
            (0, 180, True, 12),
            (1, 170, True, 18),
            (1, 170, False, 12),
            (12, 60, False, 12),
            (12, 60, True, 18),
            (12, 9, True, 12),
            (5, 30, False, 8),
            (5, 5, False, 5),
            (1, -100, True, 3),
        ],
    )
    def test_their_number_follows_from_the_time_left(self, n_done, left_s, is_uncertain, n_rounds):
        schedule = Schedule(rounds=12, budget_s=180)
        assert schedule.n_rounds(n_done, 10.0, left_s, is_uncertain=is_uncertain) == n_rounds

    def test_without_a_budget_their_number_is_fixed(self):
        assert Schedule(4, None).n_rounds(2, 10.0, math.inf, is_uncertain=True) == 4


@pytest.mark.slow
def test_a_slower_peer_has_a_smaller_ratio(rec, peers):
    report = run_comparison(plan(rec, ("python", *peers("slow"))))
    assert report.ratio(report.cases[1]).value < 0.9


def test_a_cold_file_is_out_of_the_cache_or_refused(rec, monkeypatch):
    if sys.platform != "linux":
        pytest.skip("mincore is checked on Linux")
    path = Path(rec)
    path.read_bytes()
    assert machine.cached_share(path) > 0.9
    machine.drop_from_cache(path)
    share = machine.cached_share(path)
    report = run_comparison(plan(rec, ("python",), cache="cold")) if share < 0.01 else None
    assert report is None or report.protocol["cache"] == "cold"
    monkeypatch.setattr(machine, "cached_share", lambda _path: 0.5)
    with pytest.raises(PlanError, match=r"photos\.rec: expected a file that the page cache can let go of, got 50%"):
        run_comparison(plan(rec, ("python",), cache="cold"))


def test_the_processor_time_of_workers_counts():
    before = cpu_s()
    worker = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        while cpu_s() - before < 0.2:
            pass
        assert peak_rss_mb() > 10
    finally:
        worker.kill()
        worker.wait()


def test_a_subset_is_evenly_spaced(rec, tmp_path):
    Path(rec).with_suffix(".lst").write_text("".join(f"{key}\t{key % 10}\t{key}.jpg\n" for key in range(20)))
    subset = single_file(rec, 3, tmp_path)
    with RecordDataset(subset) as copy, RecordDataset(rec) as original:
        assert [sample.key for sample in copy] == [0, 9, 19]
        assert bytes(copy[1].payload) == bytes(original[9].payload)
    assert subset.with_suffix(".lst").read_text() == "0\t0\t0.jpg\n9\t9\t9.jpg\n19\t9\t19.jpg\n"
    assert single_file(rec, 20, tmp_path) == single_file(rec, None, tmp_path) == Path(rec)
    Path(rec).with_suffix(".lst").unlink()


def test_the_shards_of_a_dataset_are_copied_into_one_file(tiny_folder, tmp_path):
    pack(tiny_folder, tmp_path / "a", plan=PackPlan(shards=3, threads=1))
    (tmp_path / "copy").mkdir()
    copy = single_file(tmp_path / "a.manifest.json", None, tmp_path / "copy")
    with RecordDataset(tmp_path / "a") as original, RecordDataset(copy) as dataset:
        assert copy.name == "a.rec" and dataset.keys.tolist() == original.keys.tolist()
        assert [bytes(sample.payload) for sample in dataset] == [bytes(sample.payload) for sample in original]


def test_a_copy_of_shards_with_equal_keys_has_keys_from_0(tiny_folder, tmp_path):
    for name in ("a_0", "a_1"):
        pack(tiny_folder, tmp_path / name, plan=PackPlan(threads=1, shuffle=False))
    (tmp_path / "copy").mkdir()
    with RecordDataset(single_file(f"{tmp_path}/a_?.rec", 23, tmp_path / "copy")) as dataset:
        assert dataset.keys.tolist() == list(range(23)) and len(dataset.classes) == 3


class TestCommand:
    def run(self, *words):
        return CliRunner().invoke(command, [str(word) for word in words])

    def test_it_prints_a_table_and_writes_files(self, rec, tmp_path):
        outputs = [tmp_path / name for name in ("a.json", "a.csv", "a.html")]
        options = [f"{name}={path}" for name, path in zip(("--report", "--csv", "--html"), outputs, strict=True)]
        result = self.run(rec, "--peers", "python", "--shape", "3,32,32", "--quick", *options)
        assert result.exit_code == 0, result.output
        assert "recordkit python" in result.output and "photos.rec: 20 records" in result.output
        facts = json.loads(outputs[0].read_text())
        assert facts["protocol"]["rounds"] == 3 and len(facts["cases"][0]["img_s"]) == 3
        assert outputs[1].read_text().startswith("name,threads") and "<!doctype html>" in outputs[2].read_text()

    def test_given_options_override_quick(self, rec):
        words = [rec, "--peers", "python", "--shape", "3,32,32", "--quick", "--rounds", 2, "--json"]
        assert json.loads(self.run(*words).stdout)["protocol"]["rounds"] == 2

    @pytest.mark.parametrize(
        ("words", "rounds_and_budget"),
        [
            ([], (12, 180)),
            (["--rounds", 2], (2, None)),
            (["--quick"], (3, None)),
            (["--quick", "--rounds", 2], (2, None)),
            (["--budget", "90s"], (12, 90)),
            (["--rounds", 20, "--budget", "10m"], (20, 600)),
        ],
    )
    def test_there_is_a_budget_unless_the_number_of_rounds_is_given(self, rec, monkeypatch, words, rounds_and_budget):
        plans = []

        def no_bench(plan, **_):
            plans.append(plan)
            raise PlanError("enough")

        monkeypatch.setattr("recordkit.cli.commands.bench.run_comparison", no_bench)
        self.run(rec, "--peers", "python", "--shape", "3,32,32", *words)
        assert (plans[0].rounds, plans[0].budget_s) == rounds_and_budget

    @pytest.mark.parametrize(("words", "n"), [([], 200), (["--records", 7], 7)])
    def test_quick_measures_few_records(self, rec, monkeypatch, words, n):
        asked = []

        def no_copy(_rec, n_records, _folder):
            asked.append(n_records)
            raise PlanError("enough")

        monkeypatch.setattr("recordkit.cli.commands.bench.single_file", no_copy)
        self.run(rec, "--peers", "python", "--quick", *words)
        assert asked == [n]

    def test_a_file_in_the_place_of_a_folder_is_refused_before_the_measurement(self, rec, tmp_path):
        (tmp_path / "none").touch()
        error = self.run(rec, "--html", tmp_path / "none" / "a.html").exception
        assert isinstance(error, PublishError) and error.expected == "a folder"

    @pytest.mark.parametrize("words", [["--report", "REC"], ["--csv", "IDX"], ["--csv", "a", "--html", "a"]])
    def test_outputs_never_replace_the_dataset_or_each_other(self, rec, tmp_path, words):
        names = {"REC": rec, "IDX": Path(rec).with_suffix(".idx"), "a": tmp_path / "a.html"}
        error = self.run(rec, "--quick", *(names.get(word, word) for word in words)).exception
        assert isinstance(error, PlanError) and "which is taken; give another name" in str(error)

    def test_a_page_has_the_name_of_one(self, rec, tmp_path):
        error = self.run(rec, "--html", tmp_path / "notes.txt").exception
        assert isinstance(error, PlanError) and "html_path: expected a name that ends in .html or .htm" in str(error)

    def test_dtype_chooses_the_type_of_the_batches(self, rec):
        words = [rec, "--peers", "python", "--shape", "3,32,32", "--quick", "--dtype", "uint8", "--json"]
        workload = json.loads(self.run(*words).stdout)["workload"]
        assert workload["dtype"] == "uint8"
        assert workload["title"] == "crop 32x32, mirror; RGB, uint8 NHWC, batches of 64"

    def test_json_on_stdout_replaces_the_table(self, rec):
        result = self.run(rec, "--peers", "python", "--shape", "3,32,32", "--quick", "--records", 5, "--json")
        assert json.loads(result.stdout)["file"]["records"] == 5
        assert json.loads(result.stdout)["cases"][0]["name"] == "python"

    def test_the_exit_code_is_1_if_a_peer_differs(self, rec, peers):
        result = self.run(rec, "--peers", ",".join(("python", *peers("wrong"))), "--shape", "3,32,32", "--quick")
        assert result.exit_code == 1 and "differs: not compared: its first batch differs" in result.output

    @pytest.mark.parametrize("words", [["--threads", "two"], ["--shape", "28x28"], ["--budget", "soon"]])
    def test_malformed_options(self, words):
        assert self.run("a.rec", *words).exit_code == 2
