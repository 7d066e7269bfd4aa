"""Streams of frames: MP3, Ogg and FLAC.  People join them with `cat`, and decoders read the first alone."""

import struct
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import islice, pairwise
from typing import NamedTuple

from core.audio.parts import Data, Part

FLAC_START = b"fLaC\0\0\0\x22"  # followed by the 34 bytes of STREAMINFO
OGG_FIRST = 2  # a flag of a page
OGG_HEADER = struct.Struct("<4sBBqIIIB")
# kbit/s by the index in the header, for MPEG 1 layers I to III, then MPEG 2 and 2.5 layer I, and II and III
BIT_RATES = {
    (1, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
SAMPLE_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
MOST_FRAMES = 500_000  # more than an hour, which is all that is read
SEARCHED_BYTES = 1 << 29  # for the start of another FLAC
UNCOUNTED_FRAMES = 16  # more than its header counts: another stream; fewer may be counted differently


def _ogg_parts(data: Data, start: int) -> list[Part]:
    return _cut(data, _ogg_starts(data, start))


def _flac_parts(data: Data, start: int) -> list[Part]:
    return _cut(data, _flac_starts(data, start))


def _cut(data: Data, starts: Iterator[int]) -> list[Part]:
    """A part from each start to the next; what is before the first belongs to it."""
    bounds = [0, *list(starts)[1:], len(data)]
    return [Part(start, end) for start, end in pairwise(bounds)]


def _flac_starts(data: Data, position: int) -> Iterator[int]:
    yield position
    while (position := data.find(FLAC_START, position + 1, SEARCHED_BYTES)) >= 0:
        yield position


def _ogg_starts(data: Data, position: int) -> Iterator[int]:
    """Where a first page follows pages that are not: a chained stream.  Each may have several first pages."""
    was_first = False
    while (position := data.find(b"OggS", position)) >= 0:
        if position + OGG_HEADER.size > len(data):
            return
        _, version, flags, _, _, _, _, segments = OGG_HEADER.unpack_from(data, position)
        if version != 0:
            position += 4
            continue
        is_first = bool(flags & OGG_FIRST)
        if is_first and not was_first:
            yield position
        was_first = is_first
        table = position + OGG_HEADER.size
        position = table + segments + sum(data[table : table + segments])


class _Header(NamedTuple):
    """What the four bytes at the start of an MP3 frame say."""

    size: int  # of the frame
    family: tuple[int, int, int]  # version, layer and sample rate, the same in all frames of a stream
    side_bytes: int  # between the header and what may be a count of frames


def _mp3_parts(data: Data, start: int) -> list[Part]:
    """The streams of an MP3.  One without a frame that counts the others has no length but by reading it."""
    parts: list[Part] = []
    family: tuple[int, int, int] | None = None
    first, counted, frames = 0, 0, 0  # of the present stream: its start, the frames it states, those it has
    surplus = 0  # where its frames begin that it does not state

    def finish(end: int) -> None:
        if counted and frames > counted + UNCOUNTED_FRAMES:
            parts.extend((Part(first, surplus), Part(surplus, end, has_length=False)))
        elif counted or frames:
            parts.append(Part(first, end, has_length=bool(counted)))

    for position, header in islice(_mp3_frames(data, start), MOST_FRAMES):
        count = _count_of_frames(data, position, header)
        if count or header.family != family:
            finish(position)
            first, counted, frames = position if parts else 0, count, 0
            family = header.family
            if count:
                continue
        if frames == counted:
            surplus = position
        frames += 1
    finish(len(data))
    return parts


def _mp3_frames(data: Data, position: int) -> Iterator[tuple[int, _Header]]:
    """The frames of an MP3, each followed by more like it or by the end; what is between them is skipped."""
    family = None
    while 0 <= position <= len(data) - 4:
        header = _mp3_header(data[position : position + 4])
        if header is not None and _is_followed(data, position, header, 1 if header.family == family else 4):
            family = header.family
            yield position, header
            position += header.size
        else:
            position = data.find(b"\xff", position + 1)


def _is_followed(data: Data, position: int, header: _Header, count: int) -> bool:
    """Whether so many frames of the same family come next, or the end."""
    for _ in range(count):
        position += header.size
        following = _mp3_header(data[position : position + 4])
        if following is None:
            return position > len(data) - 4 or data[position : position + 3] in (b"TAG", b"ID3", b"APE")
        if following.family != header.family:
            return False
        header = following
    return True


@lru_cache(maxsize=1 << 12)
def _mp3_header(header: bytes) -> _Header | None:
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    rate_index, sample_rate_index, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if version == 1 or layer == 4 or rate_index in (0, 15) or sample_rate_index == 3:
        return None
    is_mpeg_1, is_mono = version == 3, header[3] >> 6 == 3
    bit_rate = 1000 * BIT_RATES[1 if is_mpeg_1 else 2, layer][rate_index]
    sample_rate = SAMPLE_RATES[version][sample_rate_index]
    if layer == 1:
        size = (12 * bit_rate // sample_rate + padding) * 4
    else:
        size = (144 if is_mpeg_1 or layer == 2 else 72) * bit_rate // sample_rate + padding
    side_bytes = (17 if is_mono else 32) if is_mpeg_1 else (9 if is_mono else 17)
    return _Header(size, (version, layer, sample_rate), side_bytes)


def _count_of_frames(data: Data, position: int, header: _Header) -> int:
    """The number of frames that follow, if this one is there to state it (Xing, Info or VBRI), else 0."""
    xing = position + 4 + header.side_bytes
    if data[xing : xing + 4] in (b"Xing", b"Info") and xing + 12 <= len(data) and data[xing + 7] & 1:
        return int.from_bytes(data[xing + 8 : xing + 12], "big")
    vbri = position + 36
    return int.from_bytes(data[vbri + 14 : vbri + 18], "big") if data[vbri : vbri + 4] == b"VBRI" else 0


# By libsndfile's name of the format: what finds the parts of such a file.
FORMATS: Mapping[str, Callable[[Data, int], list[Part]]] = {
    "FLAC": _flac_parts,
    "MP3": _mp3_parts,
    "OGG": _ogg_parts,
}
