"""The memory of a pack and of an export: blocks are cut by the bytes that were read, and images wait for memory."""

import re

import numpy as np
import pytest
from peaks import flat_image, needs_proc, noise, peak_of

import recordkit as rk
from recordkit.errors import SourceError
from recordkit.interop.folder import write_folder
from recordkit.memory import parse_size
from recordkit.packing.native import choose_engine
from recordkit.packing.piece import IndexBlocks, make_limits
from recordkit.sample import Entry

MIB = 1 << 20
PACK = """
source, prefix, engine, threads, memory = *sys.argv[1:4], *map(int, sys.argv[4:])
begin()
plan = rk.PackPlan(shuffle=False, threads=threads, {options})
report = rk.pack(rk.open_source(source), prefix, plan=plan, engine=engine, memory=memory)
print(report.n_packed, report.n_failed)
"""


def write_images(folder, payloads):
    (folder / "a").mkdir(parents=True)
    for number, payload in enumerate(payloads):
        suffix = "png" if payload.startswith(b"\x89PNG") else "jpg"
        (folder / "a" / f"{number:04d}.{suffix}").write_bytes(payload)
    return folder


@needs_proc()
@pytest.mark.parametrize("options", ["", "encoding='png', quality=0"])
def test_large_images_after_thumbnails(tmp_path, engine, options):
    large = noise(800)  # 1.9 MB
    photos = write_images(tmp_path / "photos", [*[noise(16)] * 200, *[large] * 40])  # 77 MB
    peak, output = peak_of(PACK.format(options=options), photos, tmp_path / "out", engine, 2, 48 * MIB)
    assert output == ["240 0"]
    assert peak < 48 * MIB
    with rk.RecordDataset(tmp_path / "out") as dataset:
        if not options:
            assert bytes(dataset[239].payload) == large
        assert [dataset[number].key for number in range(240)] == list(range(240))


@needs_proc()
@pytest.mark.parametrize("threads", [2, 8])
def test_progressive_jpegs_wait_for_memory(tmp_path, engine, threads):
    photos = write_images(tmp_path / "photos", [flat_image("jpeg", 1400, progressive=True)] * 12)
    program = PACK.format(options="encoding='raw'")
    peak, output = peak_of(program, photos, tmp_path / "out", engine, threads, 96 * MIB)
    assert output == ["12 0"]
    assert peak < 96 * MIB


def test_an_image_that_needs_more_fails_and_says_so(tmp_path, engine):
    photos = write_images(tmp_path / "photos", [flat_image("png", 16), flat_image("png", 1500), flat_image("png", 16)])
    plan = rk.PackPlan(shuffle=False, resize=8)
    report = rk.pack(photos, tmp_path / "out", plan=plan, engine=engine, memory=MIB)
    (failure,) = report.sets[0].failures
    assert "expected an image that needs at most" in failure.reason and "give a memory of " in failure.reason
    assert [entry.key for entry in rk.RecordDataset(tmp_path / "out")] == [0, 2]
    assert rk.pack(photos, tmp_path / "out", plan=plan, engine=engine).ok


@pytest.mark.parametrize("threads", [1, 5])
@pytest.mark.parametrize("options", [{"resize": 8}, {"encoding": "raw"}, {"encoding": "png", "quality": 0}])
def test_the_memory_that_a_failure_names_is_enough(tmp_path, engine, threads, options):
    photos = write_images(tmp_path / "photos", [flat_image("png", 1500), noise(300), noise(500)])
    plan = rk.PackPlan(shuffle=False, threads=threads, **options)
    reports = rk.pack(photos, tmp_path / "out", plan=plan, engine=engine, memory=8 * MIB).sets
    sizes = {re.search(r"; give a memory of (\d+M)$", failure.reason)[1] for failure in reports[0].failures}
    assert rk.pack(photos, tmp_path / "out", plan=plan, engine=engine, memory=max(sizes, key=parse_size)).ok


@pytest.mark.parametrize("threads", [1, 8])
def test_a_file_that_needs_more_fits_if_the_advice_is_followed(tmp_path, engine, threads):
    photos = write_images(tmp_path / "photos", [noise(900)])
    plan = rk.PackPlan(threads=threads)
    assert rk.pack(photos, tmp_path / "out", plan=plan, engine=engine, memory=8 * len(noise(900))).ok


def test_a_file_that_needs_more_fails_and_says_so(tmp_path, engine):
    photos = write_images(tmp_path / "photos", [noise(16), noise(600), noise(16)])
    report = rk.pack(photos, tmp_path / "out", plan=rk.PackPlan(shuffle=False), engine=engine, memory=MIB)
    (failure,) = report.sets[0].failures
    assert (
        failure.reason.startswith("expected an image of at most")
        and "give a memory of 8 times its size" in failure.reason
    )
    assert report.n_packed == 2


@pytest.mark.parametrize("memory", [4 * MIB, 1000 * MIB])
@pytest.mark.parametrize("options", [{}, {"resize": 20}, {"encoding": "raw"}])
def test_the_budget_changes_no_byte(tmp_path, engine, memory, options):
    payloads = [noise(8 + 97 * number % 150, seed=number) for number in range(60)]
    photos = write_images(tmp_path / "photos", payloads)
    for name, threads, budget in (("one", 1, 100 * MIB), ("two", 3, memory)):
        plan = rk.PackPlan(threads=threads, **options)
        assert rk.pack(photos, tmp_path / name, plan=plan, engine=engine, memory=budget).ok
    assert (tmp_path / "one.rec").read_bytes() == (tmp_path / "two.rec").read_bytes()
    assert (tmp_path / "one.lst").read_bytes() == (tmp_path / "two.lst").read_bytes()


class OwnSource:
    """A source of one's own, which does not know the sizes of its images."""

    order, classes, bad, notes, pixels = "listed", None, (), (), False

    def __init__(self, payloads):
        self.payloads = payloads

    def __len__(self):
        return len(self.payloads)

    def entries(self, indices):
        return [Entry(index, (0.0,), f"{index}") for index in indices]

    def labels(self, indices):
        return [(0.0,) for _ in indices]

    def contents(self, entries):
        return [self.payloads[entry.key] for entry in entries]


def test_a_source_of_ones_own_is_cut_too(tmp_path, engine):
    payloads = [noise(50 + 10 * number) for number in range(20)]
    report = rk.pack(OwnSource(payloads), tmp_path / "out", engine=engine, memory=8 * MIB)
    assert report.n_packed == 20
    with rk.RecordDataset(tmp_path / "out") as dataset:
        assert [bytes(sample.payload) for sample in dataset] == payloads


def test_blocks_follow_the_size_of_the_images():
    blocks = IndexBlocks(range(10_000), 64)
    sizes = []
    for n_bytes in [1000] * 8 + [13_000_000] * 2 + [1000] * 3:
        block = next(blocks)
        sizes.append(len(block))
        blocks.learn(len(block), len(block) * n_bytes)
    assert sizes == [1, 2, 4, 8, 16, 32, 64, 64, 64, 1, 1, 2, 4]


@pytest.mark.parametrize("plan", [{"encoding": "raw"}, {}])
def test_an_engine_stops_at_the_limits(engine, plan):
    made = choose_engine(engine)(rk.PackPlan(**plan), pixels=False)
    contents = [noise(100)] * 10
    limits = make_limits(1000 * MIB, 1)._replace(max_bytes=100_000)
    assert len(made.encode(contents, range(10), limits).payloads) == 3
    limits.stopped[0] = 1
    assert not made.encode(contents, range(10), limits).payloads


def test_an_export_has_a_budget_too(tmp_path):
    photos = write_images(tmp_path / "photos", [noise(16), noise(600), noise(16)])
    rk.pack(photos, tmp_path / "out", plan=rk.PackPlan(shuffle=False))
    with rk.RecordDataset(tmp_path / "out") as dataset:
        report = write_folder(dataset, tmp_path / "again", memory=8 * MIB)
        assert report.n_images == 3
        with pytest.raises(SourceError, match=r"key 1: expected an image of at most .* 8 times its size"):
            write_folder(dataset, tmp_path / "small", memory=MIB)
    assert not (tmp_path / "small").exists()
    assert np.array_equal(
        *[sorted(path.stat().st_size for path in (tmp_path / name).rglob("*.png")) for name in ("photos", "again")]
    )
