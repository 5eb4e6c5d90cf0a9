"""Equal images that a cluster finds are those that one machine finds."""

import images
import numpy as np
import pytest
from click.testing import CliRunner

import recordkit as rk
from recordkit import cluster, upkeep
from recordkit.cluster.upkeep import ranges
from recordkit.errors import FormatError, NotFoundError
from recordkit.upkeep.edit.inputs import Inputs


@pytest.fixture
def small_ranges(monkeypatch):
    """Ranges of some records, so that a file has several."""
    monkeypatch.setattr(ranges, "RANGE_BYTES", 200)


@pytest.fixture
def files(tmp_path):
    """Three .rec files of some equal payloads, with different labels."""
    payloads = [b"image %d" % (number % 7) * 5 for number in range(20)]
    labels = [float(number % 2) for number in range(20)]
    return [
        images.write(tmp_path / f"{name}.rec", payloads[begin:], labels[begin:])
        for name, begin in (("a", 0), ("b", 14), ("c", 6))
    ]


def test_one_dataset_of_several_files(ray, files, small_ranges, tmp_path):
    steps = []
    report = cluster.duplicates(tmp_path / "*.rec", progress=steps.append)
    assert report.as_json() == upkeep.duplicates(tmp_path / "*.rec").as_json()
    assert report.n_disagreeing and sum(steps) == report.n_records and len(steps) > 6


def test_several_datasets_one_of_them_in_shards(ray, files, tiny_folder, tmp_path):
    rk.pack(tiny_folder, tmp_path / "pets", plan=rk.PackPlan(shards=3))
    rk.pack(tiny_folder, tmp_path / "again")
    paths = [tmp_path / "pets.manifest.json", files[0], tmp_path / "again.rec", files[1]]
    report = cluster.duplicates(*paths, threads=2)
    assert report.as_json() == upkeep.duplicates(*paths).as_json()
    assert len(report.groups) == 12 + 6 and report.groups[0].samples[0].name


def test_images_of_equal_digests_that_differ_are_told_apart(ray, files, monkeypatch, tmp_path):
    monkeypatch.setattr("recordkit.cluster.upkeep.duplicates.run_on_ranges", lambda *_, **__: [np.zeros(34, np.uint64)])
    report, expected = cluster.duplicates(tmp_path / "[ac].rec"), upkeep.duplicates(tmp_path / "[ac].rec")
    keys = [[[sample.key for sample in group.samples] for group in each.groups] for each in (report, expected)]
    assert keys[0] == keys[1] and len(keys[0]) == 7


def test_a_damaged_record_is_one_error(ray, files):
    content = bytearray(files[0].read_bytes())
    content[4:8] = b"\xff\xff\xff\x0f"
    files[0].write_bytes(content)
    with pytest.raises(FormatError, match="a.rec") as caught:
        cluster.duplicates(files[0])
    with pytest.raises(FormatError) as expected:
        upkeep.duplicates(files[0])
    assert str(caught.value) == str(expected.value)


def test_a_missing_file_is_an_error_before_ray_starts(ray_installed, tmp_path):
    with pytest.raises(NotFoundError, match="none.rec"):
        cluster.duplicates(tmp_path / "none.rec")


def test_labels_of_some_rows_are_those_of_all(files, tmp_path, tiny_folder):
    rk.pack(tiny_folder, tmp_path / "pets")
    with Inputs([files[0], tmp_path / "pets", files[2]]) as inputs:
        rows = np.array([40, 3, 21, 0, 3, 33])
        few = inputs.labels_at(rows)
        all_labels = inputs.labels().at(rows)
        assert few.values.tolist() == all_labels.values.tolist() and few.bounds.tolist() == all_labels.bounds.tolist()


def test_the_command_prints_what_duplicates_prints(ray, files):
    from recordkit.cli.commands.cluster import command
    from recordkit.cli.commands.duplicates import command as one_machine

    arguments = [str(files[0]), str(files[1])]
    done = CliRunner().invoke(command, ["duplicates", *arguments], standalone_mode=False)
    expected = CliRunner().invoke(one_machine, arguments, standalone_mode=False)
    assert done.stdout == expected.stdout and "groups of equal images" in done.stdout
    assert done.return_value == expected.return_value == 1
