"""The check of shards on a cluster gives the report of the check on one machine."""

import dataclasses

import pytest
from click.testing import CliRunner

import recordkit
from recordkit import PackPlan, upkeep
from recordkit.cluster import verify
from recordkit.errors import PlanError


@pytest.fixture
def shards(tiny_folder, tmp_path):
    recordkit.pack(tiny_folder, tmp_path / "a", plan=PackPlan(shards=3))
    return tmp_path / "a"


def test_whole_shards_are_whole(ray, shards):
    steps = []
    report = verify(shards, decode=True, progress=steps.append)
    assert report == upkeep.verify(f"{shards}.manifest.json", decode=True) and report.ok
    assert sum(steps) == sum(path.stat().st_size for path in shards.parent.glob("a_*.rec"))


def test_damage_of_several_shards_is_reported_in_their_order(ray, shards):
    for name in ("a_2.rec", "a_0.rec"):
        content = bytearray(shards.with_name(name).read_bytes())
        content[len(content) // 2] ^= 1
        shards.with_name(name).write_bytes(content)
    shards.with_name("a_1.rec").unlink()
    report, expected = verify(shards), upkeep.verify(shards)
    assert not report.ok
    assert dataclasses.asdict(report) == dataclasses.asdict(expected)


def test_a_single_set_is_refused_with_the_command_for_it(tiny_folder, tmp_path, ray_installed):
    recordkit.pack(tiny_folder, tmp_path / "a")
    with pytest.raises(PlanError, match="expected a manifest of shards, got one set; run 'recordkit verify .*a'"):
        verify(tmp_path / "a")


def test_the_command_has_the_lines_and_the_exit_code_of_verify(ray, shards):
    from recordkit.cli.commands.cluster import command

    done = CliRunner().invoke(command, ["verify", str(shards)], standalone_mode=False)
    assert "a.manifest.json: 12 records, ok (manifest, structure" in done.stdout and done.return_value in (0, None)
    shards.with_name("a_1.idx").write_text("0\t8\n")
    assert CliRunner().invoke(command, ["verify", str(shards)], standalone_mode=False).return_value == 1
