"""Templates of file names: what they write they read, and no name leads out of its folder."""

import os
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import keys, labels

from recordkit.errors import PlanError, SourceError
from recordkit.formats.name_template import NameFields, NameTemplate

TEMPLATES = [
    "{key:06d}_{label}.png", "{key}_{label}", "{label}/{key}", "{class}/{key:06d}", "{class}/{class}_{key}.jpg",
    "{class}_{key}", "{key}-{class}", "set (1)/{class}/{{{key}}}.{label}.x", "{label}_{class}+{key:02}",
    "{key:021d}_{label}",
]  # fmt: skip
class_names = st.one_of(st.sampled_from([".", "a/b", "a_1", "..", "a/../b", "/a", "a\nb", "é", "a.b"]), st.text())


@pytest.mark.parametrize("text", TEMPLATES)
@given(key=keys, label=labels, class_name=class_names)
def test_a_name_is_read_back_or_refused(text, key, label, class_name):
    template = NameTemplate(text)
    try:
        name = template.format(key=key, label=label, class_name=class_name)
    except SourceError:
        assume("class" in template.fields)
        return
    path = os.path.normpath(os.path.join("/folder", name))
    assert path == f"/folder/{name}" and "\0" not in name
    fields = template.parse(name if template.suffix else f"{name}.jpg")
    assert fields is not None
    expected = NameFields(key, label, class_name)
    assert fields == NameFields(*(expected[i] if f in template.fields else None for i, f in enumerate(FIELDS)))


FIELDS = ("key", "label", "class")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("{key:06d}_{label}.png", "000012_-5.png"),
        ("{key}_{label:03d}", "12_-05"),
        ("{class}/{key}", "bird/owl/12"),
        ("{{{class}}}/{key:2d}", None),
        ("{{{class}}}_{key}", None),
        ("{key:04}", "0012"),
    ],
)
def test_names(text, name):
    if name is None:
        with pytest.raises((PlanError, SourceError)):
            NameTemplate(text).format(key=12, label=-5.0, class_name="bird/owl")
    else:
        assert NameTemplate(text).format(key=12, label=-5.0, class_name="bird/owl") == name


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("digits", "expected a template with {key}, {label} or {class}, got 'digits'"),
        ("{key", "expected a template such as {key:06d}_{label}.png, got '{key' ("),
        ("{name}_{key}", "expected the fields {key}, {label} and {class}, got {name}"),
        ("{}_{key}", "expected the fields {key}, {label} and {class}, got {}"),
        ("{key.real}", "expected the fields {key}, {label} and {class}, got {key.real}"),
        ("{key!r}", "with a width such as :06d, {class} without, got {key!r}"),
        ("{key:>6}", "with a width such as :06d, {class} without, got {key:>6}"),
        ("{class:06d}", "with a width such as :06d, {class} without, got {class:06d}"),
        ("{key}{label}", "expected some text between two fields, so that names can be read back, got {label}"),
        ("{key}/{key:06d}", "expected {key} with one width, got another in {key:06d}"),
        ("../{key}", "expected a path below the folder, without '..', empty parts and control characters, got '../"),
        ("/{key}", "expected a path below the folder"),
        ("a//{key}", "expected a path below the folder"),
        ("{key}/", "expected a path below the folder"),
        ("./{key}", "expected a path below the folder"),
        ("{key}\0", "expected a path below the folder"),
        ("{key}\n", "expected a path below the folder"),
    ],
)
def test_a_text_that_is_no_template_is_refused(text, problem):
    with pytest.raises(PlanError, match=re.escape(problem)):
        NameTemplate(text)


@pytest.mark.parametrize(
    "name", ["..", "a/..", "../a", "/etc", "a//b", "", "a\0", "a\n", "\x85", "\ud800", "a/", "./a"]
)
def test_a_class_whose_name_leads_out_of_the_folder_or_is_no_file_name_is_refused(name):
    with pytest.raises(SourceError, match=r"expected a class name that can be part of .*; use {label} instead of {cl"):
        NameTemplate("{class}/{key}").format(key=1, label=2, class_name=name)


def test_a_class_with_folders_needs_a_folder_in_the_template():
    with pytest.raises(SourceError, match="expected a class name without '/', got 'a/b'; use a folder per class"):
        NameTemplate("{class}_{key}").format(key=1, label=2, class_name="a/b")


def test_the_class_of_the_folder_itself_has_no_folder():
    template = NameTemplate("{class}/{key}")
    assert template.format(key=7, label=0, class_name=".") == "7"
    assert template.parse("7.jpg") == NameFields(7, None, ".")
    with pytest.raises(SourceError, match="expected a class name that can be part"):
        NameTemplate("set/{class}/{key}").format(key=7, label=0, class_name=".")


def test_a_label_with_a_width_is_whole():
    with pytest.raises(SourceError, match=re.escape("expected whole labels for {label:03d}, got 0.5; use {label}")):
        NameTemplate("{key}_{label:03d}").format(key=1, label=0.5)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("{key:06d}_{label}.png", "00012_5.png"),  # five digits
        ("{key:06d}_{label}.png", "000012_5.jpg"),
        ("{key}_{label}", "12_5"),  # no suffix
        ("{key}_{label}", "12_cat.jpg"),
        ("{key}_{label}", "12_nan.jpg"),
        ("{key}_{label}", "12_-1e999.jpg"),
        ("{key}_{label}", "-12_5.jpg"),
        ("{key}_{label}", "18446744073709551616_5.jpg"),  # 2**64
        ("{key}_{label}", "\u0663_5.jpg"),  # a digit of another script
        ("{label:02d}_{key}", "5_12.jpg"),  # one digit
        ("{label:02d}_{key}", "05.5_12.jpg"),
        ("{class}_{key}", "a/b_5.jpg"),
        ("{class}/{class}_{key}", "a/b_5.jpg"),
    ],
)
def test_a_name_that_does_not_fit(text, name):
    assert NameTemplate(text).parse(name) is None


@pytest.mark.parametrize(
    ("text", "suffix"),
    [("{key}.png", ".png"), ("{key}.tar.GZ", ".GZ"), ("{label}.{key}", ""), ("{key}.7", ""), ("{key}/x", "")],
)
def test_the_suffix(text, suffix):
    assert NameTemplate(text).suffix == suffix


@pytest.mark.parametrize("text", [r"_(\d+)\.jpg$", r"^(\d{6})_", r"([a-z]{2,3})", "{name}", ""])
def test_a_regular_expression_is_not_taken_for_a_template(text):
    assert not NameTemplate.recognise(text)
