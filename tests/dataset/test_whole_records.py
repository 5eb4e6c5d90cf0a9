"""`on_error="skip"` opens a damaged file without a matching index with all its whole records, and reports the loss."""

import numpy as np
import pytest

import recordkit as rk
from recordkit.codec import encode
from recordkit.errors import FormatError, PlanError
from recordkit.formats import idx
from recordkit.sources import ListSource

N = 20

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(params=["core", "no core"], autouse=True)
def reader(request):
    """Run each test with the native core and without it."""
    request.getfixturevalue("require_native" if request.param == "core" else "no_native")


@pytest.fixture
def packed(tmp_path):
    """A set of 20 raw images with exact labels, 1000 + the key."""
    for key in range(N):
        pixels = np.full((6, 6, 1), key, np.uint8)
        (tmp_path / f"{key}.pgm").write_bytes(encode(pixels, "raw"))
    (tmp_path / "in.lst").write_text("".join(f"{key}\t{1000 + key}\t{key}.pgm\n" for key in range(N)))
    plan = rk.PackPlan(any_file=True, exact_labels=True)
    rk.pack(ListSource(tmp_path / "in.lst", tmp_path), tmp_path / "a", plan=plan)
    return tmp_path / "a.rec"


def offset_of(path, row):
    return int(idx.read(path.with_suffix(".idx")).offsets[row])


def damage(path, *rows):
    """Overwrite the magic of records, so that the file cannot be scanned past them."""
    offsets = idx.read(path.with_suffix(".idx")).offsets
    with open(path, "r+b") as file:
        for row in rows:
            file.seek(int(offsets[row]))
            file.write(b"????")


def open_skipping(path, **options):
    return rk.RecordDataset(path, on_error="skip", **options)


def contents(dataset):
    """Key, label and first pixel of each sample."""
    return [(sample.key, sample.label, sample.payload[-1]) for sample in dataset]


def expected(rows):
    return [(row, 1000 + row, row) for row in rows]


@pytest.mark.parametrize("rows", [(0,), (N - 1,), (0, 1, 7, N - 1)])
def test_records_around_holes_keep_their_labels_with_an_index(packed, rows):
    damage(packed, *rows)
    with pytest.raises(FormatError, match=f"byte {offset_of(packed, rows[0])}: expected magic"):
        rk.RecordDataset(packed)
    dataset = open_skipping(packed)
    assert contents(dataset) == expected(row for row in range(N) if row not in rows)
    first_rows = [row for row in rows if row - 1 not in rows]
    assert [lost.offset for lost in dataset.lost] == [offset_of(packed, row) for row in first_rows]
    assert sum(lost.n_bytes for lost in dataset.lost) == len(rows) * offset_of(packed, 1)


@pytest.mark.parametrize("on_error", ["skip", "replace"])
def test_an_index_of_the_described_hash_leads_to_damaged_records(packed, on_error):
    damage(packed, 0, 1, 7, N - 1)
    loader = rk.Loader(packed, batch_size=N, channels=1, on_error=on_error, check=True)
    (batch,) = loader
    assert sorted(bad.key for bad in loader.bad_samples) == [0, 1, 7, N - 1] and not loader.dataset.lost
    assert batch.label.tolist() == [1000 + key for key in batch.key.tolist()]
    assert len(batch.key) == (N - 4 if on_error == "skip" else N)


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("has_index", [False, True])
def test_a_file_that_was_cut_short_keeps_its_beginning(packed, has_index, check):
    cut = offset_of(packed, 12) + 5
    packed.write_bytes(packed.read_bytes()[:cut])
    if not has_index:
        packed.with_suffix(".idx").unlink()
    dataset = open_skipping(packed, check=check)
    assert contents(dataset) == expected(range(12))
    ((_, offset, n_bytes, _),) = [(lost.path, lost.offset, lost.n_bytes, lost.reason) for lost in dataset.lost]
    assert (offset, n_bytes) == (cut - 5, 5)


def test_labels_never_move_to_other_records(packed):
    damage(packed, 3)
    packed.with_suffix(".idx").unlink()
    text = r"a.labels.npy: expected an index that counts the records behind byte \d+, .*; take .*a.idx from a copy"
    with pytest.raises(FormatError, match=text):
        rk.RecordDataset(packed, on_error="skip")


def test_checksums_tell_the_labels_without_an_index(packed):
    damage(packed, 3, 11)
    packed.with_suffix(".idx").unlink()
    assert contents(open_skipping(packed, check=True)) == expected(row for row in range(N) if row not in (3, 11))


def test_labels_in_the_records_need_no_index(packed):
    damage(packed, 3)
    packed.with_suffix(".idx").unlink()
    packed.with_suffix(".labels.npy").unlink()
    packed.with_suffix(".json").unlink()
    assert contents(open_skipping(packed)) == expected(row for row in range(N) if row != 3)


def test_the_index_of_another_file_gives_no_positions(packed, tmp_path):
    damage(packed, 0)
    packed.with_suffix(".idx").write_bytes(idx.lines(range(N), range(0, 4 * N, 4)))
    with pytest.raises(FormatError, match="expected an index"):
        rk.RecordDataset(packed, on_error="skip")


def test_the_loss_is_a_warning_with_bytes_places_and_the_first_offset(packed):
    damage(packed, 0, 5)
    with pytest.warns(UserWarning, match="a.rec: byte 0") as caught:
        rk.RecordDataset(packed, on_error="skip")
    size = offset_of(packed, 1)
    assert str(caught[-1].message) == (
        f"{packed}: byte 0: expected magic 0xced7230a, got 0x3f3f3f3f; {2 * size} bytes are lost in 2 places, and 18 "
        f"records left; run 'recordkit verify {packed}'"
    )
    assert "reindex" not in str(caught[0].message)  # a damaged file gets no index


def test_a_record_without_a_readable_header_is_left_out(packed):
    with open(packed, "r+b") as file:
        file.seek(offset_of(packed, 4) + 8)
        file.write(b"\xff\xff\xff\x00")  # more labels than the record has bytes
    packed.with_suffix(".idx").unlink()
    dataset = open_skipping(packed)
    assert contents(dataset) == expected(row for row in range(N) if row != 4)
    assert [lost.reason[:8] for lost in dataset.lost] == ["expected"]


@pytest.mark.parametrize("on_error", ["skip", "replace"])
def test_a_loader_that_skips_loads_all_whole_records(packed, on_error):
    damage(packed, 0, 7)
    loader = rk.Loader(packed, batch_size=N, channels=1, on_error=on_error)
    (batch,) = loader
    assert batch.label.tolist() == [1000 + row for row in range(N) if row not in (0, 7)]
    assert [lost.offset for lost in loader.dataset.lost] == [0, offset_of(packed, 7)]
    with pytest.raises(FormatError, match="byte 0: expected magic"):
        rk.Loader(packed, batch_size=N, channels=1)


def test_another_word_for_on_error_is_refused(packed):
    with pytest.raises(PlanError, match="^on_error: expected raise or skip, got 'replace'$"):
        rk.RecordDataset(packed, on_error="replace")
