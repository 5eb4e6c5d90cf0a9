"""A wrong argument of a public function is an error that names it, whatever its type is."""

import images
import pytest

import recordkit as rk
from recordkit.errors import PlanError


@pytest.fixture
def rec(tmp_path):
    return images.write(tmp_path / "photos.rec", [images.every_format()["jpg"]] * 3)


@pytest.mark.parametrize("path", [None, 5, b"train.rec", rk.RecordDataset, ["a.rec", None]])
def test_a_path(path):
    for opened in (rk.RecordDataset, lambda path: rk.Loader(path, batch_size=1)):
        with pytest.raises(PlanError, match="path: expected the path of a .rec file, or several, got"):
            opened(path)


@pytest.mark.parametrize(
    "name", ["batch_size", "threads", "seed", "layout", "channels", "last_batch", "shuffle", "rank"]
)
@pytest.mark.parametrize("value", ["no", 1.5, [1], {}])
def test_an_argument_of_a_loader(rec, name, value):
    with pytest.raises(PlanError, match=rf"^{name}: expected .*, got "):
        rk.Loader(rec, **{"batch_size": 1, name: value})


@pytest.mark.parametrize("name", ["engine", "dtype", "on_error", "memory", "transforms"])
@pytest.mark.parametrize("value", ["no", 1.5, {"a": 1}])
def test_another_argument_of_a_loader(rec, name, value):
    with pytest.raises(PlanError, match=rf"^{name}: expected .*, got "):
        rk.Loader(rec, **{"batch_size": 1, name: value})


@pytest.mark.parametrize("name", ["seed", "shards", "threads", "quality", "resize", "shuffle", "encoding", "on_error"])
@pytest.mark.parametrize("value", ["no", 1.5, [1]])
def test_a_setting_of_a_pack(name, value):
    with pytest.raises(PlanError, match=f"^{name}: expected .*, got "):
        rk.PackPlan(**{name: value})


def test_the_arguments_of_a_pack(tmp_path):
    with pytest.raises(PlanError, match="expected fractions from 0 to 1 .*, got '0.1' and 0.0"):
        rk.PackPlan(val_ratio="0.1")
    for plan in ({"resize": 3}, rk.PackPlan):
        with pytest.raises(PlanError, match=r"plan: expected a PackPlan, got .*; PackPlan\(...\) makes one"):
            rk.pack(tmp_path, tmp_path / "out", plan=plan)
    with pytest.raises(PlanError, match="source: expected a path, arrays .* or a Source, got 5"):
        rk.pack(5, tmp_path / "out")


def test_a_resize_to_a_height_and_a_width_needs_a_crop():
    with pytest.raises(PlanError, match=r"got \(224, 224\); a crop after it makes a height and a width"):
        rk.Resize((224, 224))
