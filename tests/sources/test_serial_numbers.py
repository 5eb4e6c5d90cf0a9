"""Numbers in file names: labels after keys are taken, serial numbers are refused with advice that works."""

import re

import pytest
from sources.folders import make, rows

from recordkit.errors import SourceError
from recordkit.sources import open_source
from recordkit.sources.file_names.evidence import doubt, find_expression

NO_LABELS = {
    "ImageNet's validation set": [f"ILSVRC2012_val_{n:08d}.JPEG" for n in range(1, 5)],
    "its first image": ["ILSVRC2012_val_00000001.JPEG"],
    "a camera": ["IMG_2301.jpg", "IMG_2302.jpg", "IMG_2310.jpg"],
    "two cameras": ["DSC_0001.JPG", "DSC_0002.JPG", "IMG_0001.jpg", "IMG_0002.jpg"],
    "one photo": ["DSC_0001.JPG"],
    "Flowers102": [f"image_{n:05d}.jpg" for n in range(1, 5)],
    "COCO": ["000000000009.jpg", "000000000025.jpg"],
    "COCO 2014": ["COCO_val2014_000000000042.jpg", "COCO_val2014_000000000073.jpg"],
    "VOC": ["2007_000027.jpg", "2007_000032.jpg", "2008_000002.jpg"],
    "VOC, one image a year": ["2007_000027.jpg", "2008_000002.jpg"],
    "a phone": ["20200101_123456.jpg", "20200101_123500.jpg", "20200102_101010.jpg"],
    "a phone, one photo a day": ["20200101_123456.jpg", "20200102_101010.jpg"],
    "WhatsApp": ["IMG-20200101-WA0001.jpg", "IMG-20200101-WA0002.jpg", "IMG-20200102-WA0001.jpg"],
    "screenshots": ["Screenshot 2020-01-01 at 10.00.00.png", "Screenshot 2020-01-01 at 10.00.05.png"],
    "UUIDs": ["550e8400-e29b-41d4-a716-446655440000.jpg", "550e8400-e29b-41d4-a716-446655440001.jpg"],
    "one image of each class": ["beagle_1.jpg", "boxer_1.jpg", "pug_1.jpg"],
    "one image of each person": ["0001_01.jpg", "0002_01.jpg", "0003_01.jpg"],
    "one image of each person, not padded": ["1_1.jpg", "2_1.jpg", "3_1.jpg"],
    "numbers that count the keys": [f"{n:06d}_{n + 1}.jpg" for n in range(10)],
    "two words": ["a_0.jpg", "b_1.jpg"],
    "ISIC": ["ISIC_0024306.jpg", "ISIC_0024307.jpg"],
    "one image of Market-1501": ["0002_c1s1_000451_03.jpg"],
}
LABELS_ELSEWHERE = {
    "Oxford pets": (["Abyssinian_100.jpg", "Abyssinian_101.jpg", "american_bulldog_7.jpg"], {"Abyssinian": 2}),
    "three dogs": (["beagle_1.jpg", "beagle_2.jpg", "boxer_1.jpg"], {"beagle": 2, "boxer": 1}),
    "Kaggle's cats and dogs": ([f"{pet}.{n}.jpg" for pet in ("cat", "dog") for n in range(3)], {"cat": 3, "dog": 3}),
    "Market-1501": (["0002_c1s1_000451_03.jpg", "0002_c2s1_000551_01.jpg", "0007_c1s1_077419_03.jpg"], {2: 2, 7: 1}),
    "UTKFace": (["26_0_2_20170104023102422.jpg", "26_1_2_20170104023102424.jpg", "30_0_0_2017.jpg"], {26: 2, 30: 1}),
    "CUB-200": (
        ["001.Laysan_Albatross_0001.jpg", "001.Laysan_Albatross_0002.jpg", "002.Auk_0001.jpg"],
        {"002.Auk": 1},
    ),
    "CUB-200, flat": (
        ["Laysan_Albatross_0001_796111.jpg", "Laysan_Albatross_0002_55.jpg", "Fish_Crow_0001_794941.jpg"],
        {"Laysan_Albatross": 2, "Fish_Crow": 1},
    ),
    "ImageNet": (["n02085620_10074.JPEG", "n02085620_10131.JPEG", "n02086240_1.JPEG"], {"n02085620": 2}),
    "LFW": (["Zoe_Ball_0001.jpg", "Zoe_Ball_0002.jpg", "Aaron_Eckhart_0001.jpg"], {"Zoe_Ball": 2}),
    "DukeMTMC": (["0005_c2_f0046985.jpg", "0005_c2_f0047105.jpg", "0006_c1_f0000001.jpg"], {5: 2, 6: 1}),
    "GTSRB": (["00000_00000.ppm", "00000_00001.ppm", "00001_00000.ppm"], {0: 2, 1: 1}),
    "Windows": (["cat (1).jpg", "cat (2).jpg", "dog (1).jpg"], {"cat": 2, "dog": 1}),
    "no separator": (["cat1.jpg", "cat2.jpg", "dog1.jpg"], {"cat": 2, "dog": 1}),
    "the class at the end": (["0001_big_cat.jpg", "0002_big_cat.jpg", "0003_dog.jpg"], {"big_cat": 2, "dog": 1}),
    "Yale": (["subject01_happy.gif", "subject01_sad.gif", "subject02_happy.gif"], {"subject01": 2}),
}
LABELS = {
    "an export": (["000000_5.jpg", "000001_3.jpg", "000002_5.jpg"], [5, 3, 5]),
    "an export of one image": (["000000_5.jpg"], [5]),
    "an export of one class": (["000003_5.jpg", "000009_5.jpg"], [5, 5]),
    "an export of numbers that never repeat": (["000001_37.jpg", "000002_12.jpg", "000005_99.jpg"], [37, 12, 99]),
    "keys without a gap": (["0_7.jpg", "1_3.png"], [7, 3]),
    "keys with gaps": (["3_7.jpg", "5_1.jpg", "9_7.jpg"], [7, 1, 7]),
    "a word before the key": (["img_12_3.png", "img_13_3.png", "img_14_5.png"], [3, 3, 5]),
    "a numbered word": (["frame12_3.png", "frame13_3.png", "frame14_5.png"], [3, 3, 5]),
    "hexadecimal keys": (["0a1b2c3d_0.png", "1a1b2c3d_1.png", "2a1b2c3d_1.png"], [0, 1, 1]),
    "negative labels": (["000000_-2.png", "000001_5.jpg"], [-2, 5]),
    "padded labels": (["00001_03.png", "00002_03.png", "00003_01.png", "00004_01.png"], [3, 3, 1, 1]),
}


@pytest.mark.parametrize("names", NO_LABELS.values(), ids=NO_LABELS)
def test_serial_numbers_are_refused(tmp_path, names):
    with pytest.raises(SourceError) as caught:
        open_source(make(tmp_path, *names))
    assert f"{tmp_path}: " in str(caught.value) and "'recordkit pack LIST.lst PREFIX --root " in caught.value.advice


@pytest.mark.parametrize(("names", "counts"), LABELS_ELSEWHERE.values(), ids=LABELS_ELSEWHERE)
def test_the_advice_finds_the_labels_that_are_elsewhere_in_the_names(tmp_path, names, counts):
    with pytest.raises(SourceError) as caught:
        open_source(make(tmp_path, *names))
    expression = re.match("`label_from` '(.+?)' finds", caught.value.advice)[1]
    source = open_source(tmp_path, label_from=expression)
    labels = [label for _, (label,), _ in rows(source)]
    assert source.bad == []
    for name, n in counts.items():
        assert labels.count(source.classes[name] if source.classes else name) == n


@pytest.mark.parametrize(("names", "labels"), LABELS.values(), ids=LABELS)
def test_labels_after_keys_need_no_option(tmp_path, names, labels):
    source = open_source(make(tmp_path, *names))
    assert [label for _, (label,), _ in rows(source)] == labels and source.notes == []


def test_the_error_says_what_was_found_and_what_to_do(tmp_path):
    with pytest.raises(SourceError) as caught:
        open_source(make(tmp_path, "beagle_1.jpg", "beagle_7.jpg", "pug_1.jpg"))
    assert str(caught.value) == (
        f"{tmp_path}: the numbers after the last '_' look like serial numbers, not labels: 'beagle' is before 2 of "
        r"them, 1 to 7; label_from '^(.+)_\d+\.' finds 2 classes, such as 'beagle'; if the numbers are labels, "
        r"label_from '_(-?\d+)\.[^.]+$' takes them"
    )


def test_numbers_are_taken_if_the_user_says_so(tmp_path):
    source = open_source(make(tmp_path, "IMG_2301.jpg", "IMG_2302.jpg"), label_from=r"_(-?\d+)\.[^.]+$")
    assert [label for _, (label,), _ in rows(source)] == [2301, 2302]


def test_many_labels_that_are_all_different_are_a_note(tmp_path):
    names = [f"{key:06d}_{key * 37 % 101}.jpg" for key in range(10)]
    assert open_source(make(tmp_path, *names)).notes == [
        f"{tmp_path}: the numbers after the last '_' are all different and are taken for labels"
    ]


def test_a_few_names_without_a_number_do_not_decide():
    names = [f"{key:06d}_{key % 3}.jpg" for key in range(9)]
    assert doubt([*names, "cover.jpg"]) is None
    assert doubt([*names, *(f"{letter}.jpg" for letter in "abcdefghij")]).startswith("9 of 19 image names end in '_'")


def test_words_that_every_image_has_in_its_name_are_no_classes():
    assert find_expression(["train_1.png", "train_2.png", "test_1.png"]) is None
    assert find_expression(["train_cat_1.png", "train_cat_2.png", "test_dog_1.png"]).expression == r"^(.+)_\d+\."


def test_the_advice_about_a_split_without_labels_leads_to_the_labels_of_the_other(tmp_path):
    make(tmp_path, *(f"train/{pet}.{n}.jpg" for pet in ("cat", "dog") for n in range(2)), "test/1.jpg", "test/2.jpg")
    with pytest.raises(SourceError, match=r"train: 0 of 4 image names end in '_' and a number.* '\^\(\.\+\)"):
        open_source(tmp_path)
    with pytest.raises(SourceError, match="test: .*; give the folder .*/train alone"):
        open_source(tmp_path, label_from=r"^(.+)\.\d+\.")
    assert open_source(tmp_path / "train", label_from=r"^(.+)\.\d+\.").classes == {"cat": 0, "dog": 1}
