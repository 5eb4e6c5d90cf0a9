"""libjpeg-turbo of another version: the core stops using its private structures and decodes the same pixels."""

import json
import re

import numpy as np
import pytest
from images import every_format

from recordkit import native

pytestmark = pytest.mark.usefixtures("require_native")


@pytest.fixture
def assume_version():
    """Return a function that makes the core believe that it runs with a version; undone after the test."""
    yield native.load().assume_jpeg_version
    native.load().assume_jpeg_version(native.jpeg_versions().running)


def decode(payloads):
    """Decode with the native core; None for what it leaves to the reference engine."""
    transcoder = native.load().Transcoder(channels=0, crop=False, filter="none", side=0, encoding="raw", quality=95)
    return transcoder(payloads)


def test_the_running_version_is_read_from_the_library():
    versions = native.jpeg_versions()
    assert re.fullmatch(r"\d+(\.\d+)+", versions.built_with)
    assert versions.running == "" or re.fullmatch(r"\d+(\.\d+)+", versions.running)
    assert versions.fast == (versions.running == versions.built_with)


@pytest.mark.parametrize("running", ["", "0.0.0", "2", "unknown"])
def test_another_version_turns_the_fast_decoder_off_and_keeps_the_pixels(assume_version, running):
    payloads = [payload for name, payload in every_format().items() if name.startswith("jpg")]
    fast = decode(payloads)
    assume_version(running)
    assert not native.jpeg_versions().fast
    assert decode(payloads) == fast and any(fast)


def test_the_headers_version_turns_the_fast_decoder_on(assume_version):
    assume_version("0.0.0")
    assume_version(native.jpeg_versions().built_with)
    assert native.jpeg_versions().fast


def test_damaged_images_are_refused_by_both_decoders(assume_version):
    payload = bytearray(every_format()["jpg"])
    rng = np.random.default_rng(0)
    damaged = []
    for position in rng.integers(len(payload) // 2, len(payload) - 2, 50).tolist():
        copy = bytearray(payload)
        copy[position] ^= 1 << int(rng.integers(8))
        damaged.append(bytes(copy))
    fast = decode(damaged)
    assume_version("0.0.0")
    assert decode(damaged) == fast


def test_doctor_says_when_the_fast_decoder_is_off(cli, monkeypatch):
    versions = native.JpegVersions("2.1.5", "3.1.0", fast=False)
    monkeypatch.setattr(native, "jpeg_versions", lambda: versions)
    code, said, _ = cli("doctor", "--json")
    (line,) = (line for line in json.loads(said) if line["name"] == "native jpeg")
    assert code == 0 and not line["ok"]
    assert line["message"] == "slower: built with libjpeg-turbo 2.1.5, runs with 3.1.0; install recordkit again"
