"""`recordkit.cluster.read`: records as a Ray dataset, and the division into tasks."""

import pickle
import shutil
import sys
import warnings

import pytest

import recordkit as rk
import recordkit.cluster
from recordkit.dataset.dataset import RecordDataset
from recordkit.dataset.parts import ClosedPart
from recordkit.errors import FormatError, MissingError, PlanError
from recordkit.formats import idx
from recordkit.formats.frame import RecordWriter
from recordkit.formats.irheader import IRHeader, pack

pytest.importorskip("pyarrow", reason="pyarrow is not installed")

from recordkit.cluster.read_plan import choose_n_tasks, plan_ranges
from recordkit.cluster.reading import _task_options
from recordkit.cluster.record_table import TableForm, read_table

PLAIN = TableForm(is_exact=False, has_lists=False)


def write(prefix, headers, payloads):
    """Write PREFIX.rec and PREFIX.idx."""
    with open(f"{prefix}.rec", "wb") as file:
        writer = RecordWriter(file)
        offsets = [writer.write(pack(header, data)) for header, data in zip(headers, payloads, strict=True)]
    prefix.with_suffix(".idx").write_bytes(idx.lines([header.id for header in headers], offsets))


@pytest.fixture
def shards(tmp_path, tiny_folder):
    """Twelve JPEGs of three classes in three shards."""
    rk.pack(tiny_folder, tmp_path / "pets", plan=rk.PackPlan(shards=3))
    return tmp_path / "pets.manifest.json"


def rows_of(dataset):
    """Return keys, labels and payloads of a RecordDataset."""
    return [(sample.key, sample.label, bytes(sample.payload)) for sample in dataset[range(len(dataset))]]


def table_of(dataset, form=PLAIN):
    table = read_table(dataset, form)
    return list(zip(*(table[name].to_pylist() for name in ("key", "label", "image")), strict=True))


@pytest.fixture(params=["core", "no core"])
def reader(request):
    """Read with the native core and without it."""
    request.getfixturevalue("require_native" if request.param == "core" else "no_native")


def test_table_has_keys_labels_and_payloads(tmp_path, reader):
    payloads = [b"", b"\n#\xd7\xce" * 3, b"jpeg" * 1000, b"x"]
    headers = [IRHeader(float(label), key) for label, key in ((3, 7), (0.5, 2**64 - 1), (0, 0), (-1, 9))]
    write(tmp_path / "a", headers, payloads)
    with RecordDataset(tmp_path / "a.rec") as dataset:
        assert table_of(dataset) == rows_of(dataset)
        assert table_of(dataset) == [(h.id, h.label, p) for h, p in zip(headers, payloads, strict=True)]


def test_labels_of_any_number_are_lists(tmp_path, reader):
    labels = [(1.0, 2.0), 4.0, (0.25,), (7.0, 8.0, 9.0)]
    write(tmp_path / "a", [IRHeader(label, key) for key, label in enumerate(labels)], [b"a", b"bc", b"", b"def"])
    with RecordDataset(tmp_path / "a.rec") as dataset:
        table = read_table(dataset, TableForm(is_exact=False, has_lists=True))
    assert table["label"].to_pylist() == [[1.0, 2.0], [4.0], [0.25], [7.0, 8.0, 9.0]]
    assert table["image"].to_pylist() == [b"a", b"bc", b"", b"def"]


def test_second_label_without_lists_is_an_error_that_says_what_to_do(tmp_path):
    write(tmp_path / "a", [IRHeader(1.0, 5), IRHeader((1.0, 2.0), 6)], [b"a", b"b"])
    with (
        RecordDataset(tmp_path / "a.rec") as dataset,
        pytest.raises(
            FormatError, match="key 6: expected one label, as the first sample has, got 2; read with label_l"
        ),
    ):
        read_table(dataset, PLAIN)


@pytest.mark.parametrize("flag", [2, 2**32 - 1])
def test_labels_beyond_the_record_are_an_error_with_its_place(tmp_path, reader, flag):
    write(tmp_path / "a", [IRHeader(1.0, 0), IRHeader(2.0, 1)], [b"jpeg", b"jpeg"])
    with RecordDataset(tmp_path / "a.rec") as dataset:
        content = bytearray((tmp_path / "a.rec").read_bytes())
        offset = int(dataset.offsets[1])
        content[offset + 8 : offset + 12] = flag.to_bytes(4, "little")
        (tmp_path / "a.rec").write_bytes(content)
        with pytest.raises(FormatError, match=f"a.rec: byte {offset}: .*got 28 bytes.* announce {flag} labels"):
            read_table(dataset, PLAIN)


def test_checked_record_is_compared_with_its_checksum(tmp_path, tiny_folder):
    rk.pack(tiny_folder, tmp_path / "pets")
    damaged = bytearray((tmp_path / "pets.rec").read_bytes())
    damaged[60] ^= 1
    (tmp_path / "pets.rec").write_bytes(damaged)
    with RecordDataset(tmp_path / "pets.rec", check=True) as dataset, pytest.raises(FormatError, match="checksum|CRC"):
        read_table(dataset, PLAIN)


@pytest.mark.parametrize("n_tasks", [1, 2, 5, 100])
def test_ranges_cover_each_record_once_and_never_cross_files(tmp_path, n_tasks):
    for number, n in enumerate((40, 0, 25)):
        headers = [IRHeader(0.0, 100 * number + key) for key in range(n)]
        write(tmp_path / f"s_{number}", headers, [b"x" * (100 * key) for key in range(n)])
    with RecordDataset(tmp_path / "s_*.rec") as dataset:
        ranges = plan_ranges(dataset, n_tasks)
        assert [n for begin, end in ranges for n in range(begin, end)] == list(range(65))
        assert all(begin < end and not begin < 40 < end for begin, end in ranges)
        assert len(ranges) >= min(n_tasks, 2)
        largest = max(sum(100 * (n if n < 40 else n - 40) + 32 for n in range(*each)) for each in ranges)
        total = sum(path.stat().st_size for path in dataset.files)
        assert largest <= total / n_tasks + 4100  # one record more


def test_ranges_have_few_bytes_and_few_records(tmp_path):
    write(tmp_path / "a", [IRHeader(0.0, key) for key in range(70_000)], [b""] * 70_000)
    with RecordDataset(tmp_path / "a.rec") as dataset:
        assert [end - begin for begin, end in plan_ranges(dataset, 1)] == [32768, 32768, 4464]
        assert len(plan_ranges(dataset, 1, task_bytes=dataset.files[0].stat().st_size // 10)) == 10


@pytest.mark.parametrize(
    ("n_bytes", "n_cpus", "n_tasks"), [(0, 4, 1), (20_000_000, 64, 3), (250_000_000, 2, 8), (10_000_000_000, 8, 100)]
)
def test_tasks_are_few_for_each_cpu_and_neither_tiny_nor_huge(n_bytes, n_cpus, n_tasks):
    assert choose_n_tasks(n_bytes, n_cpus) == n_tasks


def test_each_small_file_is_one_block(ray, shards):
    assert ray.cluster_resources()["CPU"] > 1
    assert rk.cluster.read(shards).materialize().num_blocks() == 3


def test_dataset_has_the_records_of_all_shards_in_order(ray, shards):
    dataset = rk.cluster.read(shards, classes=True, override_num_blocks=5)
    with RecordDataset(shards) as expected:
        names = {label: name for name, label in expected.classes.items()}
        rows = dataset.take_all()
        assert [(row["key"], row["label"], row["image"]) for row in rows] == rows_of(expected)
        assert [row["class"] for row in rows] == [names[label] for label in expected.labels.tolist()]
    assert sorted(dataset.input_files()) == sorted(str(path) for path in expected.files)
    assert [str(kind) for kind in dataset.schema().types] == ["uint64", "float", "string", "large_binary"]
    assert dataset.count() == 12


def test_part_of_a_file_in_a_store_is_read_where_it_is_opened(object_store, tmp_path, tiny_folder, reader):
    rk.pack(tiny_folder, tmp_path / "pets", plan=rk.PackPlan(shards=2))
    for path in tmp_path.glob("pets*.*"):
        object_store.put(f"far/{path.name}", path.read_bytes())
    with RecordDataset(f"{object_store.url}/far/pets.manifest.json") as far:
        pickled = [pickle.dumps(ClosedPart(far, *each)) for each in plan_ranges(far, 4)]
    tables = [read_table(pickle.loads(each).open(), PLAIN) for each in pickled]
    with RecordDataset(tmp_path / "pets") as near:
        rows = rows_of(near)
    assert len(tables) >= 4
    assert [key for table in tables for key in table["key"].to_pylist()] == [row[0] for row in rows]
    assert [image for table in tables for image in table["image"].to_pylist()] == [row[2] for row in rows]


def test_limit_reads_only_the_first_rows(ray, shards):
    with RecordDataset(shards) as expected:
        assert [row["key"] for row in rk.cluster.read(shards).limit(3).take_all()] == expected.keys[:3].tolist()


def test_exact_labels_are_int64(ray, tmp_path, tiny_folder):
    names = sorted(tiny_folder.rglob("*.jpg"))
    lines = [f"{n}\t{2**24 + n + 1}\t{path.relative_to(tiny_folder)}\n" for n, path in enumerate(names)]
    (tiny_folder / "a.lst").write_text("".join(lines))
    rk.pack(tiny_folder / "a.lst", tmp_path / "exact", plan=rk.PackPlan(exact_labels=True))
    dataset = rk.cluster.read(tmp_path / "exact.rec")
    assert str(dataset.schema().types[1]) == "int64"
    assert [row["label"] for row in dataset.take_all()] == [2**24 + n + 1 for n in range(12)]


def test_damaged_record_is_an_error_of_its_own_type(ray, tmp_path, shards):
    path = tmp_path / "pets_1.rec"
    damaged = bytearray(path.read_bytes())
    damaged[:4] = b"\0\0\0\0"
    dataset = rk.cluster.read(shards)
    path.write_bytes(damaged)
    with pytest.raises(FormatError, match="pets_1.rec"):
        dataset.take_all()


def test_set_that_was_replaced_is_refused(ray, tmp_path, tiny_folder):
    rk.pack(tiny_folder, tmp_path / "pets")
    dataset = rk.cluster.read(tmp_path / "pets")
    shutil.rmtree(tiny_folder / "owl")
    rk.pack(tiny_folder, tmp_path / "pets")
    with pytest.raises(FormatError, match="that was pickled"):
        dataset.take_all()


def test_classes_need_names_and_one_label(ray, tmp_path):
    write(tmp_path / "a", [IRHeader((1.0, 2.0), 0)], [b"a"])
    with pytest.raises(PlanError, match="classes: expected one label"):
        rk.cluster.read(tmp_path / "a.rec", classes=True)
    write(tmp_path / "b", [IRHeader(1.0, 0)], [b"a"])
    with pytest.raises(PlanError, match="leave out classes"):
        rk.cluster.read(tmp_path / "b.rec", classes=True)


def test_options_reach_the_tasks_as_the_version_of_ray_wants_them(ray, shards):
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="`ray_remote_args` is deprecated")
        dataset = rk.cluster.read(
            shards,
            concurrency=1,
            override_num_blocks=4,
            ray_remote_args={"runtime_env": {"env_vars": {"A": "1"}}, "num_cpus": 0.5},
        )
    assert dataset.count() == 12
    with pytest.raises(TypeError, match="nothing"):
        rk.cluster.read(shards, nothing=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own
        dataset = rk.cluster.read(shards, ray_remote_args={"nothing": 3})
        with pytest.raises(ValueError, match="nothing"):
            dataset.take_all()


@pytest.mark.parametrize("is_old", [False, True])
def test_options_of_tasks_are_parameters_where_ray_has_them(is_old):
    def old(source, *, ray_remote_args=None, **read_args):
        pass

    def new(source, *, num_cpus=None, runtime_env=None, ray_remote_args=None, **read_args):
        pass

    options = {"num_cpus": 2, "runtime_env": {}, "scheduling_strategy": "SPREAD"}
    expected = {"ray_remote_args": options}
    if not is_old:
        expected = {"num_cpus": 2, "runtime_env": {}, "ray_remote_args": {"scheduling_strategy": "SPREAD"}}
    assert _task_options(old if is_old else new, options) == expected


def test_reading_without_ray_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray.data", None)
    with pytest.raises(MissingError, match=r"pip install 'recordkit\[cluster\]'"):
        rk.cluster.read("a.rec")
