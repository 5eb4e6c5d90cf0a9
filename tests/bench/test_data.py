"""The generated photographs that `bin/bench` measures."""

import sys

import data
import numpy as np

from recordkit.dataset.dataset import RecordDataset


def test_the_generated_photographs_are_packed_beside_their_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "photo", lambda seed: np.full((4, 5, 3), seed % 200, np.uint8))
    monkeypatch.setattr(sys, "argv", ["data.py", str(tmp_path / "new")])
    data.main()
    with RecordDataset(tmp_path / "new/photos.rec") as dataset:
        assert len(dataset) == 1000 and dataset[203].payload == (tmp_path / "new/images/003.jpg").read_bytes()
