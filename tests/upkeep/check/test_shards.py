"""verify, info and head of a manifest look at all of its shards, and of several files at each."""

import json
import shutil
from importlib import import_module

import numpy as np
import pytest

from recordkit import PackPlan, pack
from recordkit.codec import encode
from recordkit.errors import FormatError
from recordkit.storage.fileset import Fingerprint
from recordkit.storage.manifest import read
from recordkit.upkeep import head, inspect, verify

N = 7


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    for name in ("cat", "dog"):
        (folder / "tree" / name).mkdir(parents=True)
        for number in range(4 if name == "cat" else 3):
            (folder / "tree" / name / f"{number}.png").write_bytes(encode(np.full((3, 2, 1), number, np.uint8), "png"))
    (folder / "out").mkdir()
    pack(folder / "tree", folder / "out" / "a", plan=PackPlan(shards=3, threads=1), engine="python")
    return folder / "out"


@pytest.fixture
def shards(packed, tmp_path):
    shutil.copytree(packed, tmp_path / "out")
    return tmp_path / "out"


def edit(path, change):
    """Change the facts of a manifest."""
    facts = json.loads(path.read_text())
    change(facts)
    path.write_text(json.dumps(facts))


def problems(path):
    report = verify(path)
    assert report.ok == (not report.problems)
    return [str(problem) for problem in report.problems]


def test_whole_shards_pass(packed):
    report = verify(packed / "a", decode=True, threads=1)
    assert (report.ok, report.n_records, report.n_decoded, report.key_range) == (True, N, N, (0, N - 1))
    assert report.path == str(packed / "a.manifest.json")
    assert report.checked == ["manifest", "structure", "images", "description", "checksums", "index", "list"]


def test_each_shard_is_hashed_once_beside_the_check_of_its_records(packed, monkeypatch):
    n_bytes = []
    read_to = Fingerprint.read_to

    def count(self, end):
        before = self._offset
        read_to(self, end)
        n_bytes.append(self._offset - before)

    monkeypatch.setattr(Fingerprint, "read_to", count)
    monkeypatch.setattr(import_module("recordkit.upkeep.check.verify"), "_BLOCK_RECORDS", 1)
    assert verify(packed / "a").ok
    sizes = [path.stat().st_size for path in packed.glob("a_*.rec")]
    assert sum(n_bytes) == sum(sizes) and max(n_bytes) < max(sizes)


def test_a_flipped_bit_is_found_in_its_shard(shards):
    content = bytearray((shards / "a_1.rec").read_bytes())
    content[40] ^= 1
    (shards / "a_1.rec").write_bytes(content)
    found = problems(shards / "a.manifest.json")
    assert all("a_1" in problem for problem in found)
    assert any("as " + str(shards / "a.manifest.json") + " says" in problem for problem in found)


def test_a_missing_shard_is_one_problem_and_the_others_are_checked(shards):
    (shards / "a_1.rec").unlink()
    report = verify(shards / "a")
    assert report.n_records == N - 3 and report.n_problems == 1
    assert report.problems[0].path == str(shards / "a_1.rec")


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("bytes", 8000, "expected 8000 bytes, as"),
        ("sha256", "0" * 64, "expected SHA-256 0000"),
        ("records", 2, "expected 2 records, as"),
        ("keys", [0, 99], "expected keys 0 to 99, as"),
        ("id", "0" * 32, "expected the set 0000"),
    ],
)
def test_a_manifest_that_is_not_that_of_its_shards_is_a_problem(name, value, text, shards):
    def change(facts):
        facts["shards"][0][name] = value
        for total in ("bytes", "records"):
            facts[total] = sum(shard[total] for shard in facts["shards"])

    edit(shards / "a.manifest.json", change)
    first, second = problems(shards / "a")
    assert first.startswith(
        f"{shards}/a.manifest.json: expected {read(shards / 'a.manifest.json').expected_id}, the id"
    )
    assert text in second and "a_0" in second


def test_a_damaged_manifest_is_an_error_that_names_it(shards):
    (shards / "a.manifest.json").write_text("{")
    with pytest.raises(FormatError, match=r"a\.manifest\.json: expected a manifest of shards, got"):
        verify(shards / "a")


def test_a_summary_adds_up_the_shards(packed):
    info = inspect(packed / "a.manifest.json")
    sizes = [path.stat().st_size for path in packed.glob("*.rec")]
    assert (info.n_records, info.n_bytes, info.key_range, info.labels) == (N, sum(sizes), (0, N - 1), {0: 4, 1: 3})
    assert (info.classes, info.formats, info.label_width) == ({"cat": 0, "dog": 1}, {"png": N}, (1, 1))
    assert info.companions == {".idx": True, ".lst": True, ".crc": True, ".json": True}
    assert info.shards == tuple(f"{packed}/a_{number}.rec" for number in range(3))


def test_the_first_records_may_be_of_several_shards(packed):
    assert [record.offset for record in head(packed / "a", 4)] == [record.offset for record in head(packed / "a_0")] + [
        0
    ]
    assert len(head(packed / "a", 100)) == N and head(packed / "a", 0) == []


def test_the_commands_take_a_manifest_and_several_files(packed, cli):
    code, out, _ = cli("verify", packed / "a", "--decode")
    assert (code, out.split(", ok")[0]) == (0, f"{packed}/a.manifest.json: {N} records")
    code, out, _ = cli("info", packed / "a")
    assert code == 0 and out.startswith(f"{packed}/a.manifest.json: {N} records in 3 shards, 0.0 MB\n")
    code, out, _ = cli("info", f"{packed}/a_*.rec", "--json")
    assert code == 0 and [json.loads(line)["n_records"] for line in out.splitlines()] == [3, 3, 1]
    code, out, _ = cli("head", packed / "a_0.rec", packed / "a_1.rec", "-n", 1)
    assert code == 0 and [line for line in out.splitlines() if line.endswith(":")] == [
        f"{packed}/a_0.rec:",
        f"{packed}/a_1.rec:",
    ]


def test_an_error_about_one_of_several_files_does_not_stop_the_others(packed, cli):
    code, out, error = cli("verify", packed / "none.rec", packed / "a_0.rec")
    assert code == 1 and "none.rec: expected a .rec file" in error and "a_0.rec: 3 records, ok" in out


def test_reindex_writes_the_index_of_each_shard_and_the_manifest_stays_right(cli, tiny_folder, tmp_path):
    pack(tiny_folder, tmp_path / "a", plan=PackPlan(shards=3))
    indexes = {path: path.read_bytes() for path in tmp_path.glob("a*.idx")}
    assert len(indexes) == 3
    for name in ("a", "a.manifest.json", "a_*.rec"):
        for path in indexes:
            path.unlink()
        code, out, _ = cli("reindex", tmp_path / name)
        assert (code, out.count("written")) == (0, 3)
        assert {path: path.read_bytes() for path in indexes} == indexes
        assert verify(tmp_path / "a").ok


def test_reindex_goes_on_behind_a_shard_that_is_gone(cli, tiny_folder, tmp_path):
    pack(tiny_folder, tmp_path / "a", plan=PackPlan(shards=3))
    recs = sorted(tmp_path.glob("a*.rec"))
    recs[1].unlink()
    code, out, error = cli("reindex", tmp_path / "a.manifest.json")
    assert (code, out.count("unchanged")) == (1, 2) and recs[1].name in error
