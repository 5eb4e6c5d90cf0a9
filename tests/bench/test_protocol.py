"""The harness on a small file: real cases in processes of their own, and peers that do wrong."""

import json
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from images import noise, picture, save, write

from recordkit.bench import machine, protocol
from recordkit.bench.case import cpu_s, first_batch, peak_rss_mb
from recordkit.bench.peers.registry import PEERS, find
from recordkit.bench.protocol import BenchPlan, bench
from recordkit.bench.subset import copy_part
from recordkit.bench.workload import fitted
from recordkit.cli.commands.bench import command
from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import FormatError, ImageError, PlanError

# Peers of a user's own, each with one thing wrong.
WRONG = """
import dataclasses, time
from recordkit.bench.peers.own import Recordkit
from recordkit.bench.workload import Work

class Other(Work):
    std = (64.0, 64.0, 64.0)

class Wrong(Recordkit):
    title = "wrong"
    def __init__(self): super().__init__("python"); self.title = "wrong"
    def open(self, work, threads, *, check):
        return super().open(Other(**dataclasses.asdict(work)), threads, check=check)

class Mirrored(Recordkit):
    def __init__(self): super().__init__("python"); self.title = "mirrored"
    def open(self, work, threads, *, check):
        epoch = super().open(work, threads, check=check)
        return lambda: ((data[..., ::-1], n) for data, n in epoch())

class Short(Recordkit):
    def __init__(self): super().__init__("python"); self.title = "short"
    def open(self, work, threads, *, check):
        epoch = super().open(work, threads, check=check)
        return lambda: ((data[:-1], n - 1) for data, n in epoch())

class Failing(Recordkit):
    def __init__(self): super().__init__("python"); self.title = "failing"
    def open(self, work, threads, *, check):
        if check:
            return super().open(work, threads, check=check)
        raise MemoryError("there is no more")

class Dying(Recordkit):
    def __init__(self): super().__init__("python"); self.title = "dying"
    def open(self, work, threads, *, check):
        import os
        os._exit(7)

class Slow(Recordkit):
    def __init__(self): super().__init__("python"); self.title = "slow"
    def open(self, work, threads, *, check):
        epoch = super().open(work, threads, check=check)
        def slower():
            for item in epoch():
                time.sleep(0.05)
                yield item
        return slower

class Killed(Recordkit):
    def __init__(self): super().__init__("python"); self.title = "killed"
    def open(self, work, threads, *, check):
        import os, signal
        print("{", flush=True)  # what a peer prints is not among the facts
        epoch, count = super().open(work, threads, check=check), [0]
        def killed():
            count[0] += 1
            if count[0] == 3: os.kill(os.getpid(), signal.SIGKILL)
            return epoch()
        return killed

class Counts(Recordkit):
    def __init__(self, title, counts): super().__init__("python"); self.title, self.counts = title, counts
    def open(self, work, threads, *, check):
        epoch = super().open(work, threads, check=check)
        return epoch if check else lambda: ((data, n) for data, _ in epoch() for n in self.counts)

twice, nothing = Counts("twice", [8, 8]), Counts("nothing", [0])
wrong, mirrored, short, failing, dying, slow = Wrong(), Mirrored(), Short(), Failing(), Dying(), Slow()
killed = Killed()
"""


@pytest.fixture(scope="module")
def rec(tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "photos.rec"
    return write(path, [save(picture(noise(40 + number % 3, 50)), "JPEG", quality=95) for number in range(20)])


@pytest.fixture
def peers(tmp_path):
    path = tmp_path / "peers.py"
    path.write_text(WRONG)
    return lambda *names: tuple(f"{path}:{name}" for name in names)


def plan(rec, names, **options):
    return BenchPlan(fitted(rec, shape=(3, 32, 32), batch_size=8), names, **{"rounds": 2, "epochs": 1, **options})


class TestWork:
    def test_small_images_are_taken_as_they_are(self, tmp_path):
        work = fitted(write(tmp_path / "a.rec", [save(picture(noise(28, 28, 1)), "PNG")]))
        assert (work.shape, work.preset, work.mean) == ((1, 28, 28), "none", (128.0,))

    def test_larger_ones_are_cropped(self, tmp_path):
        path = write(tmp_path / "a.rec", [save(picture(noise(300, 400)), "PNG")])
        assert fitted(path).shape == (3, 224, 224) and fitted(path).preset == "crop"
        assert fitted(path, resize=100).shape == (3, 100, 100)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"preset": "all"}, "preset: expected one of none, crop, train, got 'all'"),
            ({"shape": (3, 41, 20)}, "shape: expected at most the 40 x 50 pixels of the first image, got 41 x 20"),
            ({"shape": (4, 20, 20)}, "shape: expected 1 or 3 channels"),
            ({"resize": 0}, "resize: expected a length of at least 1 pixel, got 0"),
        ],
    )
    def test_what_cannot_be_is_refused(self, rec, options, message):
        with pytest.raises(PlanError, match=message):
            fitted(rec, **options)

    def test_files_without_images_are_named(self, tmp_path):
        with pytest.raises(ImageError, match=r"a\.rec: expected an image.*run 'recordkit verify"):
            fitted(write(tmp_path / "a.rec", [b"none"]))
        with pytest.raises(FormatError, match=r"b\.rec: expected samples, got none"):
            fitted(write(tmp_path / "b.rec", []))


@pytest.fixture(scope="module", params=["photos", "photos, resized", "digits"])
def job(request, tmp_path_factory):
    """A file with its images beside it, and what is to be done with it."""
    root = tmp_path_factory.mktemp("job")
    if request.param == "digits":
        payloads = [save(picture(noise(28, 28, 1, seed)), "PNG") for seed in range(12)]
    else:
        payloads = [save(picture(noise(40 + seed % 3, 50, 3, seed)), "JPEG", quality=95) for seed in range(12)]
    for key, payload in enumerate(payloads):
        (root / f"{key}.img").write_bytes(payload)
    (root / "a.lst").write_text("".join(f"{key}\t{key % 10}\t{key}.img\n" for key in range(12)))
    options = {} if request.param == "digits" else {"shape": (3, 32, 32)}
    options |= {"resize": 36} if request.param == "photos, resized" else {}
    return fitted(write(root / "a.rec", payloads), **options, batch_size=8, root=root)


OPENED = """
import json, os
import numpy as np
from recordkit.bench.case import first_batch
from recordkit.bench.peers.registry import find
from recordkit.bench.workload import Work
work = json.loads({work!r})
work["shape"] = tuple(work["shape"])
peer, work = find({name!r}), Work(**work)
"""
FIRST_BATCH = f"""{OPENED}
np.save({{path!r}}, first_batch(peer, work, 2))
os._exit(0)
"""
EPOCHS = f"""{OPENED}
epoch = peer.open(work, 2, check=False)
print(*(sum(n for _, n in epoch()) for _ in range(2)), flush=True)
os._exit(0)
"""


def work_as_json(work):
    return json.dumps(asdict(work))


@pytest.mark.parametrize("name", list(PEERS))
def test_every_peer_gives_the_same_first_batch(job, name, tmp_path):
    if reason := find(name).why_not(job):
        pytest.skip(f"{name}: {reason}")
    program = FIRST_BATCH.format(name=name, work=work_as_json(job), path=str(tmp_path / "batch.npy"))
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=False, capture_output=True, text=True)
    assert not done.returncode, done.stderr
    got, want = np.load(tmp_path / "batch.npy"), first_batch(find("python"), job, 1)
    assert protocol._difference(got, want, job) == ""


@pytest.mark.parametrize("preset", ["crop", "train"])
@pytest.mark.parametrize("name", list(PEERS))
def test_every_peer_gives_every_sample_of_an_epoch(rec, name, preset):
    work = fitted(rec, shape=(3, 32, 32), batch_size=8, preset=preset)
    if reason := find(name).why_not(work):
        pytest.skip(f"{name}: {reason}")
    program = EPOCHS.format(name=name, work=work_as_json(work))
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=False, capture_output=True, text=True)
    # DALI's batches are full: what is too much of one epoch is too little of the next.
    counts = list(map(int, done.stdout.split()))
    assert sum(counts) == 40 and (name == "dali" or counts == [20, 20]), done.stderr


def test_both_engines_are_measured_with_each_number_of_threads(rec, require_native):
    report = bench(plan(rec, ("native", "python"), threads=(1, 2)))
    assert [(case.name, case.threads, case.status) for case in report.cases] == [
        ("native", 1, "measured"), ("native", 2, "measured"), ("python", 1, "measured"), ("python", 2, "measured"),
    ]  # fmt: skip
    for case in report.cases:
        assert len(case.img_s) == 2 and min(case.img_s) > 0
        assert min(case.first_batch_s) > 0 and min(case.peak_rss_mb) > 10
    # Without MXNet's ImageIter the reference engine is what others are compared with.
    assert report.reference == "python" and report.ratio(report.cases[2]).value == 1
    assert report.file["records"] == 20 and report.noise is not None


@pytest.mark.parametrize(
    ("name", "status", "note"),
    [
        ("wrong", "differs", r"its first batch differs from recordkit python's by \d+\.\d\d grey levels"),
        ("mirrored", "differs", "its first batch differs"),
        ("short", "differs", r"its first batch is \(7, 3, 32, 32\), not \(8, 3, 32, 32\)"),
        ("failing", "failed", "MemoryError: there is no more"),
        ("dying", "failed", "its process ended with 7"),
        ("killed", "failed", "its process was killed by SIGKILL"),
        ("twice", "failed", "its epoch has 48 images, the file 20"),
        ("nothing", "failed", "its epoch has 0 images, the file 20"),
    ],
)
def test_who_does_something_else_is_a_row_that_says_so(rec, peers, name, status, note):
    report = bench(plan(rec, ("python", *peers(name))))
    good, bad = report.cases
    assert good.measured and not bad.measured and bad.status == status
    assert re.search(note, bad.note)


def test_progress_is_told_of_every_step_also_of_those_that_are_left_out(rec, peers):
    steps = []
    what = plan(rec, ("python", *peers("wrong", "failing")), rounds=2)
    report = bench(what, progress=lambda n, _why: steps.append(n))
    assert sum(steps) == what.n_steps
    assert len(report.cases[0].first_batch_s) == 2


@pytest.mark.parametrize(("wide", "n_rounds"), [(0.0, 4), (float("inf"), 2)])
def test_rounds_are_added_as_long_as_a_ratio_is_not_known_well(rec, peers, monkeypatch, wide, n_rounds):
    monkeypatch.setattr("recordkit.bench.report.WIDE", wide)
    steps = []
    what = plan(rec, ("python", *peers("slow", "failing")), rounds=2, most_rounds=4)
    report = bench(what, progress=lambda n, why: steps.append((n, why)))
    assert report.protocol["rounds"] == n_rounds == len(report.cases[1].img_s)
    assert sum(n for n, _ in steps) == what.n_steps
    added = [why.split(" ±")[0] for n, why in steps if n < 0 and "%" in why]
    assert added == [f"round {number}: slow" for number in range(3, n_rounds + 1)]


def test_a_slower_one_is_found_slower(rec, peers):
    report = bench(plan(rec, ("python", *peers("slow"))))
    assert report.ratio(report.cases[1]).value < 0.9


def test_a_cold_file_is_out_of_the_cache_or_it_is_said(rec, monkeypatch):
    if sys.platform != "linux":
        pytest.skip("mincore is asked on Linux")
    path = Path(rec)
    path.read_bytes()
    assert machine.cached_share(path) > 0.9
    machine.drop_from_cache(path)
    left = machine.cached_share(path)
    report = bench(plan(rec, ("python",), cold=True)) if left < 0.01 else None
    assert report is None or report.protocol["cache"] == "cold"
    monkeypatch.setattr(machine, "cached_share", lambda _path: 0.5)
    with pytest.raises(PlanError, match=r"photos\.rec: expected a file that the page cache can let go of, got 50%"):
        bench(plan(rec, ("python",), cold=True))


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


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("def", r"SyntaxError: "),
        ("x = 3", r"expected an object as .*peer\.Peer describes it, got without title, note, why_not, open, versions"),
        (
            "from recordkit.bench.peers.own import Recordkit\nclass x(Recordkit): title = note = ''",
            "the class itself",
        ),
        ("y = 3", "expected x in .*, got none"),
    ],
)
def test_a_file_without_a_peer_is_named(tmp_path, text, error):
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(PlanError, match=error):
        find(f"{tmp_path / 'mine.py'}:x")


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(FileNotFoundError, match=r"none\.py"):
        find("none.py:x")


@pytest.mark.parametrize("name", ["nobody", "peers:x"])
def test_an_unknown_peer_is_named(name):
    with pytest.raises(PlanError, match="peer: expected image-record-iter, .* or FILE.py:NAME, got"):
        find(name)


def test_a_part_is_from_all_over_the_file(rec, tmp_path):
    Path(rec).with_suffix(".lst").write_text("".join(f"{key}\t{key % 10}\t{key}.jpg\n" for key in range(20)))
    part = copy_part(rec, 3, tmp_path)
    with RecordDataset(part) as some, RecordDataset(rec) as whole:
        assert [sample.key for sample in some] == [0, 9, 19]
        assert bytes(some[1].payload) == bytes(whole[9].payload)
    assert part.with_suffix(".lst").read_text() == "0\t0\t0.jpg\n9\t9\t9.jpg\n19\t9\t19.jpg\n"
    assert copy_part(rec, 20, tmp_path) == Path(rec)
    Path(rec).with_suffix(".lst").unlink()


class TestCommand:
    def run(self, *words):
        return CliRunner().invoke(command, [str(word) for word in words])

    def test_it_prints_a_table_and_writes_files(self, rec, tmp_path):
        outputs = [tmp_path / name for name in ("a.json", "a.csv", "a.html")]
        options = [f"--{path.suffix[1:]}={path}" for path in outputs]
        result = self.run(rec, "--peers", "python", "--shape", "3,32,32", "--quick", *options)
        assert result.exit_code == 0, result.output
        assert "recordkit python" in result.output and "photos.rec: 20 records" in result.output
        facts = json.loads(outputs[0].read_text())
        assert facts["protocol"]["rounds"] == 3 and len(facts["cases"][0]["img_s"]) == 3
        assert outputs[1].read_text().startswith("name,threads") and "<!doctype html>" in outputs[2].read_text()

    def test_what_is_given_goes_before_quick(self, rec):
        words = [rec, "--peers", "python", "--shape", "3,32,32", "--quick", "--rounds", 2, "--json", "-"]
        assert json.loads(self.run(*words).stdout)["protocol"]["rounds"] == 2

    @pytest.mark.parametrize(
        ("words", "most"),
        [([], 30), (["--rounds", 2], 0), (["--rounds", 2, "--most-rounds", 3], 3), (["--quick"], 0)],
    )
    def test_rounds_are_added_where_nobody_says_how_many(self, rec, monkeypatch, words, most):
        plans = []

        def no_bench(plan, **_):
            plans.append(plan)
            raise PlanError("enough")

        monkeypatch.setattr("recordkit.cli.commands.bench.bench", no_bench)
        self.run(rec, "--peers", "python", "--shape", "3,32,32", *words)
        assert plans[0].most_rounds == most

    @pytest.mark.parametrize(("words", "n"), [([], 200), (["--records", 7], 7)])
    def test_a_quick_look_is_at_few_records(self, rec, monkeypatch, words, n):
        asked = []

        def no_copy(_rec, n_records, _folder):
            asked.append(n_records)
            raise PlanError("enough")

        monkeypatch.setattr("recordkit.cli.commands.bench.copy_part", no_copy)
        self.run(rec, "--peers", "python", "--quick", *words)
        assert asked == [n]

    def test_a_folder_that_is_not_there_is_said_before_the_work(self, rec, tmp_path):
        error = self.run(rec, "--html", tmp_path / "none" / "a.html").exception
        assert isinstance(error, PlanError) and str(error).startswith(
            "--html: expected a file in a folder that is there"
        )

    @pytest.mark.parametrize("words", [["--json", "REC"], ["--csv", "IDX"], ["--csv", "a", "--html", "a"]])
    def test_a_dataset_is_not_written_over(self, rec, tmp_path, words):
        names = {"REC": rec, "IDX": Path(rec).with_suffix(".idx"), "a": tmp_path / "a"}
        error = self.run(rec, "--quick", *(names.get(word, word) for word in words)).exception
        assert isinstance(error, PlanError) and "which is taken; give another name" in str(error)

    def test_json_alone(self, rec):
        result = self.run(rec, "--peers", "python", "--shape", "3,32,32", "--quick", "--records", 5, "--json", "-")
        assert json.loads(result.stdout)["file"]["records"] == 5
        assert json.loads(result.stdout)["cases"][0]["name"] == "python"

    def test_a_peer_that_differs_makes_the_exit_code(self, rec, peers):
        result = self.run(rec, "--peers", ",".join(("python", *peers("wrong"))), "--shape", "3,32,32", "--quick")
        assert result.exit_code == 1 and "differs: not compared: its first batch differs" in result.output

    def test_comparing_two_files(self, tmp_path):
        from bench.reports import report

        for name, faster in (("old", 1.0), ("new", 0.9)):
            (tmp_path / name).write_text(json.dumps(report(faster=faster, n_rounds=20).as_json()))
        result = self.run("--compare", tmp_path / "old", tmp_path / "new")
        assert result.exit_code == 0 and re.search("recordkit native, 2 threads +slower", result.output)

    @pytest.mark.parametrize("words", [[], ["a.rec", "--compare", "a", "b"]])
    def test_rec_or_compare(self, words):
        assert isinstance(self.run(*words).exception, PlanError)

    @pytest.mark.parametrize("words", [["--threads", "two"], ["--shape", "28x28"]])
    def test_malformed_options(self, words):
        assert self.run("a.rec", *words).exit_code == 2
