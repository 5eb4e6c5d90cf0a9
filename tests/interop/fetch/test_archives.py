"""Fetching files that are known as a whole, and archives, from a server on the loopback address."""

import gzip
import hashlib
import io
import tarfile
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

import recordkit as rk
from recordkit.codec import decode
from recordkit.errors import FetchError
from recordkit.formats import ubyte
from recordkit.interop.fetch import DATASETS, Dataset, RemoteFile, fetch

MEMBERS = DATASETS["cifar10"].files[0].members


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path):
    """A folder, and the address at which its files are served."""
    folder = tmp_path / "served"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield folder, f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


def dataset_of(server, name, data, members=""):
    """Serve a file, and return a dataset of it."""
    folder, url = server
    (folder / name).write_bytes(data)
    return Dataset("tiny", (url,), (RemoteFile(name, (), hashlib.sha256(data).hexdigest(), len(data), members),))


def tar(files):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def cifar_files(folder="cifar-10-batches-bin"):
    batches = {f"{folder}/data_batch_{number}.bin": bytes([number]) + bytes(3072) for number in range(1, 6)}
    names = "\n".join(f"class {number}" for number in range(10)).encode()
    return batches | {f"{folder}/test_batch.bin": bytes(3073), f"{folder}/batches.meta.txt": names}


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_that_is_known_as_a_whole_is_checked_by_its_own_bytes(server, tmp_path):
    dataset = dataset_of(server, "labels.gz", gzip.compress(b"labels", mtime=0))
    (file,) = fetch(dataset, tmp_path / "out").files
    assert (file.status, file.published, file.sha256, file.unpacked) == ("fetched", True, dataset.files[0].sha256, ())
    assert fetch(dataset, tmp_path / "out").files[0].status == "present"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (gzip.compress(b"others", mtime=0), r"expected sha256 [0-9a-f]{64}, got"),
        (gzip.compress(b"labels", mtime=0)[:-1], r"expected sha256 [0-9a-f]{64}, got"),
        (gzip.compress(b"labels", mtime=0) + b"x", "expected at most 26 bytes, got more"),
        (b"<html>gone</html>", "expected gzip or zip data, got bytes starting b'<html>"),
    ],
)
def test_other_bytes_are_refused(server, tmp_path, data, message):
    dataset = dataset_of(server, "labels.gz", gzip.compress(b"labels", mtime=0))
    (server[0] / "labels.gz").write_bytes(data)
    with pytest.raises(FetchError, match=message):
        fetch(dataset, tmp_path / "out", attempts=1)
    assert not list(tmp_path.glob("out/*"))


def test_cifar_is_fetched_unpacked_and_packed(cli, server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dataset = dataset_of(server, "cifar-10-binary.tar.gz", tar(cifar_files()), MEMBERS)
    monkeypatch.setitem(DATASETS, "cifar10", dataset)
    code, text, _ = cli("fetch", "cifar10", "cifar")
    assert code == 0 and "bytes, 7 files in it, from http://127.0.0.1:" in text
    (tmp_path / "out").mkdir(exist_ok=True)
    assert cli("pack", "cifar", "out/cifar")[0] == 0
    with rk.RecordDataset("out/cifar_train.rec") as train, rk.RecordDataset("out/cifar_test.rec") as test:
        assert [len(train), len(test)] == [5, 1] and train.classes["class 3"] == 3


def test_emnist_is_fetched_unpacked_and_packed_upright(cli, server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stream, pixels = io.BytesIO(), np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    with zipfile.ZipFile(stream, "w") as archive:
        for name, array in (("images-idx3", pixels), ("labels-idx1", np.array([1, 26], np.uint8))):
            archive.writestr(f"gzip/emnist-letters-train-{name}-ubyte.gz", gzip.compress(ubyte.pack(array)))
        archive.writestr("gzip/emnist-letters-mapping.txt", "1 65 97\n26 90 122\n")
    dataset = dataset_of(server, "gzip.zip", stream.getvalue(), DATASETS["emnist"].files[0].members)
    monkeypatch.setitem(DATASETS, "emnist", dataset)
    assert cli("fetch", "emnist", "emnist")[0] == 0
    (tmp_path / "out").mkdir(exist_ok=True)
    assert cli("pack", "emnist", "out/letters")[0] == 0
    with rk.RecordDataset("out/letters_train.rec") as letters:
        assert letters.classes == {"A": 1, "Z": 26} and decode(letters[0].payload)[:, :, 0].shape == (4, 3)


def test_files_of_an_archive_stay_in_its_folder_and_others_are_left_out(server, tmp_path):
    files = {"../../data_batch_1.bin": b"one", "/etc/test_batch.bin": b"two", "a/readme.html": b"three"}
    dataset = dataset_of(server, "cifar.tar.gz", tar(files), MEMBERS)
    (file,) = fetch(dataset, tmp_path / "a/b/out").files
    assert names(tmp_path / "a/b/out") == ["cifar.tar.gz", "data_batch_1.bin", "test_batch.bin"]
    assert file.unpacked == tuple(str(tmp_path / "a/b/out" / name) for name in ("data_batch_1.bin", "test_batch.bin"))
    assert names(tmp_path / "a") == ["b"]


def test_a_file_that_was_removed_is_unpacked_again(server, tmp_path):
    dataset = dataset_of(server, "cifar.tar.gz", tar(cifar_files()), MEMBERS)
    fetch(dataset, tmp_path)
    (tmp_path / "test_batch.bin").unlink()
    assert fetch(dataset, tmp_path).files[0].status == "present"
    assert (tmp_path / "test_batch.bin").stat().st_size == 3073


@pytest.mark.parametrize("content", [b"mine", bytes(3073), bytes([1]) + bytes(3073)])
def test_another_file_with_the_name_of_an_unpacked_one_stays(server, tmp_path, content):
    (tmp_path / "data_batch_1.bin").write_bytes(content)
    dataset = dataset_of(server, "cifar.tar.gz", tar(cifar_files()), MEMBERS)
    with pytest.raises(FetchError, match=r"data_batch_1\.bin: expected no file, or .* of cifar.*, got another file"):
        fetch(dataset, tmp_path)
    assert (tmp_path / "data_batch_1.bin").read_bytes() == content


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (tar({"readme.html": b"x"}), "expected files of the dataset in it, got none"),
        (tar(cifar_files())[:-30], "cannot be unpacked: .*; remove it, and fetch again"),
    ],
)
def test_an_archive_that_is_none_is_named(server, tmp_path, data, message):
    with pytest.raises(FetchError, match=rf"cifar\.tar\.gz: {message}"):
        fetch(dataset_of(server, "cifar.tar.gz", data, MEMBERS), tmp_path / "out")
