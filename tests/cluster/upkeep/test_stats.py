"""Statistics on a cluster are those on one machine."""

import json

import images
import numpy as np
import pytest
from click.testing import CliRunner

import recordkit as rk
from recordkit import RecordDataset, cluster, upkeep
from recordkit.cluster.upkeep import ranges
from recordkit.cluster.upkeep.stats import stats
from recordkit.errors import ClusterError, PlanError
from recordkit.upkeep.look.labels import LabelTally
from recordkit.upkeep.look.tally import ImageTally, measure_images


@pytest.fixture
def files(tmp_path):
    """Three .rec files with images of all kinds, some that do not decode, and labels of several widths."""
    payloads = [*images.every_format().values(), b"", b"no image", images.every_format()["jpg"][:-30]]
    labels = [(1.0, 2.0), float("nan"), 0.5, float("inf"), *map(float, range(len(payloads) - 4))]
    for name, step in (("a", 1), ("b", -1), ("c", 2)):
        images.write(tmp_path / f"{name}.rec", payloads[::step], labels[::step])
    return [tmp_path / f"{name}.rec" for name in ("a", "b", "c")]


@pytest.fixture
def shards(tiny_folder, tmp_path):
    rk.pack(tiny_folder, tmp_path / "a", plan=rk.PackPlan(shards=3))
    return tmp_path / "a"


@pytest.fixture
def small_ranges(monkeypatch):
    """Ranges of one or two images, so that a file has several."""
    monkeypatch.setattr(ranges, "RANGE_BYTES", 1500)


def text(result):
    return json.dumps(result.as_json())  # NaN equals NaN, and the order of the encodings counts


@pytest.mark.parametrize("sample", [None, 7])
def test_tallies_of_parts_make_those_of_the_whole(files, sample, monkeypatch):
    monkeypatch.setattr("recordkit.upkeep.look.tally.MAX_PROBLEMS", 2)
    with RecordDataset(files) as dataset:
        parts = [dataset[begin : begin + 5] for begin in range(0, len(dataset), 5)]
        whole, merged = LabelTally.of(dataset), LabelTally.merge([LabelTally.of(part) for part in parts])
        assert repr(merged.summary({"cat": 1})) == repr(whole.summary({"cat": 1}))
        rows = np.arange(len(dataset)) if sample is None else np.sort(np.random.default_rng(0).permutation(30)[:sample])
        whole_images = measure_images(dataset, rows)
        pieces = [rows[begin : begin + 3] for begin in range(0, len(rows), 3)]
        merged_images = ImageTally.merge([measure_images(dataset, piece) for piece in pieces])
    assert [column.tolist() for column in merged_images.sizes] == [column.tolist() for column in whole_images.sizes]
    assert merged_images.formats.most_common() == whole_images.formats.most_common()
    assert merged_images.pixel_moments() == whole_images.pixel_moments()
    assert merged_images.problems == whole_images.problems
    assert merged_images.n_problems == whole_images.n_problems


@pytest.mark.parametrize("sample", [None, 5, 1000])
def test_files_have_the_statistics_of_one_machine(ray, files, small_ranges, sample):
    steps = []
    result = cluster.stats(files, sample=sample, progress=steps.append)
    assert text(result) == text(upkeep.stats(files, sample=sample))
    assert sum(steps) == result.n_samples and len(steps) > 2 * len(files)


def test_shards_of_a_relative_path_have_their_class_names(ray, shards, monkeypatch):
    monkeypatch.chdir(shards.parent)
    result = cluster.stats("a.manifest.json")
    assert text(result) == text(upkeep.stats("a.manifest.json"))
    assert [count.name for count in result.labels.counts] == ["cat", "dog", "owl"]


def test_exact_labels_stay_exact(ray, tmp_path):
    (tmp_path / "images").mkdir()
    rows = ""
    for key in range(4):
        (tmp_path / "images" / f"{key}.png").write_bytes(rk.codec.encode(images.noise(5, 6), "png"))
        rows += f"{key}\t{2**24 + key // 2}\t{key}.png\n"
    (tmp_path / "a.lst").write_text(rows)
    source = rk.open_source(tmp_path / "a.lst", root=tmp_path / "images")
    rk.pack(source, tmp_path / "b", plan=rk.PackPlan(shards=2, exact_labels=True))
    result = cluster.stats(tmp_path / "b.manifest.json")
    assert text(result) == text(upkeep.stats(tmp_path / "b.manifest.json"))
    assert result.labels.exact and result.labels.range == (2**24, 2**24 + 1)


def test_a_machine_with_other_codecs_is_refused(ray, shards, monkeypatch):
    other = {"engine": "native", "pillow": "1"}
    monkeypatch.setattr("recordkit.cluster.upkeep.stats.take_fingerprint", lambda _: other)
    with pytest.raises(ClusterError, match="would not give the same .*pillow is .*, not 1"):
        stats(shards)


def test_a_subset_is_refused(ray_installed, shards):
    with RecordDataset(shards) as dataset, pytest.raises(PlanError, match="a subset has no parts"):
        stats(dataset[:5])


def test_the_command_prints_what_stats_prints(ray, files):
    from recordkit.cli.commands.cluster import command
    from recordkit.cli.commands.stats import command as one_machine

    done = CliRunner().invoke(command, ["stats", str(files[0])], standalone_mode=False)
    expected = CliRunner().invoke(one_machine, [str(files[0])], standalone_mode=False)
    assert done.stdout == expected.stdout and "3 do not decode" in done.stdout
    assert done.return_value == expected.return_value == 1
