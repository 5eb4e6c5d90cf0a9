"""The native im2rec's command line: compared with files that MXNet's tool wrote, and each of its settings."""

import os
import struct

import numpy as np
import pytest
from images import noise, picture, pixels, save

from recordkit import codec
from recordkit.cli.im2rec import native
from recordkit.formats import idx
from recordkit.formats.frame import RecordReader
from recordkit.formats.irheader import unpack
from recordkit.transforms import CenterCrop, Resize

UNCHANGED = {
    "unchanged.rec": ("single", []),
    "multi-packed-unchanged.rec": ("multi", ["label_width=3", "pack_label=1"]),
    "multi-unpacked-unchanged.rec": ("multi", ["label_width=3", "pack_label=0"]),
    "part1of3-unchanged.rec.part001": ("single", ["nsplit=3", "part=1"]),
}
# Settings with which all labels are packed. The native tool packs one label for the second and fails for the others.
ALL_LABELS = [["label_width=3", "pack_label=1"], ["label_width=3"], ["pack_label=1"], []]
# Settings, and the largest and mean difference from the golden pixels that are accepted. A resize is at most 1 level
# off. JPEG of quality 95 then rounds DCT coefficients in steps of up to 12 (2 to 6 where they are not nearly 0), and
# one level may tip some of them: measured 8 and 1.21.
RESIZED = {
    "resize64-center-png.rec": (["resize=64", "center_crop=1", "encoding=.png", "quality=3"], 1, 0.5),
    "resize64-gray.rec": (["resize=64", "color=0"], 10, 1.5),
}


@pytest.fixture
def golden(real_data):
    folder = real_data.parent / "golden" / "im2rec-native"
    if not folder.is_dir() and not os.environ.get("RECORDKIT_REQUIRE_DATA"):
        pytest.skip("the golden files of the native im2rec are not beside the real data")
    return folder


@pytest.fixture
def root(tmp_path):
    """Twelve images: key n is n.png, n + 8 pixels wide and 10 high."""
    folder = tmp_path / "images"
    folder.mkdir()
    for key in range(12):
        (folder / f"{key}.png").write_bytes(save(picture(noise(10, key + 8, seed=key)), "PNG"))
    (tmp_path / "one.lst").write_text("".join(f"{key} {key % 3} {key}.png\n" for key in range(12)))
    (tmp_path / "two.lst").write_text("".join(f"{key}\t{key % 3}\t0.5\t{key}.png\n" for key in range(12)))
    return folder


def records(path):
    with RecordReader(path) as reader:
        return [(header, bytes(payload)) for header, payload in map(unpack, reader)]


def images(path):
    return [codec.decode(payload, channels="keep") for _, payload in records(path)]


def source(root, key):
    return codec.decode((root / f"{key}.png").read_bytes())


@pytest.mark.parametrize("name", UNCHANGED)
@pytest.mark.parametrize("slash", ["/", ""])
def test_copied_files_make_the_golden_record_file(im2rec, golden, real_data, tmp_path, name, slash):
    listed, settings = UNCHANGED[name]
    output = name.partition(".rec")[0] + ".rec"
    folder = f"{real_data / 'imagenet-200'}{slash}"
    code, _, err = im2rec(golden / f"{listed}.lst", folder, tmp_path / output, "unchanged=1", *settings)
    assert code == 0, err
    assert (tmp_path / name).read_bytes() == (golden / name).read_bytes()


@pytest.mark.parametrize("settings", ALL_LABELS)
def test_all_labels_of_a_row_make_the_golden_record_file(im2rec, golden, real_data, tmp_path, engine, settings):
    settings = ["unchanged=1", f"engine={engine}", *settings]
    code, _, err = im2rec(golden / "multi.lst", real_data / "imagenet-200", tmp_path / "a.rec", *settings)
    assert code == 0, err
    assert (tmp_path / "a.rec").read_bytes() == (golden / "multi-packed-unchanged.rec").read_bytes()


@pytest.mark.parametrize("name", RESIZED)
def test_resized_records_have_the_golden_headers_and_nearly_the_golden_pixels(
    im2rec, golden, real_data, tmp_path, name
):
    settings, most, mean = RESIZED[name]
    code, _, err = im2rec(golden / "single.lst", real_data / "imagenet-200", tmp_path / name, *settings)
    assert code == 0, err
    ours, theirs = records(tmp_path / name), records(golden / name)
    assert [header for header, _ in ours] == [header for header, _ in theirs] != []
    for (_, payload), (_, expected) in zip(ours, theirs, strict=True):
        assert codec.sniff(payload) == codec.sniff(expected)
        a, b = (codec.decode(each, channels="keep").astype(int) for each in (payload, expected))
        assert a.shape == b.shape
        assert np.abs(a - b).max() <= most and np.abs(a - b).mean() <= mean


def test_all_parts_concatenated_are_the_whole(im2rec, root, tmp_path):
    listed = tmp_path / "one.lst"
    assert im2rec(listed, root, tmp_path / "whole.rec", "unchanged=1")[0] == 0
    for part in range(5):
        assert im2rec(listed, root, tmp_path / "cut.rec", "unchanged=1", "nsplit=5", f"part={part}")[0] == 0
    parts = [tmp_path / f"cut.rec.part{part:03d}" for part in range(5)]
    assert b"".join(part.read_bytes() for part in parts) == (tmp_path / "whole.rec").read_bytes()
    assert all(part.stat().st_size for part in parts)


def test_each_part_has_an_index_of_its_own(im2rec, root, tmp_path):
    for part in range(2):
        assert im2rec(tmp_path / "one.lst", root, tmp_path / "cut.rec", "nsplit=2", f"part={part}")[0] == 0
    first, second = (list(idx.read(tmp_path / f"cut.rec.part{part:03d}.idx").keys) for part in range(2))
    assert first and second and first + second == list(range(12))


def test_an_index_is_written_and_the_list_is_unchanged(im2rec, root, tmp_path):
    before = (tmp_path / "one.lst").read_bytes()
    assert im2rec(tmp_path / "one.lst", root, tmp_path / "one.rec")[0] == 0
    assert (tmp_path / "one.lst").read_bytes() == before
    index = idx.read(tmp_path / "one.idx")
    with RecordReader(tmp_path / "one.rec") as reader:
        for key, offset in zip(index.keys, index.offsets, strict=True):
            assert unpack(reader.read(int(offset))[0])[0].id == key


def test_checksums_are_written_only_if_asked_for(im2rec, root, tmp_path):
    for settings, is_written in ([], False), (["checksums=1"], True), (["checksums=0"], False):
        assert im2rec(tmp_path / "one.lst", root, tmp_path / "out.rec", *settings)[0] == 0
        assert (tmp_path / "out.crc").exists() == is_written


@pytest.mark.parametrize("name", ["out.rec", "out", "out.bin"])
def test_the_output_has_the_name_it_was_given(im2rec, root, tmp_path, name):
    code, out, err = im2rec(tmp_path / "one.lst", root, tmp_path / name)
    assert code == 0 and (tmp_path / name).exists()
    assert f"Write to output: {tmp_path / name}" in err and "Total: 12 images processed" in out


def test_by_default_images_become_colour_jpegs_of_quality_95(im2rec, root, tmp_path):
    im2rec(tmp_path / "one.lst", root, tmp_path / "out.rec")
    for key, (header, payload) in enumerate(records(tmp_path / "out.rec")):
        assert (header.id, header.label) == (key, key % 3)
        assert payload == codec.encode(source(root, key), "jpg", quality=95)


@pytest.mark.parametrize(("color", "channels"), [("1", 3), ("0", 1), ("-1", "keep")])
def test_color_is_opencvs_flag(im2rec, root, tmp_path, color, channels):
    (root / "0.png").write_bytes(save(picture(pixels(10, 8, 4)), "PNG"))
    im2rec(tmp_path / "one.lst", root, tmp_path / "out.rec", f"color={color}", "encoding=.png")
    expected = codec.decode((root / "0.png").read_bytes(), channels=channels)
    assert np.array_equal(images(tmp_path / "out.rec")[0], expected)


@pytest.mark.parametrize(
    ("number", "name"),
    [(0, "nearest"), (1, "bilinear"), (2, "cubic"), (3, "area"), (4, "lanczos4"), (9, "auto"), (10, "random")],
)
@pytest.mark.parametrize("size", [5, 16])
def test_inter_method_names_the_filter(im2rec, root, tmp_path, number, name, size, engine):
    settings = [f"resize={size}", f"inter_method={number}", "encoding=.png", f"engine={engine}"]
    assert im2rec(tmp_path / "one.lst", root, tmp_path / "out.rec", *settings)[0] == 0
    for key, image in enumerate(images(tmp_path / "out.rec")):
        assert_close(image, Resize(size, name)(source(root, key), key=key), engine)


@pytest.mark.parametrize("value", ["0", "-1"])
def test_resize_is_off_at_0_and_below(im2rec, root, tmp_path, value):
    im2rec(tmp_path / "one.lst", root, tmp_path / "out.rec", f"resize={value}", "inter_method=3", "encoding=.png")
    assert all(np.array_equal(image, source(root, key)) for key, image in enumerate(images(tmp_path / "out.rec")))


@pytest.mark.parametrize("settings", [[], ["resize=5"]])
def test_center_crop_works_with_and_without_resize(im2rec, root, tmp_path, settings, engine):
    settings = ["center_crop=1", "encoding=.png", f"engine={engine}", *settings]
    im2rec(tmp_path / "one.lst", root, tmp_path / "out.rec", *settings)
    for key, image in enumerate(images(tmp_path / "out.rec")):
        expected = CenterCrop()(source(root, key))
        assert_close(image, Resize(5, "bilinear")(expected) if len(settings) > 3 else expected, engine)


def assert_close(image, expected, engine):
    """The reference engine gives the expected pixels; the native one may be 1 level off where it resizes."""
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).max() <= (engine == "native")


@pytest.mark.parametrize(("settings", "encoding", "quality"), [
    (["quality=40"], "jpg", 40),
    (["encoding=.png", "quality=9"], "png", 9),
    (["encoding=.png", "quality=10"], "png", 3),
    (["encoding=.png"], "png", 3),
])  # fmt: skip
def test_quality_applies_to_jpeg_or_png(im2rec, root, tmp_path, settings, encoding, quality):
    im2rec(tmp_path / "one.lst", root, tmp_path / "out.rec", "engine=python", *settings)
    for key, (_, payload) in enumerate(records(tmp_path / "out.rec")):
        assert payload == codec.encode(source(root, key), encoding, quality=quality)


@pytest.mark.parametrize("settings", [[setting.replace("3", "2") for setting in row] for row in ALL_LABELS])
def test_all_labels_are_packed_and_the_first_is_in_the_header_too(im2rec, root, tmp_path, engine, settings):
    code, _, err = im2rec(tmp_path / "two.lst", root, tmp_path / "out.rec", *settings, f"engine={engine}")
    assert code == 0
    with RecordReader(tmp_path / "out.rec") as reader:
        for key, record in enumerate(reader):
            assert struct.unpack_from("<IfQQff", record) == (2, key % 3, key, 0, key % 3, 0.5)
    note = f"im2rec: {tmp_path}/two.lst: rows have 2 labels, and all are packed; pack_label=0 packs only the first\n"
    is_asked = "pack_label=1" in settings
    assert err.count("\n") == (1 if is_asked else 2) and (note in err) != is_asked


@pytest.mark.parametrize("settings", [["label_width=2"], []])
def test_pack_label_0_keeps_the_first_label_and_says_what_it_drops(im2rec, root, tmp_path, engine, settings):
    settings = [*settings, "pack_label=0", f"engine={engine}"]
    code, _, err = im2rec(tmp_path / "two.lst", root, tmp_path / "out.rec", *settings)
    assert (
        code == 0 and f"warning: {tmp_path}/two.lst: rows have 2 labels, and pack_label=0 packs only the first" in err
    )
    assert [header.label for header, _ in records(tmp_path / "out.rec")] == [key % 3 for key in range(12)]


def test_rows_of_unequal_numbers_of_labels_are_packed_with_a_warning(im2rec, root, tmp_path, engine):
    (tmp_path / "odd.lst").write_text("0\t1\t0.png\n1\t2\t0.5\t3\t1.png\n2 4 2.png\n")
    code, _, err = im2rec(tmp_path / "odd.lst", root, tmp_path / "out.rec", "unchanged=1", f"engine={engine}")
    assert code == 0 and "odd.lst: rows have 1 to 3 labels, and all are packed" in err
    assert "warning: records have 1 to 3 labels: batches and MXNet's ImageRecordIter need the same number" in err
    assert [header.label for header, _ in records(tmp_path / "out.rec")] == [1, (2, 0.5, 3), 4]


def test_a_list_of_one_label_is_packed_without_a_word_about_labels(im2rec, root, tmp_path):
    outputs = set()
    for number, settings in enumerate(([], ["label_width=1"], ["pack_label=0"], ["label_width=1", "pack_label=0"])):
        code, _, err = im2rec(tmp_path / "one.lst", root, tmp_path / f"{number}.rec", "unchanged=1", *settings)
        assert code == 0 and "rows have" not in err
        outputs.add((tmp_path / f"{number}.rec").read_bytes())
    assert len(outputs) == 1


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("pack_label=1", "pack_label: expected rows with several labels, got 1 label; leave it out"),
        ("encoding=.bmp", "encoding: expected .jpg or .png, got '.bmp'"),
        ("encoding=jpg", "encoding: expected .jpg or .png, got 'jpg'"),
        ("part=1", "part: expected 0 to 0, got 1"),
        ("nsplit=0", "nsplit: expected at least 1, got 0"),
        ("label_width=99999999999999999999999", "label_width: expected 1 to 8388608, got 99999999999999999999999"),
        ("label_width=0", "label_width: expected 1 to 8388608, got 0"),
        ("inter_method=5", "inter_method: expected one of 0, 1, 2, 3, 4, 9, 10, got 5"),
        ("color=2", "color: expected 1, 0 or -1, got '2'"),
        ("quality=101", "quality: expected a JPEG quality of 1 to 100, got 101"),
        ("resize=big", "resize: expected a whole number, got 'big'"),
        ("engine=fast", "engine: expected one of auto, native, python, got 'fast'"),
    ],
)
def test_a_wrong_setting_is_an_error_of_exit_code_2(im2rec, root, tmp_path, setting, message):
    code, _, err = im2rec(tmp_path / "one.lst", root, tmp_path / "out.rec", setting)
    assert code == 2 and err.splitlines()[-1] == f"im2rec: {message}"
    assert not (tmp_path / "out.rec").exists()


@pytest.mark.parametrize(
    ("setting", "advice"),
    [
        ("label_widht=3", "; did you mean label_width=3?"),
        ("label-width=3", "; did you mean label_width=3?"),
        ("colour=1", "; did you mean color=1?"),
        ("RESIZE=3", "; did you mean resize=3?"),
        ("-label_width=3", "; did you mean label_width=3?"),
        ("--num-thread=2", "; did you mean num_thread=2?"),
        ("unchanged", "; did you mean unchanged=VALUE, without blanks?"),
        ("unchanged=", "; did you mean unchanged=VALUE, without blanks?"),
        ("--silent", ""),
        ("=", ""),
        ("xyz=1", ""),
    ],
)
def test_a_word_that_is_no_setting_is_ignored_with_a_warning_that_names_a_similar_one(
    im2rec, root, tmp_path, setting, advice
):
    code, _, err = im2rec(tmp_path / "one.lst", root, tmp_path / "out.rec", setting)
    assert code == 0 and f"warning: '{setting}' is not a setting of im2rec and is ignored{advice}\n" in err


def test_blanks_around_a_value_are_no_part_of_it_as_in_the_native_tool(im2rec, root, tmp_path):
    code, _, err = im2rec(tmp_path / "one.lst", root, tmp_path / "out.rec", "encoding= .png ")
    assert code == 0 and "warning" not in err
    assert all(codec.sniff(payload) == "png" for _, payload in records(tmp_path / "out.rec"))


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (["resize=64"], "resize=64"),
        (["-resize=64"], "resize=64"),
        (["--resize", "64"], "resize=VALUE, without blanks"),
        (["here"], "settings as key=value"),
    ],
)
def test_settings_before_the_list_are_an_error_that_says_where_they_belong(im2rec, root, tmp_path, words, advice):
    code, _, err = im2rec(*words, tmp_path / "one.lst", root, tmp_path / "out.rec")
    assert code == 2 and err.startswith(f"im2rec: expected LIST ROOT OUT.rec before all settings, got {words[0]}; ")
    assert err.endswith(f"; write {advice} after OUT.rec\n")


def test_a_setting_in_the_place_of_the_output_is_an_error(im2rec, root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = im2rec("one.lst", root, "resize=64")
    assert code == 2 and err.startswith("im2rec: expected OUT.rec as the third word, got resize=64; write LIST ROOT")
    assert not (tmp_path / "resize=64").exists()


def test_the_help_has_a_line_for_each_setting(im2rec):
    code, out, _ = im2rec("--help")
    shown = out.partition("Settings of LIST ROOT OUT.rec key=value ...:\n")[2].splitlines()
    assert code == 0 and [line.split("=")[0].strip() for line in shown] == list(native._SETTINGS)


def test_the_number_of_threads_does_not_change_the_records(im2rec, root, tmp_path):
    for n in (1, 3):
        im2rec(tmp_path / "one.lst", root, tmp_path / f"{n}.rec", "resize=7", f"num_thread={n}")
    assert (tmp_path / "1.rec").read_bytes() == (tmp_path / "3.rec").read_bytes()


def test_a_missing_image_and_a_bad_row_are_left_out_and_named(im2rec, root, tmp_path):
    (root / "3.png").unlink()
    with (tmp_path / "one.lst").open("a") as file:
        file.write("# no row\n")
    code, _, err = im2rec(tmp_path / "one.lst", root, tmp_path / "out.rec", "unchanged=1")
    assert code == 1
    assert (
        "im2rec: 3.png: No such file or directory; left out" in err
        and f"im2rec: {tmp_path}/one.lst: line 13: expected" in err
    )
    assert [header.id for header, _ in records(tmp_path / "out.rec")] == [0, 1, 2, *range(4, 12)]
    assert len((tmp_path / "out.failed.tsv").read_text().splitlines()) == 2


def test_paths_may_have_blanks_and_rows_any_white_space(im2rec, root, tmp_path):
    (root / "0.png").rename(root / "a  b.png")
    (tmp_path / "odd.lst").write_text("7 \t 2   a  b.png \r\n\r\n8\t1\t1.png\r\n")
    assert im2rec(tmp_path / "odd.lst", root, tmp_path / "out.rec", "unchanged=1")[0] == 0
    assert [(header.id, header.label) for header, _ in records(tmp_path / "out.rec")] == [(7, 2), (8, 1)]


def test_a_wrong_label_width_is_an_error(im2rec, root, tmp_path):
    code, _, err = im2rec(tmp_path / "one.lst", root, tmp_path / "out.rec", "label_width=2", "unchanged=1")
    assert code == 1
    assert (
        "one.lst: line 1: expected KEY, 2 labels and PATH, separated by blanks, got 1 label: '0 0 0.png'; give" in err
    )
    assert err.endswith("; give label_width=1\n")
    code, _, err = im2rec(tmp_path / "two.lst", root, tmp_path / "out.rec", "label_width=1", "unchanged=1")
    assert code == 1
    assert err.endswith("two.lst: rows have 2 labels, and '0.5\\t0.png' was taken for a path; give label_width=2\n")
    assert im2rec(tmp_path / "two.lst", root, tmp_path / "out.rec", "label_width=2", "unchanged=1")[0] == 0


def test_a_wrong_root_is_named_in_the_words_of_the_command_line(im2rec, root, tmp_path):
    code, _, err = im2rec(tmp_path / "one.lst", tmp_path / "out", tmp_path / "out.rec")
    where = f"none of the first 12 images exists in {tmp_path}/out, for example '0.png'"
    assert code == 1 and err.endswith(f"{where}; they are in {root}: give it as ROOT\n")
    (root / "sub").mkdir()
    code, _, err = im2rec(tmp_path / "one.lst", root / "sub", tmp_path / "out.rec")
    assert code == 1 and err.endswith(f"; they are in {root}: give it as ROOT\n")


def test_if_most_images_are_missing_a_warning_asks_for_the_root(im2rec, cli, root, tmp_path):
    for key in range(1, 6):
        (root / f"{key}.png").unlink()
    question = "images do not exist; is"
    assert question not in im2rec(tmp_path / "two.lst", root, tmp_path / "out.rec", "pack_label=1")[2]
    (root / "0.png").unlink()
    (root / "6.png").unlink()
    _, _, err = im2rec(tmp_path / "two.lst", root, tmp_path / "out.rec", "pack_label=1")
    assert err.splitlines()[-1] == f"im2rec: warning: 7 of 12 {question} ROOT right?"
    _, _, err = cli("pack", tmp_path / "two.lst", tmp_path / "packed", "--root", root)
    assert f"recordkit: warning: 7 of 12 {question} --root right?\n" in err


def test_a_list_that_is_missing_is_one_line(im2rec, root, tmp_path):
    code, _, err = im2rec(tmp_path / "none.lst", root, tmp_path / "out.rec")
    assert code == 1 and err == (
        f"im2rec: {tmp_path / 'none.lst'}: expected a .lst file, got nothing of that name; did you mean "
        f"{tmp_path / 'one.lst'}?\n"
    )


def test_verify_info_and_head_accept_the_name_of_a_part(im2rec, cli, root, tmp_path):
    assert im2rec(tmp_path / "one.lst", root, tmp_path / "o.rec", "unchanged=1", "nsplit=2", "part=0")[0] == 0
    for command in ("verify", "info", "head"):
        assert cli(command, tmp_path / "o.rec.part000")[0] == 0


def test_a_foreign_list_beside_the_set_causes_a_warning_and_is_not_a_problem(im2rec, cli, root, tmp_path):
    (tmp_path / "o.lst").write_text("99\t1\tmine.png\n")
    code, _, err = im2rec(tmp_path / "one.lst", root, tmp_path / "o.rec", "unchanged=1")
    assert code == 0 and f"{tmp_path}/o.lst is not the list of this set" in err
    assert (tmp_path / "o.lst").exists()
    code, _, err = cli("verify", tmp_path / "o.rec")
    assert code == 0 and "o.lst: not the list of this set" in err


def test_an_empty_list_leaves_the_existing_set(im2rec, root, tmp_path):
    assert im2rec(tmp_path / "one.lst", root, tmp_path / "o.rec", "unchanged=1")[0] == 0
    before = (tmp_path / "o.rec").read_bytes()
    (tmp_path / "one.lst").write_text("")
    code, _, err = im2rec(tmp_path / "one.lst", root, tmp_path / "o.rec", "unchanged=1")
    assert code == 1 and "expected images, got 0 of 0 packed; nothing was written" in err
    assert (tmp_path / "o.rec").read_bytes() == before


def test_the_output_may_be_named_like_the_folder_of_the_images(tiny_folder, tmp_path, im2rec, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos.lst").write_text("0\t1\tcat/0.jpg\n")
    assert im2rec("photos.lst", "photos/", "photos.rec", "color=0")[0] == 0
    assert (tmp_path / "photos.idx").read_text() == "0\t0\n"
