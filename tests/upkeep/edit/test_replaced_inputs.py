"""An input that a pack replaces during an edit: the new set is of the old input or of the new one, or there is none."""

import itertools
import os

import numpy as np
import pytest
from storage.interleaved import interleave
from upkeep.edit.small_sets import is_sound

import recordkit as rk
from recordkit.codec import encode
from recordkit.errors import RecordkitError
from recordkit.sources import ListSource
from recordkit.storage.staging import Staging
from recordkit.upkeep import merge


def pack_levels(folder, number):
    """Pack four images whose gray level, label and path tell the number of the set; return the files by name."""
    folder.mkdir()
    for key in range(4):
        (folder / f"{key}-{number}.pgm").write_bytes(encode(np.full((2, 2, 1), number, np.uint8), "raw"))
    rows = "".join(f"{key}\t{number}\t{key}-{number}.pgm\n" for key in range(4))
    (folder / "a.lst").write_text(rows)
    (folder / "out").mkdir()
    rk.pack(ListSource(folder / "a.lst", folder), folder / "out" / "a", plan=rk.PackPlan(threads=1, encoding="raw"))
    return {
        path.name: path.read_bytes() for path in sorted(folder.glob("out/*"), key=lambda path: path.suffix != ".rec")
    }


def publish(prefix, files):
    with Staging(prefix) as staging:
        for name, content in files.items():
            with staging.create(name) as file:
                file.write(content)
        staging.commit()


def numbers(prefix):
    """The numbers in the images, in the labels, in the list and in the ids of the inputs."""
    with rk.RecordDataset(prefix, check=True) as dataset:
        levels = {sample.payload[-1] for sample in dataset}
        labels = {int(label) for label in dataset.labels}
    paths = {int(line.split("-")[-1][0]) for line in prefix.with_suffix(".lst").read_text().splitlines()}
    return levels | labels | paths


@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_a_pack_between_two_system_calls_of_a_merge_gives_no_mixture(step, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    old, new = (pack_levels(tmp_path / f"{number}", number) for number in (1, 2))
    (tmp_path / "new").mkdir()  # another folder, because both lock the folder of their files for a moment
    ends = set()
    for at in itertools.count(1, step):
        publish(tmp_path / "a", old)
        out = tmp_path / "new" / f"{at}"
        try:
            _, was_called = interleave(
                lambda out=out: merge([tmp_path / "a"], out, threads=1), lambda: publish(tmp_path / "a", new), at
            )
        except RecordkitError as error:
            assert not list(out.parent.glob(f"{at}.*")) and "run this again" in str(error), at
            ends.add("error")
            continue
        found = numbers(out)
        assert found in ({1}, {2}) and is_sound(out), at
        ends |= found
        if not was_called:
            break
    assert ends == {1, 2, "error"}
