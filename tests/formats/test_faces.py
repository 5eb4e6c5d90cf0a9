"""InsightFace's header and identity records."""

import pytest

from recordkit.formats.insightface.faces import is_metadata, ranges
from recordkit.formats.irheader import IRHeader


@pytest.mark.parametrize(
    ("labels", "payload", "metadata"),
    [((3.0, 5.0), b"", True), ((3.0,), b"", True), ((3.0, 5.0), b"jpeg", False), (3.0, b"", False), (3.0, b"j", False)],
)
def test_a_record_with_a_vector_of_labels_and_no_image_is_metadata(labels, payload, metadata):
    assert is_metadata(IRHeader(labels, 0), payload) is metadata


@pytest.mark.parametrize("labels", [(3.0, 5.0), (1.0, 1.0), (1.0, float(2**63))])
def test_a_header_gives_the_end_of_the_images_and_of_the_identities(labels):
    assert ranges(IRHeader(labels, 0), b"") == tuple(map(int, labels))


@pytest.mark.parametrize(
    "labels",
    [3.0, (3.0,), (3.0, 5.0, 7.0), (0.0, 5.0), (5.0, 3.0), (1.5, 5.0), (1.0, 5.5), (1.0, 2.0**64), (1.0, float("nan"))],
)
def test_other_labels_are_no_header(labels):
    assert ranges(IRHeader(labels, 0), b"") is None


def test_a_record_with_an_image_is_no_header():
    assert ranges(IRHeader((3.0, 5.0), 0), b"jpeg") is None
