"""A pack or a checkpoint that is killed at each of its system calls: readers see all old or all new files."""

import itertools
import json
import shutil

import pytest
from PIL import Image
from storage.faults import Faults

from recordkit import PackPlan, pack
from recordkit.packing.pack import pack_as_im2rec
from recordkit.packing.planned_sets import Im2recFiles
from recordkit.storage.fileset import Fileset
from recordkit.storage.names import SUFFIXES
from recordkit.training.run.checkpoint import Checkpoints


@pytest.fixture(scope="module")
def faults():
    with Faults() as started:
        yield started


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Two folders of images, of which the new one has a file that is no image."""
    folder = tmp_path_factory.mktemp("sources")
    for generation, level in (("old", 10), ("new", 200)):
        for name in ("cat", "dog"):
            (folder / generation / name).mkdir(parents=True)
            for number in range(2):
                Image.new("L", (4, 4), level + number).save(folder / generation / name / f"{number}.png")
    (folder / "new" / "dog" / "9.png").touch()
    return folder


SPLITS = {"val_ratio": 0.5}
# Options of the old set, or None if there is none; options of the new set; its record file; the names of the sets.
CASES = {
    "fresh": (None, {}, None, ["a"]),
    "other-suffixes": ({"exact_labels": True}, {"write_list": False}, None, ["a"]),
    "splits": ({}, SPLITS, None, ["a", "a_train", "a_val"]),
    "fewer-splits": (SPLITS, {}, None, ["a", "a_train", "a_val"]),
    "record-name": ({}, {}, "a", ["a"]),
    "to-shards": ({}, {"shards": 2}, None, ["a", "a_0", "a_1"]),
    "fewer-shards": ({"shards": 4}, {"shards": 2}, None, ["a", "a_0", "a_1", "a_2", "a_3"]),
    "from-shards": ({"shards": 2}, {}, None, ["a", "a_0", "a_1"]),
}
# A pack at each of its system calls takes many seconds; the quick tests are killed at some of them.
QUICK_AND_SLOW = [
    ("other-suffixes", 5),
    ("fewer-shards", 61),
    *(pytest.param(case, 1, marks=pytest.mark.slow) for case in CASES),
]


def as_read(folder, names):
    """Return the content of each file of the sets, as readers find it; a set without records or shards has no files."""
    files = {(name, suffix): Fileset(folder / name).path(suffix) for name in names for suffix in SUFFIXES}
    is_there = {name for name in names if any(files[name, each].exists() for each in (".rec", ".manifest.json"))}
    return {key: path.read_bytes() for key, path in files.items() if key[0] in is_there and path.exists()}


@pytest.mark.parametrize(("case", "step"), QUICK_AND_SLOW)
def test_killed_at_any_system_call_a_pack_leaves_the_old_sets_or_the_new_ones(case, step, faults, sources, memory_path):
    old_options, options, record_name, names = CASES[case]
    (memory_path / "old").mkdir()
    if old_options is not None:
        pack(sources / "old", memory_path / "old" / "a", plan=PackPlan(threads=1, **old_options), engine="python")
    (memory_path / "new").mkdir()
    shutil.copytree(memory_path / "old", memory_path / "new", dirs_exist_ok=True)
    request = (str(sources / "new"), options, record_name)
    plan, files = PackPlan(threads=1, **options), Im2recFiles(record_name)
    pack_as_im2rec(request[0], memory_path / "new" / "a", files, plan=plan, engine="python")
    old, new = as_read(memory_path / "old", names), as_read(memory_path / "new", names)
    assert old != new
    final = {path.name: path.read_bytes() for path in (memory_path / "new").iterdir()}
    outcomes = []
    for at in itertools.count(1, step):
        out = memory_path / "out"
        shutil.copytree(memory_path / "old", out)
        end = faults("pack_images", request[0], str(out / "a"), *request[1:], at=at)
        read = as_read(out, names)
        assert read in (old, new)
        outcomes.append(read == new)
        if end == "done":
            break
        assert end == "killed"
        pack_as_im2rec(request[0], out / "a", files, plan=plan, engine="python")
        assert {path.name: path.read_bytes() for path in out.iterdir()} == final
        shutil.rmtree(out)
    assert outcomes == sorted(outcomes) and at > 100  # the old sets until the commit, the new ones from then on


@pytest.mark.parametrize("step", [4, pytest.param(1, marks=pytest.mark.slow)])
def test_a_killed_run_leaves_the_earlier_one_or_itself_and_the_next_one_works(step, faults, memory_path):
    for at in itertools.count(1, step):
        models = memory_path / "models"
        models.mkdir()
        assert faults("save_checkpoint", str(models / "a"), "old", at=10**6) == "done"
        end = faults("save_checkpoint", str(models / "a"), "new", at=at)
        checkpoints = Checkpoints(models / "a")
        checkpoints.complete()  # as whoever opens a run does
        files = (checkpoints.symbol_path, checkpoints.params_path(1), checkpoints.states_path(1))
        generations = {path.read_text().split()[0] for path in files}
        assert len(generations | {json.loads(checkpoints.run_path.read_text())["generation"]}) == 1
        assert generations <= {"old", "new"}
        if end == "done":
            break
        assert faults("save_checkpoint", str(models / "a"), "third", at=10**6) == "done"
        assert sorted(path.name for path in models.iterdir()) == [
            "a-0001.params", "a-0001.states", "a-run.json", "a-symbol.json",
        ]  # fmt: skip
        assert checkpoints.params_path(1).read_text() == "third arrays"
        shutil.rmtree(models)
    assert at > 60
