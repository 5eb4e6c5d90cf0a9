"""The folder of the page cache: its bound, damage, kills, and processes that share it."""

import contextlib
import errno
import multiprocessing
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from recordkit.errors import CacheWarning
from recordkit.storage.remote.cache.flock import LockFile
from recordkit.storage.remote.cache.folder import CacheFolder
from recordkit.storage.remote.cache.pages import Claim, PageCache, Refusal

DATA = np.random.default_rng(2).bytes(20_500)
PAGE = 1000
STORED = PAGE + 4


def content(page):
    return DATA[page * PAGE : (page + 1) * PAGE]


def put(pages, page, **options):
    claim = pages.claim(page, **options)
    if not isinstance(claim, Claim):
        return claim
    with claim:
        return claim.write(content(page))


def open_object(folder, max_bytes=1 << 20, name="a"):
    cache = PageCache(folder, max_bytes, page_bytes=PAGE)
    return cache.open_object(f"s3://bucket/{name}.rec", "etag", len(DATA))


def counted(folder):
    """Return the bytes of all pages as the cache counts them, and as they are."""
    lock = LockFile(folder / "lock")
    while not lock.try_lock():
        time.sleep(0.001)
    with contextlib.closing(lock):
        return int((folder / "lock").read_bytes()), sum(path.stat().st_size for path in folder.rglob("pages/*"))


def test_a_page_is_stored_once_and_found_by_others(tmp_path):
    first, second = open_object(tmp_path), open_object(tmp_path)
    assert put(first, 3) is True and put(first, 20) is True
    assert second.find(3).read_bytes()[:PAGE] == content(3) and second.find(20).read_bytes()[:500] == content(20)
    assert second.claim(3) is Refusal.PRESENT
    assert second.has(3) and not second.has(4) and sorted(second.stored_pages()) == [3, 20]
    assert counted(tmp_path) == (STORED + 504, STORED + 504)


def test_the_page_that_another_process_fetches_is_busy_and_a_dropped_claim_is_free_again(tmp_path):
    first, second = open_object(tmp_path), open_object(tmp_path)
    with first.claim(3):
        assert second.claim(3) is Refusal.BUSY
        assert counted(tmp_path) == (STORED, STORED)
    assert counted(tmp_path) == (0, 0)
    assert put(second, 3) is True


@pytest.mark.parametrize("damage", ["flip", "cut", "grow", "crc"])
def test_a_damaged_page_is_removed_when_it_is_first_opened(tmp_path, damage):
    put(open_object(tmp_path), 3)
    again = open_object(tmp_path)
    path = again.path(3)
    data = bytearray(path.read_bytes())
    if damage == "cut":
        del data[-1]
    elif damage == "grow":
        data += b"x"
    else:
        data[{"flip": 500, "crc": -1}[damage]] ^= 1
    path.write_bytes(data)
    assert again.find(3) is None
    assert not path.exists() and put(again, 3) is True and again.find(3)


def test_a_full_cache_keeps_the_pages_of_open_objects_and_drops_those_of_closed_ones_oldest_first(tmp_path):
    objects = {name: open_object(tmp_path, 4 * STORED, name) for name in "abcd"}
    for number, name in enumerate("abc"):
        put(objects[name], number)
        os.utime(objects[name].folder / "about.json", (number, number))
    put(objects["c"], 3)
    objects["a"].close()
    objects["b"].close()
    assert put(objects["d"], 4) is True and not objects["a"].path(0).exists() and objects["b"].path(1).exists()
    assert put(objects["d"], 5) is True and not objects["b"].path(1).exists()
    assert put(objects["d"], 6) is Refusal.FULL
    assert put(objects["d"], 6, victims=lambda: [(objects["d"], 9), (objects["c"], 3), (objects["c"], 2)]) is True
    assert objects["c"].has(2) and not objects["c"].has(3)
    assert not objects["a"].folder.exists()
    assert counted(tmp_path)[0] == counted(tmp_path)[1] == 4 * STORED


def test_a_page_in_progress_of_a_killed_process_is_removed(tmp_path):
    pages = open_object(tmp_path)
    killed = pages.claim(3)
    (read_end, write_end), (begun, begin) = os.pipe(), os.pipe()
    pid = os.fork()  # a child of the killed process keeps no lock
    if not pid:
        os.close(write_end)
        os.write(begin, b"x")
        os.read(read_end, 1)
        os._exit(0)
    try:
        os.read(begun, 1)
        os.close(killed._file.descriptor)  # as the system does after SIGKILL, without unlocking
        killed._file.descriptor = -1
        CacheFolder(tmp_path, 1 << 20)
        assert counted(tmp_path) == (0, 0)
        assert put(pages, 3) is True
    finally:
        os.close(write_end)
        os.waitpid(pid, 0)
        for descriptor in (read_end, begun, begin):
            os.close(descriptor)


def test_a_full_disk_is_one_warning_and_leaves_nothing(tmp_path, monkeypatch):
    pages = open_object(tmp_path)
    put(pages, 1)

    def full(*_arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    assert put(pages, 3) in (False, Refusal.FULL)
    monkeypatch.undo()
    assert [path.name for path in pages.path(3).parent.iterdir()] == ["000000001"]
    with pytest.warns(CacheWarning, match="stores no pages: No space left on device; pass another cache_dir or make"):
        pages.cache.warn()
    pages.cache.warn()
    assert put(pages, 3) is Refusal.FULL and pages.find(1)


def test_a_folder_that_cannot_be_written_is_one_warning(tmp_path, monkeypatch):
    def refuse(*_arguments, **_options):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "mkdir", refuse)  # root may write everywhere
    pages = open_object(tmp_path)
    with pytest.warns(CacheWarning, match="stores no pages: Permission denied"):
        pages.cache.warn()
    assert pages.claim(0) is Refusal.FULL and pages.find(0) is None and pages.stored_pages() == []


def fill(folder, max_bytes, seed, n_steps):
    """Store, find and remove pages at random; a page that is found has the bytes of the object."""
    random_ = random.Random(seed)
    objects = [open_object(folder, max_bytes, name) for name in random_.sample("abc", 2)]
    for _ in range(n_steps):
        pages, page = random_.choice(objects), random_.randrange(21)
        path = pages.find(page)
        if path is not None:
            with contextlib.suppress(FileNotFoundError):
                assert path.read_bytes()[:-4] == content(page)
        stored = [(other, number) for other in objects for number in other.stored_pages()]
        random_.shuffle(stored)
        put(pages, page, victims=lambda stored=stored: stored)
        if random_.random() < 0.05:
            pages.close()
            objects[objects.index(pages)] = open_object(folder, max_bytes, random_.choice("abc"))


def test_four_processes_at_once_never_exceed_the_bound(memory_path):
    max_bytes = 7 * STORED + 10
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=fill, args=(memory_path, max_bytes, seed, 300)) for seed in range(4)]
    for process in processes:
        process.start()
    largest = 0
    while any(process.is_alive() for process in processes):
        claimed, stored = counted(memory_path)
        largest = max(largest, stored)
        assert stored <= claimed <= max_bytes
    assert [process.exitcode for process in processes] == [0] * 4
    assert largest > max_bytes - 2 * STORED
    claimed, stored = counted(memory_path)
    assert claimed == stored


def test_processes_killed_at_any_moment_leave_no_wrong_page_and_no_leak(memory_path):
    max_bytes = 7 * STORED + 10
    context = multiprocessing.get_context("fork")
    random_ = random.Random(3)
    for round_ in range(25):
        processes = [
            context.Process(target=fill, args=(memory_path, max_bytes, 2 * round_ + number, 10**6)) for number in (0, 1)
        ]
        for process in processes:
            process.start()
        time.sleep(random_.uniform(0.005, 0.05))  # a kill at a random moment
        for process in processes:
            process.kill()
            process.join()
        fill(memory_path, max_bytes, round_, 10)
        claimed, stored = counted(memory_path)
        assert claimed == stored <= max_bytes
        assert not list(memory_path.rglob("*.part"))
    for name in "abc":
        pages = open_object(memory_path, max_bytes, name)
        assert all(pages.find(page).read_bytes()[:-4] == content(page) for page in pages.stored_pages())


def test_two_processes_that_start_at_once_on_no_folder_share_it(memory_path):
    code = (
        "import sys; from pathlib import Path; from recordkit.storage.remote.cache.pages import PageCache; input();"
        "pages = PageCache(Path(sys.argv[1]), 1 << 20, page_bytes=1000).open_object('s3://b/a', 'e', 5000);"
        "print(pages.cache.is_usable, pages.claim(0) is not None)"
    )
    command = [sys.executable, "-c", code, str(memory_path / "new" / "cache")]
    root = Path(__file__).parents[3]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root) for _ in range(2)
    ]
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.communicate(timeout=60)[0] for process in processes] == ["True True\n"] * 2


def test_a_lock_that_another_holds_for_long_is_no_cache_and_no_hang(tmp_path, monkeypatch):
    pages = open_object(tmp_path)
    monkeypatch.setattr("recordkit.storage.remote.cache.folder._MAX_WAIT_S", 0.01)
    holder = LockFile(tmp_path / "lock")
    assert holder.try_lock()
    assert pages.claim(0) is Refusal.FULL
    holder.close()
    with pytest.warns(CacheWarning, match="another process has held the lock"):
        pages.cache.warn()
