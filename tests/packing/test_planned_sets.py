"""Dividing sources into sets: names, positions, warnings, and what is refused."""

from pathlib import Path

import pytest

from recordkit.errors import PlanError
from recordkit.packing.plan import PackPlan
from recordkit.packing.planned_sets import plan_sets
from recordkit.packing.splits import packing_order
from recordkit.sources import ListSource


class Numbers:
    """A source that has a length only."""

    order = "listed"

    def __init__(self, n, *notes):
        self.n = n
        self.notes = notes

    def __len__(self):
        return self.n


def planned(sources, record_name=None, **options):
    sets, warnings = plan_sets(sources, Path("out/m"), PackPlan(**options), record_name)
    assert all(planned_set.names.prefix.parent == Path("out") for planned_set in sets)
    return [(each.names.prefix.name, list(each.order), each.is_first) for each in sets], warnings


def r(begin, last):
    return list(range(begin, last + 1))


@pytest.mark.parametrize(
    ("sources", "options", "sets"),
    [
        ({"": 3}, {}, [("m", r(0, 2), True)]),
        ({"": 0}, {}, [("m", [], True)]),
        ({"test": 2}, {}, [("m_test", r(0, 1), True)]),
        ({"train": 3, "test": 2}, {}, [("m_train", r(0, 2), True), ("m_test", r(0, 1), True)]),
        (
            {"train": 10, "test": 4},
            {"val_ratio": 0.2},
            [("m_val", r(8, 9), True), ("m_train", r(0, 7), False), ("m_test", r(0, 3), True)],
        ),
        (
            {"a_train": 4, "a_test": 2, "x": 2},
            {"val_ratio": 0.25},
            [
                ("m_a_val", [3], True),
                ("m_a_train", r(0, 2), False),
                ("m_a_test", r(0, 1), True),
                ("m_x", r(0, 1), True),
            ],
        ),
        (
            {"train": 4, "test": 2},
            {"shards": 2},
            [
                ("m_train_0", r(0, 1), True),
                ("m_train_1", r(2, 3), False),
                ("m_test_0", [0], True),
                ("m_test_1", [1], False),
            ],
        ),
        (
            {"": 10},
            {"val_ratio": 0.2, "test_ratio": 0.3},
            [("m_test", r(0, 2), True), ("m_val", r(8, 9), False), ("m_train", r(3, 7), False)],
        ),
    ],
)
def test_a_set_has_the_name_and_the_positions_of_its_split(sources, options, sets):
    assert planned({name: Numbers(n) for name, n in sources.items()}, **options) == (sets, [])


def test_the_seed_of_the_plan_chooses_the_order():
    ((_, positions, _),), _ = planned({"": Numbers(10)}, shuffle=True, seed=7)
    assert positions == list(packing_order(10, shuffle=True, seed=7)) != list(packing_order(10, shuffle=True))


def test_samples_in_no_split_and_notes_of_the_sources_are_warnings():
    _, warnings = planned({"": Numbers(12, "2 files have no suffix", "a link was followed")}, test_ratio=0.3)
    assert warnings == [
        "2 files have no suffix",
        "a link was followed",
        "1 of 12 samples is in no split: the sizes are rounded down, as in im2rec",
    ]


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        (("test",), {"val_ratio": 0.2}, "val_ratio and test_ratio divide the training split, and this source has none"),
        (
            ("a_train", "a_test"),
            {"test_ratio": 0.2},
            "test_ratio: this source has a test split of its own; leave it out",
        ),
        (("train", "test"), {"test_ratio": 0.2}, "test_ratio: this source has a test split of its own; leave it out"),
        (("train", "val"), {"val_ratio": 0.2}, "val_ratio: this source has a val split of its own; leave it out"),
        (
            ("",),
            {"test_ratio": 0.01},
            "m_test: expected samples, got 0 of 10; change the ratios or the number of shards",
        ),
        (("",), {"shards": 11}, "shards: expected at most as many shards as samples, 10, got 11"),
    ],
)
def test_a_plan_that_does_not_fit_the_sources_is_refused(names, options, message):
    with pytest.raises(PlanError) as caught:
        planned({name: Numbers(10) for name in names}, **options)
    assert str(caught.value) == message


def test_the_list_that_is_packed_is_read_and_not_written(tmp_path):
    (tmp_path / "a.lst").write_text("3\t1\tx.jpg\n")
    (tmp_path / "x.jpg").write_bytes(b"jpeg")
    source = ListSource(tmp_path / "a.lst", tmp_path)
    ((own,), _), ((other,), _) = (plan_sets({"": source}, tmp_path / name, PackPlan(), None) for name in "ab")
    assert (own.reads_list, own.names.write_list) == (True, False)
    assert (other.reads_list, other.names.write_list) == (False, True)
    ((unwritten,), _) = plan_sets({"": source}, tmp_path / "b", PackPlan(write_list=False), "b")
    assert (unwritten.reads_list, unwritten.names.write_list) == (False, False)
    assert [path.name for path in unwritten.names.all()][:2] == ["b", "b.idx"]


def test_a_name_that_is_too_long_is_refused_before_anything_is_written():
    with pytest.raises(PlanError, match=r"\.labels\.npy: expected names of at most 255 bytes, got one of 261"):
        plan_sets({"": Numbers(3)}, Path("out", "\N{LATIN SMALL LETTER E WITH ACUTE}" * 125), PackPlan(), None)
