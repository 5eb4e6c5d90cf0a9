"""The command line of MXNet's native im2rec: ``LIST ROOT OUT key=value ...``.

The records are those of the native tool. Intended differences:

- all labels of a row are packed unless ``pack_label=0`` says otherwise, and without ``label_width`` a row of several
  labels between tabs has as many as it shows; the native tool packs the first one, and fails without ``label_width``;
- an .idx and a .json file are written too;
- paths that lead out of ROOT, absolute or by ``..``, are refused without ``allow_outside=1``, unless ROOT is "" or "/";
- ROOT needs no slash at its end;
- a centre crop works without a resize;
- a bad image or row is left out, reported, and makes the exit code 1; the native tool aborts;
- a word that is no setting, such as an unknown key or an option, causes a warning; the native tool is silent.

Source: tools/im2rec.cc of MXNet 1.9.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from recordkit.cli.im2rec.packing import CHANNELS_BY_COLOR, pack_list
from recordkit.cli.program import Command
from recordkit.cli.terminal import print_line, print_message
from recordkit.codec import Channels
from recordkit.errors import PlanError
from recordkit.formats.lines import MAX_LINE_BYTES
from recordkit.formats.lst import LabelWidth, describe_widths
from recordkit.packing import PackPlan
from recordkit.packing.planned_sets import Im2recFiles
from recordkit.sources import ListSource
from recordkit.transforms.resize import INTER_METHODS

# A label and its separator take at least two bytes of a line.
_MAX_LABEL_WIDTH = MAX_LINE_BYTES // 2

# Each setting, its default and its line of the help. The native tool does not have the last four.
_SETTINGS: dict[str, tuple[str, str]] = {
    "label_width": ("auto", "number of labels in a row; auto: as many as tabs separate"),
    "pack_label": ("auto", "1 packs all labels of a row, 0 the first; auto: all"),
    "unchanged": ("0", "1 copies the files without re-encoding"),
    "color": ("1", "1 is RGB, 0 is gray, -1 is as stored"),
    "resize": ("-1", "length of the short side in pixels; 0 or less: keep the size"),
    "center_crop": ("0", "1 keeps the central square"),
    "quality": ("95", "JPEG 1 to 100, PNG 0 to 9"),
    "encoding": (".jpg", ".jpg or .png"),
    "inter_method": ("1", f"OpenCV's number of the filter: {', '.join(map(str, INTER_METHODS))}"),
    "nsplit": ("1", "number of parts that the list is packed in"),
    "part": ("0", "the part to pack, from 0"),
    "num_thread": ("0", "number of threads; 0: one for each CPU that this process may use"),
    "checksums": ("0", "1 also writes the CRC-32 of each record to OUT.crc"),
    "allow_outside": ("0", "1 allows paths that lead out of ROOT: absolute ones and those with '..'"),
    "engine": ("auto", "auto, native or python"),
}

SETTINGS_HELP = "\n  ".join(
    ("\b\nSettings of LIST ROOT OUT.rec key=value ...:",)
    + tuple(f"{f'{key}={default}':<18}{text}" for key, (default, text) in _SETTINGS.items())
)
"""The settings with their defaults, as a part of a help text."""


@click.command(cls=Command)
@click.argument("list_path", metavar="LIST")
@click.argument("root")
@click.argument("output", metavar="OUT")
@click.argument("settings", nargs=-1)
def command(list_path: str, root: str, output: str, settings: Sequence[str]) -> None:
    """Pack one list as MXNet's native im2rec does."""
    _check_output(output)
    options = _parse_settings(settings)
    nsplit, part = _number(options, "nsplit"), _number(options, "part")
    if nsplit < 1:
        raise PlanError(argument="nsplit", expected="at least 1", got=nsplit)
    if not 0 <= part < nsplit:
        raise PlanError(argument="part", expected=f"0 to {nsplit - 1}", got=part)
    plan = _plan(options)
    label_width = _label_width(options)
    source = ListSource(
        list_path,
        root,
        label_width=label_width,
        part=(part, nsplit),
        lenient=True,
        allow_outside=_allows_outside(options),
    )
    _report_labels(source, options)
    name = Path(output).name + (f".part{part:03d}" if nsplit > 1 else "")
    prefix = str(Path(output).with_name(name.removesuffix(".rec")))
    print_line(f"Write to output: {Path(output).with_name(name)}", to_stderr=True)
    if not pack_list(source, prefix, plan, engine=options["engine"], files=Im2recFiles(record_name=name)):
        raise click.exceptions.Exit(1)


def _parse_settings(settings: Sequence[str]) -> dict[str, str]:
    options = {key: default for key, (default, _) in _SETTINGS.items()}
    for setting in settings:
        key, _, value = setting.partition("=")
        if key in options and value.strip():
            options[key] = value.strip()
        else:
            similar = _similar_setting(setting)
            advice = f"; did you mean {similar}?" if similar else ""
            print_message("im2rec", f"warning: {setting!r} is not a setting of im2rec and is ignored{advice}")
    return options


def _similar_setting(word: str) -> str:
    """Return the setting that a word resembles, as it should be written, or ""."""
    key, _, value = word.lstrip("-").partition("=")
    similar = difflib.get_close_matches(key.lower().replace("-", "_"), _SETTINGS, n=1)
    return f"{similar[0]}={value.strip() or 'VALUE, without blanks'}" if similar else ""


def _check_output(output: str) -> None:
    """Refuse a setting in the place of OUT, which would become the name of the record file.

    Raises
    ------
    PlanError
        `output` begins with the key of a setting and an equals sign.
    """
    if output.partition("=")[0] in _SETTINGS and "=" in output:
        raise PlanError(
            expected="OUT.rec as the third word", got=output, advice="write LIST ROOT OUT.rec and then the settings"
        )


def check_order(arguments: Sequence[str]) -> None:
    """Refuse words before LIST ROOT OUT.rec, which belong to no command line of MXNet's tools.

    Raises
    ------
    PlanError
        A list and a record file, with one word between, follow other words.
    """
    for index in range(1, len(arguments) - 2):
        if arguments[index].endswith(".lst") and arguments[index + 2].endswith(".rec"):
            first = arguments[0]
            raise PlanError(
                expected="LIST ROOT OUT.rec before all settings",
                got=first,
                advice=f"write {_similar_setting(first) or 'settings as key=value'} after OUT.rec",
            )


def _number(options: dict[str, str], key: str) -> int:
    try:
        return int(options[key])
    except ValueError:
        raise PlanError(argument=key, expected="a whole number", got=repr(options[key])) from None


def _allows_outside(options: dict[str, str]) -> bool:
    word = options["allow_outside"].lower()
    if word not in ("0", "false", "1", "true"):  # an error of the library proposes True
        raise PlanError(argument="allow_outside", expected="0 or 1", got=repr(options["allow_outside"]))
    return word in ("1", "true")


def _channels(options: dict[str, str]) -> Channels:
    try:
        return CHANNELS_BY_COLOR[options["color"]]
    except KeyError:
        raise PlanError(argument="color", expected="1, 0 or -1", got=repr(options["color"])) from None


def _label_width(options: dict[str, str]) -> LabelWidth:
    if options["label_width"] == "auto":
        return "auto"
    label_width = _number(options, "label_width")
    if not 1 <= label_width <= _MAX_LABEL_WIDTH:
        raise PlanError(argument="label_width", expected=f"1 to {_MAX_LABEL_WIDTH}", got=label_width)
    return label_width


def _packs_all_labels(options: dict[str, str]) -> bool:
    return options["pack_label"] == "auto" or _number(options, "pack_label") != 0


def _report_labels(source: ListSource, options: dict[str, str]) -> None:
    """Print what becomes of several labels in a row, unless the settings say it."""
    is_given = {key for key in ("label_width", "pack_label") if options[key] != "auto"}
    if not source.label_widths:
        return
    if max(source.label_widths) == 1:
        if "pack_label" in is_given and _packs_all_labels(options):
            raise PlanError(
                argument="pack_label", expected="rows with several labels", got="1 label", advice="leave it out"
            )
        return
    found = f"{source.path}: rows have {describe_widths(source.label_widths)}"
    if not _packs_all_labels(options):
        print_message("im2rec", f"warning: {found}, and pack_label=0 packs only the first")
    elif "pack_label" not in is_given:
        print_message("im2rec", f"{found}, and all are packed; pack_label=0 packs only the first")


def _plan(options: dict[str, str]) -> PackPlan:
    shared: dict[str, Any] = {
        "labels": "all" if _packs_all_labels(options) else "first",
        "first_label_in_header": True,
        "any_file": True,
        "write_list": False,
        "checksums": _number(options, "checksums") != 0,
        "threads": _number(options, "num_thread"),
    }
    if _number(options, "unchanged") == 1:
        return PackPlan(pass_through=True, **shared)
    if options["encoding"] not in (".jpg", ".png"):
        raise PlanError(argument="encoding", expected=".jpg or .png", got=repr(options["encoding"]))
    quality, resize = _number(options, "quality"), _number(options, "resize")
    inter_method = _number(options, "inter_method")
    if inter_method not in INTER_METHODS:
        raise PlanError(
            argument="inter_method", expected=f"one of {', '.join(map(str, INTER_METHODS))}", got=inter_method
        )
    if resize > 0:
        shared |= {"resize": resize, "filter": INTER_METHODS[inter_method]}
    png = options["encoding"] == ".png"
    return PackPlan(
        channels=_channels(options),
        center_crop=_number(options, "center_crop") != 0,
        encoding="png" if png else "jpg",
        quality=3 if png and quality > 9 else quality,
        **shared,
    )
