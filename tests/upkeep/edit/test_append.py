"""`append`: a dataset grows by a copy or by a shard, and is the old or the new one at any time."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from upkeep.edit.small_sets import facts, is_sound, payload_of, payloads, write_set

import recordkit as rk
from recordkit.errors import FormatError, NotFoundError, PlanError, PublishError, SourceError
from recordkit.upkeep import append, merge
from recordkit.upkeep.edit import append as append_module


@pytest.fixture
def grown(tmp_path):
    """A set of recordkit, and records to append."""
    write_set(tmp_path / "old", [0, 1, 0], classes={"cat": 0, "dog": 1})
    merge([tmp_path / "old"], tmp_path / "a")
    write_set(tmp_path / "b", [0, 1], keys=[8, 9], classes={"bird": 0, "cat": 1})
    return tmp_path / "a", tmp_path / "b"


def test_new_records_follow_the_old_ones_by_name_of_class(grown, both_engines):
    prefix, more = grown
    report = append(prefix, [more])
    assert facts(prefix) == ([0, 1, 2, 8, 9], [0, 1, 0, 2, 0], {"cat": 0, "dog": 1, "bird": 2})
    assert payloads(prefix) == [payload_of(key) for key in (0, 1, 2, 8, 9)]
    assert is_sound(prefix) and report.n_records == 5 and report.n_relabeled == 2
    assert (prefix.with_suffix(".lst")).read_text().splitlines()[3] == "8\t2.000000\t8.jpg"
    assert json.loads(prefix.with_suffix(".json").read_text())["edit"]["command"] == "append"


def test_renumbered_keys_follow_the_largest_old_one(tmp_path):
    write_set(tmp_path / "a", [1, 2], keys=[7, 3])
    write_set(tmp_path / "b", [1, 2], keys=[7, 3])
    with pytest.raises(SourceError, match="key 3: expected each key once"):
        append(tmp_path / "a", [tmp_path / "b"])
    append(tmp_path / "a", [tmp_path / "b"], keys="renumber")
    assert facts(tmp_path / "a")[0] == [7, 3, 8, 9] and is_sound(tmp_path / "a")
    write_set(tmp_path / "c", [1], keys=[2**64 - 1])
    with pytest.raises(SourceError, match="keys that leave room"):
        append(tmp_path / "c", [tmp_path / "b"], keys="renumber")


def test_a_set_of_another_tool_grows_too(tmp_path):
    write_set(tmp_path / "a", [1, 2], has_list=False)
    write_set(tmp_path / "b", [3], keys=[5], has_list=False)
    append(tmp_path / "a.rec", [tmp_path / "b.rec"])
    assert facts(tmp_path / "a") == ([0, 1, 5], [1, 2, 3], None) and is_sound(tmp_path / "a")


def test_a_shard_leaves_every_old_file(grown, both_engines):
    prefix, more = grown
    before = {path: path.read_bytes() for path in prefix.parent.glob("a.*")}
    report = append(prefix, [more], shard=True)
    assert {path: path.read_bytes() for path in before} == before
    manifest = json.loads(prefix.with_name("a.manifest.json").read_text())
    assert [(shard["rec"], shard["records"], shard["keys"]) for shard in manifest["shards"]] == [
        ("a.rec", 3, [0, 2]),
        ("a_1.rec", 2, [8, 9]),
    ]
    assert manifest["classes"] == {"cat": 0, "dog": 1, "bird": 2} and manifest["label_width"] == [1, 1]
    assert report.manifest == prefix.with_name("a.manifest.json") and report.n_records == 2
    assert facts(prefix.with_name("a_1.rec"))[1] == [2, 0]


def test_a_second_shard_follows_the_first(grown):
    prefix, more = grown
    append(prefix, [more], shard=True)
    again = write_set(prefix.with_name("c"), [0], keys=[20], classes={"fish": 0})
    append(prefix, [again], shard=True)
    with rk.RecordDataset(prefix) as dataset:
        assert dataset.keys.tolist() == [0, 1, 2, 8, 9, 20] and dataset.labels.tolist() == [0, 1, 0, 2, 0, 3]
        assert dataset.classes == {"cat": 0, "dog": 1, "bird": 2, "fish": 3}
    collides = write_set(prefix.with_name("d"), [0], keys=[9], classes={"cat": 0})
    with pytest.raises(SourceError, match=r"key 9: .* in .*a and in .*d"):
        append(prefix, [collides], shard=True)
    append(prefix, [collides], shard=True, keys="renumber")
    with rk.RecordDataset(prefix) as dataset:
        assert dataset.keys.tolist()[-1] == 21


def test_a_dataset_of_shards_and_its_files_grow_by_the_manifest_only(grown):
    prefix, more = grown
    append(prefix, [more], shard=True)
    third = write_set(prefix.with_name("c"), [0], keys=[20], classes={"cat": 0})
    with pytest.raises(PlanError, match="expected a dataset of one file, got 2 shards; give shard=True"):
        append(prefix, [third])
    for name in ("a.rec", "a_1.rec"):
        with pytest.raises(PlanError, match=r"expected a dataset, got a shard of .*a.manifest.json; append to"):
            append(prefix.with_name(name), [third])


def test_a_shard_changes_no_old_record(grown):
    prefix, _ = grown
    wide = write_set(prefix.with_name("w"), [[0, 1]], keys=[50], classes={"cat": 0})
    with pytest.raises(PlanError, match="got new records with more labels; 'recordkit merge'"):
        append(prefix, [wide], shard=True, pad_labels=0)
    exact = write_set(prefix.with_name("e"), [0], keys=[50], classes={"cat": 0}, exact=[0])
    with pytest.raises(PlanError, match="got exact labels in the new records"):
        append(prefix, [exact], shard=True)
    append(prefix, [wide], pad_labels=0)
    assert facts(prefix)[1] == [[0, 0], [1, 0], [0, 0], [0, 1]]


def test_a_set_that_is_not_the_packed_one_does_not_grow(grown):
    prefix, more = grown
    rec = prefix.with_suffix(".rec")
    content = rec.read_bytes()
    rec.write_bytes(content + content[:32])
    with pytest.raises(FormatError, match=r"a.rec: expected the \d+ bytes of .*a.json, .* 'recordkit verify"):
        append(prefix, [more])
    rec.write_bytes(content[:-4] + b"\1" + content[-3:])
    with pytest.raises(FormatError, match="expected CRC-32"):
        append(prefix, [more])
    prefix.with_suffix(".crc").unlink()
    with pytest.raises(FormatError, match="expected the SHA-256"):
        append(prefix, [more])
    assert rec.read_bytes() == content[:-4] + b"\1" + content[-3:]


def test_a_list_is_not_lost(grown):
    prefix, _ = grown
    unlisted = write_set(prefix.with_name("u"), [0], keys=[50], classes={"cat": 0}, has_list=False)
    with pytest.raises(PublishError, match=r"a.lst: the list would be lost: .*u.rec: expected a list .*shard=True"):
        append(prefix, [unlisted])
    prefix.with_suffix(".lst").rename(prefix.with_name("moved.lst"))
    append(prefix, [unlisted])
    assert is_sound(prefix) and not prefix.with_suffix(".lst").exists()


def test_failures_of_the_pack_stay_known(tiny_folder, tmp_path):
    (tiny_folder / "cat/bad.jpg").write_bytes(b"no image")
    rk.pack(tiny_folder, tmp_path / "a")
    failures = (tmp_path / "a.failed.tsv").read_bytes()
    more = write_set(tmp_path / "b", [0], keys=[99], classes={"cat": 0})
    append(tmp_path / "a", [more])
    assert (tmp_path / "a.failed.tsv").read_bytes() == failures
    assert json.loads((tmp_path / "a.json").read_text())["failed"] == 1
    with pytest.raises(PublishError, match="which no pack can repeat"):
        rk.pack(tiny_folder, tmp_path / "a")


def test_a_set_that_another_program_replaced_meanwhile_is_kept(grown, monkeypatch):
    prefix, more = grown
    other = prefix.with_name("other.rec")
    other.write_bytes(prefix.with_suffix(".rec").read_bytes())
    write_sets = append_module.write_sets

    def late(*arguments, **options):
        other.replace(prefix.with_suffix(".rec"))
        return write_sets(*arguments, **options)

    monkeypatch.setattr(append_module, "write_sets", late)
    with pytest.raises(
        PublishError, match=r"a.rec: expected the file that was read, got another one, .*; run this again"
    ):
        append(prefix, [more])
    assert len(facts(prefix)[0]) == 3


def test_nothing_to_append_is_an_error(grown):
    prefix, _ = grown
    with pytest.raises(PlanError, match="more: expected a .rec file or more, got none"):
        append(prefix, [])
    empty = write_set(prefix.with_name("e"), [], has_list=False)
    with pytest.raises(PlanError, match="more: expected records to append"):
        append(prefix, [empty])
    with pytest.raises(PlanError, match="each .rec file once"):
        append(prefix, [prefix.with_suffix(".rec")])
    for path in ("nothing.rec", "nothing.manifest.json"):
        with pytest.raises(NotFoundError):
            append(prefix.with_name(path), [prefix])


def test_a_folder_of_images_is_packed_first(tiny_folder, tmp_path):
    rk.pack(tiny_folder, tmp_path / "a", plan=rk.PackPlan(resize=16, encoding="png", quality=0, center_crop=True))
    (tmp_path / "empty").mkdir()
    options = " --resize 16 --center-crop --encoding png --quality 0"
    for folder, shard in ((tiny_folder, False), (tmp_path / "empty", True)):
        with pytest.raises(NotFoundError) as error:
            append(tmp_path / "a", [folder], shard=shard)
        assert f"'recordkit pack {folder} NEW{options}'" in error.value.advice
        assert error.value.advice.endswith("NEW.rec --renumber --shard'" if shard else "NEW.rec --renumber'")


def test_a_dry_run_writes_nothing(grown):
    prefix, more = grown
    before = {path.name: path.read_bytes() for path in prefix.parent.iterdir()}
    assert append(prefix, [more], dry_run=True).n_records == 5
    assert append(prefix, [more], dry_run=True, shard=True).n_records == 2
    assert {path.name: path.read_bytes() for path in prefix.parent.iterdir()} == before


APPEND = """
import sys
from recordkit.upkeep import append
while True:
    append(sys.argv[1], [sys.argv[2]], keys="renumber", shard=sys.argv[3] == "shard")
    print(flush=True)
"""


@pytest.mark.parametrize("form", ["copy", "shard"])
def test_killed_at_any_moment_the_dataset_is_an_old_or_a_new_one(grown, form):
    prefix, more = grown
    program = [sys.executable, "-c", APPEND, prefix, more, form]
    with subprocess.Popen(program, stdout=subprocess.PIPE) as process:
        for _ in range(3):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    with rk.RecordDataset(prefix) as dataset:
        assert len(dataset) >= 9 and len(dataset) % 2 == 1
        assert dataset.keys[:3].tolist() == [0, 1, 2] and len(set(dataset.keys.tolist())) == len(dataset)
    append(prefix, [more], keys="renumber", shard=form == "shard")
    assert not list(Path(prefix.parent).glob(".*staging"))


def test_the_command_appends(cli, grown):
    prefix, more = grown
    rec = f"{prefix}.rec"
    code, output, error = cli("append", rec, f"{more}.rec")
    assert code == 0 and output == f"{rec}: 5 records, 0.0 MB\n2 records with other labels\n"
    code, _, error = cli("append", rec, f"{more}.rec")
    assert code == 1 and "--renumber" in error
    code, output, _ = cli("append", rec, f"{more}.rec", "--renumber", "--shard", "--json")
    assert code == 0 and json.loads(output)["manifest"] == f"{prefix}.manifest.json"


def test_one_path_need_not_be_a_list(grown):
    prefix, more = grown
    assert append(prefix, f"{more}.rec", dry_run=True).n_records == append(prefix, [more], dry_run=True).n_records
