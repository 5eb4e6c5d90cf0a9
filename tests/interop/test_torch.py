"""The PyTorch loader and dataset, alone and under a DataLoader."""

import copy
import itertools
import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from images import noise, picture, pixels, save

import recordkit as rk
from recordkit.errors import FormatError, ImageError, PlanError
from recordkit.recordio import IRHeader, MXIndexedRecordIO, pack
from recordkit.sampling.order import Weighted
from recordkit.upkeep import reindex

if not os.environ.get("RECORDKIT_REQUIRE_TORCH"):
    pytest.importorskip("torch", reason="PyTorch is not installed")
import torch
from torch.utils.data import DataLoader, DistributedSampler
from torch.utils.data._utils.pin_memory import pin_memory

from recordkit.interop.torch import Batch, Loader, RecordDataset

pytestmark = [
    # The test process has threads when torch forks it.
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
    # The tests use more workers than there are processors.
    pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning"),
]

N = 50
TRAIN = [rk.Resize(36), rk.RandomCrop(32), rk.RandomFlip()]


def write(path, payloads, labels):
    with MXIndexedRecordIO(str(path.with_suffix(".idx")), str(path), "w") as writer:
        for key, (payload, label) in enumerate(zip(payloads, labels, strict=True)):
            writer.write_idx(key, pack(IRHeader(0, label, key, 0), payload))
    return path


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """50 JPEGs of several sizes."""
    made = [save(picture(pixels(40 + n % 7, 50 - n % 5) if n % 2 else noise(48, 41, seed=n)), "JPEG") for n in range(N)]
    return write(tmp_path_factory.mktemp("rec") / "photos.rec", made, [n % 10 for n in range(N)])


def feed(loader, n_workers, **options):
    """Return torch's DataLoader around a loader."""
    options = {"batch_size": None, "num_workers": n_workers, "timeout": 60 if n_workers else 0} | options
    if n_workers:
        options = {"multiprocessing_context": "fork"} | options
    return DataLoader(loader, **options)


def values(batch):
    """Return the contents of a batch of tensors or arrays, to compare."""
    lists = [np.asarray(part).tolist() for part in (batch.label, batch.key, batch.n_valid, batch.index)]
    return [np.asarray(batch.data).tobytes(), *lists]


def test_tensors_share_and_keep_the_memory_of_the_loaders_arrays(photos, engine, monkeypatch):
    addresses = []
    original_iter = rk.Loader.__iter__

    def spy(loader):
        for batch in original_iter(loader):
            addresses.append([array.ctypes.data for array in (batch.data, batch.label, batch.key, batch.index)])
            yield batch

    monkeypatch.setattr(rk.Loader, "__iter__", spy)
    loader = Loader(photos, batch_size=8, transforms=TRAIN, engine=engine)
    batches = list(loader)
    assert addresses == [[part.data_ptr() for part in (b.data, b.label, b.key, b.index)] for b in batches]
    copies = [batch.data.clone() for batch in batches]
    list(loader)
    assert all(torch.equal(batch.data, copy) for batch, copy in zip(batches, copies, strict=True))


def test_a_batch_unpacks_to_data_and_label_and_has_the_other_fields(photos, engine):
    loader = Loader(photos, batch_size=8, transforms=TRAIN, engine=engine)
    batch = next(iter(loader))
    data, label = batch
    assert isinstance(batch, Batch) and data is batch.data and label is batch.label and len(loader) == 7
    assert data.shape == (8, 3, 32, 32) and data.dtype == torch.uint8 and label.dtype == torch.int64
    assert batch[0] is data and batch[1] is label and batch[-1] is label and batch.n_labels is None
    assert batch.key.tolist() == batch.index.tolist() == list(range(8)) and batch.n_valid == 8


@pytest.mark.parametrize("n_workers", [0, 1, 2, 3])
@pytest.mark.parametrize("last_batch", ["keep", "pad", "drop"])
@pytest.mark.parametrize("n_ranks", [1, 2])
def test_workers_do_not_change_the_batches(photos, engine, last_batch, n_workers, n_ranks):
    options = {"batch_size": 6, "transforms": TRAIN, "shuffle": True, "seed": 4, "engine": engine, "layout": "NCHW"}
    keys = []
    for rank in range(n_ranks):
        share = {"rank": (rank, n_ranks), "last_batch": last_batch}
        loader = Loader(photos, **options, **share)
        got = [values(batch) for batch in feed(loader, n_workers)]
        assert len(got) == len(loader) == len(feed(loader, n_workers))
        want = [values(batch) for batch in rk.Loader(photos, **options, **share)]
        if last_batch != "keep" or n_ranks == 1:
            assert got == want
        else:  # the last batch is shared out differently
            assert got[:-1] == want[:-1]
        keys += [key for batch in got for key in batch[2][: batch[3]]]
    assert len(set(keys)) == len(keys) == (48 if last_batch == "drop" else N)


@pytest.mark.parametrize(("last_batch", "n_loaded"), [("keep", N), ("drop", 48), ("pad", 54)])
def test_without_workers_only_the_yielded_samples_are_loaded(photos, monkeypatch, last_batch, n_loaded):
    loader = Loader(photos, batch_size=6, transforms=TRAIN, last_batch=last_batch)
    engine = loader.loader._parts.assembler.engine
    load, sizes = engine.load, []
    monkeypatch.setattr(engine, "load", lambda *a: sizes.append(len(a[0].indices)) or load(*a))
    list(loader)
    assert sum(sizes) == n_loaded


def test_the_length_is_right_for_an_order_longer_than_the_dataset(photos):
    order = Weighted(np.ones(N), n=70)
    loader = Loader(photos, batch_size=10, transforms=TRAIN, shuffle=order)
    assert len(loader) == len(list(loader)) == len(list(feed(loader, 2))) == 7


class Half(torch.nn.Module):
    """A transform as torchvision's: a module of uint8 tensors (C, H, W)."""

    def forward(self, image):
        assert image.dtype == torch.uint8 and image.shape == (3, 32, 32)
        return image[:, :, 16:].float() / 2


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("n_workers", [0, 2])
def test_modules_get_tensors(photos, engine, layout, n_workers):
    options = {"batch_size": N, "layout": layout, "engine": engine}
    (batch,) = feed(Loader(photos, transforms=[*TRAIN, Half()], **options), n_workers)
    (plain,) = Loader(photos, transforms=TRAIN, **options)
    half = plain.data[..., 16:] if layout == "NCHW" else plain.data[:, :, 16:]
    assert torch.equal(batch.data, half.float() / 2)
    dataset = RecordDataset(photos, transforms=[rk.CenterCrop(32), Half()], layout=layout, engine=engine)
    assert dataset[3][0].shape == half.shape[1:] and dataset[3][0].dtype == torch.float32


def test_functions_get_arrays_and_may_return_tensors(photos, engine):
    def to_tensor(image):  # as torchvision's ToTensor
        return torch.from_numpy(image).permute(2, 0, 1) / 255

    (batch,) = Loader(photos, batch_size=N, transforms=[*TRAIN, to_tensor], engine=engine)
    (plain,) = Loader(photos, batch_size=N, transforms=[*TRAIN, rk.Normalize(scale=1 / 255)], engine=engine)
    torch.testing.assert_close(batch.data, plain.data)


def test_modules_may_stand_before_each_other_and_before_normalize(photos, engine):
    class Mirror(torch.nn.Module):
        def forward(self, image):
            return image.flip(2)

    (plain,) = Loader(photos, batch_size=N, transforms=TRAIN, engine=engine)
    for chain in ([Mirror(), rk.Normalize(1, 2)], [Mirror(), Mirror(), Mirror(), lambda image: (image - 1.0) / 2]):
        (batch,) = Loader(photos, batch_size=N, transforms=[*TRAIN, *chain], engine=engine)
        torch.testing.assert_close(batch.data, (plain.data.flip(3).to(batch.data.dtype) - 1) / 2)


@pytest.mark.parametrize("n_workers", [0, 2])
def test_an_error_of_a_module_names_the_sample(photos, n_workers):
    class Odd(torch.nn.Module):
        def forward(self, image):
            raise KeyError("odd")

    loader = Loader(photos, batch_size=4, transforms=[*TRAIN, Half()])
    loader._options.transforms[-1].function.forward = Odd().forward  # after the loader tried it
    with pytest.raises(PlanError, match=r"photos.rec: transforms: key 0: Half\(\) raised KeyError: 'odd'"):
        list(feed(loader, n_workers))


def test_the_transforms_of_torchvision_run(photos):
    v2 = pytest.importorskip("torchvision.transforms.v2")
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    chain = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(mean, std)])
    (batch,) = Loader(photos, batch_size=N, transforms=[*TRAIN, chain])
    (plain,) = Loader(photos, batch_size=N, transforms=[*TRAIN, rk.Normalize(mean, std, scale=1 / 255)])
    torch.testing.assert_close(batch.data, plain.data)


@pytest.mark.filterwarnings("ignore:'pin_memory' argument is set as true but no accelerator:UserWarning")
def test_a_dataloader_pins_data_and_label_of_a_batch(photos, monkeypatch):
    loader = Loader(photos, batch_size=8, transforms=TRAIN)
    batches = [values(batch) for batch in feed(loader, 2, pin_memory=True)]  # without a GPU torch does not pin
    loader.set_epoch(0)
    assert batches == [values(batch) for batch in loader]
    pinned = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: pinned.append(tensor) or tensor.clone())
    for batch in loader:
        other = pin_memory(batch)
        assert pinned[-2] is batch.data and pinned[-1] is batch.label and other.data is not batch.data
        assert values(other) == values(batch) and other.state == batch.state


@pytest.mark.parametrize("n_workers", [0, 2])
def test_set_epoch_reaches_the_workers(photos, engine, n_workers):
    options = {"batch_size": 10, "transforms": TRAIN, "shuffle": True, "engine": engine, "layout": "NCHW"}
    loader = rk.Loader(photos, **options)
    want = [[values(batch) for batch in loader] for _ in range(4)]
    for kept in (False, True):
        loader = Loader(photos, **options)
        batches = feed(loader, n_workers, persistent_workers=kept and n_workers > 0)
        for epoch in (0, 2, 2, 1):
            loader.set_epoch(epoch)
            assert [values(batch) for batch in batches] == want[epoch]


def test_a_loader_pickled_before_its_process_has_a_rank_takes_that_rank(photos, monkeypatch):
    loader = pickle.loads(pickle.dumps(Loader(photos, batch_size=5, transforms=TRAIN)))
    assert next(iter(loader)).key.tolist() == [0, 1, 2, 3, 4]
    for name, value in (("is_initialized", True), ("get_rank", 1), ("get_world_size", 2)):
        monkeypatch.setattr(torch.distributed, name, lambda value=value: value)
    for each in (loader, pickle.loads(pickle.dumps(loader))):
        assert next(iter(each)).key.tolist() == [5, 6, 7, 8, 9] and len(each) == 5
    monkeypatch.undo()  # like a spawned worker, which keeps the rank
    assert next(iter(each)).key.tolist() == [5, 6, 7, 8, 9]


def test_set_epoch_reaches_the_workers_of_a_copy(photos):
    options = {"transforms": TRAIN, "seed": 2, "layout": "NCHW"}
    loader = rk.Loader(photos, batch_size=10, **options)
    want = [[batch.data.tolist() for batch in loader] for _ in range(3)]
    for source, size in ((Loader(photos, batch_size=10, **options), None), (RecordDataset(photos, **options), 10)):
        for copied in (copy.deepcopy(source), pickle.loads(pickle.dumps(source))):
            batches = feed(copied, 1, batch_size=size, persistent_workers=True)
            for epoch in (2, 2, 1):
                copied.set_epoch(epoch)
                assert [data.tolist() for data, _ in batches] == want[epoch]


def test_epochs_follow_each_other_without_set_epoch(photos, engine):
    options = {"batch_size": 16, "transforms": TRAIN, "shuffle": True, "engine": engine, "layout": "NCHW"}
    for loader in (Loader(photos, **options), feed(Loader(photos, **options), 2, persistent_workers=True)):
        other = rk.Loader(photos, **options)
        for _ in range(3):
            assert [values(batch) for batch in loader] == [values(batch) for batch in other]


@pytest.mark.parametrize("n_workers", [0, 2])
@pytest.mark.parametrize("n_later", [0, 3])
def test_an_epoch_resumes_after_any_batch_with_any_number_of_workers(photos, n_workers, n_later):
    options = {"batch_size": 8, "transforms": TRAIN, "shuffle": True, "seed": 5}
    first = Loader(photos, **options)
    first.set_epoch(3)
    batches = list(feed(first, n_workers))
    for n_before in range(0, 8, 2 if n_workers else 1):
        state = batches[n_before - 1].state if n_before else Loader(photos, **options).state_dict() | {"epoch": 3}
        second = Loader(photos, **options)
        second.load_state_dict(json.loads(json.dumps(state)))
        got = [values(batch) for batch in feed(second, n_later)]
        assert got == [values(batch) for batch in batches[n_before:]]


def test_the_state_of_a_loader_is_the_state_of_its_last_batch(photos):
    loader = Loader(photos, batch_size=8, transforms=TRAIN, shuffle=True)
    for batch in itertools.islice(loader, 3):
        assert loader.state_dict() == batch.state
    assert [b.index.tolist() for b in loader] and loader.state_dict()["epoch"] == 2
    list(loader)
    assert loader.state_dict()["position"] == 0 and loader.epoch == 3


def test_three_ranks_resume_from_a_batch_state_of_two_ranks(photos):
    options = {"batch_size": 5, "transforms": TRAIN, "shuffle": True, "last_batch": "pad"}
    keys, states = [], []
    for rank in range(2):
        for batch in itertools.islice(feed(Loader(photos, rank=(rank, 2), **options), 2), 3):
            keys += batch.key.tolist()
        states.append(batch.state)
    assert states[0] == states[1]
    for rank in range(3):
        loader = Loader(photos, rank=(rank, 3), **options)
        loader.load_state_dict(states[0])
        for batch in feed(loader, 2):
            keys += batch.key[: batch.n_valid].tolist()
    assert sorted(keys) == list(range(N))


@pytest.mark.filterwarnings("ignore:'set_vital' is deprecated:UserWarning")
def test_torchdata_saves_and_restores_workers(photos):
    nodes = pytest.importorskip("torchdata.stateful_dataloader", reason="torchdata is not installed")
    options = {"batch_size": 4, "transforms": TRAIN, "shuffle": True}
    for n_workers, n_before in itertools.product((0, 2), (1, 3, 6)):
        made = [nodes.StatefulDataLoader(Loader(photos, **options), None, num_workers=n_workers) for _ in range(2)]
        batches = iter(made[0])
        for _ in range(n_before):
            next(batches)
        made[1].load_state_dict(made[0].state_dict())
        want = [values(batch) for batch in batches]
        assert [values(batch) for batch in made[1]] == want and len(want) == 13 - n_before


def test_spawned_workers_yield_the_same_batches(photos):
    options = {"transforms": TRAIN, "seed": 2, "layout": "NCHW"}
    other = rk.Loader(photos, batch_size=10, **options)
    want = [[(b.data.tolist(), b.label.tolist()) for b in other] for _ in range(2)]
    spawned = {"num_workers": 2, "multiprocessing_context": "spawn", "persistent_workers": True, "timeout": 60}
    loader, dataset = Loader(photos, batch_size=10, **options), RecordDataset(photos, **options)
    for source, size in ((loader, None), (dataset, 10)):
        batches = DataLoader(source, batch_size=size, **spawned)
        for epoch in (1, 0):
            source.set_epoch(epoch)
            assert [(data.tolist(), label.tolist()) for data, label in batches] == want[epoch]


@pytest.mark.parametrize("n_workers", [0, 2])
def test_the_dataset_has_the_samples_of_the_loader_in_file_order(photos, engine, n_workers):
    options = {"transforms": TRAIN, "engine": engine, "seed": 2, "layout": "NCHW"}
    dataset = RecordDataset(photos, **options)
    loader = rk.Loader(photos, batch_size=12, **options)
    batches = feed(dataset, n_workers, batch_size=12)
    for epoch in range(2):
        dataset.set_epoch(epoch)
        for (data, label), want in zip(batches, loader, strict=True):
            assert np.array_equal(data, want.data) and np.array_equal(label, want.label)
    image, label = dataset[-1]
    assert torch.equal(image, data[-1]) and torch.equal(label, dataset[np.int64(N - 1)][1])


def test_a_batch_is_one_call_of_the_engine(photos, engine, monkeypatch):
    dataset = RecordDataset(photos, transforms=TRAIN, engine=engine)
    load, sizes = dataset._engine.load, []
    monkeypatch.setattr(dataset._engine, "load", lambda *a: sizes.append(len(a[0].indices)) or load(*a))
    for _ in DataLoader(dataset, batch_size=20, sampler=DistributedSampler(dataset, num_replicas=2, rank=1)):
        pass
    assert sizes == [20, 5]


def test_labels_have_the_width_and_exactness_of_the_file(tmp_path):
    image = save(picture(noise(8, 8)), "PNG")
    wide = RecordDataset(write(tmp_path / "wide.rec", [image] * 2, [(1.0, 2.0), (3.0, 0.5)]))
    assert torch.equal(wide[1][1], torch.tensor([3.0, 0.5]))
    (tmp_path / "a.png").write_bytes(image)
    (tmp_path / "a.lst").write_text(f"0\t{2**40 + 1}\ta.png\n")
    listed = rk.open_source(tmp_path / "a.lst", root=tmp_path)
    rk.pack(listed, tmp_path / "exact", plan=rk.PackPlan(exact_labels=True))
    for _, label in (*RecordDataset(tmp_path / "exact.rec"), *Loader(tmp_path / "exact.rec", batch_size=1)):
        assert label.item() == 2**40 + 1 and label.dtype == torch.int64


def damage(path, *, image=False, label=False):
    """Write ten images; number 3 may be damaged or have two labels."""
    payloads = [save(picture(noise(40, 40)), "JPEG") for _ in range(10)]
    payloads[3] = payloads[3][:200] if image else payloads[3]
    return write(path, payloads, [(1, 1) if label and key == 3 else key for key in range(10)])


def test_records_are_checked_on_request(tmp_path):
    path = write(tmp_path / "a.rec", [save(picture(noise(40, 40)), "JPEG")] * 10, range(10))
    reindex(path, checksums=True)
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    for source in (Loader(path, batch_size=5, check=True), feed(RecordDataset(path, check=True), 0, batch_size=5)):
        with pytest.raises(FormatError, match=r"a\.rec: byte \d+: key 9: expected CRC-32"):
            list(source)


# One worker only, because torch waits up to 5 seconds for each after an error in an iterable.
@pytest.mark.parametrize("n_workers", [0, 1])
def test_errors_in_workers_keep_type_file_and_key(tmp_path, n_workers):
    bad_image, bad_label = damage(tmp_path / "i.rec", image=True), damage(tmp_path / "l.rec", label=True)
    with pytest.raises(ImageError, match=r"i\.rec: key 3: "):
        list(feed(Loader(bad_image, batch_size=2), n_workers))
    with pytest.raises(ImageError, match=r"i\.rec: key 3: "):
        list(feed(RecordDataset(bad_image), n_workers, batch_size=2))
    with pytest.raises(FormatError, match=r"l\.rec: key 3: expected 1 label as"):
        list(feed(RecordDataset(bad_label), n_workers, batch_size=2))


def test_invalid_arguments_are_refused_by_the_constructors(photos):
    with pytest.raises(PlanError, match="last_batch: expected one of keep, pad, drop, got 'skip'"):
        Loader(photos, batch_size=4, transforms=TRAIN, last_batch="skip")
    with pytest.raises(PlanError, match="rank: expected 0 to n_ranks - 1, got 2 of 2"):
        Loader(photos, batch_size=4, transforms=TRAIN, rank=(2, 2))
    with pytest.raises(PlanError, match=r"rank: expected \(number of this loader, number of loaders\), got 2"):
        Loader(photos, batch_size=4, transforms=TRAIN, rank=2)
    with pytest.raises(TypeError, match="unexpected keyword argument 'bathc'"):
        Loader(photos, batch_size=4, bathc=3)
    for name, advice in (
        ("drop_last", 'did you mean last_batch="drop"'),
        ("zzz", r"help\(recordkit\.interop\.torch\.Loader"),
    ):
        with pytest.raises(TypeError, match=rf"^Loader\(\) got an unexpected keyword argument '{name}'; {advice}"):
            Loader(photos, batch_size=4, **{name: 3})
    with pytest.raises(IndexError, match="expected indices from -50 to 49, got 50"):
        RecordDataset(photos, transforms=TRAIN)[50]
    with pytest.raises(PlanError, match=r"epoch: expected 0 to 2\*\*32 - 1, got -1"):
        RecordDataset(photos, transforms=TRAIN).set_epoch(-1)
    with pytest.raises(FormatError, match=r"empty\.rec: expected samples, got none"):
        RecordDataset(write(photos.with_name("empty.rec"), [], []))


def test_dlpack_shares_the_arrays_of_a_batch_without_a_copy(photos, engine):
    batch = next(iter(rk.Loader(photos, batch_size=4, transforms=TRAIN, engine=engine)))
    for array in (batch.data, batch.label, batch.key, batch.index):
        assert np.from_dlpack(array).ctypes.data == array.ctypes.data
    assert torch.from_dlpack(batch.data).data_ptr() == batch.data.ctypes.data


RANK = """
import sys
from datetime import timedelta
import torch
from torch.utils.data import DataLoader
from recordkit import CenterCrop
from recordkit.interop.torch import Loader

path, meeting, rank = sys.argv[1:]
if __name__ == "__main__":
    torch.distributed.init_process_group(
        "gloo", init_method="file://" + meeting, rank=int(rank), world_size=2, timeout=timedelta(seconds=300)
    )
    loader = Loader(path, batch_size=5, transforms=[CenterCrop(32)], shuffle=True, last_batch="pad")
    for context in ("fork", "spawn"):
        rank_keys = []
        for batch in DataLoader(loader, batch_size=None, num_workers=2, multiprocessing_context=context, timeout=300):
            rank_keys.append(batch.key[: batch.n_valid].tolist())
        everyone = [None, None]
        torch.distributed.all_gather_object(everyone, rank_keys)
        assert len(everyone[0]) == len(everyone[1]) == len(loader) == 5, everyone
        assert sorted(key for rank_keys in everyone for keys in rank_keys for key in keys) == list(range(50)), everyone
    torch.distributed.destroy_process_group()
"""


def test_ranks_of_torch_share_an_epoch(photos, tmp_path):
    (tmp_path / "rank.py").write_text(RANK)
    environment = os.environ | {"GLOO_SOCKET_IFNAME": "lo", "PYTHONPATH": os.pathsep.join(sys.path)}
    arguments = [sys.executable, tmp_path / "rank.py", photos, tmp_path / "meeting"]
    ranks = [
        subprocess.Popen([*arguments, str(rank)], env=environment, stderr=subprocess.PIPE, text=True)
        for rank in range(2)
    ]
    errors = [rank.communicate(timeout=300)[1] for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0], errors


def test_reprs_and_pictures_of_tensors(photos):
    loader, dataset = Loader(photos, batch_size=5, transforms=TRAIN), RecordDataset(photos, transforms=TRAIN)
    assert "<Loader of 50 samples in 10 batches of uint8 (5, 3, 32, 32), labels int64: epoch 0" in repr(loader)
    assert "<RecordDataset of 50 samples as tensors: uint8 (3, 32, 32): " in repr(dataset)
    batch = next(iter(loader))
    data, label = "data uint8 (5, 3, 32, 32)", "label int64 (5,): 0, 1, 2, 3, 4"
    assert repr(batch) == f"<Batch of 5 samples: {data}, {label}; keys 0, 1, 2, 3, 4>"
    assert batch._repr_html_().count("<img") == 5
