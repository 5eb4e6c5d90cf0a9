"""Pack images that no built-in source reads: a zip archive, without unpacking it.

Shows the protocol of a source: a length, entries by index, and their contents. The packer reads several blocks at once
in threads, in any order, and the files are the same for any number of threads.

Run: python examples/own_source.py
Prints: the report of `verify` for both splits. The files are in out/own_source.
"""

import zipfile
from pathlib import Path

import numpy as np

import recordkit as rk
from recordkit import codec
from recordkit.sample import Entry
from recordkit.upkeep import verify


class ZipSource:
    """The images of a zip archive, which are called CLASS/NAME."""

    order = "published"  # the order of the archive; "walked" would be shuffled
    pixels = False  # `contents` returns encoded images
    notes = bad = ()

    def __init__(self, path):
        self.archive = zipfile.ZipFile(path)
        self.names = [name for name in self.archive.namelist() if not name.endswith("/")]
        self.classes = {name: label for label, name in enumerate(sorted({name.split("/")[0] for name in self.names}))}

    def __len__(self):
        return len(self.names)

    def entries(self, indices):
        """Return key, labels and name of the images at `indices`."""
        return [Entry(index, self.labels([index])[0], self.names[index]) for index in indices]

    def labels(self, indices):
        """Return the labels of the images at `indices`; an image may have several."""
        return [(self.classes[self.names[index].split("/")[0]],) for index in indices]

    def contents(self, entries):
        """Return the bytes of some images; an ImageError stands for an image that cannot be read."""
        return [self.archive.read(entry.name) for entry in entries]


out = Path("out/own_source")
out.mkdir(parents=True, exist_ok=True)
with zipfile.ZipFile(out / "photos.zip", "w") as archive:
    for number in range(30):
        image = np.full((32, 32, 3), 8 * number, np.uint8)
        archive.writestr(f"{('bright', 'dark')[number < 15]}/{number}.jpg", codec.encode(image, "jpg"))

report = rk.pack(ZipSource(out / "photos.zip"), out / "photos", plan=rk.PackPlan(val_ratio=0.2))
for packed in report.sets:
    checked = verify(packed.prefix, decode=True)
    print(f"{packed.prefix.name}: {packed.n_packed} images, {checked.n_decoded} decoded, {checked.n_problems} problems")
    assert checked.ok and rk.RecordDataset(packed.prefix).classes == {"bright": 0, "dark": 1}
