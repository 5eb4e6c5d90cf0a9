"""Following the advices about folders of classes and of splits."""

import shutil
from pathlib import Path

import pytest
from advice.walk import advice, commands
from conftest import gradient
from sources.folders import make

import recordkit as rk
from recordkit.codec import encode

IMAGE = encode(gradient(8, 9), "jpg")
SPLITS = ("train/cat/0.jpg", "train/dog/0.jpg", "test/cat/1.jpg")


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Return a function that writes images into the folder R of a working folder and returns the words that pack it."""
    monkeypatch.chdir(tmp_path)

    def write(*names):
        make(tmp_path / "R", *names, content=IMAGE)
        return "pack", "R", "out", "--encoding", "png"

    return write


def classes(name="out"):
    return rk.RecordDataset(f"{name}.rec").classes


def repack(words, source, *options):
    return words[0], source, *words[2:], *options


def test_one_folder_around_the_classes(root, fails, works):
    words = root("all/cat/0.jpg", "all/dog/0.jpg")
    (folder,) = advice(
        "sources/folder/doubtful_classes.py",
        "give {} alone if these are the classes, or `class_from=first` for one class",
        fails(*words),
    )
    works(*repack(words, folder))
    assert classes() == {"cat": 0, "dog": 1}
    works(*words, "--class-from", "first")
    assert classes() == {"all": 0}


def test_folders_named_after_files(root, fails, works):
    words = root("images/cat/0.jpg", "images/dog/0.jpg", "masks/0.jpg")
    folders, _ = advice(
        "sources/folder/doubtful_classes.py", "give {} alone, or `class_from=first` if {}", fails(*words)
    )
    works(*repack(words, folders.split(" or ")[0]))
    assert classes() == {"cat": 0, "dog": 1}
    works(*words, "--class-from", "first")
    assert classes() == {"images": 0, "masks": 1}


def test_images_beside_the_classes(root, fails, works):
    words = root("cat/0.jpg", "dog/0.jpg", "0.jpg")
    advice(
        "sources/folder/class_folders.py",
        "move these images, or give `class_from=path`, which makes a class of them as im2rec does",
        fails(*words),
    )
    works(*words, "--class-from", "path")
    assert classes() == {".": 0, "cat": 1, "dog": 2}
    Path("R/0.jpg").unlink()
    works(*words)


def test_folders_below_the_classes(root, works):
    words = root("cat/2019/0.jpg", "cat/2020/0.jpg", "dog/0.jpg")
    output = works(*words)
    advice(
        "sources/folder/class_folders.py",
        "{}{} {} to the class of the first folder in the path; "
        "'recordkit pack --class-from last' takes the last one, and --class-from path makes each a class of its own",
        output,
    )
    (command,) = commands(output)
    works(*words, *command[1:])
    assert classes() == {"2019": 0, "2020": 1, "dog": 2}
    works(*words, "--class-from", "path")
    assert classes() == {"cat/2019": 0, "cat/2020": 1, "dog": 2}


def test_label_from_below_folders(root, fails, works):
    words = root("cat/0.jpg", "dog/1.jpg")
    advice(
        "sources/folder/opening.py",
        "a template with folders, such as {class}/{key}, reads them",
        fails(*words, "--label-from", r"(\d)"),
    )
    works(*words, "--label-from", "{class}/{key}")


def test_splits_of_unlike_classes(root, fails, works):
    words = root(*SPLITS, "test/owl/0.jpg")
    advice("sources/folder/opening.py", "give `classes` with the names of all classes", fails(*words))
    Path("names.txt").write_text("cat\ndog\nowl\n")
    works(*words, "--classes", "names.txt")
    assert classes("out_test") == {"cat": 0, "dog": 1, "owl": 2}


def test_splits_with_other_spellings(root, fails, works):
    words = root("train/cat/0.jpg", "train/dog/0.jpg", "test/Cat/1.jpg")
    advised = advice("sources/folder/opening.py", "rename folders that {} spells in another way, {}", fails(*words))
    before, after = advised[1].replace("'", "").split(" to ")
    Path(f"R/test/{before}").rename(f"R/test/{after}")
    works(*words)
    assert classes("out_test") == {"cat": 0, "dog": 1}


def test_a_misspelt_class(root, fails, works):
    words = root("train/cat/0.jpg", "train/dog/0.jpg", "test/kat/1.jpg")
    error = fails(*words)
    advised, _ = advice("sources/folder/opening.py", "rename {} if they are the same class, or {}", error)
    before, after = advised.replace("'", "").split(" to ")
    Path(f"R/test/{before}").rename(f"R/test/{after}")
    works(*words)
    assert classes("out_test") == {"cat": 0, "dog": 1}


def test_a_split_of_images_without_a_class(root, fails, works):
    words = root("train/cat/0.jpg", "train/dog/0.jpg", "test/unknown/1.jpg")
    advice("sources/folder/opening.py", "move the split {} away if '{}' is no class, or {}", fails(*words))
    shutil.rmtree("R/test")
    works(*words)
    assert classes("out_train") == {"cat": 0, "dog": 1}


def test_images_of_other_suffixes_beside_images(root, works):
    words = root("cat/0.jpg", "cat/1.jpg_large", "dog/0.jpg")
    output = works(*words)
    advice("sources/left_out.py", "; there are images among them, which 'recordkit pack --exts {}' takes", output)
    (command,) = commands(output)
    works(*words, *command[1:])
    assert len(rk.RecordDataset("out.rec")) == 3


def test_images_without_a_suffix_beside_images(root, works):
    words = root("cat/0.jpg", "cat/1", "dog/0.jpg")
    advice(
        "sources/left_out.py",
        "; some without a suffix are images: give them one, such as .jpg",
        works(*words),
    )
    Path("R/cat/1").rename("R/cat/1.jpg")
    works(*words)
    assert len(rk.RecordDataset("out.rec")) == 3


def test_a_template_over_splits(root, fails, works):
    words = (*root("train/cat/0.jpg", "train/dog/1.jpg", "test/cat/2.jpg"), "--label-from", "{class}/{key}")
    advice(
        "sources/folder/opening.py",
        "give `splits=True`, which applies `label_from` inside each, or `splits=False`, for the whole tree",
        fails(*words),
    )
    works(*words, "--splits")
    assert classes("out_test") == {"cat": 0, "dog": 1}
    works(*words, "--no-splits")
    assert len(classes()) == 3


def test_a_split_without_labels(root, fails, works):
    words = (*root("train/0_cat.jpg", "train/1_dog.jpg", "test/9.jpg"), "--label-from", r"_(\w+)\.")
    (folder,) = advice(
        "sources/folder/opening.py",
        "give the folder {} alone, or, if a class is missing there, `classes` with the names of all classes",
        fails(*words),
    )
    works(*repack(words, folder))
    assert classes() == {"cat": 0, "dog": 1}
    Path("R/test/9.jpg").rename("R/test/9_owl.jpg")
    advice(
        "sources/folder/opening.py",
        "give the folder {} alone, or, if a class is missing there, `classes` with the names of all classes",
        fails(*words),
    )
    Path("names.txt").write_text("cat\ndog\nowl\n")
    works(*words, "--classes", "names.txt")


def test_class_from_without_folders(root, fails, works):
    words = root("a.jpg", "b.jpg")
    advice(
        "sources/folder/opening.py",
        "leave it out, and `label_from` finds labels in the names",
        fails(*words, "--class-from", "last"),
    )
    works(*words, "--label-from", r"^(\w)")


def test_class_from_beside_label_from(root, fails, works):
    words = root("cat/0.jpg", "dog/1.jpg")
    both = ("--label-from", "{class}/{key}", "--class-from", "first")
    advice("sources/folder/opening.py", "leave one out", fails(*words, *both))
    works(*words, *both[:2])
    works(*words, *both[2:])


def test_flat_folders_called_like_splits(root, fails, works):
    words = root("train/a.jpg", "test/b.jpg")
    advice("sources/folder/opening.py", "{}; if {} is a class and no split, give `splits=False`", fails(*words))
    works(*words, "--no-splits")
    assert classes() == {"test": 0, "train": 1}


def test_a_split_alone(root, fails, works):
    words = root("train/cat/0.jpg", "train/dog/0.jpg", "val/dog/0.jpg")
    (folder,) = advice(
        "sources/folder/siblings.py",
        "give {}, which makes sets of both, or `classes` with the names of all classes",
        fails(*repack(words, "R/val")),
    )
    works(*repack(words, folder))
    assert classes("out_val") == {"cat": 0, "dog": 1}
    works(*repack(words, "R/val"), "--classes", "out_train.json")
    assert rk.RecordDataset("out.rec").labels.tolist() == [1]


def test_a_folder_that_is_no_given_class(root, fails, works):
    words = root("cat/0.jpg", "owl/0.jpg")
    Path("names.txt").write_text("cat\n")
    error = fails(*words, "--classes", "names.txt")
    advice("sources/folder/source.py", "add it to them or remove the folder", error)
    Path("names.txt").write_text("cat\nowl\n")
    works(*words, "--classes", "names.txt")


def test_folders_beside_splits(root, fails, works):
    words = root(*SPLITS, "extra/cat/0.jpg")
    (other,) = advice(
        "sources/folder/splits.py",
        "give `splits=True`, which leaves the others out, or {}, for all as classes",
        fails(*words),
    )
    works(*words, "--splits")
    works(*words, other)
    assert classes() == {"extra": 0, "test": 1, "train": 2}


def test_images_beside_splits(root, fails, works):
    words = root(*SPLITS, "0.jpg")
    advice(
        "sources/folder/splits.py",
        "move these images away, or give `splits=True`, which leaves them out",
        fails(*words),
    )
    works(*words, "--splits")
    Path("R/0.jpg").unlink()
    works(*words)


def test_a_split_without_classes(root, fails, works):
    words = root("train/cat/0.jpg", "train/dog/0.jpg", "test/0.jpg")
    advice("sources/folder/splits.py", "give `splits=True`, which leaves {} out", fails(*words))
    works(*words, "--splits")
    assert classes("out_train") == {"cat": 0, "dog": 1}


def test_splits_below_classes(root, fails, works):
    words = root("cat/train/0.jpg", "cat/test/0.jpg", "dog/train/0.jpg")
    (other,) = advice(
        "sources/folder/splits.py",
        "give `splits=True`, which makes sets of them, or {}, which makes one set of all",
        fails(*words),
    )
    works(*words, "--splits")
    assert classes("out_train") == classes("out_test") == {"cat": 0, "dog": 1}
    works(*words, other)
    assert len(rk.RecordDataset("out.rec")) == 3


def test_splits_in_a_split(root, fails, works):
    words = root("train/train/cat/0.jpg", "train/val/cat/0.jpg", "test/cat/0.jpg")
    (folder,) = advice(
        "sources/folder/splits.py",
        "give the folder {} alone, or `splits=True`, which takes them for classes",
        fails(*words),
    )
    works(*repack(words, folder))
    assert classes("out_train") == {"cat": 0}
    shutil.rmtree("R/test")
    make(Path("R"), "test/val/0.jpg", content=IMAGE)
    works(*words, "--splits")
    assert classes("out_train") == {"train": 0, "val": 1}


def test_splits_that_are_not_there(root, fails, works):
    words = root("cat/0.jpg", "dog/0.jpg")
    advice("sources/folder/splits.py", "leave out `splits=True`", fails(*words, "--splits"))
    works(*words)


def test_one_split_that_is_no_training_set(root, fails, works):
    words = root("around/test/cat/0.jpg", "around/test/dog/0.jpg")
    first, second = advice("sources/folder/splits.py", "{}, or {}, which takes it for a class", fails(*words))
    works(*repack(words, first.split("give the folder ")[1].removesuffix(" alone")))
    assert classes() == {"cat": 0, "dog": 1}
    folder, _, option = second.partition(" with ")
    works(*repack(words, folder, option, "--class-from", "first"))


def test_two_training_sets(root, fails, works):
    words = root("train2014/cat/0.jpg", "train2017/cat/0.jpg", "val2017/cat/0.jpg")
    first, option = advice(
        "sources/folder/splits.py", "move all but one away, {}, or give {}, which takes them for classes", fails(*words)
    )
    works(*repack(words, first.split("give the folder ")[1].split(" or ")[0]))
    assert classes() == {"cat": 0}
    works(*words, option)
    assert classes() == {"train2014": 0, "train2017": 1, "val2017": 2}
    shutil.rmtree("R/train2014")
    works(*words)
    assert classes("out_val") == {"cat": 0}


def test_a_split_beside_the_classes(root, fails, works):
    words = root("cat/0.jpg", "dog/0.jpg", "val/cat/1.jpg")
    (rest,) = advice(
        "sources/folder/splits.py",
        "move the others into a folder called train if they are the classes of the training split, {}",
        fails(*words),
    )
    assert "give --splits," in rest
    make(Path("R"), "train/cat/0.jpg", "train/dog/0.jpg", content=IMAGE)
    shutil.rmtree("R/cat")
    shutil.rmtree("R/dog")
    works(*words)
    assert classes("out_val") == {"cat": 0, "dog": 1}


def test_a_split_without_classes_beside_the_classes(root, fails, works):
    words = root("cat/0.jpg", "dog/0.jpg", "test/1.jpg")
    name, option = advice("sources/folder/splits.py", "move {} away, or give {} if all are classes", fails(*words))
    works(*words, option)
    assert classes() == {"cat": 0, "dog": 1, "test": 2}
    shutil.rmtree(f"R/{name.strip(chr(39))}")
    works(*words)
    assert classes() == {"cat": 0, "dog": 1}


def test_labels_from_paths_of_splits_below_the_classes(root, fails, works):
    words = root("1/train/0.jpg", "1/test/0.jpg", "2/train/0.jpg")
    error = fails(*words, "--splits", "--label-from", r"^(\d+)/")
    advice("sources/folder/opening.py", "leave it out", error)
    works(*words, "--splits")


def test_masks_beside_the_classes(root, fails, works):
    words = root("cat/0.jpg", "dog/0.jpg", "masks/0.jpg")
    _, folder, _ = advice(
        "sources/folder/doubtful_classes.py", "move {} out of {}, or give `class_from=first` if {}", fails(*words)
    )
    works(*words, "--class-from", "first")
    assert classes() == {"cat": 0, "dog": 1, "masks": 2}
    Path(f"{folder}/masks").rename("masks")
    works(*words)
    assert classes() == {"cat": 0, "dog": 1}


def test_masks_in_the_classes(root, fails, works):
    words = root("cat/images/0.jpg", "cat/masks/0.jpg", "dog/images/0.jpg")
    advice(
        "sources/folder/doubtful_classes.py",
        "move {} away, or give `class_from=first`, which packs all images",
        fails(*words),
    )
    works(*words, "--class-from", "first")
    assert len(rk.RecordDataset("out.rec")) == 3
    shutil.rmtree("R/cat/masks")
    works(*words)
    assert len(rk.RecordDataset("out.rec")) == 2


def test_parts_of_a_dataset(root, fails, works):
    words = root("fold1/cat/0.jpg", "fold2/dog/0.jpg")
    (first,) = advice(
        "sources/folder/doubtful_classes.py", "give {}, or `class_from=first` if they are classes", fails(*words)
    )
    works(*words, *first.split(",")[0].split())
    assert classes() == {"cat": 0, "dog": 1}
    works(*words, "--class-from", "first")
    assert classes() == {"fold1": 0, "fold2": 1}
    shutil.rmtree("R")
    root("a_images_1/000000_3.jpg", "a_images_2/000001_4.jpg")
    (first,) = advice(
        "sources/folder/doubtful_classes.py", "give {}, or `class_from=first` if they are classes", fails(*words)
    )
    works(*repack(words, first.removesuffix(" alone")))
    assert rk.RecordDataset("out.rec").labels.tolist() == [3]


def test_a_copy_of_the_classes_in_a_folder(root, fails, works):
    words = root("cat/0.jpg", "dog/0.jpg", "copy/cat/0.jpg", "copy/dog/0.jpg")
    (folder,) = advice(
        "sources/folder/doubtful_classes.py",
        "move {} away if it is a copy or another set, or give `class_from=last` for one class of each name, or "
        "`class_from=first` if it is a class",
        fails(*words),
    )
    works(*words, "--class-from", "last")
    assert classes() == {"cat": 0, "dog": 1} and len(rk.RecordDataset("out.rec")) == 4
    works(*words, "--class-from", "first")
    assert classes() == {"cat": 0, "copy": 1, "dog": 2}
    shutil.rmtree(folder)
    works(*words)
    assert classes() == {"cat": 0, "dog": 1}


def test_the_same_folders_in_each_folder(root, fails, works):
    words = root("cam/cat/0.jpg", "cam/dog/0.jpg", "web/cat/0.jpg", "web/dog/0.jpg")
    last, folder = advice(
        "sources/folder/doubtful_classes.py", "give `class_from=first` for the former, {}, or {} alone", fails(*words)
    )
    works(*words, "--class-from", "first")
    assert classes() == {"cam": 0, "web": 1}
    works(*words, *last.split(" for ")[0].split())
    assert classes() == {"cat": 0, "dog": 1}
    works(*repack(words, folder))
    assert classes() == {"cat": 0, "dog": 1} and len(rk.RecordDataset("out.rec")) == 2


def test_folders_called_like_numbers(root, works):
    words = root("1/0.jpg", "2/0.jpg", "10/0.jpg")
    (expression,) = advice("sources/folder/class_names.py", "--label-from '{}'", works(*words))
    works(*words, "--label-from", expression, "--no-shuffle")
    assert rk.RecordDataset("out.rec").labels.tolist() == [1, 10, 2]


def test_a_command_without_the_options(root, fails, works):
    words = root(*SPLITS, "extra/cat/0.jpg")
    error = fails("export", "R", "new")
    advice("cli/pack_options.py", "the options are those of 'recordkit pack', whose .rec this command takes too", error)
    assert "give --splits," in error
    works(*words, "--splits")
    works("export", "out_train.rec", "new")


def test_lists_of_ubyte_files(root, tiny_mnist, fails, works):
    error = fails("list", tiny_mnist, "x")
    advice("cli/commands/list.py", "they need no list, 'recordkit pack' reads them", error)
    (command,) = commands(error)
    works(*command, tiny_mnist, "x")


def test_lists_of_splits(root, fails, works):
    root(*SPLITS)
    advice("cli/commands/list.py", "leave it out", fails("list", "R", "x", "--train-ratio", 0.5))
    works("list", "R", "x")


def test_a_prefix_with_a_suffix(root, fails, works):
    root("cat/0.jpg", "dog/0.jpg")
    advice("storage/names.py", "leave out its suffix", fails("list", "R", "x.lst"))
    works("list", "R", "x")
