"""Saved states: through JSON and back, and refused if the loader would give other samples."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordkit.errors import FormatError, PlanError
from recordkit.sampling.order import Shuffled
from recordkit.sampling.state import VERSION, LoaderState

CURRENT = LoaderState(fingerprint="5d41402a", n_samples=60, order=repr(Shuffled(60, seed=3)), seed=3)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**48))
def test_a_state_comes_back_through_json(epoch, position):
    state = CURRENT.at(epoch=epoch, position=position)
    assert LoaderState.from_dict(json.loads(json.dumps(state.to_dict())), current=CURRENT) == state


def test_a_state_is_pinned():
    saved = {
        "fingerprint": "5d41402a",
        "n_samples": 60,
        "order": "Shuffled(n=60, seed=3)",
        "seed": 3,
        "epoch": 2,
        "position": 17,
        "version": 1,
    }
    assert CURRENT.at(epoch=2, position=17).to_dict() == saved


@pytest.mark.parametrize(
    ("name", "value"),
    [("fingerprint", "7d793037"), ("n_samples", 61), ("order", "Sequential(n=60)"), ("seed", 4), ("seed", "3")],
)
def test_another_dataset_order_or_seed_is_refused(name, value):
    with pytest.raises(PlanError) as caught:
        LoaderState.from_dict({**CURRENT.to_dict(), name: value}, current=CURRENT)
    assert str(caught.value) == (
        f"loader state: {name}: expected {getattr(CURRENT, name)!r}, as in this loader, got {value!r}; "
        "open the same data with the same arguments as when it was saved, or start the epoch again"
    )


@pytest.mark.parametrize("version", [VERSION + 1, None, "1"])
def test_another_version_is_refused(version):
    with pytest.raises(FormatError) as caught:
        LoaderState.from_dict({**CURRENT.to_dict(), "version": version}, current=CURRENT)
    assert str(caught.value) == (
        f"loader state: expected version {VERSION}, got {version!r}; "
        "continue with the version of recordkit that saved it, or start the epoch again"
    )


def test_a_mapping_that_is_not_a_state_is_refused():
    for saved, got in (
        ({}, "a mapping with other keys"),
        ({"weight": 0}, "a mapping with other keys"),
        (None, "NoneType"),
    ):
        with pytest.raises(FormatError, match=rf"^loader state: expected what state_dict\(\) .* returned, got {got}$"):
            LoaderState.from_dict(saved, current=CURRENT)
    with pytest.raises(FormatError, match="^loader state: expected fingerprint, .*, version, got version, seed$"):
        LoaderState.from_dict({"version": VERSION, "seed": 3}, current=CURRENT)


@pytest.mark.parametrize(("name", "largest"), [("epoch", 2**32 - 1), ("position", 2**48)])
@pytest.mark.parametrize("value", [-1, 1.0, True, "1", None, "too large"])
def test_an_epoch_or_position_that_is_no_whole_number_is_refused(name, largest, value):
    value = largest + 1 if value == "too large" else value
    with pytest.raises(FormatError) as caught:
        LoaderState.from_dict({**CURRENT.to_dict(), name: value}, current=CURRENT)
    assert str(caught.value) == f"loader state: {name}: expected a whole number from 0 to {largest}, got {value!r}"
