"""The memory budget that the threads of a loader or a pack share."""

import threading
import time

import pytest
from images import picture, save, write

import recordkit as rk
from recordkit import memory
from recordkit.errors import ImageError, PlanError
from recordkit.memory import MIN_MEMORY, MemoryBudget, choose_memory
from recordkit.transforms import CenterCrop


def test_threads_together_never_hold_more_than_the_budget():
    budget = MemoryBudget(1000, n_threads=4)
    held, most, lock = 0, 0, threading.Lock()

    def work(n_bytes):
        nonlocal held, most
        for _ in range(50):
            with budget.hold(n_bytes):
                with lock:
                    held += n_bytes
                    most = max(most, held)
                time.sleep(0.0001)
                with lock:
                    held -= n_bytes

    threads = [threading.Thread(target=work, args=(n_bytes,)) for n_bytes in (10, 200, 500, budget.largest)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
        assert not thread.is_alive()
    assert budget.largest <= most <= 1000


def test_a_thread_may_use_its_share_while_another_holds_all_the_rest():
    budget = MemoryBudget(1000, n_threads=2)
    with budget.hold(budget.largest), budget.hold(budget.share):
        assert budget.largest + budget.share == 1000


def test_an_image_that_can_never_fit_is_refused():
    budget = MemoryBudget(1000, n_threads=2)
    expected = "needs at most 875 bytes, which the memory has free for images, got 876; give a memory of 1M"
    with pytest.raises(ImageError, match=expected), budget.hold(876):
        pass


@pytest.mark.parametrize("value", [0, -1, MIN_MEMORY - 1, 1e9, True, "2X", "-2G", "", "1K", "\u0663G"])
def test_a_budget_is_a_number_of_bytes(value):
    with pytest.raises(PlanError, match="memory: expected a number of bytes, at least 1048576, or a text"):
        choose_memory(value)


def test_a_budget_may_be_a_text_as_on_the_command_line():
    assert [choose_memory(text) for text in ("1048576", "512M", "1.5g")] == [1 << 20, 1 << 29, 3 << 29]


@pytest.mark.usefixtures("require_native")
@pytest.mark.parametrize("engine", ["native", "python"])
def test_a_budget_beyond_64_bits_is_no_limit(engine, tmp_path):
    path = write(tmp_path / "a.rec", [save(picture(), "JPEG")] * 3)
    transforms = [CenterCrop(8)]
    for n_bytes in (1 << 63, 1 << 70):
        batches = rk.Loader(path, batch_size=2, transforms=transforms, engine=engine, memory=n_bytes)
        assert sum(len(batch.label) for batch in batches) == 3


def test_the_default_is_a_quarter_of_the_machine_or_of_its_control_group(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path / "none")
    assert choose_memory(None) == memory._machine_bytes() // 4
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path)
    (tmp_path / "memory.max").write_text("max\n")
    assert choose_memory(None) == memory._machine_bytes() // 4
    (tmp_path / "memory.max").write_text(f"{64 << 20}\n")
    assert choose_memory(None) == 16 << 20
