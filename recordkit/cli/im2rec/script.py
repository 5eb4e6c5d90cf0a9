"""The command line of MXNet's im2rec.py: ``[options] PREFIX ROOT``.

The same options give the same lists and records, to the byte. Intended differences, which the help lists too:

- a missing or damaged image, or a row that cannot be read, is left out, named, and makes the exit code 1; im2rec.py
  aborts with one thread and ignores the problem with more;
- only the lists of PREFIX are packed (PREFIX.lst, PREFIX_train.lst, PREFIX_0_val.lst ...), not every list whose name
  begins with PREFIX;
- paths that lead out of ROOT, absolute or by ``..``, are refused without ``--allow-outside``, unless ROOT is "" or "/";
- it is an error if there is no list, no image to list, or no ROOT;
- labels that float32 would change are refused;
- PNGs are compressed at level 3 by default (same pixels);
- 16-bit images become 8-bit, and suffixes in upper case after --exts match too.

Source: tools/im2rec.py of MXNet 1.9, and of 1.0 for switches that take a value (``--list True``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from recordkit.cli.console import Console
from recordkit.cli.im2rec.native import SETTINGS_HELP
from recordkit.cli.im2rec.packing import CHANNELS_BY_COLOR, pack_list
from recordkit.cli.lists import write_lists
from recordkit.cli.options import examples
from recordkit.cli.pack_options import allow_outside_option, engine_option, quality_option, ratio_option
from recordkit.cli.program import Command
from recordkit.cli.terminal import print_line, print_message
from recordkit.errors import SourceError, enumerate_some
from recordkit.formats.lst import describe_widths
from recordkit.packing import PackPlan
from recordkit.packing.plan import Labels
from recordkit.packing.planned_sets import Im2recFiles
from recordkit.sources import IM2REC_EXTENSIONS, FolderSource, ListSource, ZeroLabelSource
from recordkit.sources.folder import list_likely_splits
from recordkit.sources.tool_files import is_tool_folder
from recordkit.storage.staging import check_prefix
from recordkit.threads import MAX_THREADS
from recordkit.version import __version__

_SWITCHES = (
    "--list", "--recursive", "--no-shuffle", "--shuffle", "--pass-through", "--center-crop", "--pack-label",
)  # fmt: skip
# Options that im2rec.py does not have. They cannot be abbreviated, so that its abbreviations keep their meaning.
_OWN_SWITCHES = ("--allow-outside", "--checksums", "--quiet", "--version")
_OWN_OPTIONS = ("--engine", *_OWN_SWITCHES)
_TRUE_WORDS = {"true", "1", "yes"}
_FALSE_WORDS = {"false", "0", "no"}
_SUFFIX = re.compile(r"\.[A-Za-z0-9]+")


def im2rec(arguments: Sequence[str]) -> object:
    """Run im2rec.py's command line on `arguments`, and return its exit code if it is not 0."""
    return command.main(args=normalise(list(arguments)), prog_name="im2rec", standalone_mode=False)


def normalise(arguments: list[str]) -> list[str]:
    """Convert every form of command line that versions of im2rec.py accept into the form that click accepts.

    A switch may have a value (``--list True``, ``--recursive=1``). The word after a switch is its value if it is a
    truth value, or if PREFIX and ROOT follow. ``--exts`` takes all suffixes that follow it, and options may be
    abbreviated.

    Examples
    --------
    >>> normalise(["--list", "True", "--exts", ".jpg", ".bmp", "out/a", "photos"])
    ['--list', '--exts=.jpg', '--exts=.bmp', 'out/a', 'photos']
    """
    names = {*_SWITCHES, *(name for option in command.params for name in option.opts if name.startswith("--"))}
    result: list[str] = []
    after_switch: list[int] = []  # indices in `result` of the words that follow a switch
    words = list(arguments)
    while words:
        word = words.pop(0)
        name, equals_sign, value = word.partition("=")
        name = _complete(name, names)
        if name in _OWN_SWITCHES:
            result.append(word)
        elif name in _SWITCHES:
            result += _parse_switch(name, value, words)
            after_switch.append(len(result))
        elif name == "--exts" and not equals_sign:
            while words and _SUFFIX.fullmatch(words[0]):
                result.append(f"--exts={words.pop(0)}")
        elif name in names and not equals_sign and words:
            result.append(f"{name}={words.pop(0)}")
        else:
            result.append(name + equals_sign + value)
    positional = [index for index, word in enumerate(result) if not word.startswith("-")]
    switch_values = [index for index in after_switch if index in positional]
    if len(positional) > 2 and switch_values:
        del result[switch_values[0]]  # old tutorials have "--list prefix.lst PREFIX ROOT"
    return result


def _parse_switch(name: str, value: str, words: list[str]) -> list[str]:
    """Return the option for a switch and its value, which may be the first of the following words."""
    if not value and words and words[0].lower() in _TRUE_WORDS | _FALSE_WORDS:
        value = words.pop(0)
    is_on = value.lower() not in _FALSE_WORDS
    if name == "--shuffle":
        return [] if is_on else ["--no-shuffle"]
    return [name] if is_on else []


def _complete(name: str, names: set[str]) -> str:
    matches = [option for option in names.difference(_OWN_OPTIONS) if option.startswith(name)]
    return matches[0] if len(matches) == 1 and name not in names else name


@click.command(
    cls=Command,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        "im2rec --list --recursive --train-ratio 0.8 data/photos photos/",
        "im2rec --resize 256 --num-thread 2 data/photos photos/",
        "im2rec data/photos_train.lst photos/ data/photos256.rec resize=256 label_width=1",
    )
    + "\n\n"
    + SETTINGS_HELP,
)
@click.argument("prefix", type=click.Path())
@click.argument("root", type=click.Path())
@click.option("--list", "make_list", is_flag=True, help="Write PREFIX*.lst from the images in ROOT; pack nothing.")
@click.option("--exts", multiple=True, metavar="E", help="Suffixes that count as images.  [default: .jpeg .jpg .png]")
@click.option("--chunks", default=1, type=click.IntRange(1), help="Number of lists per split.", show_default=True)
@ratio_option("train")
@ratio_option("test")
@click.option("--recursive", is_flag=True, help="Include sub-folders; each folder with images is a class.")
@click.option("--no-shuffle", is_flag=True, help="Keep the order of the file names.")
@click.option("--pass-through", is_flag=True, help="Copy the files without re-encoding.")
@click.option(
    "--resize", default=0, type=click.IntRange(0), help="Length of the short side in pixels; 0: keep the size."
)
@click.option("--center-crop", is_flag=True, help="Keep the central square.")
@quality_option
@click.option(
    "--color",
    type=click.Choice(["-1", "0", "1"]),
    default="1",
    help="1 is RGB, 0 is gray, -1 is as stored.",
    show_default=True,
)
@click.option(
    "--encoding",
    type=click.Choice([".jpg", ".png"]),
    default=".jpg",
    show_default=True,
    help="Format of the images.",
)
@click.option("--checksums", is_flag=True, help="Also write the CRC-32 of each record to PREFIX.crc.")
@click.option("--pack-label", is_flag=True, help="Pack all labels of a row, not only the first.")
@allow_outside_option
@click.option(
    "--num-thread",
    default=1,
    type=click.IntRange(0, MAX_THREADS),
    help="Number of threads; 0: one for each CPU that this process may use.",
    show_default=True,
)
@engine_option
@click.option("--quiet", is_flag=True, help="Print warnings and errors only.")
@click.version_option(__version__, prog_name="im2rec", message="recordkit %(version)s")
def command(prefix: str, root: str, **options: Any) -> None:
    """Make lists from images, or .rec files from lists, as MXNet's im2rec.py does.

    The files are the same to the byte, except that resized pixels may differ by 1 grey level, and PNGs have the same
    pixels but other bytes. Intended differences: a bad image or row is left out, named, and makes the exit code 1; only
    lists of PREFIX itself are packed; no list, or no ROOT, is an error; paths that lead out of ROOT are refused unless
    ROOT is "" or /; labels that float32 cannot hold are refused; PNGs are compressed at level 3; truncated JPEGs are
    bad if they are re-encoded; 16-bit images become 8-bit.

    The command line of the compiled im2rec is accepted too: im2rec LIST ROOT OUT.rec key=value ... There, all labels of
    a row are packed unless pack_label=0, and words that are no setting, also options, are ignored with a warning.
    """
    if options["make_list"]:
        # "photos" may also be a folder, beside which photos.lst is written. "photos/" and "." can mean only a folder.
        if os.path.basename(prefix) in ("", ".", ".."):  # noqa: PTH119 (Path drops the slash)
            check_prefix(Path(prefix))
        _make_lists(Path(prefix).absolute(), root, options)
    else:
        _make_records(Path(prefix).absolute(), root, options)


def _make_lists(prefix: Path, root: str, options: dict[str, Any]) -> None:
    extensions = options["exts"] or IM2REC_EXTENSIONS
    source: FolderSource | ZeroLabelSource
    with Console(quiet=options["quiet"]).progress(None, f"find images in {root}") as progress:
        if options["recursive"]:
            source = FolderSource(root, extensions=extensions, progress=progress, keep_tool_files=True)
        else:
            source = ZeroLabelSource(root, extensions, progress)
    if isinstance(source, FolderSource) and not options["quiet"]:
        for name, label in source.classes.items():
            print_line(f"{name} {label}")
    if not len(source):
        raise SourceError(path=root, expected="images", got="none", advice="--recursive includes the folders below it")
    if not options["recursive"]:
        print_message(
            "im2rec", "warning: all images have the label 0; 'recordkit list --label-from' reads labels from names"
        )
    warnings = write_lists(
        source,
        prefix,
        shards=options["chunks"],
        train_ratio=options["train_ratio"],
        test_ratio=options["test_ratio"],
        shuffle=not options["no_shuffle"],
        overwrite=True,  # as im2rec.py
    ).warnings
    if isinstance(source, FolderSource):
        warnings += _warnings_about_folders(source, root)
    for warning in warnings:
        print_message("im2rec", f"warning: {warning}")
    if source.bad:
        raise click.exceptions.Exit(1)


def _warnings_about_folders(source: FolderSource, root: str) -> list[str]:
    """Return warnings about classes of im2rec that people hardly mean."""
    if names := list_likely_splits(source.top):
        verb = "look like splits, not classes" if names[1:] else "looks like a split, not a class"
        return [f"{enumerate_some(names)} {verb}; 'recordkit list' makes a list for each split"]
    classes = [name for name in source.classes if not _is_of_a_tool(root, name)]  # the source warns of the others
    inner = [name for name in classes if "/" in name]
    first_folders = {name.partition("/")[0] for name in classes}
    if len(first_folders) in (1, len(classes)):
        return []
    verb = "are classes of their own" if inner[1:] else "is a class of its own"
    return [f"{enumerate_some(inner)} {verb}; 'recordkit list' takes the first folder for the class"]


def _is_of_a_tool(root: str, class_name: str) -> bool:
    parts = class_name.split("/")
    return any(is_tool_folder(str(Path(root, *parts[:end]))) for end in range(1, len(parts) + 1))


def _make_records(prefix: Path, root: str, options: dict[str, Any]) -> None:
    plan = _plan(options)
    ok = True
    lists = _find_lists(prefix)
    for path in lists:
        if not options["quiet"]:
            print_line(f"Creating .rec file from {path} in {path.parent}")
        source = ListSource(path, root, lenient=True, allow_outside=options["allow_outside"])
        if not len(source) and not source.bad:
            print_message("im2rec", f"warning: {path} is empty and is not packed")
            ok = False
            continue
        if plan.labels == "first" and max(source.label_widths, default=1) > 1:
            found = f"rows have {describe_widths(source.label_widths)}"
            print_message("im2rec", f"warning: {path}: {found}, and only the first is packed; --pack-label packs all")
        prefix_of_list = str(path.with_suffix(""))
        files = Im2recFiles(record_name=path.with_suffix(".rec").name, keep=lists)  # beside a folder of that name
        ok &= pack_list(source, prefix_of_list, plan, engine=options["engine"], files=files, quiet=options["quiet"])
    if not ok:
        raise click.exceptions.Exit(1)


def _find_lists(prefix: Path) -> list[Path]:
    other_lists: list[Path] = []
    if prefix.is_dir() and (lists := sorted(prefix.glob("*.lst"))):
        return lists
    if prefix.suffix == ".lst" and prefix.is_file():
        lists = [prefix]
    else:
        list_name = re.compile(re.escape(prefix.name) + r"(_\d+)?(_train|_val|_test)?\.lst")
        candidates = sorted(path for path in prefix.parent.glob("*.lst") if path.name.startswith(prefix.name))
        lists = [path for path in candidates if list_name.fullmatch(path.name)]
        other_lists = [path for path in candidates if path not in lists]
    for path in other_lists:
        print_message(
            "im2rec", f"warning: {path} is not a list of {prefix.name} and is not packed; pack it by its own name"
        )
    if not lists:
        raise SourceError(
            path=str(prefix), expected=f"lists such as {prefix}.lst", got="none", advice="make them with --list"
        )
    return lists


def _plan(options: dict[str, Any]) -> PackPlan:
    labels: Labels = "all" if options["pack_label"] else "first"
    shared: dict[str, Any] = {"labels": labels, "threads": options["num_thread"], "checksums": options["checksums"]}
    if options["pass_through"]:
        return PackPlan(pass_through=True, any_file=True, **shared)
    png = options["encoding"] == ".png"
    quality = options["quality"]
    if png and quality is not None:
        quality = min(quality, 9)  # as OpenCV does
    return PackPlan(
        resize=options["resize"] or None,
        filter="bilinear" if options["resize"] else "antialias",
        center_crop=options["center_crop"],
        channels=CHANNELS_BY_COLOR[options["color"]],
        encoding="png" if png else "jpg",
        quality=quality,
        **shared,
    )
