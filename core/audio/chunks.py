"""Sizes in the headers of WAV, RF64, W64, AIFF, CAF and AU: which to trust, and which to correct.

A recorder that loses power leaves a size of 0, a program that writes into a pipe one that is too large.
"""

import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from core.audio.parts import Data, Part

# Sizes that programs write before they know the right one: 0x7F000000, 0x7FFFFFFF, 0xFFFFFFFF, 2 000 000 000
# and many near them.  A file that was really longer is read for an hour in any case.
LEAST_PLACEHOLDER = 1_900_000_000
FORMATS = frozenset({"WAV", "WAVEX", "RF64", "W64", "AIFF", "CAF", "AU"})  # as libsndfile names them
MOST_CHUNKS = 10_000
W64_SUFFIX = bytes.fromhex("f3acd3118cd100c04f8edb8a")  # of the identifiers "wave", "data" and so on
W64_RIFF_SUFFIX = bytes.fromhex("2e91cf11a5d628db04c10000")


class _Layout(NamedTuple):
    """How a format writes its chunks: struct formats of their header, its padding, the size's reach."""

    identifier_bytes: int
    size: struct.Struct
    alignment: int
    counts_header: bool  # in its sizes
    samples: bytes  # the chunk that holds them
    prefix_bytes: int  # before the samples in that chunk


_LONG = struct.Struct("<Q")
_RIFF = _Layout(4, struct.Struct("<I"), 2, False, b"data", 0)
_RIFX = _RIFF._replace(size=struct.Struct(">I"))
_AIFF = _Layout(4, struct.Struct(">I"), 2, False, b"SSND", 8)
_CAF = _Layout(4, struct.Struct(">Q"), 1, False, b"data", 4)
_W64 = _Layout(16, struct.Struct("<Q"), 8, True, b"data" + W64_SUFFIX, 0)


class _Chunk(NamedTuple):
    identifier: bytes
    size_at: int
    size: int  # of its content, as stated
    start: int


def find_parts(data: Data, start: int) -> list[Part]:
    """The parts of a file that consists of chunks, else nothing.

    Several files, one after the other, are a part each.
    """
    parts: list[Part] = []
    while (layout := _layout(data, start)) is not None:
        end = _end_of_first(data, start, layout)
        is_whole = not parts and end == len(data)
        parts.append(_describe(data, 0 if is_whole else start, start, end, layout))
        start = end
    if not parts and data[start : start + 4] == b".snd":
        parts.append(_describe_au(data, start))
    return parts


def _layout(data: Data, start: int) -> _Layout | None:
    head = data[start : start + 40]
    if head[8:12] == b"WAVE":
        return {b"RIFF": _RIFF, b"RF64": _RIFF, b"BW64": _RIFF, b"RIFX": _RIFX}.get(head[:4])
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return _AIFF
    if head[:4] == b"caff":
        return _CAF
    return _W64 if head[:16] == b"riff" + W64_RIFF_SUFFIX else None


def _end_of_first(data: Data, start: int, layout: _Layout) -> int:
    """Where another file begins after the first one, else the end of the data."""
    if layout in (_CAF, _W64):
        return len(data)
    (size,) = layout.size.unpack(data[start + 4 : start + 8])
    for end in (start + 8 + size, start + 8 + size + size % 2):
        if start + 12 < end < len(data) and _layout(data, end) is layout:
            return int(end)
    return len(data)


def _chunks(data: Data, position: int, end: int, layout: _Layout) -> Iterator[_Chunk]:
    """The chunks from `position` on, as far as they can be followed."""
    width = layout.identifier_bytes
    for _ in range(MOST_CHUNKS):
        size_at = position + width
        start = size_at + layout.size.size
        if start > end:
            return
        (size,) = layout.size.unpack(data[size_at:start])
        if layout.counts_header:
            size = max(0, size - (start - position))
        yield _Chunk(data[position:size_at], size_at, size, start)
        position = start + size + -size % layout.alignment


def _describe(data: Data, first: int, start: int, end: int, layout: _Layout) -> Part:
    body = {_CAF: 8, _W64: 40}.get(layout, 12)
    before: dict[bytes, _Chunk] = {}
    for chunk in _chunks(data, start + body, end, layout):
        if chunk.identifier == layout.samples:
            return _describe_samples(data, Part(first, end), chunk, before, layout)
        before[chunk.identifier] = chunk
    return Part(first, end)


def _describe_samples(
    data: Data, part: Part, samples: _Chunk, before: dict[bytes, _Chunk], layout: _Layout
) -> Part:
    present = part.end - samples.start
    size_at, size, header_bytes = samples.size_at, layout.size, samples.start - samples.size_at
    stated = samples.size
    if stated == 0xFFFF_FFFF and (long_sizes := before.get(b"ds64")):
        size_at, size = long_sizes.start + 8, _LONG
        (stated,) = size.unpack(data[size_at : size_at + 8])
    if stated <= layout.prefix_bytes:
        if present <= layout.prefix_bytes or _are_chunks(data, samples.start + stated, part.end, layout):
            return part  # empty indeed
    elif stated < LEAST_PLACEHOLDER:
        part = replace(part, stated_bytes=stated, present_bytes=present)
    if layout.prefix_bytes < stated and (stated <= present or layout is not _CAF):
        return part  # libsndfile reads what there is, but refuses a CAF that is cut short
    right = present + (header_bytes + layout.identifier_bytes if layout.counts_header else 0)
    corrections = {size_at: size.pack(min(right, (1 << 8 * size.size) - 1))}
    if layout is _AIFF and (common := before.get(b"COMM")):
        corrections[common.start + 2] = _frames_in_aiff(data, common, present - layout.prefix_bytes)
    return replace(part, corrections=corrections)


def _frames_in_aiff(data: Data, common: _Chunk, size_bytes: int) -> bytes:
    channels, bits = struct.unpack(">H4xH", data[common.start : common.start + 8])
    return struct.pack(">I", min(size_bytes // max(1, channels * -(-bits // 8)), 0xFFFF_FFFF))


def _are_chunks(data: Data, position: int, end: int, layout: _Layout) -> bool:
    """Whether chunks fill the bytes from `position` exactly, so that they are no samples."""
    for chunk in _chunks(data, position, end, layout):
        position = chunk.start + chunk.size
    return 0 <= end - position <= 1


def _describe_au(data: Data, start: int) -> Part:
    part = Part(0, len(data))
    if len(data) < start + 24:
        return part
    offset, stated = struct.unpack(">II", data[start + 4 : start + 12])
    present = max(0, len(data) - start - offset)
    if stated >= LEAST_PLACEHOLDER or present == 0:
        return part
    if stated == 0:
        return Part(0, len(data), {start + 8: b"\xff\xff\xff\xff"})
    return Part(0, len(data), {}, True, stated, present)
