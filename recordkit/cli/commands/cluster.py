"""The commands ``recordkit cluster ...``, which work on the machines of a Ray cluster."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import Any

import click

from recordkit.cli.commands.export import shard_bytes_option
from recordkit.cli.commands.stats import sample_option
from recordkit.cli.console import Console
from recordkit.cli.datasets import recs_argument, total_bytes
from recordkit.cli.options import PrefixType, examples, output_options, parse_bytes, writing_options
from recordkit.cli.pack_options import engine_option, make_plan, plan_options, source_arguments, source_options
from recordkit.cli.pack_report import pack_lines, preview_lines, print_warnings
from recordkit.cli.program import Command, Group
from recordkit.cluster.library import import_ray
from recordkit.errors import plural
from recordkit.interop.export.output import SHARD_BYTES
from recordkit.threads import MAX_THREADS

address_option = click.option(
    "--address",
    metavar="HOST:PORT",
    help="Ray's head node, or auto for the cluster of this machine.  [default: RAY_ADDRESS, or this machine alone]",
)

task_threads_option = click.option(
    "--threads",
    type=click.IntRange(0, MAX_THREADS),
    default=0,
    show_default=True,
    help="Threads and CPUs of each task; 0 is 1.",
)
task_memory_option = click.option(
    "--memory",
    metavar="SIZE",
    callback=parse_bytes,
    help="Most memory that the images of each task may take, as 512M or 2G.  [default: 2G]",
)


@click.group("cluster", cls=Group, epilog=examples("recordkit cluster pack train.lst out/train --shards 100"))
def command() -> None:
    """Work on the machines of a Ray cluster."""
    for name in ("RAY_USAGE_STATS_ENABLED", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"):
        os.environ.setdefault(name, "0")  # noqa: TID251 (Ray sends reports and warnings unless they are set)
    import_ray()


def _ray_on_stderr() -> contextlib.AbstractContextManager[object]:
    """Send to stderr what Ray prints, such as the loss of a machine, because stdout is for the result."""
    return contextlib.redirect_stdout(sys.stderr)


@command.command(
    "pack",
    cls=Command,
    epilog=examples(
        "recordkit cluster pack train.lst /shared/train --root /shared/photos --shards 100 --address head:6379",
        "recordkit cluster pack /shared/old.manifest.json /shared/new --shards 400",
    ),
)
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("prefix", type=PrefixType())
@source_options
@plan_options
@writing_options
@address_option
@click.option(
    "--scratch",
    type=click.Path(path_type=Path),
    help="Folder of each machine, as a fast local disk, where a task packs its shard and then copies it to PREFIX.  "
    "[default: the folder of PREFIX, without a copy; for a URL, the folder of temporary files]",
)
@task_threads_option
@task_memory_option
@engine_option
@output_options
def pack_command(source: Path, prefix: Path, console: Console, **options: Any) -> None:
    """Pack SOURCE into shards and a manifest, a shard in each task.

    The manifest, PREFIX.manifest.json, is written last. SOURCE is what 'recordkit pack' takes, or a .rec file or a
    manifest, whose records are packed anew. The files are those of 'recordkit pack --shards', byte for byte, however
    many machines there are. All machines need the same recordkit and the same paths. If it is interrupted or a machine
    is lost, the same command packs what is left. Another dataset at PREFIX stops it; --overwrite removes that first.
    """
    from recordkit.cluster.packing.inputs import open_input
    from recordkit.cluster.packing.pack import pack
    from recordkit.cluster.packing.preview import preview_pack

    if options["shards"] == 1:
        raise click.UsageError("--shards is missing: the number of tasks, each of which packs one file of about 1 GB")
    plan = make_plan(options)
    with console.progress(None, f"find images in {source}") as progress:
        opened = open_input(source, **source_arguments(options, plan), progress=progress)
    names = ("engine", "memory", "overwrite")
    settings: dict[str, Any] = {"plan": plan, **{name: options[name] for name in names}}
    if options["dry_run"]:
        preview = preview_pack(opened, prefix, **settings)
        for warning in preview.warnings:
            console.warn(warning)
        reused = [f"{plural(preview.n_reused, 'shard')} of an earlier run would be kept"] if preview.n_reused else []
        console.report(preview.as_json(), *preview_lines(preview), *reused)
        return
    sources = opened.values() if isinstance(opened, dict) else [opened]
    with console.progress(sum(map(len, sources)), f"pack {prefix.name}") as progress, _ray_on_stderr():
        report = pack(
            opened,
            prefix,
            **settings,
            progress=progress,
            address=options["address"],
            scratch=options["scratch"],
        )
    print_warnings("recordkit", report)
    lines = pack_lines(report)
    if report.n_reused:
        lines.insert(-1, f"{plural(report.n_reused, 'shard')} of an earlier run kept")
    console.report(report.as_json(), *lines)
    if not report.ok:
        raise click.exceptions.Exit(1)


@command.command("verify", cls=Command, epilog=examples("recordkit cluster verify /shared/train --address head:6379"))
@click.argument("manifest", type=click.Path(path_type=Path))
@click.option("--decode", is_flag=True, help="Also decode every image.")
@address_option
@task_threads_option
@output_options
def verify_command(manifest: Path, decode: bool, address: str | None, threads: int, console: Console) -> None:
    """Check MANIFEST and its shards, a shard in each task.

    The report is that of 'recordkit verify'. The exit code is 1 if there is a problem.
    """
    from recordkit.cli.commands.verify import print_report
    from recordkit.cluster.upkeep.verify import verify

    with console.progress(total_bytes(manifest), f"verify {manifest.name}", unit="B") as progress, _ray_on_stderr():
        report = verify(manifest, decode=decode, threads=threads, progress=progress, address=address)
    print_report(report, console, decode=decode)
    if not report.ok:
        raise click.exceptions.Exit(1)


@command.command(
    "stats",
    cls=Command,
    epilog=examples(
        "recordkit cluster stats /shared/train --address head:6379",
        "recordkit cluster stats s3://bucket/train.manifest.json --sample 100000",
    ),
)
@click.argument("rec", type=click.Path(path_type=Path))
@sample_option
@address_option
@task_threads_option
@output_options
def stats_command(rec: Path, sample: int | None, address: str | None, threads: int, console: Console) -> None:
    """Describe the images of REC, a range of records in each task.

    The result is that of 'recordkit stats'. REC is a .rec file, its prefix, a manifest, or a pattern in quotes. The
    exit code is 1 if an image does not decode.
    """
    from recordkit.cli.commands.stats import print_stats
    from recordkit.cluster.upkeep.stats import stats
    from recordkit.upkeep.look.opening import open_images

    with (
        open_images(rec) as dataset,
        console.progress(len(dataset), f"stats {rec.name}") as progress,
        _ray_on_stderr(),
    ):
        result = stats(dataset, sample=sample, threads=threads, progress=progress, address=address)
    print_stats(result, console)


@command.command(
    "duplicates",
    cls=Command,
    epilog=examples("recordkit cluster duplicates /shared/train /shared/test --address head:6379"),
)
@recs_argument
@address_option
@task_threads_option
@output_options
def duplicates_command(recs: tuple[Path, ...], address: str | None, threads: int, console: Console) -> None:
    """Find equal images, a range of records in each task.

    The result is that of 'recordkit duplicates'. Images of one REC are compared with each other, those of several only
    with those of the others. The exit code is 0 if there are no equal images, 1 if there are some.
    """
    from recordkit.cli.commands.duplicates import print_duplicates
    from recordkit.cluster.upkeep.duplicates import duplicates

    with console.progress(None, f"duplicates {recs[0].name}") as progress, _ray_on_stderr():
        report = duplicates(*recs, threads=threads, progress=progress, address=address)
    print_duplicates(report, console)


@command.command(
    "export",
    cls=Command,
    epilog=examples(
        "recordkit cluster export /shared/train /shared/train-tar --to webdataset --address head:6379",
        "recordkit cluster export s3://bucket/train s3://bucket/train-parquet --to parquet --shard-bytes 1G",
    ),
)
@click.argument("rec", type=click.Path(path_type=Path))
@click.argument("destination", metavar="DEST", type=click.Path(path_type=Path))
@click.option(
    "--to", "format_name", type=click.Choice(["webdataset", "parquet"]), required=True, help="Format of DEST."
)
@shard_bytes_option
@address_option
@task_threads_option
@task_memory_option
@output_options
def export_command(rec: Path, destination: Path, console: Console, **options: Any) -> None:
    """Write REC in another format, a file in each task.

    REC is a .rec file, its prefix, a manifest, or a pattern in quotes. DEST is a new or an empty folder, or the URL of
    one; its files are numbered. A file has samples of one .rec file. If it is interrupted or a machine is lost, the
    same command writes what is left.
    """
    from recordkit.cli.commands.export import export_lines
    from recordkit.cluster.upkeep.export import export
    from recordkit.upkeep.look.opening import open_images

    options["shard_bytes"] = options["shard_bytes"] or SHARD_BYTES
    with (
        open_images(rec) as dataset,
        console.progress(len(dataset), f"export {rec.name}") as progress,
        _ray_on_stderr(),
    ):
        report = export(
            dataset, destination, on_note=lambda note: console.note(f"note: {note}"), progress=progress, **options
        )
    lines = export_lines(report)
    if report.n_reused:
        lines.insert(-1, f"{plural(report.n_reused, 'file')} of an earlier run kept")
    console.report(report.as_json(), *lines)
