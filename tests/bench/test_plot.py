"""The picture: its texts, its number of bars and curves, and its files."""

import json
from pathlib import Path

import pytest
from bench.reports import report
from PIL import Image

from recordkit.bench import plot
from recordkit.bench.peers.registry import PEERS
from recordkit.bench.report import read_report
from recordkit.errors import MissingError, PlanError

RESULTS = Path(__file__).parents[2] / "benchmarks/results"


@pytest.fixture
def matplotlib():
    return pytest.importorskip("matplotlib", reason="matplotlib is not installed: nothing to draw with")


@pytest.mark.usefixtures("matplotlib")
def test_every_case_has_a_bar_with_rate_ratio_and_whiskers():
    (axes,) = plot.draw_report(report()).axes
    bars = list(axes.patches)
    assert len(bars) == 3 and [round(bar.get_width()) for bar in bars] == [6000, 1700, 600]
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "recordkit native, 2 threads", "MXNet ImageRecordIter, 2 threads", "MXNet ImageIter, .rec, 2 threads",
    ]  # fmt: skip
    assert axes.get_xlabel() == "images per second (times as fast as the reference)"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["recordkit", "reference", "others"]
    assert [text.get_text() for text in axes.texts] == ["6,000", "(x9.98)", "1,700", "(x2.83)", "600"]
    assert {text.get_color() for text in axes.texts} == {"black"}
    assert len(axes.containers) == 2  # bars and their whiskers


@pytest.mark.usefixtures("matplotlib")
def test_several_numbers_of_threads_give_curves():
    _, curves = plot.draw_report(report(threads=(1, 2, 4))).axes
    assert (curves.get_xlabel(), curves.get_ylabel()) == ("threads", "images per second")
    lines = [container.lines[0] for container in curves.containers]
    assert [list(line.get_xdata()) for line in lines] == [[1, 2, 4], [2], [2]]
    assert [text.get_text() for text in curves.get_legend().get_texts()][0] == "recordkit native"


@pytest.mark.usefixtures("matplotlib")
def test_the_curves_have_whiskers_from_the_lowest_to_the_highest_round():
    _, curves = plot.draw_report(report(threads=(1, 2, 4))).axes
    _, _, (whiskers,) = curves.containers[0].lines
    ends = [[round(y) for _, y in segment] for segment in whiskers.get_segments()]
    assert ends == [[2970, 3030], [5940, 6060], [11880, 12120]]


@pytest.mark.usefixtures("matplotlib")
def test_an_uncertain_ratio_is_gray_and_an_unknown_one_is_left_out():
    (axes,) = plot.draw_report(report(n_rounds=2)).axes
    colours = {text.get_text(): text.get_color() for text in axes.texts}
    assert colours["(x9.95)"] == plot._UNCERTAIN and colours["5,970"] == "black"
    assert axes.get_legend().get_texts()[-1].get_text() == "gray ratio: not known to within 5%"
    (axes,) = plot.draw_report(report(n_rounds=1)).axes
    assert [text.get_text() for text in axes.texts] == ["5,940", "1,683", "600"]
    assert len(axes.get_legend().get_texts()) == 3


@pytest.mark.usefixtures("matplotlib")
def test_noise_is_a_title_above_the_bars():
    assert plot.draw_report(report()).axes[0].get_title("left") == ""
    title = plot.draw_report(report(noise=0.2)).axes[0].get_title("left")
    assert title == "NOISY: other processes had 20% of the processors"


@pytest.mark.usefixtures("matplotlib")
@pytest.mark.parametrize(("suffix", "magic"), [(".png", b"\x89PNG"), (".svg", b"<?xml")])
def test_the_suffix_chooses_the_format(tmp_path, suffix, magic):
    path = tmp_path / f"bars{suffix}"
    plot.save_plot(report(), path)
    assert path.read_bytes().startswith(magic)


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(PlanError, match=r"plot_path: expected a name that ends in \.png or \.svg, got a\.jpg"):
        plot.check_plot_path(tmp_path / "a.jpg")


def test_a_missing_matplotlib_is_an_error_with_the_command_that_installs_it(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(MissingError, match=r"matplotlib is not installed; pip install 'recordkit\[plot\]'"):
        plot.check_plot_path(tmp_path / "a.png")


@pytest.mark.usefixtures("matplotlib")
@pytest.mark.parametrize("name", ["photos256", "mnist"])
def test_the_pictures_of_the_project_have_every_peer(name):
    measured = read_report(RESULTS / f"{name}.json")
    (axes,) = plot.draw_report(measured).axes
    titles = {case.title for case in measured.cases if case.measured}
    optional = ("ffcv", "turboloader", "spdl", "litdata")  # those that read no gray images or give no float32 too
    assert titles >= {peer.title for name, peer in PEERS.items() if name not in optional}
    assert {label.get_text().removesuffix(", 2 threads") for label in axes.get_yticklabels()} == titles
    assert len(axes.patches) == len(titles) and axes.get_legend() is not None
    assert axes.get_xlabel() == "images per second (times as fast as the reference)"


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.png")), ids=lambda path: path.name)
def test_the_pictures_of_the_project_are_of_the_figures_beside_them(path):
    document = json.loads(path.with_suffix(".json").read_text())
    facts = document.get("about", document)
    with Image.open(path) as picture:
        assert picture.text["Description"] == f"{facts['command']}; {facts['date']}"


@pytest.mark.usefixtures("matplotlib")
def test_a_name_with_dollars_is_text_and_no_formula(tmp_path):
    named = report()
    named.file["name"] = r"$\frac{$.rec"
    plot.save_plot(named, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
