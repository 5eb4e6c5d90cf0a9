"""Files in an object store are read where the tasks run."""

import recordkit as rk
from recordkit import cluster, upkeep
from recordkit.interop.webdataset import read_webdataset


def check_export(object_store, folder):
    """Compare the tar files in the store with a dataset in a folder."""
    names = [key.removeprefix("sets/a-tar/") for key in object_store.list_keys() if key.startswith("sets/a-tar/")]
    assert sorted(names) == ["_info.json", *(f"train-{number:06d}.tar" for number in range(3))]
    (folder / "tar").mkdir()
    for name in names:
        (folder / "tar" / name).write_bytes(object_store.get(f"sets/a-tar/{name}"))
    source = read_webdataset(folder / "tar")
    entries = source.entries(range(12))
    with rk.RecordDataset(folder / "a") as dataset:
        assert [entry.key for entry in entries] == dataset.keys.tolist()
        assert [*map(bytes, source.contents(entries))] == [bytes(sample.payload) for sample in dataset]


def test_reports_and_exports_of_shards_in_a_store_are_those_of_one_machine(object_store, ray, tiny_folder, tmp_path):
    (tiny_folder / "dog" / "0.jpg").write_bytes((tiny_folder / "cat" / "0.jpg").read_bytes())
    rk.pack(tiny_folder, tmp_path / "a", plan=rk.PackPlan(shards=3))
    for path in tmp_path.glob("a*.*"):
        object_store.put(f"sets/{path.name}", path.read_bytes())
    url = f"{object_store.url}/sets/a"
    verified, expected = (module.verify(url).as_json() for module in (cluster, upkeep))
    assert verified == expected and verified["ok"]
    stats, expected = (module.stats(url).as_json() for module in (cluster, upkeep))
    assert stats == expected and stats["n_images"] == 12
    duplicates, expected = (module.duplicates(url).as_json() for module in (cluster, upkeep))
    assert duplicates == expected and duplicates["n_duplicates"] == 2
    assert str(cluster.export(url, f"{url}-tar").sets[0].path) == f"{url}-tar"
    check_export(object_store, tmp_path)
