"""README and every page of docs/ are true: code runs, commands print what is stated, links lead somewhere.

A page is written so that its blocks run here:

- The blocks of a page run in their order, in a working folder of the page's own, as a reader would run them. Python
  blocks share their variables. The folder has ``photos/`` (``cat/``, ``dog/`` and ``owl/``, each with ``0.jpg`` to
  ``3.jpg``) and ``mnist/`` (20 training and 6 test digits in MNIST's four files), and nothing else. README begins with
  an empty folder, and a page that fetches ``mnist/`` without that.
- ``console`` blocks hold commands, each after "$ ", and below a command its output, if it is stated. fetch gets 160
  made digits from a server of this machine. train and bench get options that make them short (`SHORT`). Commands that
  need MXNet or a library for pictures (`NEEDS`) are only parsed without it.
- ``python`` blocks run as scripts. A ``text`` block directly below one is its output. ``pycon`` blocks are sessions of
  the interpreter, with results.
- In an output, ``...`` stands for any text, also for lines. The number of spaces is not compared. Numbers are compared,
  except seconds and rates (0.1 s, 197 img/s), and except in README, whose numbers come from the full MNIST.
- A comment directly above a block says how it runs::

      <!-- needs mxnet -->          only where this module is installed; or several modules, with spaces between
      <!-- exit code 1 -->          the last command ends with this exit code instead of 0
      <!-- not run: the reason -->  not at all, but Python must be valid, and commands of recordkit are parsed

- ``sh`` blocks (pip, apt-get, bin/test), ``text``, ``make`` and directives do not run. A program bin/NAME must exist.
- Links are relative paths with ``.md``, so that they work on a code host and in the built pages.
"""

import contextlib
import dataclasses
import doctest
import gzip
import hashlib
import importlib.util
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import tarfile
from pathlib import Path

import click
import numpy as np
import pytest
from blocks import read_blocks

from recordkit import PackPlan, pack
from recordkit.bench.report import read_report
from recordkit.cli.im2rec.native import SETTINGS_HELP
from recordkit.formats import ubyte
from recordkit.interop.fetch import DATASETS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", *sorted(set(ROOT.glob("docs/**/*.md")) - set(ROOT.glob("docs/_build/**")))]
BLOCKS = {page: read_blocks(page) for page in PAGES}
# Modules, and the program dot, without which a command is only parsed.
NEEDS = {
    "train": ("mxnet", "matplotlib"),
    "eval": ("mxnet", "matplotlib"),
    "predict": ("mxnet",),
    "plot-log": ("mxnet", "matplotlib"),
    "plot-net": ("mxnet", "graphviz", "dot"),
}
# The last option of a name counts. Accuracies of trainings on few images mean nothing, and pictures take seconds.
SHORT = {
    "train": ["--min-accuracy=0", "--no-pictures"],
    "bench": ["--peers=native,python", "--records=12", "--rounds=2", "--epochs=1", "--seconds=0"],
}
LANGUAGES = re.compile(r"console|python|pycon|sh|text|make|\{[\w-]+\}")
MEASURED = re.compile(r"\d[\d,.]*(?= (?:s|ms|img/s|MB/s|images/s)\b)")


def name(page):
    needs = {module for block in BLOCKS[page] for module in block.marks.get("needs", "").split()}
    return ", ".join([str(page.relative_to(ROOT)), *sorted(needs)])  # so that pytest -k torch finds the page


def same(stated, actual, *, numbers):
    """Return whether an output is as stated: `...` is any text, and measured numbers differ."""
    texts = []
    for text in (stated, actual):
        text = (MEASURED if numbers else re.compile(r"\d[\d,.]*")).sub("0", text)
        texts.append(" ".join(text.split()))
    pattern = ".*".join(map(re.escape, texts[0].split("...")))
    return re.fullmatch(pattern, texts[1], re.DOTALL) is not None


@pytest.fixture
def folder(tiny_mnist, tiny_folder, tmp_path, monkeypatch):
    """The working folder of a page, with mnist/ and photos/."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def mirror(web, monkeypatch):
    """A server of this machine, the only mirror of MNIST and Fashion-MNIST, with few digits that are easy to tell."""
    rng = np.random.default_rng(0)
    published = {}
    for split, n in (("train", 100), ("t10k", 60)):
        labels = (np.arange(n, dtype=np.uint8) + 7) % 10  # the first one is 7, as in MNIST's test images
        images = rng.integers(0, 60, (n, 28, 28), np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[2 * label : 2 * label + 8, 8:20] = 255
        for name, array in (("images-idx3", images), ("labels-idx1", labels)):
            published[f"{split}-{name}-ubyte.gz"] = ubyte.pack(array)
    web.files = {name: gzip.compress(content) for name, content in published.items()}
    for name in ("mnist", "fashion-mnist"):
        files = tuple(
            dataclasses.replace(file, sha256=hashlib.sha256(published[file.name]).hexdigest())
            for file in DATASETS[name].files
        )
        monkeypatch.setitem(DATASETS, name, dataclasses.replace(DATASETS[name], mirrors=(web.url,), files=files))
    return web


class Runner:
    """Runs the blocks of a page."""

    def __init__(self, page, programs):
        self.page, self.programs = page, programs
        self.variables = {"__name__": "__main__"}

    def run(self, block):
        if "not run" in block.marks:
            assert block.marks["not run"], "give the reason"
            if block.language == "python":
                compile(block.text, str(self.page), "exec")
            if block.language == "console":
                for words in (shlex.split(command) for _, command, _ in block.commands):
                    if words[0] == "recordkit":
                        self.parse(*words[1:])
        elif all(self.is_installed(module) for module in block.marks.get("needs", "").split()):
            getattr(self, f"run_{block.language}", lambda block: None)(block)

    def is_installed(self, module):
        if module == "dot":
            return shutil.which("dot") is not None
        is_installed = importlib.util.find_spec(module) is not None
        assert is_installed or not os.environ.get(f"RECORDKIT_REQUIRE_{module.upper()}"), f"{module} is not installed"
        return is_installed

    def run_python(self, block):
        code = compile("\n" * (block.line - 1) + block.text, str(self.page), "exec")
        with contextlib.redirect_stdout(io.StringIO()) as output:
            exec(code, self.variables)
        if block.output is not None:
            self.compare(block.output, output.getvalue(), f"the python block in line {block.line}")
        return output.getvalue()

    def run_pycon(self, block):
        session = doctest.DocTestParser().get_doctest(
            block.text, self.variables, "session", str(self.page), block.line - 1
        )
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
        with contextlib.redirect_stdout(io.StringIO()) as output:
            runner.run(session, clear_globs=False, out=output.write)
        assert not runner.failures, output.getvalue()
        self.variables.update(session.globs)

    def run_console(self, block):
        commands = block.commands
        for number, (line, command, stated) in enumerate(commands, 1):
            wanted = int(block.marks.get("exit code", 0)) if number == len(commands) else 0
            result = self.run_command(command)
            if result is None:
                continue
            code, output = result
            assert code == wanted, f"{self.page.name}:{line}: {command}: exit code {code}\n{output}"
            if stated:
                self.compare(stated, output, f"line {line}: {command}")

    def run_command(self, command):
        """Return exit code and output; None if the command is only parsed."""
        program, *arguments = shlex.split(command)
        if re.search(r"[|<>;&*$]", command) or program not in self.programs:
            return self.run_shell(command)
        if program == "recordkit":
            if not all(map(self.is_installed, NEEDS.get(arguments[0], ()))):
                return self.parse(*arguments)
            arguments = self.shorten(arguments)
        code, output, error = self.programs[program](*arguments)
        return code, output + error

    def shorten(self, arguments):
        """Return the words of a command with the options that make it short, and at most 2 epochs."""
        arguments = arguments + [word for word in SHORT.get(arguments[0], ()) if "--compare" not in arguments]
        if "--num-epochs" in arguments:
            number = arguments.index("--num-epochs") + 1
            arguments[number] = str(min(2, int(arguments[number])))
        if "--val" not in arguments:
            arguments = [word for word in arguments if word != "--min-accuracy=0"]
        return arguments

    def run_shell(self, command):
        environment = {**os.environ, "PATH": f"{ROOT / 'bin'}:{os.environ['PATH']}"}
        result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environment, timeout=300)
        return result.returncode, result.stdout + result.stderr

    def parse(self, name, *arguments):
        from recordkit.cli.main import recordkit

        if name.startswith("--"):  # an option of recordkit itself, with its value
            return self.parse(*arguments[1:])
        parent = click.Context(recordkit)
        command = recordkit.get_command(parent, name)
        with contextlib.suppress(click.exceptions.Exit):  # --help
            command.make_context(name, list(arguments), parent=parent)
        return None

    def compare(self, stated, actual, what):
        assert same(stated, actual, numbers=self.page.name != "README.md"), (
            f"{self.page.name}: {what} prints\n{actual}\nbut the page says\n{stated}"
        )


@pytest.mark.parametrize("page", PAGES, ids=name)
@pytest.mark.usefixtures("mirror")
def test_every_block_runs_and_prints_what_is_stated(page, folder, cli, im2rec):
    if page.name == "README.md":
        shutil.rmtree(folder / "photos")
    if page.name == "README.md" or "recordkit fetch mnist mnist/" in page.read_text():
        shutil.rmtree(folder / "mnist")
    runner = Runner(page, {"recordkit": cli, "im2rec": im2rec})
    for block in BLOCKS[page]:
        runner.run(block)


TRAININGS = {  # the trainings of PyTorch that a reader pastes, and what is there before
    page: next(block for block in BLOCKS[ROOT / page] if "optimizer" in block.text)
    for page in ("README.md", "docs/guides/training.md")
}


@pytest.mark.parametrize("block", TRAININGS.values(), ids=TRAININGS)
def test_a_training_has_at_most_25_lines(block):
    assert len(block.text.splitlines()) <= 25


def train_with_torch(page, epochs):
    """Run the training of a page for some epochs, and return the accuracies that it prints."""
    runner, block = Runner(ROOT / page, {}), TRAININGS[page]
    if not runner.is_installed("torch"):
        pytest.skip("PyTorch is not installed")
    import torch

    torch.manual_seed(0)
    text = re.sub(r"range\(1, \d+\)", f"range(1, {1 + epochs})", block.text)
    output = runner.run_python(dataclasses.replace(block, text=text))
    lines = re.findall(r"^epoch (\d+): accuracy ([\d.]+)%$", output, re.MULTILINE)
    assert [int(epoch) for epoch, _ in lines] == list(range(1, 1 + epochs)), output
    return [float(accuracy) for _, accuracy in lines]


@pytest.mark.slow
def test_the_training_of_the_readme_learns_mnist_with_torch(real_data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pack(real_data / "mnist", "out/mnist")
    assert train_with_torch("README.md", epochs=1)[0] > 97


@pytest.mark.slow
def test_the_training_of_a_folder_tells_photographs_apart_with_torch(real_data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    classes = ("airplane", "frog", "truck")
    with tarfile.open(real_data / "cifar10-tree" / "test.tar") as archive:
        chosen = [each for each in archive if each.name.split("/")[1] in classes and each.name[-8:-4] < "0300"]
        archive.extractall("tree", chosen, filter="data")
    pack("tree/cifar10", "out/photos", plan=PackPlan(resize=72, val_ratio=0.25))
    assert train_with_torch("docs/guides/training.md", epochs=3)[-1] > 45  # a guess is right in 33%


def test_the_pictures_that_start_makes_are_those_of_the_other_pages(tiny_folder, tmp_path, monkeypatch):
    (tmp_path / "reader").mkdir()
    monkeypatch.chdir(tmp_path / "reader")
    page = ROOT / "docs" / "start.md"
    Runner(page, {}).run(next(block for block in BLOCKS[page] if block.language == "python"))
    made, expected = (
        {path.relative_to(folder): path.read_bytes() for path in folder.glob("*/*")}
        for folder in (Path("photos"), tiny_folder)
    )
    assert made == expected


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_block_has_a_known_language(page):
    others = [(block.line, block.language) for block in BLOCKS[page] if not LANGUAGES.fullmatch(block.language)]
    assert others == [], "a block of another language would not run"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_mark_belongs_to_a_block(page):
    marks = re.findall(r"<!-- (?:needs|exit code|not run)", page.read_text())
    assert len(marks) == sum(len(block.marks) for block in BLOCKS[page])


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_program_in_bin_that_is_named_exists(page):
    for program in re.findall(r"(?<![\w/.-])bin/([\w-]+)", page.read_text()):
        assert (ROOT / "bin" / program).exists(), program


@pytest.mark.parametrize(
    ("stated", "actual", "is_same"),
    [
        ("12 images in 0.1 s, 197 img/s", "12 images in 0.7 s, 9 img/s\n", True),
        ("12 images in 0.1 s", "13 images in 0.1 s", False),
        ("a  b\n", "a b", True),
        ("a\n...\nd", "a\nb\nc\nd", True),
        ("a\n...\nd", "a\nb\nc", False),
        ("a", "a b", False),
    ],
)
def test_outputs_are_compared(stated, actual, is_same):
    assert same(stated, actual, numbers=True) == is_same


def test_blocks_are_read_with_their_marks_and_outputs(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- needs jax -->\n\n```python\nprint(1)\n```\n\n```text\n1\n```\n\ntext\n\n```text\n2\n```\n"
        "- item\n\n  <!-- exit code 2 -->\n  ```console\n  $ a \\\n      b\n  out\n  $ c\n  ```\n"
    )
    python, text, console = read_blocks(page)
    assert (python.text, python.line, python.marks, python.output) == ("print(1)\n", 4, {"needs": "jax"}, "1\n")
    assert (text.language, text.marks, text.output) == ("text", {}, None)
    assert console.marks == {"exit code": "2"}
    assert [command[1:] for command in console.commands] == [("a      b", "out\n"), ("c", "")]


def test_readme_has_at_most_120_lines_and_900_words():
    assert len(README.splitlines()) <= 120
    assert len(README.split()) <= 900


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_to_a_file(page):
    for target in re.findall(r"\]\(([^)#:]+)[)#]", page.read_text()):
        assert (page.parent / target).exists(), target


def test_folders_named_in_the_readme_exist():
    folders = re.findall(r"`([\w/]+/)`", README.split("## Where things are")[1])
    assert {"recordkit/", "docs/", "tests/"} <= set(folders)
    assert [folder for folder in folders if not (ROOT / folder).is_dir()] == []


def names_in_table(page, heading):
    """The names in the first column of the first table below a heading."""
    text = (ROOT / "docs" / page).read_text().split(f"{heading}\n")[1].split("\n\n| ")[1].split("\n\n")[0]
    return [name for row in text.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])]


def test_all_keys_of_a_description_are_in_the_table(tiny_folder, tmp_path):
    pack(tiny_folder, tmp_path / "out", plan=PackPlan(exact_labels=True))
    description = json.loads((tmp_path / "out.json").read_text())
    assert sorted(names_in_table("reference/formats.md", "## `.json`")) == sorted(description)


def test_all_keys_of_a_manifest_are_in_the_tables(tiny_folder, tmp_path):
    pack(tiny_folder, tmp_path / "out", plan=PackPlan(shards=2))
    manifest = json.loads((tmp_path / "out.manifest.json").read_text())
    assert sorted(names_in_table("reference/formats.md", "## `.manifest.json`")) == sorted([*manifest, "edit"])
    shard_names = names_in_table("reference/formats.md", "### A shard in the manifest")
    assert sorted(shard_names) == sorted(manifest["shards"][0])


def test_all_settings_of_im2rec_are_in_the_table():
    settings = re.findall(r"^ *(\w+)=", SETTINGS_HELP, re.MULTILINE)
    assert sorted(names_in_table("reference/commands.md", "## The native form of im2rec")) == sorted(settings)


@pytest.fixture(scope="module")
def tables():
    spec = importlib.util.spec_from_file_location("readme_table", ROOT / "benchmarks/readme_table.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_tables_are_as_measured(tables):
    for path in tables.TABLES:
        assert tables.fill_tables(path) == path.read_text(), "run benchmarks/readme_table.py"


def test_the_table_of_loaders_says_which_did_other_work(tables):
    report = read_report(ROOT / "benchmarks/results/photos256.json")
    title = report.cases[0].title
    same_work = tables._cell(report, title)
    report.cases[0].name, report.cases[0].note = "turboloader", "other work: random-resized crops"
    assert tables._cell(report, title) == f"{same_work}, other work" and "other" not in same_work
