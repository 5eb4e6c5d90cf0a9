"""The page about clusters: its examples run as they are typed, and the commands say what they do."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

import recordkit as rk

PAGE = Path(rk.__file__).parents[1] / "docs" / "guides" / "cluster.md"


def test_examples_of_reading_and_decoding_run(ray, tiny_folder, tmp_path, capsys):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    (tmp_path / "out").mkdir()
    rk.pack(tiny_folder, tmp_path / "out" / "train", plan=rk.PackPlan(shards=2))
    read, decode, *_ = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert "cluster.read(" in read and "iter_torch_batches(" in decode
    code = (read + decode).replace('"out/', f'"{tmp_path}/out/')  # tasks have the folder in which Ray was started
    exec(code, {})
    assert "torch.Size([12, 3, 224, 224]) torch.Size([12])" in capsys.readouterr().out
    assert ray.data.read_parquet(str(tmp_path / "out" / "parquet")).count() == 12


def test_help_has_whole_summaries_and_the_defaults_of_tasks(ray_installed):
    from recordkit.cli.commands.cluster import command

    summaries = CliRunner().invoke(command, ["--help"], terminal_width=80).output.partition("Commands:")[2]
    assert "in each task." in summaries and "..." not in summaries
    for name in ("pack", "export"):
        text = " ".join(CliRunner().invoke(command, [name, "--help"]).output.split())
        assert "Most memory that the images of each task may take, as 512M or 2G. [default: 2G]" in text
