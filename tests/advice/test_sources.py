"""Following the advices about folders of images, names of files, lists, and files that are no records."""

import gzip
import io
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from advice.walk import advice, commands, text_of
from images import many_scans, picture, save
from PIL import Image

import recordkit as rk
from recordkit import codec, recordio
from recordkit.formats import lst
from recordkit.formats.files import not_found
from recordkit.sources.records import RecordSource
from recordkit.upkeep.new_index import reindex


@pytest.fixture
def flat(photos):
    """The folder flat/ of images whose names hold the class."""
    Path("flat").mkdir()
    for name in ("cat", "dog"):
        for number in range(2):
            shutil.copy(photos / name / f"{number}.jpg", f"flat/{name}_{number + 1}.jpg")
    return Path("flat")


def test_names_with_a_class_and_a_serial_number(flat, photos, bars, fails, works, train_words):
    error = fails("pack", flat, "out")
    expression, found = advice("sources/file_names/expression.py", "`label_from` '{}' finds {}", error)
    works("pack", flat, "out", "--label-from", expression)
    assert rk.RecordDataset("out").classes == {"cat": 0, "dog": 1} and found
    advice("sources/file_names/expression.py", "; if the numbers are labels, `label_from` '{}' takes them", error)
    works("pack", flat, "numbers", *re.search("(--label-from) '([^']*)' takes them", error).groups())
    assert sorted(rk.RecordDataset("numbers").labels.tolist()) == [1, 1, 2, 2]
    error = fails(*train_words(flat, "--data-shape", "3,16,16"))
    ((command,), *_) = commands(error)
    works(command, flat, "out", *re.search("(--label-from) '(.*?)' finds", error).groups())
    works(*train_words("out.rec", "--data-shape", "3,16,16"))


def test_names_without_labels(photos, fails, works):
    flat = Path("my images")
    flat.mkdir()
    for number in range(12):
        shutil.copy(photos / "cat" / "0.jpg", flat / f"IMG_{2301 + 7 * number}.jpg")
    error = fails("pack", flat, "out")
    (root,) = advice(
        "sources/file_names/expression.py",
        "if the names hold no labels, make a folder for each class, or a list with KEY, LABEL and PATH between tabs in "
        "each row: 'recordkit pack LIST.lst PREFIX --root {}'",
        error,
    )
    assert root.startswith('"my images"')
    (command,) = commands(error)
    Path("LIST.lst").write_text("0\t1\tIMG_2301.jpg\n")
    works(*command)
    (flat / "cat").mkdir()
    for path in flat.glob("*.jpg"):
        path.rename(flat / "cat" / path.name)
    works("pack", flat, "out")


def test_names_without_labels_and_a_list_beside_them(photos, fails, works):
    (photos / "cat/1.jpg").rename(photos / "cat/x.jpg")
    Path("list of labels.csv").write_text("image,label\n0.jpg,pug\nx.jpg,boxer\n")
    error = fails("pack", photos / "cat", "out")
    advice("sources/file_names/lists_beside.py", "the labels may be in {}: {}", error)
    (command,) = commands(error)
    works(*command)
    assert rk.RecordDataset("PREFIX.rec").classes == {"boxer": 0, "pug": 1}


def test_expressions_and_templates(flat, photos, fails, works):
    error = fails("pack", flat, "out", "--label-from", r"_\d+")
    advice("sources/file_names/label_from.py", "a template has {label} or {class} instead", error)
    for number in (1, 2):
        (flat / f"dog_{number}.jpg").rename(flat / f"dog_{number + 2}.jpg")
    works("pack", flat, "out", "--label-from", "{class}_{key}")
    error = fails("pack", flat, "out", "--label-from", r"-(\d+)")
    advice("sources/file_names/expression.py", "give another expression with `label_from`", error)
    error = fails("pack", flat, "out", "--label-from", "{class}-{key}")
    advice(
        "sources/file_names/template.py",
        "give another template with `label_from`, in which {label} is a number and {class} any text",
        error,
    )
    works("pack", flat, "out", "--label-from", "{class}_{key}")
    error = fails("pack", photos, "out", "--label-from", r"(\d)")
    advice("sources/folder/opening.py", "a template with folders, such as {class}/{key}, reads them", error)
    (template,) = re.search("such as (.*), reads", error).groups()
    Path("photos/dog/0.jpg").rename("photos/dog/2.jpg")
    Path("photos/dog/1.jpg").rename("photos/dog/3.jpg")
    works("pack", photos, "out", "--label-from", template)


def test_keys_that_come_twice(flat, photos, fails, works):
    error = fails("pack", flat, "out", "--label-from", "{class}_{key}")
    advice("sources/file_names/template.py", "{}, the keys are the positions of the images", error)
    works("pack", flat, "out", "--label-from", r"^(\w+)_")
    error = fails("pack", photos, "out", "--label-from", "{class}/{key}")
    assert "without a template, the keys" in error
    works("pack", photos, "out")


def test_arguments_of_other_kinds(photos, fails, works):
    Path("some.lst").write_text("0\t1\tcat/0.jpg\n")
    words = ("pack", "some.lst", "out", "--root", photos)
    advice("sources/__init__.py", "leave it out", fails(*words, "--transpose"))
    works(*words)


def test_files_with_other_suffixes(photos, fails, works):
    for path in photos.rglob("*.jpg"):
        path.rename(path.with_suffix(".photo"))
    error = fails("pack", photos, "out")
    (suffixes,) = advice("sources/left_out.py", "`extensions` {} reads those that are images", error)
    assert suffixes == ".photo"
    works("pack", photos, "out", *re.search("(--ext.*) (.*) reads", error).groups())
    for path in photos.rglob("*.photo"):
        path.rename(path.with_suffix(""))
    error = fails("pack", photos, "out")
    advice("sources/left_out.py", "these files are images without a suffix: give them one, such as .jpg", error)
    (suffix,) = re.search(r"such as (\.\w+)", error).groups()
    for path in [path for path in photos.rglob("*") if path.is_file()]:
        path.rename(path.with_suffix(suffix))
    works("pack", photos, "out")


def test_files_that_are_no_images(photos, fails, works):
    for path in photos.rglob("*.jpg"):
        path.with_suffix(".txt").write_text("text")
        path.unlink()
    error = fails("pack", photos, "out")
    advice("sources/left_out.py", "recordkit reads JPEG, PNG, BMP, GIF, TIFF, WebP and binary Netpbm", error)
    for encoding in ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM"):
        (photos / "cat" / f"{encoding}.{encoding.lower()}").write_bytes(save(picture(), encoding))
    works("pack", photos, "out", "--encoding", "png")
    assert len(rk.RecordDataset("out")) == 7


def test_an_archive_in_place_of_images(photos, fails, works):
    shutil.make_archive("photos", "zip", photos)
    shutil.rmtree(photos)
    Path("down").mkdir()
    Path("photos.zip").rename("down/photos.zip")
    (archive,) = advice("sources/left_out.py", "unpack {} first", fails("pack", "down", "out"))
    shutil.unpack_archive(archive, "down")
    works("pack", "down", "out")


def test_a_folder_of_packed_files(photos, fails, works):
    works("pack", photos, "out")
    Path("sets").mkdir()
    Path("out.rec").rename("sets/out.rec")
    error = fails("pack", "sets", "again")
    (rec,) = advice("sources/left_out.py", "a .rec is packed already: give {} to train, verify or RecordDataset", error)
    works("verify", rec)


def test_files_that_programs_made(photos, im2rec, works):
    shutil.copytree(photos / "cat", photos / "cat" / ".ipynb_checkpoints")
    _, _, error = im2rec("pets", photos, "--list", "--recursive")
    advice(
        "sources/left_out.py",
        "{}: other programs made {}; they count as images, as in im2rec, and 'recordkit list' leaves them out",
        error,
    )
    (command,) = commands(error)
    works(*command, photos, "pets", "--overwrite")
    assert ".ipynb" not in Path("pets.lst").read_text()


def test_rows_with_several_labels(photos, im2rec):
    Path("two.lst").write_text("0\t1\tcat/0.jpg\n")
    Path("blanks.lst").write_text("0 1 2 cat/0.jpg\n")
    Path("commas.lst").write_text("0,1,cat/0.jpg\n")
    _, _, error = im2rec("blanks.lst", photos, "out.rec", "label_width=1")
    (setting,) = advice("sources/missing_images.py", "give `label_width={}`", error)
    assert im2rec("blanks.lst", photos, "out.rec", f"label_width={setting}")[0] == 0
    Path("many.lst").write_text("0 1 cat/0.jpg\n1 1 dog/0.jpg\n")
    _, _, error = im2rec("many.lst", photos, "out.rec", "label_width=2")
    (setting,) = advice("formats/lst.py", "give `label_width={}`", error)
    assert im2rec("many.lst", photos, "out.rec", f"label_width={setting}")[0] == 0
    rk.pack(rk.open_source("two.lst", root=photos), "out")
    options = {"path_imgrec": "out.rec", "data_shape": (3, 16, 16), "batch_size": 1, "path_imglist": "commas.lst"}
    error = text_of(lambda: rk.ImageRecordIter(**options))
    advice("formats/lst.py", "put tabs between the fields", error)
    Path("commas.lst").write_text(Path("commas.lst").read_text().replace(",", "\t"))
    assert len(list(rk.ImageRecordIter(**options))) == 1


def test_labels_in_a_path(photos, fails, works):
    Path("tabs.lst").write_text("0\t1\t2 cat/0.jpg\n1\t1\t2 dog/0.jpg\n")
    words = ("pack", "tabs.lst", "out", "--root", photos)
    advice("sources/missing_images.py", "put tabs between the labels", fails(*words))
    Path("tabs.lst").write_text(Path("tabs.lst").read_text().replace(" ", "\t"))
    works(*words)


def test_a_wrong_root(photos, fails, works):
    Path("some.lst").write_text("0\t0\tcat/0.jpg\n1\t1\tdog/0.jpg\n")
    (folder,) = advice(
        "sources/missing_images.py", "they are in {}: give it as `root`", fails("pack", "some.lst", "out")
    )
    works("pack", "some.lst", "out", "--root", folder)
    Path("far/away").mkdir(parents=True)
    photos.rename("far/away/photos")
    (folder,) = advice(
        "sources/missing_images.py", "there is no folder {}", fails("pack", "some.lst", "out", "--root", "x/y")
    )
    assert not Path(folder).exists()
    error = fails("pack", "some.lst", "out")
    advice("sources/missing_images.py", "give as `root` the folder that the paths start from", error)
    works("pack", "some.lst", "out", re.search("--root", error)[0], "far/away/photos")
    Path("abs.lst").write_text("0\t0\t/gone/cat/0.jpg\n")
    error = fails("pack", "abs.lst", "out")
    advice(
        "sources/missing_images.py",
        "the paths are absolute, so `root` changes nothing; correct them in the list",
        error,
    )
    Path("abs.lst").write_text(f"0\t0\t{Path('far/away/photos/cat/0.jpg').absolute()}\n")
    works("pack", "abs.lst", "out")


def test_a_name_that_a_list_cannot_hold(photos, works, cli):
    (photos / "cat" / "0.jpg").rename(photos / "cat" / "0\t1.jpg")
    _, _, error = cli("list", photos, "pets")
    assert "tabs" in error
    (photos / "cat" / "0\t1.jpg").rename(photos / "cat" / "0.jpg")
    works("list", photos, "pets", "--overwrite")


def test_a_file_that_is_not_text(photos, fails, works, monkeypatch):
    monkeypatch.setattr("recordkit.formats.lines.MAX_LINE_BYTES", 256)
    Path("big.lst").write_bytes(b"x" * 512)
    advice("formats/lines.py", "is it {}?", fails("pack", "big.lst", "out"))
    Path("big.lst").write_text("0\t0\tcat/0.jpg\n")
    works("pack", "big.lst", "out", "--root", photos)


def test_keys_that_are_all_alike(photos, im2rec, works):
    Path("alike.lst").write_text("0\t0\tcat/0.jpg\n0\t1\tdog/0.jpg\n")
    _, _, error = im2rec("alike", photos)
    advice("sources/listing.py", "'{} --root {} --columns {}'", error)
    (command,) = commands(error)
    works(*["out" if word == "PREFIX" else word for word in command])
    assert rk.RecordDataset("out").labels.tolist() == [0, 1] and rk.RecordDataset("out").keys.tolist() == [0, 1]


def test_rows_that_a_list_cannot_hold():
    for name, text in (("a\tb.jpg", "rename the file"), (" ", "rename the file")):
        error = text_of(lambda name=name: lst.line(lst.Row(0, (1.0,), name)))
        advice("formats/lst.py", "rename the file, a .lst row cannot hold it", error)
        assert text in error
    assert lst.line(lst.Row(0, (1.0,), "a b.jpg"))


def test_an_index_of_a_file_that_changes(photos, works, monkeypatch):
    rk.pack("photos", "out")
    Path("out.idx").unlink()
    states = iter(range(9))
    with monkeypatch.context() as patch:
        patch.setattr(sys.modules[reindex.__module__], "file_state", lambda _path: next(states))
        advice("upkeep/new_index.py", "run this again", text_of(lambda: reindex("out.rec")))
    works("reindex", "out.rec")


def test_a_list_without_its_record_file(photos, works):
    Path("some.lst").write_text("0\t3\tphotos/cat/0.jpg\n")
    (command,) = commands(text_of(lambda: rk.RecordDataset("some")))
    advice("formats/files.py", "run 'recordkit pack {} {}'", text_of(lambda: rk.RecordDataset("some.rec")))
    works(*command)
    assert len(rk.RecordDataset("some")) == 1


def test_a_file_of_another_machine(photos, works):
    rk.pack("photos", "out")
    advice(
        "formats/files.py",
        "URLs begin with s3://, gs://, az://, abfss:// or https://; copy it to one of these or here",
        text_of(lambda: rk.RecordDataset("hdfs://bucket/out.rec")),
    )

    def predict():
        raise not_found("s3://bucket/net.params", "a checkpoint")

    advice("formats/files.py", "only files of this machine are read; copy it first", predict)
    assert len(rk.RecordDataset("out.rec")) == 4


def test_keys_that_come_twice_in_records(photos):
    rk.pack("photos", "out")
    rk.pack("photos", "two")
    both = rk.RecordDataset(["out", "two"])
    advice("sources/records.py", "take the files one by one", text_of(lambda: RecordSource(both)))
    assert [len(RecordSource(rk.RecordDataset(path))) for path in ("out", "two")] == [4, 4]


def test_a_tiff_of_floats():
    values = np.full((4, 4), 200, np.float32)
    error = text_of(lambda: codec.decode(save(Image.fromarray(values), "TIFF")))
    advice("codec.py", "convert the image to 8 bits", error)
    assert (codec.decode(save(Image.fromarray(values.astype(np.uint8)), "TIFF")) == 200).all()


def test_a_jpeg_of_too_many_scans():
    error = text_of(lambda: codec.decode(many_scans(200)))
    advice("formats/images/image_parts.py", "write the image anew with another program", error)
    with Image.open(io.BytesIO(many_scans(200))) as image:
        assert codec.decode(save(image, "JPEG")).shape == (8, 8, 3)


def test_an_image_of_a_format_that_is_not_decoded():
    plain = b"P3\n1 1\n255\n10 20 30\n"
    error = text_of(lambda: codec.decode(plain))
    advice("codec.py", "convert the image to one of these formats", error)
    with Image.open(io.BytesIO(plain)) as image:
        for name in re.search("expected (.*), got", error)[1].split(" or ")[0].split(", "):
            assert codec.decode(save(image, name)).shape == (1, 1, 3)


def test_an_image_of_pillow():
    header, img = recordio.IRHeader(0, 1.0, 7, 0), picture()
    error = text_of(lambda: recordio.pack_img(header, img, img_fmt=".png"))
    advice("recordio/images.py", "give np.asarray(img.convert('RGB'))[:, :, ::-1]", error)
    array = eval(re.search("give (.*)", error)[1], {"np": np, "img": img})
    recordio.pack_img(header, array, img_fmt=".png")


def test_files_that_hold_a_record_file_in_another_form(photos, fails, works):
    rk.pack("photos", "out")
    Path("packed.rec").write_bytes(gzip.compress(Path("out.rec").read_bytes()))
    advice("formats/signatures.py", "decompress it with 'gzip -dc FILE > NEW.rec'", fails("info", "packed.rec"))
    Path("packed.rec").write_bytes(gzip.decompress(Path("packed.rec").read_bytes()))
    Path("page.rec").write_text("<html>The file is somewhere else</html>")
    advice("formats/signatures.py", "was it downloaded completely?", fails("info", "page.rec"))
    Path("pointer.rec").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n")
    advice("formats/signatures.py", "get the file itself with 'git lfs pull'", fails("info", "pointer.rec"))
    for name in ("page.rec", "pointer.rec"):
        shutil.copy("out.rec", name)
    for name in ("packed.rec", "page.rec", "pointer.rec"):
        works("info", name)


def test_a_list_with_headings(photos, fails, works):
    works("pack", "photos", "out")
    works("list", "photos", "new")
    rows = Path("new.lst").read_text()
    Path("new.lst").write_text("key,label,path\n" + rows.replace("\t", ","))
    error = fails("relabel", "out.rec", "again", "--list", "new.lst")
    advice("formats/lst.py", "remove the line of headings, and put tabs between the fields", error)
    Path("new.lst").write_text(rows)
    works("relabel", "out.rec", "again", "--list", "new.lst", "--classes", "out.json")


def test_arrays_of_other_libraries(tmp_path):
    out = tmp_path / "out"
    images = np.ones((2, 3, 9, 7), np.uint8)
    error = text_of(lambda: rk.pack((images, [0, 1]), out))
    advice("sources/arrays/source.py", "channels come last: images.transpose(0, 2, 3, 1)", error)
    rk.pack((images.transpose(0, 2, 3, 1), [0, 1]), out)
    images = np.full((2, 9, 7), 0.999)
    error = text_of(lambda: rk.pack((images, [0, 1]), out))
    advice(
        "sources/arrays/source.py", "pixels from 0 to 1 become levels by (images * 255).round().astype('uint8')", error
    )
    rk.pack(((images * 255).round().astype("uint8"), [0, 1]), out)
    assert rk.RecordDataset(out)[0].image.max() == 255
