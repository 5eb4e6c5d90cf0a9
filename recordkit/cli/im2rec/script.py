"""The command line of MXNet's im2rec.py: ``[options] PREFIX ROOT``.

The same lists and records, to the byte, for the same options. On purpose different, and said in the help:

- a missing or damaged image or a row that cannot be read is left out, named, and makes the exit code 1; im2rec.py
  dies of it with one thread and says nothing with more;
- only the lists of PREFIX are packed (PREFIX.lst, PREFIX_train.lst, PREFIX_0_val.lst ...), not every list whose name
  begins like it;
- no list found, no images to list, or a missing ROOT, is an error;
- labels that float32 would change are refused;
- PNGs are compressed at level 3 unless asked otherwise (same pixels);
- 16-bit images become 8-bit, and suffixes given to --exts in upper case match too.

Source: tools/im2rec.py of MXNet 1.9, and of 1.0 for switches that take a value (``--list True``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import click

from recordkit.cli.im2rec.show import CHANNELS, pack_list
from recordkit.cli.lists import write_lists
from recordkit.cli.program import Command, examples, print_to_stderr
from recordkit.errors import SourceError
from recordkit.native import ENGINES
from recordkit.packing import PackPlan
from recordkit.sources import EXTENSIONS, FlatSource, FolderSource, ListSource

SWITCHES = (
    "--list", "--recursive", "--no-shuffle", "--shuffle", "--pass-through", "--center-crop", "--pack-label",
)  # fmt: skip
_TRUE = {"true", "1", "yes"}
_FALSE = {"false", "0", "no"}
_EXTENSION = re.compile(r"\.[A-Za-z0-9]+")


def im2rec(arguments: Sequence[str]) -> object:
    """Run im2rec.py's command line on `arguments`, and return its exit code if it is not 0."""
    return command.main(args=normalise(list(arguments)), prog_name="im2rec", standalone_mode=False)


def normalise(arguments: list[str]) -> list[str]:
    """Turn every form of command line that im2rec.py has taken into one that click takes.

    Switches may have a value (``--list True``, ``--recursive=1``), which counts as one only if it is a truth
    value, or if PREFIX and ROOT still come; ``--exts`` takes all the suffixes that follow; options may be shortened.

    Examples
    --------
    >>> normalise(["--list", "True", "--exts", ".jpg", ".bmp", "out/a", "photos"])
    ['--list', '--exts=.jpg', '--exts=.bmp', 'out/a', 'photos']
    """
    names = {*SWITCHES, *(name for option in command.params for name in option.opts if name.startswith("--"))}
    result: list[str] = []
    follows: list[int] = []  # positions in `result` of words that come right after a switch
    words = list(arguments)
    while words:
        word = words.pop(0)
        name, mark, value = word.partition("=")
        name = _complete(name, names)
        if name in SWITCHES:
            result += _switch(name, value, words)
            follows.append(len(result))
        elif name == "--exts" and not mark:
            while words and _EXTENSION.fullmatch(words[0]):
                result.append(f"--exts={words.pop(0)}")
        elif name in names and not mark and words:
            result.append(f"{name}={words.pop(0)}")
        else:
            result.append(name + mark + value)
    positional = [place for place, word in enumerate(result) if not word.startswith("-")]
    surplus = [place for place in follows if place in positional]
    if len(positional) > 2 and surplus:
        del result[surplus[0]]  # "--list prefix.lst PREFIX ROOT" of old tutorials
    return result


def _switch(name: str, value: str, words: list[str]) -> list[str]:
    """Return the options that a switch and its value, if it has one, stand for."""
    if not value and words and words[0].lower() in _TRUE | _FALSE:
        value = words.pop(0)
    on = value.lower() not in _FALSE
    if name == "--shuffle":
        return [] if on else ["--no-shuffle"]
    return [name] if on else []


def _complete(name: str, names: set[str]) -> str:
    hits = [each for each in names if each.startswith(name)]
    return hits[0] if len(hits) == 1 and name not in names else name


@click.command(
    cls=Command,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        "im2rec --list --recursive --train-ratio 0.8 data/photos photos/",
        "im2rec --resize 256 --num-thread 2 data/photos photos/",
    ),
)
@click.argument("prefix")
@click.argument("root")
@click.option("--list", "make_list", is_flag=True, help="Write PREFIX*.lst from the images in ROOT, and stop.")
@click.option("--exts", multiple=True, metavar="E", help="Suffixes of images.  [default: .jpeg .jpg .png]")
@click.option("--chunks", default=1, type=click.IntRange(1), help="Number of lists to cut into.", show_default=True)
@click.option(
    "--train-ratio", default=1.0, type=click.FloatRange(0, 1), help="Share for PREFIX_train.", show_default=True
)
@click.option(
    "--test-ratio", default=0.0, type=click.FloatRange(0, 1), help="Share for PREFIX_test.", show_default=True
)
@click.option("--recursive", is_flag=True, help="Walk sub-folders; each with images is a class.")
@click.option("--no-shuffle", is_flag=True, help="Keep the order of the walk.")
@click.option("--pass-through", is_flag=True, help="Copy the files' bytes.")
@click.option("--resize", default=0, type=click.IntRange(0), help="Length of the short side.")
@click.option("--center-crop", is_flag=True, help="Keep the central square.")
@click.option("--quality", type=click.IntRange(0, 100), help="JPEG quality (95), or PNG level 0 to 9 (3).")
@click.option("--num-thread", default=1, type=click.IntRange(0), help="Threads; 0: all CPUs.", show_default=True)
@click.option(
    "--color", type=click.Choice(["-1", "0", "1"]), default="1", help="As stored, gray, RGB.", show_default=True
)
@click.option("--encoding", type=click.Choice([".jpg", ".png"]), default=".jpg", show_default=True)
@click.option("--pack-label", is_flag=True, help="Pack all labels of a row, not only the first.")
@click.option("--engine", type=click.Choice(ENGINES), default="auto", show_default=True)
def command(prefix: str, root: str, **options: object) -> None:
    """Make lists from images, or .rec files from lists, as MXNet's im2rec.py does.

    The files are the same to the byte; resized pixels are within 1 grey level, PNGs have the same pixels. On purpose
    different: a bad image or row is left out, named, and makes the exit code 1; only lists of PREFIX itself are packed;
    no list, or no ROOT, is an error; labels that float32 cannot hold are refused; PNGs are compressed at level 3;
    cut-off JPEGs count as bad where they are encoded anew; 16-bit images become 8-bit.

    Also takes the command line of the native tool: im2rec LIST ROOT OUT.rec key=value ...
    """
    if options["make_list"]:
        _make_lists(Path(prefix).absolute(), root, options)
    else:
        _make_records(Path(prefix).absolute(), root, options)


def _make_lists(prefix: Path, root: str, options: dict[str, object]) -> None:
    extensions = tuple(options["exts"]) or EXTENSIONS  # type: ignore[arg-type,var-annotated]
    source: FolderSource | FlatSource
    if options["recursive"]:
        source = FolderSource(root, extensions=extensions)
        for name, label in source.classes.items():
            click.echo(f"{name} {label}")
    else:
        source = FlatSource(root, label_from=None, extensions=extensions)
    if not len(source):
        raise SourceError(
            path=root, expected="images", got="none", advice="--recursive also looks into the folders below it"
        )
    warnings = write_lists(
        source,
        prefix,
        shards=int(options["chunks"]),  # type: ignore[call-overload]
        train_ratio=float(options["train_ratio"]),  # type: ignore[arg-type]
        test_ratio=float(options["test_ratio"]),  # type: ignore[arg-type]
        shuffle=not options["no_shuffle"],
    )
    for warning in warnings:
        print_to_stderr("im2rec", f"warning: {warning}")
    if source.bad:
        raise click.exceptions.Exit(1)


def _make_records(prefix: Path, root: str, options: dict[str, object]) -> None:
    plan = _plan(options)
    ok = True
    lists = _find_lists(prefix)
    for path in lists:
        click.echo(f"Creating .rec file from {path} in {path.parent}")
        source = ListSource(path, root, lenient=True)
        if not len(source) and not source.bad:
            print_to_stderr("im2rec", f"warning: {path} is empty, there is nothing to pack")
            ok = False
            continue
        if plan.labels == "first" and len(source) and len(source.entries([0])[0].labels) > 1:
            print_to_stderr("im2rec", f"warning: {path}: only the first label of each row is packed; use --pack-label")
        ok &= pack_list(source, str(path.with_suffix("")), plan, engine=str(options["engine"]), keep=lists)
    if not ok:
        raise click.exceptions.Exit(1)


def _find_lists(prefix: Path) -> list[Path]:
    others: list[Path] = []
    if prefix.is_dir():
        lists = sorted(prefix.glob("*.lst"))
    elif prefix.suffix == ".lst" and prefix.is_file():
        lists = [prefix]
    else:
        mine = re.compile(re.escape(prefix.name) + r"(_\d+)?(_train|_val|_test)?\.lst")
        near = sorted(path for path in prefix.parent.glob("*.lst") if path.name.startswith(prefix.name))
        lists = [path for path in near if mine.fullmatch(path.name)]
        others = [path for path in near if path not in lists]
    for path in others:
        print_to_stderr("im2rec", f"warning: {path} is no list of {prefix.name}, left alone; pack it by its own name")
    if not lists:
        raise SourceError(
            path=str(prefix), expected=f"lists such as {prefix}.lst", got="none", advice="make them with --list"
        )
    return lists


def _plan(options: dict[str, object]) -> PackPlan:
    labels = "all" if options["pack_label"] else "first"
    threads = int(options["num_thread"])  # type: ignore[call-overload]
    if options["pass_through"]:
        return PackPlan(pass_through=True, any_file=True, labels=labels, threads=threads)  # type: ignore[arg-type]
    png = options["encoding"] == ".png"
    quality = options["quality"]
    if png and isinstance(quality, int):
        quality = min(quality, 9)  # as OpenCV takes it
    return PackPlan(
        resize=options["resize"] or None,  # type: ignore[arg-type]
        filter="bilinear" if options["resize"] else "antialias",
        center_crop=bool(options["center_crop"]),
        channels=CHANNELS[str(options["color"])],
        encoding="png" if png else "jpg",
        quality=quality,  # type: ignore[arg-type]
        labels=labels,  # type: ignore[arg-type]
        threads=threads,
    )
