"""Options of the commands that pack or list: where the samples come from, and what is stored."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import click

from recordkit.cli.program import option_name
from recordkit.codec import ENCODINGS, OTHER_DECODERS, Channels
from recordkit.errors import PlanError, RecordkitError, SourceError
from recordkit.native import ENGINES
from recordkit.packing.plan import PackPlan
from recordkit.packing.splits import IM2REC_SEED
from recordkit.sources import EXTENSIONS, ClassFrom, read_classes
from recordkit.transforms import FILTERS

label_from_option = click.option(
    "--label-from",
    metavar="TEMPLATE",
    help="Where the label is in a file name: a template such as {key:06d}_{label}.png or {class}/{key}, or a regular "
    "expression whose first group is the label; with a / it is searched in the paths of a tree.",
)
class_from_option = click.option(
    "--class-from",
    type=click.Choice(get_args(ClassFrom)),
    help="Folder that is the class of an image: the first below the root, the last, or the path of all, as in im2rec.  "
    "[default: first, if the folders look like classes]",
)
splits_option = click.option(
    "--splits/--no-splits",
    default=None,
    help="Folders called train, val, test and so on are splits, or classes.  [default: splits, if they look like them]",
)
extensions_option = click.option(
    "--exts",
    "extensions",
    default=",".join(EXTENSIONS),
    metavar="E,E",
    show_default=True,
    help="Suffixes that count as images.",
)
classes_option = click.option(
    "--classes",
    type=click.Path(path_type=Path),
    help="Class map of another split, PREFIX.json or PREFIX.classes.json, or a file with one class name per line.",
)
exact_labels_option = click.option(
    "--exact-labels", is_flag=True, help="Keep labels exactly, as int64 in PREFIX.labels.npy."
)
root_option = click.option(
    "--root", type=click.Path(path_type=Path), help="Folder that the paths of a list start from."
)
allow_outside_option = click.option(
    "--allow-outside",
    is_flag=True,
    help="Allow paths of a list that lead out of its root: absolute ones and those with '..'.",
)
columns_option = click.option(
    "--columns",
    metavar="NAME,NAME",
    help="Columns of a list that is not MXNet's, for example path,label: path, label, labels (all others), class (a "
    "name), key, or - for a column that is not used.",
)
transpose_option = click.option(
    "--transpose",
    is_flag=True,
    help="Swap rows and columns of the images of MNIST files; those of EMNIST are swapped without it.",
)
seed_option = click.option(
    "--seed", default=IM2REC_SEED, show_default=True, help="Seed of the shuffle; im2rec uses 100."
)
shards_option = click.option(
    "--shards",
    default=1,
    type=click.IntRange(1),
    show_default=True,
    help="Number of shards of the set, or of each split.",
)
on_error_option = click.option(
    "--on-error",
    type=click.Choice(["report", "skip", "raise"]),
    default="report",
    show_default=True,
    help="report leaves bad images out and exits with 1; skip leaves them out and exits with 0; raise stops at the "
    "first and writes nothing.",
)
quality_option = click.option(
    "--quality",
    type=click.IntRange(0, 100),
    help="JPEG quality 1 to 100, or PNG level 0 to 9.  [default: 95 for JPEG, 3 for PNG]",
)
engine_option = click.option(
    "--engine",
    type=click.Choice(ENGINES),
    default="auto",
    show_default=True,
    help="Decoder and encoder; auto: native if it is built.",
)


def ratio_option(split: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return the option for the fraction of a split: "train", "val" or "test"."""
    return click.option(
        f"--{split}-ratio",
        type=click.FloatRange(0, 1),
        default=1.0 if split == "train" else 0.0,
        metavar="F",
        show_default=True,
        help=f"Fraction of the samples for PREFIX_{split}.",
    )


_CHANNELS: dict[str | None, Channels | None] = {"3": 3, "1": 1, "keep": "keep", None: None}


def source_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say where the samples of a pack come from; `source_arguments` takes their values."""
    options = [
        root_option,
        allow_outside_option,
        columns_option,
        label_from_option,
        class_from_option,
        splits_option,
        extensions_option,
        classes_option,
        transpose_option,
    ]
    return _add(options, command)


def plan_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a `PackPlan`, except threads; `make_plan` takes their values."""
    options: list[Callable[..., Any]] = [
        click.option("--resize", type=click.IntRange(1), help="Length of the short side, in pixels."),
        click.option(
            "--filter", type=click.Choice(FILTERS), default="antialias", show_default=True, help="Filter of --resize."
        ),
        click.option(
            "--exact",
            is_flag=True,
            help="With --resize: resize the RGB pixels of JPEGs. The default resizes luma and chroma as they are "
            "stored, which is faster and differs by a few levels.",
        ),
        click.option("--center-crop", is_flag=True, help="Keep the central square."),
        click.option(
            "--channels",
            type=click.Choice([name for name in _CHANNELS if name]),
            callback=lambda _context, _option, name: _CHANNELS[name],
            help="3 is RGB, 1 is gray, keep is as stored.  [default: 3 if image files are re-encoded, otherwise keep]",
        ),
        click.option(
            "--encoding",
            type=click.Choice(ENCODINGS),
            help="Format of the images; only recordkit reads raw, not MXNet.  [default: jpg if image files are "
            "re-encoded, otherwise as they are]",
        ),
        quality_option,
        click.option(
            "--decoder",
            "decoders",
            type=click.Choice(list(OTHER_DECODERS)),
            multiple=True,
            help="A further format to decode, if images are re-encoded; may be given several times.",
        ),
        click.option(
            "--pass-through",
            is_flag=True,
            default=None,
            help="Copy the files without re-encoding.  [default: unless an option needs pixels]",
        ),
        click.option(
            "--shuffle/--no-shuffle",
            default=None,
            help="Shuffle the samples.  [default: folders are shuffled, lists are not]",
        ),
        seed_option,
        ratio_option("val"),
        ratio_option("test"),
        shards_option,
        click.option(
            "--labels",
            type=click.Choice(["all", "first"]),
            default="all",
            show_default=True,
            help="Labels to keep of each row.",
        ),
        exact_labels_option,
        click.option(
            "--no-checksums",
            "checksums",
            is_flag=True,
            flag_value=False,
            default=True,
            help="Leave out PREFIX.crc, the CRC-32 of each record, by which damaged records are found.",
        ),
        on_error_option,
    ]
    return _add(options, command)


def _add(options: Sequence[Callable[..., Any]], command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(options):
        command = option(command)
    return command


def make_plan(options: Mapping[str, Any]) -> PackPlan:
    """Return the plan that the options of a command describe."""
    fields = {field.name for field in dataclasses.fields(PackPlan)}
    return PackPlan(**{name: value for name, value in options.items() if name in fields})


def source_arguments(options: Mapping[str, Any], plan: PackPlan) -> dict[str, Any]:
    """Return the arguments of `recordkit.open_source` for the options of a command."""
    names = ("root", "label_from", "class_from", "splits", "columns", "transpose", "allow_outside")
    return {
        **{name: options[name] for name in names},
        "extensions": split_extensions(options["extensions"]),
        "decoders": plan.decoders,
        "classes": read_classes(options["classes"]) if options["classes"] else None,
    }


def split_extensions(text: str) -> tuple[str, ...]:
    """Return the suffixes in ``.jpg,png``, each with its dot.

    Examples
    --------
    >>> split_extensions(".jpg,PNG")
    ('.jpg', '.png')
    """
    suffixes = tuple("." + suffix.strip().lower().lstrip(".") for suffix in text.split(",") if suffix.strip())
    if not suffixes:
        raise PlanError(argument="extensions", expected="suffixes such as .jpg,.png", got=repr(text))
    return suffixes


@contextlib.contextmanager
def in_words_of_pack(
    advice_end: str = "the options are those of 'recordkit pack', whose .rec this command takes too",
) -> Iterator[None]:
    """Let the advice of an error about a folder name ``recordkit pack``, for a command without the options of it."""
    program = click.get_current_context().find_root()
    command = program.command.get_command(program, "pack") if isinstance(program.command, click.Group) else None
    try:
        yield
    except (SourceError, PlanError) as error:
        if command is not None and error.advice and "`" in error.advice:
            advice = RecordkitError(error.advice).text(functools.partial(option_name, command))
            error.advice = f"{advice}; {advice_end}"
        raise
