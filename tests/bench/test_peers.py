"""The peers: every one does the same work, and a file of the user's can hold another one."""

import contextlib
import json
import subprocess
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest
from images import noise, picture, save, write
from PIL import Image

from recordkit import codec
from recordkit.bench import equivalence
from recordkit.bench.child import load_first_batch
from recordkit.bench.equivalence import OTHER_WORK, describe_difference
from recordkit.bench.peers import torch
from recordkit.bench.peers.conversion import convert_once
from recordkit.bench.peers.recordkit import RecordkitLoader
from recordkit.bench.peers.registry import PEERS, find_peer
from recordkit.bench.peers.window import draw_window
from recordkit.bench.report import Case
from recordkit.bench.workload import Workload, resolve_workload
from recordkit.errors import PlanError


@pytest.fixture(scope="module")
def rec(tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "photos.rec"
    return write(path, [save(picture(noise(40 + number % 3, 50)), "JPEG", quality=95) for number in range(20)])


OPTIONS = {
    "photos": {"shape": (3, 32, 32)},
    "photos, resized": {"shape": (3, 32, 32), "resize": 36},
    "photos, uint8": {"shape": (3, 32, 32), "dtype": "uint8", "preset": "train"},
    "digits": {},
    "digits, uint8": {"dtype": "uint8"},
}


EPOCHS = [("crop", "float32"), ("train", "float32"), ("train", "uint8")]

# One process opens a peer on several workloads, because importing a peer's library takes seconds. It ends without
# cleaning up, because the threads of some libraries hang at exit.
CHILD = """
import json, os, sys
import numpy as np
from recordkit import codec
from recordkit.bench import equivalence
from recordkit.bench.child import load_first_batch
from recordkit.bench.peers import torch
from recordkit.bench.peers.registry import find_peer
from recordkit.bench.workload import Workload
name, what, texts = sys.argv[1], sys.argv[2], sys.argv[3:]
for text in texts:
    fields = json.loads(text)
    workload = Workload(**fields | {"shape": tuple(fields["shape"])})
    if what == "first batch":
        np.save(workload.scratch + "/batch.npy", load_first_batch(find_peer(name), workload, 2))
    else:
        epoch = find_peer(name).open(workload, 2, check=False)
        print(*(sum(n for _, n in epoch()) for _ in range(2)), flush=True)
os._exit(0)
"""


def blurred(height, width, seed):
    """Return random colours that change as slowly as in photos, so that inexact decoders differ by little."""
    colours = noise(height // 10, width // 10, 3, seed) // 2 + 64
    return picture(colours).resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def workloads(tmp_path_factory):
    """Workloads by name, each on a file with its images beside it."""
    made = {}
    for name, options in OPTIONS.items():
        root = tmp_path_factory.mktemp("workload")
        if "digits" in name:
            payloads = [save(picture(noise(28, 28, 1, seed)), "PNG") for seed in range(12)]
        else:
            payloads = [save(blurred(40 + seed % 3, 50, seed), "JPEG", quality=95) for seed in range(12)]
        for key, payload in enumerate(payloads):
            (root / f"{key}.img").write_bytes(payload)
        (root / "a.lst").write_text("".join(f"{key}\t{key % 10}\t{key}.img\n" for key in range(12)))
        rec = write(root / "a.rec", payloads)
        made[name] = replace(resolve_workload(rec, **options, batch_size=8, root=root), scratch=str(root))
    return made


def run_child(name, what, workloads):
    """Run a peer on those workloads that it can do, and return these and what the process printed."""
    reasons = {key: find_peer(name).unavailable_reason(workload) for key, workload in workloads.items()}
    done = {key: workload for key, workload in workloads.items() if not reasons[key]}
    if not done:
        pytest.skip(f"{name}: {'; '.join(sorted(set(reasons.values())))}")
    texts = [json.dumps(asdict(workload)) for workload in done.values()]
    command = [sys.executable, "-W", "ignore", "-c", CHILD, name, what, *texts]
    child = subprocess.run(command, check=False, capture_output=True, text=True)
    assert not child.returncode, child.stderr
    return done, child.stdout.splitlines()


# Each peer starts a process; those of MXNet that are read like others run with bin/test --all only.
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if name in ("gluon", "image-iter-lst") else ()) for name in PEERS],
)
def test_every_peer_gives_the_same_first_batch(workloads, name):
    done, _ = run_child(name, "first batch", workloads)
    differences = {}
    for key, workload in done.items():
        got, want = np.load(f"{workload.scratch}/batch.npy"), load_first_batch(find_peer("python"), workload, 1)
        status, note = equivalence.judge_batch(name, got, want, workload)
        differences[key] = note if status == "differs" or name not in OTHER_WORK else ""
    assert differences == dict.fromkeys(done, "")


def make_jpegs(path, subsampling):
    """Write a .rec file of JPEGs, the last of which has that subsampling of the colours, and the others none."""
    kinds = [0] * 7 + [subsampling]
    return write(path, [save(blurred(40, 51, n), "JPEG", subsampling=kind) for n, kind in enumerate(kinds)])


def test_spdl_does_other_work_where_colours_have_half_the_resolution_or_images_are_resized(tmp_path):
    colours, smooths = "repeats colours", "its resize smooths"
    full, half = make_jpegs(tmp_path / "full.rec", 0), make_jpegs(tmp_path / "half.rec", 2)
    png = write(tmp_path / "png.rec", [save(blurred(40, 51, 1), "PNG")])
    for rec, options, remarks in (
        (full, {}, set()),
        (png, {}, set()),
        (half, {}, {colours}),
        (full, {"resize": 36}, {smooths}),
        (png, {"preset": "train"}, {smooths}),
        (half, {"preset": "train"}, {colours, smooths}),
    ):
        note = find_peer("spdl").note(resolve_workload(rec, shape=(3, 32, 32), **options))
        assert {remark for remark in (colours, smooths) if remark in note} == remarks and bool(note) == bool(remarks)


@pytest.mark.parametrize(("subsampling", "resize"), [(0, None), (0, 36), (2, None)])
def test_spdl_with_wrong_pixels_is_not_measured(tmp_path, subsampling, resize):
    rec = make_jpegs(tmp_path / "a.rec", subsampling)
    workload = resolve_workload(rec, shape=(3, 32, 32), batch_size=8, dtype="uint8", resize=resize)
    expected = load_first_batch(find_peer("python"), workload, 1)
    status, note = equivalence.judge_batch("spdl", expected[..., ::-1], expected, workload)
    assert status == "differs" and note.startswith("not compared: its first batch differs")
    assert ("at most 8.0 and 20.0 are other work" in note) == bool(subsampling or resize)


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_spdl_gives_the_same_first_batch_of_jpegs_with_all_colours(tmp_path, dtype):
    payloads = [save(picture(noise(40, 51, 3, seed)), "JPEG", quality=95, subsampling=0) for seed in range(9)]
    workload = resolve_workload(write(tmp_path / "a.rec", payloads), shape=(3, 32, 32), batch_size=8, dtype=dtype)
    workload = replace(workload, scratch=str(tmp_path))
    run_child("spdl", "first batch", {"all colours": workload})
    got, want = np.load(tmp_path / "batch.npy"), load_first_batch(find_peer("python"), workload, 1)
    assert describe_difference("spdl", got, want, workload) == ""


def test_a_peer_that_can_only_do_other_work_is_measured_and_its_row_says_how_it_differs(rec, monkeypatch):
    monkeypatch.setattr(equivalence, "OTHER_WORK", ("native",))
    monkeypatch.setattr(RecordkitLoader, "note", lambda _self, workload: "smooths" if workload.resize else "")

    class Saved:
        error = None

        def __init__(self, batch, path):
            np.save(path, batch)

        def facts(self):
            return {"versions": {}}

    @contextlib.contextmanager
    def start(name, path):
        yield Saved(batches[name], path)

    expected = np.zeros((8, 32, 32, 3), np.uint8)
    one_other_image = expected.copy()
    one_other_image[3] = 21
    for resize, batch, status, note in (
        (36, expected + 8, "measured", "smooths; its first batch differs from recordkit python's by 8.00 grey levels"),
        (36, expected + 9, "differs", "not compared: its first batch differs"),
        (36, one_other_image, "differs", "not compared: its first batch differs from recordkit python's by 2.62 grey"),
        (36, expected, "measured", "what it does"),
        (36, expected[:7], "differs", "not compared: its first batch is (7, 32, 32, 3), not (8, 32, 32, 3)"),
        (None, expected + 9, "differs", "not compared: its first batch differs"),
    ):
        batches = {"python": expected, "native": batch}
        workload = resolve_workload(rec, shape=(3, 32, 32), batch_size=8, dtype="uint8", resize=resize)
        cases = [Case("native", "recordkit native", 1, note="what it does")]
        equivalence.check_cases(cases, workload, start)
        assert cases[0].status == status and cases[0].note.startswith(note)


def test_a_batch_of_another_type_or_layout_differs(rec):
    workload = resolve_workload(rec, shape=(3, 32, 32), dtype="uint8", batch_size=8)
    batch = load_first_batch(find_peer("python"), workload, 1)
    assert (batch.dtype, batch.shape) == (np.uint8, (8, 32, 32, 3))
    assert describe_difference("native", batch, batch, workload) == ""
    for other, text in (
        (batch.astype(np.float32), "float32, not (8, 32, 32, 3) uint8"),
        (batch.transpose(0, 3, 1, 2), "not (8, 32, 32, 3)"),
        (batch[..., ::-1], "grey levels"),
    ):
        assert text in describe_difference("native", other, batch, workload)


MAX_MEANS = [("dali", 1.0), ("torch", 1.0), ("mine.py:peer", 1.0), ("spdl", 1.0), ("ffcv", 1.5), ("turboloader", 1.5)]


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
@pytest.mark.parametrize(("name", "max_mean"), MAX_MEANS)
def test_the_bound_of_the_mean_is_wider_for_inexact_decoders_alone(name, max_mean, dtype):
    workload = Workload("a", (1, 10, 10), "none", None, 2, dtype)
    expected = np.zeros((2, 1, 10, 10) if workload.is_float else (2, 10, 10, 1), dtype)
    scale = 1 / workload.std[0] if workload.is_float else 1

    def batch_with_mean(levels):
        batch = expected.copy()
        batch.reshape(2, 100)[:, : round(50 * levels)] = 2 * scale  # 2 levels in a share of each image's 100 pixels
        return batch

    assert describe_difference(name, batch_with_mean(max_mean - 0.02), expected, workload) == ""
    text = describe_difference(name, batch_with_mean(max_mean + 0.02), expected, workload)
    assert f"at most {max_mean} and 2.5 are the same work" in text


@pytest.mark.slow
@pytest.mark.parametrize("name", list(PEERS))
def test_every_peer_gives_every_sample_of_an_epoch(rec, name, tmp_path):
    workloads = {}
    for preset, dtype in EPOCHS:
        workload = resolve_workload(rec, shape=(3, 32, 32), batch_size=8, preset=preset, dtype=dtype)
        scratch = tmp_path / f"{preset}-{dtype}"
        scratch.mkdir()
        workloads[preset, dtype] = replace(workload, scratch=str(scratch))
    done, lines = run_child(name, "epochs", workloads)
    assert len(lines) == len(done)
    for key, line in zip(done, lines, strict=True):
        counts = list(map(int, line.split()))
        # DALI's batches are full: the surplus of one epoch is missing from the next.
        assert sum(counts) == 40 and (name == "dali" or counts == [20, 20]), key


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("def", r"SyntaxError: "),
        (
            "x = 3",
            r"x with all members of .*peer\.Peer, got one without title, note, unavailable_reason",
        ),
        (
            "from recordkit.bench.peers.recordkit import RecordkitLoader\nclass x(RecordkitLoader): title = ''",
            "the class itself",
        ),
        ("y = 3", "expected an object x, got none"),
    ],
)
def test_a_file_without_a_peer_is_named(tmp_path, text, error):
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(PlanError, match=error):
        find_peer(f"{tmp_path / 'mine.py'}:x")


def test_a_missing_file_is_named():
    with pytest.raises(FileNotFoundError, match=r"none\.py"):
        find_peer("none.py:x")


@pytest.mark.parametrize("name", ["nobody", "peers:x"])
def test_an_unknown_peer_is_named(name):
    with pytest.raises(PlanError, match="peers: expected image-record-iter, .* or FILE.py:NAME, got"):
        find_peer(name)


def test_the_peer_of_torch_uses_the_decoder_of_the_format_alone(monkeypatch):
    opened = []
    open_image = Image.open

    def watch(file, formats=None):
        opened.append(formats)
        return open_image(file, formats=formats)

    monkeypatch.setattr(Image, "open", watch)
    torch.open_image(save(picture(), "PNG"))
    torch.open_image(codec.encode(noise(2, 3), "raw"))
    for payload in (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n%%EOF\n", b"P3 1 1 255 0 0 0"):
        with pytest.raises(OSError, match="cannot identify"):
            torch.open_image(payload)
    assert opened == [["PNG"], ["PPM"], [], []]


@pytest.mark.parametrize("preset", ["none", "crop", "train"])
def test_a_window_lies_in_the_image(preset):
    workload = Workload("a", (3, 224, 200), preset, None, 64)
    rng = np.random.default_rng(0)
    corners = [[0.0] * 4, [np.nextafter(1, 0)] * 4, *rng.random((200, 4)).tolist()]
    windows = [draw_window(workload, 341, 256, random, check=False) for random in corners]
    assert all(0 <= x <= 341 - width and 0 <= y <= 256 - height for x, y, width, height in windows)
    sizes = {(width, height) for _, _, width, height in windows}
    assert sizes == {(200, 224)} if preset != "train" else len(sizes) > 100
    assert draw_window(workload, 341, 256, corners[1], check=True) == (70, 16, 200, 224)


def test_a_file_is_converted_once(rec, tmp_path):
    workload = replace(resolve_workload(rec, shape=(3, 32, 32)), scratch=str(tmp_path))
    counts = []

    def convert(dataset, path):
        counts.append(len(dataset))
        path.write_bytes(b"converted")

    paths = {convert_once(workload, ".other", convert) for _ in range(2)}
    assert paths == {tmp_path / "photos.other"} and counts == [20]
    assert [path.name for path in tmp_path.iterdir()] == ["photos.other"]
