"""InsightFace's verification sets: every way in which they are written, and pickles that are something else."""

import os
import pickle
import struct

import numpy as np
import pytest

from recordkit import codec
from recordkit.errors import FormatError
from recordkit.formats.insightface import data_pickle, verification_pairs
from recordkit.formats.insightface.verification_pairs import is_pickle, open_pairs, pack_pairs, read_pairs
from recordkit.upkeep import verify

JPEG = codec.encode(np.zeros((2, 2, 3), np.uint8), "jpg")
ANSWERS = [True, False, True]
# A file as Python 2 writes it with protocol 2: the images are its strings.
PYTHON_2 = b"\x80\x02](" + 6 * (b"T" + struct.pack("<i", len(JPEG)) + JPEG) + b"e](\x88\x89\x88e\x86."


def images(kind):
    return [kind(JPEG[:-2] + bytes([number]) + JPEG[-1:]) for number in range(6)]


def as_array(content):
    return np.frombuffer(content, np.uint8).reshape(-1, 1).copy()  # as OpenCV's encoder returns it


def write(tmp_path, content):
    path = tmp_path / "lfw.bin"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "data",
    [
        (images(bytes), ANSWERS),
        ([JPEG] * 6, ANSWERS),  # one object, which the memo repeats
        (images(bytearray), [1, 0, 1]),
        [tuple(images(bytes)), tuple(map(np.bool_, ANSWERS))],
        (images(as_array), ANSWERS),
        (images(bytes), np.array(ANSWERS)),
    ],
    ids=["bytes", "same", "bytearray", "tuple", "arrays", "answers"],
)
def test_every_form_is_counted(tmp_path, data, protocol):
    path = write(tmp_path, pickle.dumps(data, protocol=protocol))
    pairs = read_pairs(path)
    assert (pairs.n_images, pairs.n_pairs, pairs.n_same, pairs.formats) == (6, 3, 2, {"jpg": 6})
    pairs = open_pairs(path)
    expected = [bytes(np.ravel(image)) if isinstance(image, np.ndarray) else bytes(image) for image in data[0]]
    assert pairs.read(range(6)) == expected and pairs.read([4, 1]) == [expected[4], expected[1]]
    assert pairs.same == tuple(ANSWERS)


def test_a_file_of_python_2_is_read(tmp_path):
    assert pickle.loads(PYTHON_2, encoding="bytes") == ([JPEG] * 6, ANSWERS)
    path = write(tmp_path, PYTHON_2)
    pairs = read_pairs(path)
    assert (pairs.n_images, pairs.n_pairs, pairs.n_same) == (6, 3, 2)
    assert open_pairs(path).read([0, 5]) == [JPEG, JPEG] and open_pairs(path).same == tuple(ANSWERS)


def test_python_loads_what_is_packed_and_so_does_this_reader(tmp_path):
    contents = [*images(bytes)[:4], b"", bytes(70_000)]
    packed = b"".join(pack_pairs(contents, ANSWERS))
    assert pickle.loads(packed) == pickle.loads(packed, encoding="bytes") == (contents, ANSWERS)
    pairs = open_pairs(write(tmp_path, packed))
    assert (pairs.read(range(6)), pairs.same) == (contents, tuple(ANSWERS))
    assert open_pairs(write(tmp_path, b"".join(pack_pairs([], [])))).images == []


def test_an_image_that_no_reader_accepts_is_not_packed(monkeypatch):
    monkeypatch.setattr(verification_pairs, "MAX_CONTENT_BYTES", 3)
    with pytest.raises(FormatError, match="expected an image of at most 3 bytes, got 4 bytes"):
        list(pack_pairs([b"four", b""], [True]))


@pytest.mark.parametrize(
    "other", [b"", b"\x80\x03](B\xff\xff\xff\x7f", b"N" * 4000, PYTHON_2.replace(b"\xff\xd8", b"00")]
)
def test_images_of_a_file_that_has_changed_are_errors(tmp_path, other):
    path = write(tmp_path, PYTHON_2)
    pairs = open_pairs(path)
    path.write_bytes(other)
    with pytest.raises(FormatError, match=r"lfw\.bin: byte \d+: expected the \d+ bytes that were there, got others"):
        pairs.read([1])


def test_names_of_numpy_2_are_known(tmp_path):
    content = pickle.dumps((images(as_array), ANSWERS), protocol=2)
    for old, new in [(b"numpy.core.", b"numpy._core."), (b"numpy._core.", b"numpy.core.")]:
        assert read_pairs(write(tmp_path, content.replace(old, new))).n_pairs == 3


@pytest.mark.parametrize("protocol", range(6))  # each has another way to write no bytes
def test_images_that_are_none_are_counted_apart(tmp_path, protocol):
    path = write(tmp_path, pickle.dumps(([JPEG, b"", b"text!", bytes(9)], [True, False]), protocol=protocol))
    assert read_pairs(path).formats == {"unknown": 3, "jpg": 1}


class Hostile:
    """An object whose pickle calls a function."""

    def __init__(self, function, *arguments):
        self._call = function, arguments

    def __reduce__(self):
        return self._call


@pytest.mark.parametrize("protocol", range(6))
def test_a_function_is_refused_and_not_called(tmp_path, protocol):
    mark = tmp_path / "called"
    for function, arguments in [(os.mkdir, [str(mark)]), (exec, [f"open({str(mark)!r}, 'w')"]), (eval, ["1"])]:
        path = write(tmp_path, pickle.dumps(([JPEG, Hostile(function, *arguments)], [True]), protocol=protocol))
        with pytest.raises(FormatError, match=rf"lfw\.bin: .*got the name \w+\.{function.__name__}, which nothing"):
            read_pairs(path)
        assert not mark.exists()


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7f" + b"abc", "a damaged one"),  # bytes of 2**63 - 1
        (b"\x80\x02T\xff\xff\xff\x7fabc.", "a damaged one"),
        (b"\x80\x02\x8b\xff\xff\xff\x7f\x01.", "a damaged one"),  # a number of 2**31 - 1 bytes
        (b"\x80\x02]].", "a list of 0"),
        (b"\x80\x02e.", "a damaged one"),
        (b"\x80\x02\x86.", "a tuple without its items"),
        (b"\x80\x02h\x05.", "a damaged one"),
        (b"\x80\x02N2.", "the instruction DUP"),
        (b"\x80\x02cos\nsystem\n", "the name os.system"),
        (b"\x80\x02NQ.", "the instruction BINPERSID"),
        (b"\x80\x02cnumpy\nndarray\n)R.", "an array that numpy.ndarray makes"),
        (b"\x80\x02c_codecs\nencode\nNb.", "a state for something else"),
        (b"\x80\x02NNR.", "a call of something else"),
        (b"\x80\x02Nq\x00N(h\x00e.", "items for something else than a list"),
        (b"\x80\x02" + b"cnumpy.core.multiarray\n_reconstruct\n)R(K\x01NNNNtb.", "an array with NoneType"),
        (pickle.dumps([JPEG]), "a list of 1"),
        (pickle.dumps({"a": 1}), "the instruction EMPTY_DICT"),
        (pickle.dumps(([1, 2], [True])), "a list of 2 in place of images"),
        (pickle.dumps(([np.zeros(9)] * 2, [True])), "a list of 2 in place of images"),
        (pickle.dumps(([JPEG] * 2, [2])), "a list of 1 in place of answers"),
        (pickle.dumps(([JPEG] * 2, np.zeros(1))), "an array in place of answers"),
        (pickle.dumps(([JPEG] * 3, [True])), "3 images"),
        (pickle.dumps(([JPEG] * 2, [True]))[:-9], "a damaged one"),
        (b"\x80\x04", "a damaged one"),
    ],
)
def test_other_pickles_and_damaged_ones_are_errors(tmp_path, content, got):
    with pytest.raises(FormatError) as error:
        read_pairs(write(tmp_path, content))
    assert got in str(error.value.got)


def test_too_many_instructions_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(data_pickle, "MAX_INSTRUCTIONS", 100)
    with pytest.raises(FormatError, match="more than 100 instructions"):
        read_pairs(write(tmp_path, b"\x80\x02(" + b"N" * 200 + b"t."))


@pytest.mark.parametrize("seed", range(5))
def test_damaged_bytes_give_an_error_or_a_set(tmp_path, seed):
    rng = np.random.default_rng(seed)
    content = bytearray(pickle.dumps((images(as_array), np.array(ANSWERS)), protocol=int(rng.integers(6))))
    for _ in range(40):
        damaged = content.copy()
        for position in rng.integers(0, len(content), 3):
            damaged[position] = rng.integers(256)
        try:
            pairs = open_pairs(write(tmp_path, bytes(damaged)))
            pairs.read(range(len(pairs.images)))
        except FormatError as error:
            assert error.path


def test_info_describes_a_set_and_other_commands_name_info(tmp_path, cli):
    path = write(tmp_path, pickle.dumps((images(bytes), ANSWERS)))
    code, out, _ = cli("info", path)
    assert (code, out.splitlines()) == (
        0,
        [f"{path}: InsightFace verification set: 6 images, 3 pairs, 2 same, 0.0 MB", "images     6 jpg"],
    )
    for command in (["head", path], ["verify", path], ["pack", path, tmp_path / "x"], ["bench", path]):
        code, _, error = cli(*command)
        assert (
            code in (1, 2)
            and "got a pickle; if it is a verification set of InsightFace, 'recordkit info' describes it" in error
        )
    with pytest.raises(FormatError, match="got a pickle"):
        verify(path)


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_is_told_from_a_rec_file(tmp_path, protocol):
    assert is_pickle(write(tmp_path, pickle.dumps(([JPEG] * 2, [True]), protocol=protocol)))
    assert not is_pickle(write(tmp_path, b"\x0a\x23\xd7\xce" + bytes(20)))
    assert not is_pickle(tmp_path / "missing.bin")
