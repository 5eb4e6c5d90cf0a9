"""The samples of a source, encoded by threads and given in their order, in bounded memory."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Literal, cast

from recordkit import codec
from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import SourceError, plural
from recordkit.packing.engine import Engine
from recordkit.packing.native import choose_engine
from recordkit.packing.piece import IndexBlocks, Piece, encode_alone, encode_piece, make_limits
from recordkit.packing.plan import PackPlan
from recordkit.sample import Entry, Source
from recordkit.sources.records import RecordSource
from recordkit.storage.names import is_file_name
from recordkit.threads import ThreadedMap


def name_sources(source: RecordDataset | Source | Mapping[str, Source]) -> dict[str, Source]:
    """Return sources by the names of their sets; a single one has the name "".

    Raises
    ------
    SourceError
        A source has no samples, or some that cannot be used, or its name would lead out of the folder.
    """
    if isinstance(source, RecordDataset):
        source = RecordSource(source)
    sources = dict(source) if isinstance(source, Mapping) else {"": source}
    for name, each_source in sources.items():
        if name and not is_file_name(name):
            raise SourceError(expected="a name of a set that can be part of a file name", got=repr(name))
        check_samples(each_source)
    return sources


def only_source(source: RecordDataset | Source | Mapping[str, Source]) -> Source:
    """Return the source for a format that holds one set.

    Raises
    ------
    SourceError
        There are several, or it has no samples, or some that cannot be used.
    """
    sources = name_sources(source)
    if len(sources) != 1:
        raise SourceError(
            expected="one set, because the format holds one",
            got=f"{len(sources)}: {', '.join(sources)}",
            advice="export them one by one",
        )
    return next(iter(sources.values()))


def check_samples(source: Source) -> None:
    """Refuse a source without samples, or with some that cannot be used.

    Raises
    ------
    SourceError
        Nothing can be exported, or not everything.
    """
    if source.bad:
        first = source.bad[0]
        raise SourceError(
            f"{plural(len(source.bad), 'image')} cannot be used; the first: {first.location}: {first.reason}",
            advice="nothing was written",
        )
    if not len(source):
        raise SourceError(expected="samples to export", got="none")


def copying_engine(source: Source, encoding: Literal["png", "raw"] = "png") -> Engine:
    """Return an engine that passes encoded images on, of whatever format, and encodes pixels without loss.

    Parameters
    ----------
    source : Source
    encoding : {"png", "raw"}, default "png"
        Encoding of pixels.
    """
    plan = PackPlan(encoding=encoding) if source.pixels else PackPlan(any_file=True)
    return choose_engine("auto")(plan, pixels=source.pixels)


def read_samples(
    source: Source, engine: Engine, *, n_threads: int, memory: int, order: Sequence[int] | None = None
) -> Generator[list[tuple[Entry, bytes]], None, None]:
    """Read and encode the samples of a source.

    Parameters
    ----------
    source : Source
    engine : Engine
        Encodes pixels, or passes encoded images on, by its plan.
    n_threads : int
    memory : int
        Most bytes that images may take. Close the iterator if it is not read to its end.
    order : sequence of int, optional
        Indices of the samples; by default all in their order.

    Yields
    ------
    samples : list of (Entry, bytes)
        Consecutive samples, each with its payload; at least one.

    Raises
    ------
    SourceError
        An image cannot be read or encoded.
    """
    index_blocks = IndexBlocks(range(len(source)) if order is None else order, engine.block_size)
    limits = make_limits(memory, n_threads)

    def read_block(indices: Sequence[int]) -> tuple[Piece, Sequence[int]]:
        piece = encode_piece(source, indices, engine, limits)
        return piece, indices[len(piece.entries) :]

    with ThreadedMap(read_block, index_blocks, n_threads, stopped=limits.stopped) as blocks:
        for piece, rest in blocks:
            index_blocks.learn(len(piece.entries) + len(rest), sum(piece.input_bytes))
            if piece.entries:
                yield _pairs(piece)
            for index in rest:
                with encode_alone(source, index, engine, limits) as alone:
                    yield _pairs(alone)


def _pairs(piece: Piece) -> list[tuple[Entry, bytes]]:
    return list(zip(piece.entries, payloads_of(piece), strict=True))


def payloads_of(piece: Piece) -> list[bytes]:
    """Return the payloads of a piece.

    Raises
    ------
    SourceError
        A sample has none.
    """
    for number, payload in enumerate(piece.payloads):
        if payload is None:
            entry = piece.entries[number]
            raise SourceError(piece.remarks[number], path=entry.name, key=entry.key, advice="nothing was written")
    return cast("list[bytes]", piece.payloads)


def image_suffix(payload: bytes) -> str:
    """Return the suffix of a file with this image, such as ``.jpg``.

    Raises
    ------
    SourceError
        The payload is no image of a known format.
    """
    if suffixes := codec.file_suffixes(payload):
        return suffixes[0]
    got = f"bytes of an unknown format that begin with {payload[:8]!r}" if payload else "0 bytes"
    raise SourceError(expected="an image", got=got)
