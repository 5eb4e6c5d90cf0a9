"""The options of all commands have the same order, the same words, and an example."""

import collections
import re

import click
import pytest

from recordkit.cli.im2rec.script import command as im2rec
from recordkit.cli.main import COMMANDS, recordkit

TOP = {name: recordkit.get_command(click.Context(recordkit), name) for name in COMMANDS}
GROUPS = {name: group for name, group in TOP.items() if isinstance(group, click.Group)}
NESTED = {f"{name} {sub}": command for name, group in GROUPS.items() for sub, command in group.commands.items()}
ALL = {name: command for name, command in TOP.items() if name not in GROUPS} | NESTED | {"im2rec": im2rec}
PERFORMANCE = ["--device", "--gpus", "--threads", "--num-thread", "--memory", "--engine"]
FILES = ["--disp-batches", "--log", "--sheet", "--report", "--csv", "--plot", "--html", "--output"]
LAST = ["--json", "--quiet", "--version"]
# Commands that write sets, lists or exports.
WRITERS = [
    *("list", "pack", "export", "import", "merge", "split", "subset", "shuffle", "append", "relabel", "repair"),
    "cluster pack",
]
# Options that differ between commands, and the reason.
DIFFERENT = {
    "--encoding": "im2rec.py's values have a dot",
    "--exts": "im2rec.py takes one suffix for each --exts",
    "--from": "fetch takes a copy of a dataset, import the name of a format",
    "--keys": "split takes the keys of each part",
    "--html": "the page of bench has a table, that of view images",
    "--list": "im2rec.py's --list writes lists, which others read",
    "--min-accuracy": "train evaluates on --val, eval on REC",
    "--quiet": "im2rec has no --json",
    "--renumber": "append numbers behind the largest key, shuffle in the new order",
    "--resize": "bench resizes before a crop, and 0 is off for im2rec.py",
    "--sample": "stats takes images evenly, a selection at random",
    "--seed": "packing shuffles as im2rec does, with its seed 100; a training draws more than an order",
    "--shards": "pack and list have splits, split and merge have not, and split has no default",
    "--threads": "bench measures several numbers of threads, and each task of a cluster has its own",
    "--to": "tasks of a cluster write the formats of numbered files alone",
    "--memory": "on a cluster it is that of each task",
}


def options(command):
    return [parameter for parameter in command.params if isinstance(parameter, click.Option)]


def name_of(option):
    return max(option.opts, key=len)


def words(option):
    """The help of an option without its default."""
    return re.sub(r"  \[default: .+\]$", "", option.help or "")


@pytest.mark.parametrize("name", ALL)
def test_every_option_has_a_help_text_with_a_full_stop(name):
    for option in options(ALL[name]):
        assert words(option)[:1].strip() and words(option).endswith("."), option.opts
        assert "[" not in words(option), "a default is written [default: ...], after two spaces, at the end"


@pytest.mark.parametrize("name", ALL)
def test_options_come_in_the_order_subject_performance_output(name):
    names = [name_of(option) for option in options(ALL[name])]
    end = [option for option in names if option in PERFORMANCE + FILES + LAST]
    assert names[len(names) - len(end) :] == end
    assert end == sorted(end, key=(PERFORMANCE + FILES + LAST).index)


# The output of mxnet is the script's, and that of im2rec its authors'.
@pytest.mark.parametrize("name", [name for name in ALL if name not in ("mxnet", "im2rec")])
def test_every_command_has_json_and_quiet(name):
    assert [name_of(option) for option in options(ALL[name])[-2:]] == ["--json", "--quiet"]


@pytest.mark.parametrize("name", WRITERS)
def test_every_command_that_writes_a_set_has_overwrite_and_dry_run(name):
    names = [name_of(option) for option in options(ALL[name])]
    at = names.index("--overwrite")
    assert names[at : at + 2] == ["--overwrite", "--dry-run"]


def test_every_command_with_a_prefix_or_a_destination_is_among_them():
    outputs = {
        name
        for name, command in ALL.items()
        for parameter in command.params
        if isinstance(parameter, click.Argument) and parameter.name in ("prefix", "destination")
    }
    assert outputs - {*WRITERS} == {"cluster export", "im2rec"}


@pytest.mark.parametrize("name", ALL)
def test_every_command_has_a_sentence_and_examples(name):
    command = ALL[name]
    assert command.help.split("\n\n")[0].endswith(".")
    program = "im2rec" if name == "im2rec" else f"recordkit {name}"
    assert "Example:" in command.epilog and f"\n  {program} " in command.epilog + " "


def test_one_option_has_the_same_words_in_all_commands():
    uses = collections.defaultdict(lambda: collections.defaultdict(list))
    for command, tree in ALL.items():
        context = click.Context(tree)
        for option in options(tree):
            syntax, _help = option.get_help_record(context)
            kind = (syntax, str(option.nargs), words(option))
            uses[name_of(option)][kind].append(command)
    different = {name: dict(kinds) for name, kinds in uses.items() if len(kinds) > 1 and name not in DIFFERENT}
    assert different == {}
    assert {name for name in DIFFERENT if len(uses[name]) < 2} == set(), "no longer different"


def test_help_is_minus_h_everywhere(cli):
    for name in (None, "pack", "doctor"):
        arguments = [name] if name else []
        assert cli(*arguments, "-h") == cli(*arguments, "--help")
