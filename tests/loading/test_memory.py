"""The memory of a loader: what it keeps, and what it refuses."""

import contextlib
import re
import threading

import numpy as np
import pytest
from images import write
from peaks import flat_image, needs_proc, peak_of

import recordkit as rk
from recordkit.errors import ImageError, PlanError
from recordkit.loading.assembler import BatchAssembler

MIB = 1 << 20
LOAD = """
path, engine, threads, memory = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
with rk.Loader(path, batch_size=64, transforms={transforms}, threads=threads, engine=engine, memory=memory) as loader:
    begin()
    print(sum(len(batch) for batch in loader))
"""


@needs_proc()
def test_a_transform_in_python_gets_one_image_at_a_time(tmp_path, engine):
    rec = write(tmp_path / "a.rec", [flat_image("jpeg", 866)] * 64, [0.0] * 64)  # 64 * 2.25 MB
    program = LOAD.format(transforms="[lambda image, draws: np.ascontiguousarray(image[:32, :32])]")
    peak, output = peak_of(program, rec, engine, 2, 64 * MIB)
    assert output == ["64"]
    assert peak < 48 * MIB


@needs_proc()
@pytest.mark.parametrize("threads", [2, 8])
def test_progressive_jpegs_wait_for_memory(tmp_path, engine, threads):
    rec = write(tmp_path / "a.rec", [flat_image("jpeg", 1600, progressive=True)] * 16, [0.0] * 16)
    program = LOAD.format(transforms="[rk.Resize(40), rk.CenterCrop(32)]")
    peak, output = peak_of(program, rec, engine, threads, 128 * MIB)  # one image takes 15 to 46 MB
    assert output == ["16"]
    assert peak < 128 * MIB


@needs_proc()
def test_a_file_of_tiny_images_stays_on_disk_if_the_budget_is_small(tmp_path, require_native):
    rec = write(tmp_path / "a.rec", [b"P6\n32 32\n255\n" + bytes(3072)] * 20_000, [0.0] * 20_000)  # 62 MB
    peak, output = peak_of(LOAD.format(transforms="[]"), rec, "native", 2, 16 * MIB)
    assert output == ["20000"]
    assert peak < 32 * MIB


@pytest.mark.parametrize("python_transform", [False, True])
def test_an_image_that_needs_more_is_a_bad_sample_that_says_so(tmp_path, engine, python_transform):
    payloads = [flat_image("png", side) for side in (20, 2000)]
    rec = write(tmp_path / "a.rec", payloads, [0.0, 1.0])
    crop = rk.CenterCrop(16)
    options = {
        "batch_size": 2,
        "engine": engine,
        "transforms": [(lambda image, draws: crop(image, draws)) if python_transform else crop],
    }
    text = r"key 1: expected an image that needs at most \d+ bytes, which the memory has .*, got \d+; give a memory of "
    with rk.Loader(rec, memory=MIB, **options) as loader, pytest.raises(ImageError, match=text):
        list(loader)
    with rk.Loader(rec, memory=MIB, on_error="skip", **options) as loader:
        assert [len(batch) for batch in loader] == [1]
    with rk.Loader(rec, memory=1000 * MIB, **options) as loader:
        assert [len(batch) for batch in loader] == [2]


@pytest.mark.parametrize("threads", [1, 5])
@pytest.mark.parametrize(("side", "batch_size"), [(8, 1), (300, 7)])
def test_the_memory_that_an_error_names_is_enough(tmp_path, engine, threads, side, batch_size):
    rec = write(tmp_path / "a.rec", [flat_image("jpeg", 1500, progressive=True)], [0.0])

    def load(memory):
        transforms = [rk.Resize(side), rk.CenterCrop(side)]
        options = {"batch_size": batch_size, "threads": threads, "transforms": transforms, "engine": engine}
        with rk.Loader(rec, memory=memory, **options) as loader:
            return sum(len(batch) for batch in loader)

    with pytest.raises(ImageError) as caught:
        load(8 * MIB)
    n_mib = int(re.search(r"; give a memory of (\d+)M$", str(caught.value))[1])
    assert load(f"{n_mib}M") == load(n_mib * MIB) == 1
    if engine == "python":
        with pytest.raises(ImageError, match=f"give a memory of {n_mib}M"):
            load((n_mib - 1) * MIB)


def test_batches_read_ahead_are_as_many_as_the_budget_has_room_for(tmp_path, engine, monkeypatch):
    rec = write(tmp_path / "a.rec", [flat_image("png", 128)] * 40, [0.0] * 40)
    loaded = []
    load = BatchAssembler.load
    monkeypatch.setattr(BatchAssembler, "load", lambda self, *args: loaded.append(1) or load(self, *args))
    # A batch of 40 * 128 * 128 * 3 * 4 bytes is 7.9 MB.
    with rk.Loader(rec, batch_size=40, dtype="float32", threads=4, engine=engine, memory=32 * MIB) as loader:
        assert loader.memory == 32 * MIB
        next(iter(loader))
        assert len(loaded) == 1
    with pytest.raises(PlanError, match="memory: expected at least 31457280 bytes, 4 times a batch, got 16777216"):
        rk.Loader(rec, batch_size=40, dtype="float32", engine=engine, memory=16 * MIB)


def test_the_default_has_room_for_any_batch(tmp_path, monkeypatch):
    monkeypatch.setattr("recordkit.memory._machine_bytes", lambda: 8 * MIB)
    rec = write(tmp_path / "a.rec", [flat_image("png", 128)] * 40, [0.0] * 40)
    with rk.Loader(rec, batch_size=40, dtype="float32") as loader:
        assert loader.memory == 4 * 40 * 128 * 128 * 3 * 4
        assert [len(batch) for batch in loader] == [40]


def test_threads_may_share_an_iteration(tmp_path, engine):
    rec = write(tmp_path / "a.rec", [flat_image("png", 8)] * 2000, [0.0] * 2000)
    with rk.Loader(rec, batch_size=4, threads=2, engine=engine) as loader:
        batches = iter(loader)
        keys, errors = [], []

        def consume():
            try:
                for batch in batches:
                    keys.extend(batch.key.tolist())
            except BaseException as error:  # noqa: BLE001 (shown by the test)
                errors.append(error)

        threads = [threading.Thread(target=consume) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(300)
        assert not errors
        assert sorted(keys) == list(range(2000))
        assert loader.epoch == 1


def test_an_iteration_of_another_thread_ends_the_one_before_it(tmp_path, engine):
    rec = write(tmp_path / "a.rec", [flat_image("png", 8)] * 64, np.zeros(64).tolist())
    errors = []

    def consume():
        try:
            for _ in range(20):
                with contextlib.suppress(PlanError):  # one iteration at a time
                    for _batch in loader:
                        pass
        except BaseException as error:  # noqa: BLE001 (shown by the test)
            errors.append(error)

    with rk.Loader(rec, batch_size=4, threads=2, engine=engine) as loader:
        threads = [threading.Thread(target=consume) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(300)
            assert not thread.is_alive()
    assert not errors
