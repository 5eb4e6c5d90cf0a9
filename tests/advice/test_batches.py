"""The advices about the batches of a loader, each followed."""

import os
import re

import pytest
from advice.walk import advice, text_of
from images import noise, picture, save, write

import recordkit as rk
from recordkit.loading import probe

IMAGES = [save(picture(noise(8, 8, 1 if n < 3 else 3)), "PNG") for n in range(4)]


@pytest.fixture
def mixed(tmp_path, monkeypatch):
    """A file whose first images are gray, and whose first labels are one whole number."""
    monkeypatch.setattr(probe, "_N_PROBED", 1)
    return write(tmp_path / "mixed.rec", IMAGES, [1.0, 2.0, 0.5, (3.0, 4.0)])


def epoch(path, **options):
    return list(rk.Loader(path, batch_size=1, **options))


def test_a_fraction_among_whole_labels(mixed):
    error = text_of(lambda: epoch(mixed, label="pad", label_dtype="auto"))
    advice("loading/labels.py", "give `label_dtype=float32`", error)
    (dtype,) = re.findall(r'label_dtype="(\w+)"', error)
    assert len(epoch(mixed, label="pad", label_dtype=dtype)) == 4


def test_an_exact_label_that_float32_would_round(tmp_path):
    (tmp_path / "a.png").write_bytes(IMAGES[0])
    (tmp_path / "a.lst").write_text(f"0\t{2**40 + 1}\ta.png\n")
    rk.pack(tmp_path / "a.lst", tmp_path / "b", plan=rk.PackPlan(exact_labels=True))
    error = text_of(lambda: epoch(tmp_path / "b.rec", label_dtype="float32"))
    advice("loading/labels.py", "give `label_dtype=int64`", error)
    (dtype,) = re.findall(r'label_dtype="(\w+)"', error)
    (batch,) = epoch(tmp_path / "b.rec", label_dtype=dtype)
    assert batch.label.tolist() == [2**40 + 1]


def test_labels_of_several_lengths(mixed):
    error = text_of(lambda: epoch(mixed))
    advice("loading/python.py", "`label=pad` makes an array of any numbers of labels, `label=list` a list", error)
    forms = re.findall(r'label="(\w+)"', error)
    assert [len(epoch(mixed, label=form)) for form in forms] == [4, 4]


def test_an_image_in_colour_after_gray_ones(mixed):
    error = text_of(lambda: epoch(mixed, label="pad", channels="keep"))
    advice("loading/python.py", "give `channels=3` for all in colour, or `channels=1` for all in gray", error)
    for channels in map(int, re.findall(r"channels=(\d)", error)):
        assert len(epoch(mixed, label="pad", channels=channels)) == 4


def test_two_iterations_of_a_loader(mixed):
    loader = rk.Loader(mixed, batch_size=1, label="pad")
    error = text_of(lambda: list(zip(loader, loader, strict=True)))
    advice("loading/epoch.py", "make a Loader for each iteration", error)
    loaders = [rk.Loader(mixed, batch_size=1, label="pad") for _ in range(2)]
    assert len(list(zip(*loaders, strict=True))) == 4


def test_an_index_into_a_loader(mixed):
    loader = rk.Loader(mixed, batch_size=1, label="pad")
    error = text_of(lambda: loader[0])
    advice(
        "loading/loader.py",
        "a DataLoader of torch takes recordkit.interop.torch.Loader; loader.dataset[i] is a sample",
        error,
    )
    assert loader.dataset[0].key == 0


@pytest.fixture
def torch_loader(mixed):
    if not os.environ.get("RECORDKIT_REQUIRE_TORCH"):
        pytest.importorskip("torch", reason="PyTorch is not installed")
    from recordkit.interop.torch import Loader

    return lambda **options: Loader(mixed, batch_size=1, channels=3, label="pad", label_dtype="float32", **options)


def test_a_dataloader_with_a_batch_size(torch_loader):
    from torch.utils.data import DataLoader

    error = text_of(lambda: list(DataLoader(torch_loader(), batch_size=2)))
    advice(
        "interop/torch/batch.py",
        "write DataLoader(loader, batch_size=None), or iterate over the loader itself",
        error,
    )
    assert len(list(DataLoader(torch_loader(), batch_size=None))) == len(list(torch_loader())) == 4


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:'pin_memory' argument is set as true but no accelerator:UserWarning")
def test_pinned_memory_in_a_worker(torch_loader):
    from torch.utils.data import DataLoader

    options = {"num_workers": 1, "multiprocessing_context": "fork", "timeout": 60}
    error = text_of(lambda: list(DataLoader(torch_loader(pin_memory=True), batch_size=None, **options)))
    advice("interop/torch/loader.py", "write DataLoader(loader, batch_size=None, pin_memory=True)", error)
    assert len(list(DataLoader(torch_loader(), batch_size=None, pin_memory=True, **options))) == 4
