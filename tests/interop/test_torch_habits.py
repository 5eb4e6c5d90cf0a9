"""Habits of PyTorch's users: labels for cross_entropy, gray digits, epochs, devices, and labels of any number."""

import itertools
import os
import pickle

import pytest
from images import noise, write

import recordkit as rk
from recordkit.codec import encode
from recordkit.errors import FormatError, PlanError

if not os.environ.get("RECORDKIT_REQUIRE_TORCH"):
    pytest.importorskip("torch", reason="PyTorch is not installed")
import torch
from torch.utils.data import DataLoader

from recordkit.interop.torch import Batch, Loader, RecordDataset
from recordkit.interop.torch.epochs import SharedEpochs

pytestmark = [
    # The test process has threads when torch forks it.
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning"),
]

N = 12
GRAY = [encode(noise(8, 8, 1, seed=n), "raw") for n in range(N)]
RAGGED = [tuple(float(n + k) for k in range(1 + n % 3)) for n in range(N)]


@pytest.fixture
def digits(tmp_path):
    return write(tmp_path / "digits.rec", GRAY)


@pytest.fixture
def ragged(tmp_path):
    return write(tmp_path / "ragged.rec", GRAY, RAGGED)


def workers(loader, **options):
    return DataLoader(loader, batch_size=None, num_workers=2, timeout=60, multiprocessing_context="fork", **options)


def half(image):
    return image / 2


def keys(batches):
    return [batch.key.tolist() for batch in batches]


def test_labels_of_a_batch_go_into_cross_entropy_and_gray_images_have_one_channel(digits, engine):
    for batches in (
        Loader(digits, batch_size=4, engine=engine, dtype="float32"),
        DataLoader(RecordDataset(digits, engine=engine, dtype="float32"), batch_size=4),
    ):
        for data, label in batches:
            assert data.shape == (4, 1, 8, 8) and label.dtype == torch.int64
            torch.nn.functional.cross_entropy(data.flatten(1), label)


def test_several_whole_labels_are_int64_and_fractions_or_a_choice_float32(tmp_path):
    several = write(tmp_path / "several.rec", GRAY, [(float(n), float(n % 2)) for n in range(N)])
    fractions = write(tmp_path / "fractions.rec", GRAY, [n / 4 for n in range(N)])
    for path, options, want in (
        (several, {}, torch.int64),
        (several, {"label_dtype": "float32"}, torch.float32),
        (fractions, {}, torch.float32),
    ):
        assert {label.dtype for _, label in Loader(path, batch_size=5, **options)} == {want}
        assert RecordDataset(path, **options)[1][1].dtype == want
    dataset = RecordDataset(fractions, label_dtype="int64")
    for read in (lambda: list(Loader(fractions, batch_size=5, label_dtype="int64")), lambda: dataset[1]):
        with pytest.raises(PlanError, match="key 1: expected labels that are whole numbers"):
            read()


def test_an_image_in_colour_after_gray_ones_says_what_to_give(tmp_path, monkeypatch):
    monkeypatch.setattr("recordkit.loading.probe._N_PROBED", 2)
    path = write(tmp_path / "a.rec", [*GRAY[:3], encode(noise(8, 8), "raw"), GRAY[4]])
    for read in (lambda: list(Loader(path, batch_size=2)), lambda: RecordDataset(path)[3]):
        with pytest.raises(PlanError, match="key 3: expected a gray image.*give channels=3 for all in colour"):
            read()
    assert RecordDataset(path, channels=3)[3][0].shape == (3, 8, 8)


@pytest.mark.parametrize("n_workers", [0, 1])
def test_a_dataloader_with_a_batch_size_says_what_to_write(digits, n_workers):
    loader = Loader(digits, batch_size=4)
    options = {"num_workers": n_workers, "timeout": 60 if n_workers else 0}
    with pytest.raises(PlanError, match=r"write DataLoader\(loader, batch_size=None\)"):
        list(DataLoader(loader, batch_size=32, **options))
    assert len(list(DataLoader(loader, batch_size=None, **options))) == 3


def test_a_dataloader_over_the_loader_of_arrays_says_which_loader_it_takes(digits):
    with pytest.raises(PlanError, match=r"a DataLoader of torch takes recordkit\.interop\.torch\.Loader"):
        list(DataLoader(rk.Loader(digits, batch_size=4), batch_size=None))


def test_a_loader_zipped_with_itself_says_that_it_has_one_iteration(digits):
    loader = Loader(digits, batch_size=4)
    with pytest.raises(PlanError, match="make a Loader for each iteration"):
        list(zip(loader, loader, strict=True))


def test_copies_and_workers_read_each_sample_once_and_none_to_find_the_format(digits, monkeypatch):
    loader = Loader(digits, batch_size=3, engine="python", transforms=[half])
    n_read = torch.zeros((), dtype=torch.int64).share_memory_()
    for name in ("__getitem__", "labels_at"):
        read = getattr(rk.RecordDataset, name)

        def counted(dataset, index, read=read):
            n_read.add_(1)
            return read(dataset, index)

        monkeypatch.setattr(rk.RecordDataset, name, counted)
    for n_epochs, batches in enumerate((workers(loader), workers(loader), pickle.loads(pickle.dumps(loader))), 1):
        assert len(list(batches)) == 4 and n_read == n_epochs * N
    write(digits, [encode(noise(6, 8), "raw")] * N)  # other data, whose format is not that of before
    assert next(iter(workers(loader))).data.shape == (3, 3, 6, 8)


def test_workers_compare_the_classes_of_files_that_were_replaced(digits, tmp_path):
    other = write(tmp_path / "other.rec", GRAY)
    for path in (digits, other):
        path.with_suffix(".json").write_text('{"classes": {"cat": 0}}')
    loader = Loader([digits, other], batch_size=3)
    write(other, GRAY[:5])
    other.with_suffix(".json").write_text('{"classes": {"dog": 0}}')
    with pytest.raises(FormatError, match=r"other\.json: expected the classes of"):
        next(iter(workers(loader)))


def test_the_loader_has_the_attributes_of_the_loader_of_arrays(digits):
    arrays = rk.Loader(digits, batch_size=4, channels="keep", label_dtype="auto", memory="64M", threads=2)
    with Loader(digits, batch_size=4, memory="64M", threads=2) as loader:
        names = [name for name in dir(arrays) if not name.startswith("_")]
        assert [name for name in names if not hasattr(loader, name)] == []
        for name in ("channels", "engine", "epoch", "label_dtype", "memory", "threads", "bad_samples"):
            assert getattr(loader, name) == getattr(arrays, name), name
        list(loader)
        assert loader.epoch == 1 and loader.timing.load_s > 0 and len(loader.dataset) == N
    damaged = Loader(write(digits.with_name("a.rec"), [*GRAY, b"none"]), batch_size=4, on_error="skip")
    list(damaged)
    assert [bad.key for bad in damaged.bad_samples] == [N]


def test_no_epoch_is_repeated_whoever_iterates(digits):
    loader = Loader(digits, batch_size=4, shuffle=True)
    other = rk.Loader(digits, batch_size=4, shuffle=True)
    want = [keys(other) for _ in range(8)]
    fresh, persistent = workers(loader), workers(loader, persistent_workers=True)
    for epoch, batches in enumerate((fresh, fresh, loader, fresh, persistent, persistent, loader)):
        assert keys(batches) == want[epoch], epoch
    next(iter(fresh))  # left early
    loader.set_epoch(2)
    assert keys(fresh) == want[2] and keys(fresh) == want[3] and keys(loader) == want[4]
    with pytest.raises(PlanError, match=r"epoch: expected 0 to 2\*\*32 - 1, got -1"):
        loader.set_epoch(-1)


def test_an_epoch_that_workers_resume_is_followed_by_the_next(digits):
    loader = Loader(digits, batch_size=4, shuffle=True)
    other = rk.Loader(digits, batch_size=4, shuffle=True)
    want = [keys(other) for _ in range(4)]
    loader.set_epoch(2)
    state = next(iter(workers(loader))).state
    loader.load_state_dict(state)
    assert keys(workers(loader)) == want[2][1:] and keys(workers(loader)) == want[3]


def test_workers_that_look_at_once_take_one_epoch():
    epochs = SharedEpochs()
    for iteration in range(40):
        identity = f"iteration {iteration}"
        before = pickle.loads(pickle.dumps(epochs))  # what a worker sees that has not seen the others
        taken = {before.begin(worker, identity) for worker in range(3)} | {epochs.begin(300, identity)}
        assert taken == {(iteration, 0)} == {epochs.begin(worker, identity) for worker in range(300)}


def test_no_epoch_is_repeated_if_the_program_seeds_torch_before_each(digits):
    loader = Loader(digits, batch_size=4, shuffle=True)
    other = rk.Loader(digits, batch_size=4, shuffle=True)
    for _ in range(6):
        torch.manual_seed(0)
        assert keys(workers(loader)) == keys(other)


def test_a_worker_with_a_position_of_its_own_is_followed_by_the_next_epoch():
    epochs = SharedEpochs()
    epochs.note(0, "restored", 5)
    epochs.note(1, "restored", 5)
    assert epochs.begin(0, "next") == (6, 0)
    epochs.set(9, position=8)
    epochs.note(0, "older", 3)
    assert epochs.begin(0, "next") == (10, 0)


def test_a_batch_moves_to_a_device_with_its_labels(digits, ragged):
    for batch in (next(iter(Loader(digits, batch_size=4))), next(iter(Loader(ragged, batch_size=4, label="list")))):
        moved = batch.to("meta", non_blocking=True)
        assert isinstance(moved, Batch) and moved.data.device.type == "meta" and moved.key is batch.key
        labels = moved.label if isinstance(moved.label, list) else [moved.label]
        assert {label.device.type for label in labels} == {"meta"} and moved.state == batch.state
        assert batch.n_labels is None or moved.n_labels.device.type == "meta"


def test_batches_are_pinned_on_request_where_there_is_an_accelerator(digits, ragged, monkeypatch):
    pinned = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: pinned.append(tensor.shape) or tensor)
    list(Loader(digits, batch_size=12, pin_memory=True))
    assert torch.cuda.is_available() or not pinned
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    pinned.clear()
    list(Loader(digits, batch_size=12, pin_memory=True))
    list(Loader(digits, batch_size=12))
    assert pinned == [(12, 1, 8, 8), (12,)]
    with pytest.raises(PlanError, match=r"write DataLoader\(loader, batch_size=None, pin_memory=True\)"):
        list(workers(Loader(digits, batch_size=4, pin_memory=True)))


@pytest.mark.parametrize("n_workers", [0, 2])
def test_ragged_labels_are_padded_or_a_list(ragged, engine, n_workers):
    options = {"batch_size": 5, "shuffle": True, "engine": engine}
    padded, lists = (
        list(DataLoader(Loader(ragged, label=form, **options), batch_size=None, num_workers=n_workers))
        for form in ("pad", "list")
    )
    for batch, other in itertools.zip_longest(padded, lists):
        want = [list(RAGGED[key]) for key in batch.key.tolist()]
        assert batch.n_labels.tolist() == other.n_labels.tolist() == [len(each) for each in want]
        assert [each.tolist() for each in other.label] == want and batch.label.dtype == other.label[
            0
        ].dtype == torch.int64
        widest = max(map(len, want))
        assert batch.label.tolist() == [each + [-1] * (widest - len(each)) for each in want]


def test_single_samples_have_ragged_labels_too(ragged, engine):
    dataset = RecordDataset(ragged, label="list", engine=engine)
    assert [label.tolist() for _, label in dataset] == [list(each) for each in RAGGED]
    batches = DataLoader(RecordDataset(ragged, label="pad", engine=engine), batch_size=4)
    assert next(iter(batches))[1].tolist() == [[0, -1, -1], [1, 2, -1], [2, 3, 4], [3, -1, -1]]


def test_a_dataset_has_its_classes_and_a_slice_is_a_subset(digits):
    digits.with_suffix(".json").write_text('{"classes": {"cat": 0}}')
    dataset = RecordDataset(digits)
    assert dataset.classes == {"cat": 0}
    last = dataset[-3:]
    assert len(last) == 3 and [label.item() for _, label in last] == [9, 0, 1]
    assert next(iter(DataLoader(last, batch_size=2)))[1].tolist() == [9, 0]
    for index in ([0, 2], "a", torch.arange(3)):
        with pytest.raises(IndexError, match=r"expected an index or a slice, got .*; torch\.utils\.data\.Subset"):
            dataset[index]


def test_types_of_torch_stand_for_their_names(digits):
    options = {"dtype": torch.float16, "label_dtype": torch.float32}
    batch = next(iter(Loader(digits, batch_size=4, **options)))
    image, label = RecordDataset(digits, **options)[0]
    assert [each.dtype for each in (batch.data, batch.label, image, label)] == [torch.float16, torch.float32] * 2
    with pytest.raises(PlanError, match="dtype: expected 'uint8' or .*, got 'int32'"):
        Loader(digits, batch_size=4, dtype=torch.int32)
