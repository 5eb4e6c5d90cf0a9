"""Packs of two prefixes with one set in common, such as a_b and a with a split _b, both killed after their commits."""

import itertools
import shutil

import pytest
from storage.faults import recover

from recordkit.storage.fileset import Fileset
from recordkit.storage.names import SUFFIXES

# Generation: prefix, files of the pack, and files that it removes.
PACKS = {
    "whole": ("a", ["a_a.rec", "a_b.rec", "a_b.idx", "a_b.json"], ["a_b.labels.npy", "a_b.crc"]),
    "alone": ("a_b", ["a_b.rec", "a_b.idx", "a_b.labels.npy"], ["a_b.json", "a_b.crc"]),
}


def publish_until(faults, folder, generation, at):
    prefix, names, remove = PACKS[generation]
    return faults("publish", str(folder / prefix), generation, names, remove, at=at)


def generation_of(folder):
    """Return the only generation of the files of a_b, all of which are there; None if there is none."""
    paths = {f"a_b{suffix}": Fileset(folder / "a_b").path(suffix) for suffix in SUFFIXES}
    contents = {name: path.read_text().split()[0] for name, path in paths.items() if path.exists()}
    generations = set(contents.values())
    assert len(generations) <= 1, contents
    for generation in generations:
        assert sorted(contents) == sorted(name for name in PACKS[generation][1] if name.startswith("a_b."))
        return generation
    return None


def commit_only(faults, folder, generation):
    """Publish up to the kill at which the set is valid and no file was moved."""
    for at in itertools.count(1):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        publish_until(faults, folder, generation, at)
        if generation_of(folder) == generation:
            return


@pytest.mark.parametrize(("first", "second"), [("whole", "alone"), ("alone", "whole")])
def test_the_set_is_of_one_pack_and_the_later_commit_wins(first, second, faults, tmp_path):
    committed = tmp_path / "committed"
    commit_only(faults, committed, first)
    found = []
    for at in itertools.count(1, 5):
        for order in itertools.permutations(["a", "a_b"]):
            folder = tmp_path / f"{at}{order[0]}"
            shutil.copytree(committed, folder)
            end = publish_until(faults, folder, second, at)
            found.append(generation_of(folder))
            for prefix in order:
                recover(folder / prefix)
                assert generation_of(folder) == found[-1]
            assert not list(folder.glob(".*"))
            shutil.rmtree(folder)
        if end == "done":
            break
    assert [generation for generation, _ in itertools.groupby(found)] == [first, second]
