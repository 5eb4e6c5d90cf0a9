"""Datasets in an object store: the same samples as near, by every kind of path, and what goes wrong there."""

import gc
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import recordkit as rk
from recordkit.cli.main import recordkit as recordkit_command
from recordkit.errors import FormatError, NotFoundError, PlanError, PublishError, RemoteError
from recordkit.loading import probe
from recordkit.recordio import IRHeader, MXIndexedRecordIO, MXRecordIO, pack
from recordkit.upkeep import inspect, merge, reindex, verify


@pytest.fixture(params=["core", "no core"])
def reader(request):
    """Run a test with the native core and without it."""
    request.getfixturevalue("require_native" if request.param == "core" else "no_native")


@pytest.fixture
def near(tiny_folder, tmp_path):
    """The folder of a set `one`, and of the same images in two shards, `many`."""
    folder = tmp_path / "near"
    folder.mkdir()
    rk.pack(tiny_folder, folder / "one")
    rk.pack(tiny_folder, folder / "many", plan=rk.PackPlan(shards=2))
    return folder


@pytest.fixture
def far(near, object_store):
    """The URL of a copy of the folder `near` in a store."""
    put(object_store, near)
    return f"{object_store.url}/far"


def put(store, folder, names="*"):
    for path in folder.glob(names):
        store.put(f"far/{path.name}", path.read_bytes())


def content(dataset):
    return [(sample.key, sample.label, bytes(sample.payload)) for sample in dataset]


@pytest.mark.parametrize("name", ["one.rec", "one", "many.manifest.json", "many", "many_*.rec"])
def test_a_url_gives_the_samples_of_the_same_files_near(reader, near, far, name):
    with rk.RecordDataset(f"{far}/{name}", check=True) as there, rk.RecordDataset(near / name) as here:
        assert content(there) == content(here)
        assert there.fingerprint == here.fingerprint
        assert there.classes == here.classes
        assert there.is_remote
        assert not here.is_remote


def test_a_list_of_urls_and_paths_is_one_dataset(near, far):
    with rk.RecordDataset(near / "many") as here:
        assert content(rk.RecordDataset([f"{far}/many_0.rec", near / "many_1.rec"])) == content(here)


def test_the_url_of_a_folder_gives_its_one_dataset(near, object_store):
    put(object_store, near, "many*")
    assert len(rk.RecordDataset(f"{object_store.url}/far/")) == 12
    assert len(rk.RecordDataset(f"{object_store.url}/far")) == 12
    put(object_store, near, "one*")
    with pytest.raises(PlanError, match=r"2 datasets: many.manifest.json, one.rec; name one"):
        rk.RecordDataset(f"{object_store.url}/far/")


@pytest.mark.parametrize(
    "name", ["my set", "a#b", "which?", "ünïcode 日本", "100%", "%41", "a+b", "x[1]", "q&r=s", "n" * 240]
)
def test_names_may_have_any_characters(near, object_store, name):
    for path in near.glob("one*"):
        object_store.put(f"in {name[:9]}/{name}{path.suffix}", path.read_bytes())
    with rk.RecordDataset(near / "one") as here:
        for url in (f"{name}.rec", name, ""):
            assert content(rk.RecordDataset(f"{object_store.url}/in {name[:9]}/{url}")) == content(here)


def test_empty_objects_are_an_error_that_names_them(object_store):
    for suffix in (".rec", ".idx", ".json"):
        object_store.put(f"far/one{suffix}", b"")
    with pytest.raises(FormatError, match=rf"^{object_store.url}/far/one.json: expected a JSON object"):
        rk.RecordDataset(f"{object_store.url}/far/one")


def test_a_set_of_other_tools_is_read_too(near, object_store):
    put(object_store, near, "one.rec")
    put(object_store, near, "one.idx")
    with rk.RecordDataset(f"{object_store.url}/far/one.rec") as dataset, rk.RecordDataset(near / "one") as here:
        assert content(dataset) == content(here)


def test_an_index_that_the_store_lacks_is_built_once_and_kept(near, object_store):
    put(object_store, near, "one.rec")
    url = f"{object_store.url}/far/one.rec"
    with pytest.warns(UserWarning, match=rf"the index does not exist; scanned {url} instead; the new index is kept"):
        first = rk.RecordDataset(url)
    with warnings.catch_warnings(), rk.RecordDataset(near / "one") as here:
        warnings.simplefilter("error")
        assert content(rk.RecordDataset(url)) == content(first) == content(here)


def test_a_missing_object_is_named_with_a_similar_one(far):
    with pytest.raises(NotFoundError, match=rf"^{far}/oen.rec: .* did you mean {far}/one.rec\?$"):
        rk.RecordDataset(f"{far}/oen.rec")


def test_a_missing_shard_is_named(near, object_store):
    for name in ("many.manifest.json", "many_0.rec", "many_0.idx", "many_0.json"):
        put(object_store, near, name)
    with pytest.raises(NotFoundError, match=r"the 2 shards that it names in s3://\S+, got no many_1.rec; copy all"):
        rk.RecordDataset(f"{object_store.url}/far/many")


def test_an_object_that_is_replaced_is_an_error_and_never_a_mixture(tmp_path, object_store):
    for name, byte in (("old", b"o"), ("new", b"n")):
        with MXIndexedRecordIO(tmp_path / "raw.idx", tmp_path / "raw.rec", "w") as writer:
            for key in range(3):
                writer.write_idx(key, pack(IRHeader(0, 1.0, key, 0), byte * 9_000_000))
        (tmp_path / name).mkdir()
        merge([tmp_path / "raw"], tmp_path / name / "set")
    put(object_store, tmp_path / "old")
    dataset = rk.RecordDataset(f"{object_store.url}/far/set.rec")
    assert bytes(dataset[0].payload) == b"o" * 9_000_000
    put(object_store, tmp_path / "new")
    with pytest.raises(RemoteError, match=r"^s3://\S+/far/set.rec: .*open it again"):
        bytes(dataset[2].payload)
    assert bytes(rk.RecordDataset(f"{object_store.url}/far/set.rec")[2].payload) == b"n" * 9_000_000


def test_a_pickled_dataset_opens_its_objects_again_but_no_others(near, object_store, far, tmp_path):
    dataset = rk.RecordDataset(f"{far}/one.rec", cache_dir=tmp_path / "other cache")
    state = pickle.dumps(dataset)
    assert content(pickle.loads(state)) == content(dataset)
    assert len(pickle.dumps(rk.Loader(dataset, batch_size=4).dataset)) < 2000
    shutil.rmtree(tmp_path / "other cache")
    other_folder = near.parent / "other"
    other_folder.mkdir()
    rk.pack(near.parent / "photos", other_folder / "one", plan=rk.PackPlan(seed=7))
    put(object_store, other_folder)
    code = "import pickle, sys; pickle.load(sys.stdin.buffer)"
    run = subprocess.run([sys.executable, "-c", code], input=state, capture_output=True, check=False)
    assert re.search(rb"FormatError: s3://\S+/one.rec: expected the (set|.* bytes .*) that was pickled", run.stderr)


def test_types_of_labels_and_channels_are_found_with_a_few_samples_of_a_store(near, far, engine, monkeypatch):
    monkeypatch.setattr("recordkit.loading.probe._N_PROBED_IN_STORE", 2)
    looks = []
    start = probe.start_fetching
    monkeypatch.setattr(
        probe, "start_fetching", lambda data, indices: looks.append(len(indices)) or start(data, indices)
    )
    options = {"batch_size": 4, "label": "pad", "label_dtype": "auto", "channels": "keep", "engine": engine}
    options["transforms"] = [rk.Resize(16), rk.CenterCrop(16)]
    with rk.Loader(f"{far}/many", **options) as there:
        assert there.label_dtype == "int64" and looks and max(looks) <= 4
        with rk.Loader(near / "many", **options) as here:
            for far_batch, near_batch in zip(there, here, strict=True):
                assert np.array_equal(far_batch.label, near_batch.label)
                assert np.array_equal(far_batch.data, near_batch.data)


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_loader_gives_the_batches_of_the_files_near(engine, near, far, shuffle):
    arguments = {"batch_size": 5, "shuffle": shuffle, "transforms": [rk.RandomResizedCrop(16)], "engine": engine}
    with rk.Loader(f"{far}/many", **arguments) as there, rk.Loader(near / "many", **arguments) as here:
        for _ in range(2):
            for one, other in zip(there, here, strict=True):
                assert np.array_equal(one.data, other.data)
                assert np.array_equal(one.label, other.label)
                assert np.array_equal(one.key, other.key)


def test_a_loader_reads_files_of_a_store_and_of_this_machine_as_one_dataset(near, far):
    paths = [near / "many_0.rec", f"{far}/many_1.rec"]
    arguments = {"batch_size": 5, "shuffle": True, "transforms": [rk.Resize(16), rk.CenterCrop(16)]}
    with rk.Loader(paths, **arguments) as mixed, rk.Loader(near / "many", **arguments) as here:
        for one, other in zip(mixed, here, strict=True):
            assert np.array_equal(one.data, other.data)


@pytest.mark.parametrize("n_bytes", [1, 5000])
def test_a_loader_reads_ahead_no_more_than_it_may(near, far, n_bytes, monkeypatch):
    monkeypatch.setattr("recordkit.loading.remote.read_ahead._AHEAD_BYTES", n_bytes)
    with rk.Loader(f"{far}/many", batch_size=1, transforms=[rk.Resize(16), rk.CenterCrop(16)]) as loader:
        assert [batch.key.item() for batch in loader] == rk.RecordDataset(near / "many").keys.tolist()


def test_the_state_of_a_loader_goes_on_with_another_cache_and_other_ranks(far, tmp_path):
    arguments = {"batch_size": 2, "shuffle": True, "transforms": [rk.Resize(16), rk.CenterCrop(16)]}
    seen = []
    for rank in range(3):
        with rk.Loader(f"{far}/many", rank=(rank, 3), cache_dir=tmp_path / "a", **arguments) as loader:
            seen += next(iter(loader)).key.tolist()
            state = loader.state_dict()
    for rank in range(2):
        with rk.Loader(f"{far}/many", rank=(rank, 2), cache_dir=tmp_path / "b", **arguments) as loader:
            loader.load_state_dict(json.loads(json.dumps(state)))
            seen += [key for batch in loader for key in batch.key.tolist()]
    assert sorted(seen) == list(range(12))


def test_a_cache_that_was_removed_while_the_program_runs_is_made_again(near, far, tmp_path):
    for _ in range(2):
        with (
            rk.RecordDataset(f"{far}/many", cache_dir=tmp_path / "cache") as there,
            rk.RecordDataset(near / "many") as here,
        ):
            assert content(there) == content(here)
        assert list((tmp_path / "cache").glob("objects/*/pages/*"))
        shutil.rmtree(tmp_path / "cache")


def test_timing_tells_what_came_from_the_store_and_what_from_the_cache(near, far):
    arguments = {"batch_size": 4, "transforms": [rk.Resize(16), rk.CenterCrop(16)]}
    for n_before in (0, 1):
        with rk.Loader(f"{far}/one", **arguments) as loader:
            list(loader)
            timing = loader.timing
            assert (timing.n_requests, timing.n_bytes_fetched > 0) in ((n_before == 0, n_before == 0), (0, False))
    assert timing.n_bytes_fetched == 0


def test_a_loader_says_that_a_slow_store_is_the_bottleneck(near, faulty_store):
    from fault_proxy import Fault

    put(faulty_store, near)
    transforms = [rk.Resize(16), rk.CenterCrop(16)]
    with rk.Loader(f"{faulty_store.url}/far/many", batch_size=4, transforms=transforms) as loader:
        faulty_store.proxy.choose = lambda: Fault("delay", seconds=0.5)
        list(loader)
        assert loader.timing.bottleneck == "network"
        assert loader.timing.fetch_s > 0.3


def test_an_error_of_the_store_ends_the_epoch_whatever_on_error_says(near, faulty_store):
    from fault_proxy import Fault

    put(faulty_store, near)
    url = f"{faulty_store.url}/far/many"
    with rk.Loader(url, batch_size=4, transforms=[rk.Resize(16), rk.CenterCrop(16)], on_error="skip") as loader:
        faulty_store.proxy.choose = lambda: Fault("status", status=403)
        with pytest.raises(RemoteError, match=r"^s3://\S+/far/many_1.rec: "):
            list(loader)
        assert loader.bad_samples == []


def test_closing_a_loader_does_not_wait_for_the_store(near, faulty_store):
    from fault_proxy import Fault

    put(faulty_store, near)
    loader = rk.Loader(f"{faulty_store.url}/far/one", batch_size=4, transforms=[rk.Resize(16), rk.CenterCrop(16)])
    faulty_store.proxy.choose = lambda: Fault("hang")
    batches = iter(loader)
    del batches
    loader.close()


def test_recordio_reads_urls(reader, near, far):
    there, here = MXRecordIO(f"{far}/one.rec", "r"), MXRecordIO(near / "one.rec", "r")
    while (record := here.read()) is not None:
        assert there.read() == record
    assert there.read() is None
    indexed = MXIndexedRecordIO(f"{far}/one.idx", f"{far}/one.rec", "r")
    assert indexed.read_idx(3) == MXIndexedRecordIO(near / "one.idx", near / "one.rec", "r").read_idx(3)
    assert pickle.loads(pickle.dumps(indexed)).read_idx(3) == indexed.read_idx(3)


def test_recordio_writes_no_url_and_no_cache_is_at_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for writer in (lambda url: MXRecordIO(url, "w"), lambda url: MXIndexedRecordIO(f"{url}.idx", url, "w")):
        with pytest.raises(PublishError, match="^s3://bucket/w.rec: expected a path of this machine, got a URL$"):
            writer("s3://bucket/w.rec")
    with pytest.raises(PlanError, match="^cache_dir: expected a folder of this machine, got s3://bucket/cache$"):
        rk.configure_remote(cache_dir="s3://bucket/cache")
    assert list(tmp_path.iterdir()) == []


def test_image_record_iter_reads_urls(near, far):
    arguments = {"data_shape": (3, 16, 16), "batch_size": 4, "resize": 20}
    there = rk.ImageRecordIter(path_imgrec=f"{far}/one.rec", path_imgidx=f"{far}/one.idx", **arguments)
    here = rk.ImageRecordIter(path_imgrec=str(near / "one.rec"), **arguments)
    for one, other in zip(there, here, strict=True):
        assert np.array_equal(one.data[0], other.data[0])


@pytest.mark.parametrize("command", ["info", "head", "verify --decode", "stats", "duplicates"])
def test_a_command_says_of_a_url_what_it_says_of_the_files(near, far, command):
    def output(path):
        result = CliRunner().invoke(recordkit_command, [*command.split(), path], catch_exceptions=False)
        assert result.exit_code == 0
        return result.output.replace(path, "PATH")

    for name in ("one.rec", "many.manifest.json"):
        there, here = output(f"{far}/{name}"), output(str(near / name))
        assert there.replace(far, "FOLDER") == here.replace(str(near), "FOLDER")
        assert "cache" not in there


def test_copies_exports_and_sheets_are_made_of_urls(near, far, tmp_path):
    for command in (f"merge {far}/many OUT", f"export {far}/one OUT_files --to folder", f"view {far}/one OUT.png"):
        words = [word.replace("OUT", str(tmp_path / "out")) for word in command.split()]
        assert CliRunner().invoke(recordkit_command, words, catch_exceptions=False).exit_code == 0
    assert (tmp_path / "out.rec").read_bytes() == (near / "one.rec").read_bytes()


@pytest.mark.parametrize("command", ["reindex URL.rec", "append URL.rec NEAR", "subset NEAR URL --keys 1:3"])
def test_commands_that_change_files_refuse_a_url(near, far, command):
    words = command.replace("URL", f"{far}/one").replace("NEAR", str(near / "one.rec")).split()
    result = CliRunner().invoke(recordkit_command, words)
    assert "expected a path of this machine, got a URL" in result.output
    assert result.exit_code != 0


def test_damage_in_a_store_is_named_with_the_url(near, object_store):
    damaged = bytearray((near / "one.rec").read_bytes())
    damaged[:4] = b"none"
    object_store.put("far/one.rec", bytes(damaged))
    with pytest.raises(FormatError, match=rf"^{object_store.url}/far/one.rec: "):
        rk.RecordDataset(f"{object_store.url}/far/one.rec")


def test_information_for_programs_has_urls(far):
    assert inspect(f"{far}/one.rec").path == f"{far}/one.rec"
    assert inspect(f"{far}/many").shards == (f"{far}/many_0.rec", f"{far}/many_1.rec")
    assert verify(f"{far}/many").ok


def test_without_obstore_one_line_says_what_to_install(tmp_path):
    code = "import sys; sys.modules['obstore'] = None; from recordkit.cli.main import main; main()"
    arguments = [sys.executable, "-c", code, "info", "s3://bucket/train.rec"]
    run = subprocess.run(
        arguments, capture_output=True, text=True, check=False, env=os.environ | {"RECORDKIT_CACHE_DIR": str(tmp_path)}
    )
    assert run.stderr == "recordkit: reading s3:// needs obstore; pip install 'recordkit[remote]'\n"
    assert run.returncode == 2


def test_plain_web_servers_are_read(near, object_server, object_store):
    put(object_store, near)
    url = f"{object_server.web}/buckets/{object_store.bucket}/far"
    for name in ("one.rec", "many.manifest.json"):
        with rk.RecordDataset(f"{url}/{name}") as there, rk.RecordDataset(near / name) as here:
            assert content(there) == content(here)
    with pytest.raises(RemoteError, match="name the .rec files or the manifest"):
        rk.RecordDataset(f"{url}/many_*.rec")


def test_files_of_a_dataset_in_a_store_are_places_in_the_cache(far, tmp_path):
    dataset = rk.RecordDataset(f"{far}/one.rec", cache_dir=tmp_path / "here")
    assert dataset.files[0].is_relative_to(tmp_path / "here")
    assert repr(dataset) == f"<RecordDataset of 12 samples: {far}/one.rec>"
    assert Path(dataset.files[0]).stat().st_blocks == 0


def test_reindex_is_refused_for_a_url(far):
    with pytest.raises(PublishError, match=rf"change a copy: 'recordkit merge {far}/one.rec NEW' makes one"):
        reindex(f"{far}/one.rec")


@pytest.mark.parametrize("is_closed", [True, False])
def test_a_loader_that_ends_leaves_nothing_in_memory(far, is_closed):
    def count():
        gc.collect()  # closes the objects
        gc.collect()
        return sum(type(each).__name__ in ("RemoteFile", "RecordDataset", "Table") for each in gc.get_objects())

    before = count()
    loader = rk.Loader(f"{far}/many", batch_size=4, transforms=[rk.Resize(16), rk.CenterCrop(16)])
    list(loader)
    assert count() > before
    if is_closed:
        loader.close()
    del loader
    assert count() == before


def test_without_a_url_nothing_that_reads_stores_is_imported(near):
    code = """
import sys
import recordkit as rk
with rk.Loader(sys.argv[1], batch_size=4, transforms=[rk.Resize(16), rk.CenterCrop(16)]) as loader:
    list(loader)
print([name for name in sys.modules if name.startswith(("obstore", "recordkit.storage.remote.mirror"))])
"""
    run = subprocess.run([sys.executable, "-c", code, near / "one"], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_a_bad_sample_of_a_store_has_its_url(near, object_store):
    path = near / "one.rec"
    damaged = bytearray(path.read_bytes())
    damaged[32:60] = bytes(28)
    path.write_bytes(damaged)
    put(object_store, near)
    url = f"{object_store.url}/far/one.rec"
    with rk.Loader(url, batch_size=4, transforms=[rk.Resize(16), rk.CenterCrop(16)], on_error="skip") as loader:
        list(loader)
        assert [bad.path for bad in loader.bad_samples] == [url]


@pytest.mark.parametrize("is_index", [True, False])
def test_verify_advises_a_copy_of_a_set_in_a_store(near, object_store, tmp_path, is_index):
    (near / "one.idx").write_text("0\t4\n") if is_index else (near / "one.idx").unlink()
    put(object_store, near, "one*")
    url = f"{object_store.url}/far/one.rec"
    (advice,) = [note for note in verify(url).notes if "recordkit merge" in note]
    assert advice.endswith(f"; run 'recordkit merge {url} NEW', which writes a copy that has one")


def test_a_mistyped_manifest_is_named_as_it_was_typed(near, far):
    for folder in (far, near):
        with pytest.raises(NotFoundError, match=f"^{folder}/many.manifst.json: "):
            rk.RecordDataset(f"{folder}/many.manifst.json")
