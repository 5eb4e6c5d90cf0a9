"""A process that may give other bytes than the driver is refused, with what differs."""

import pytest

from recordkit import native
from recordkit.cluster.fingerprint import check_fingerprint, describe_differences, take_fingerprint
from recordkit.errors import ClusterError


def test_the_same_process_is_accepted(engine):
    fingerprint = take_fingerprint(engine)
    assert fingerprint["engine"] == engine and ("core" in fingerprint) == (engine == "native")
    check_fingerprint(fingerprint)


@pytest.mark.parametrize("part", ["recordkit", "code", "pillow", "pillow libjpeg_turbo", "pillow zlib"])
def test_each_other_part_is_refused_by_its_name(part):
    with pytest.raises(ClusterError, match=rf"the machine .*: {part} is .*, not other; install the same recordkit"):
        check_fingerprint(take_fingerprint("python") | {part: "other"})


def test_another_build_of_the_core_is_refused(require_native):
    with pytest.raises(ClusterError, match="core is .*, not 00, core libjpeg-turbo is .*, not 9"):
        check_fingerprint(take_fingerprint("native") | {"core": "00", "core libjpeg-turbo": "9"})


def test_a_machine_without_the_core_says_why(require_native, monkeypatch):
    fingerprint = take_fingerprint("native")
    take_fingerprint.cache_clear()
    monkeypatch.setattr(native, "_import_core", lambda: native.MissingError("native engine: not built"))
    with pytest.raises(ClusterError, match=r"its engine is none \(native engine: not built\), not native"):
        check_fingerprint(fingerprint)


def test_a_part_that_only_the_driver_knows_is_a_difference():
    assert describe_differences({"engine": "python", "avif": "1"}, {"engine": "python"}) == "avif is None, not 1"
