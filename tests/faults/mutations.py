"""Mutations of bytes, most of them where a header lies."""

import random
import struct
from collections.abc import Sequence

from tests.faults.sounds import SeedSound

HEADER_BYTES = 160
LONGEST_MUTANT = 400_000
EXTREMES_32 = (0, 1, 7, 0x7F000000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF8, 0xFFFFFFFE, 0xFFFFFFFF, 2_000_000_000)
EXTREMES_16 = (0, 1, 2, 16, 64, 65, 255, 1024, 0x7FFF, 0x8000, 0xFFFF)
EXTREME_RATES = (0, 1, 999, 1_000_000, 1_000_001, 16_777_216, 0x7FFFFFFF, 0xFFFFFFFF)
HOSTILE_CHUNKS = (
    b"LIST\x10\0\0\0INFOINAM\xf8\xff\xff\xffname",
    b"LIST\xff\xff\xff\xffadtl",
    b"fact\x04\0\0\0\xff\xff\xff\xff",
    b"smpl\x24\0\0\0" + bytes(28) + b"\xff\xff\xff\x7f\xff\xff\xff\x7f",
    b"cue \xff\xff\xff\x7f\xff\xff\xff\xff",
    b"bext\x10\0\0\0" + b"\xff" * 16,
    b"id3 \xf8\xff\xff\xffID3\x04",
    b"COMT\x7f\xff\xff\xff\xff\xff",
    b"MARK\x7f\xff\xff\xf0\xff\xff",
    b"APPL\xff\xff\xff\xf8stoc",
)
SUFFIXES = (
    ".wav",
    ".aiff",
    ".flac",
    ".ogg",
    ".mp3",
    ".caf",
    ".au",
    ".snd",
    ".raw",
    ".vox",
    ".gsm",
    ".sds",
    ".m4a",
    ".txt",
)


def mutate(seeds: Sequence[SeedSound], draws: random.Random) -> tuple[str, bytes]:
    """A damaged sound, and a name that says of what kind it is and how it was damaged."""
    sound = draws.choice(seeds)
    data, done = sound.data, []
    for _ in range(draws.choices((1, 2, 3), (6, 3, 1))[0]):
        if draws.random() < 0.5:
            name, data = damage(data, draws)
        else:
            kind = draws.choice(SOUND_KINDS)
            name, data = kind.__name__, kind(data, sound, seeds, draws)
        data = data[:LONGEST_MUTANT]
        done.append(name)
    stem, suffix = sound.name.rsplit(".", 1)
    ending = draws.choice(SUFFIXES) if draws.random() < 0.04 else f".{suffix}"
    return f"{stem}-{suffix}-{'-'.join(done)}{ending}", data


def damage(data: bytes, draws: random.Random) -> tuple[str, bytes]:
    """Bytes changed without knowing what they mean, and how."""
    kind = draws.choice(BYTE_KINDS)
    return kind.__name__, kind(data, draws)


def flip_bits(data: bytes, draws: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(draws.choice((1, 1, 1, 2, 4, 16))):
        changed[_place(data, draws)] ^= 1 << draws.randrange(8)
    return bytes(changed)


def truncate(data: bytes, draws: random.Random) -> bytes:
    return data[: _place(data, draws) if draws.random() < 0.5 else draws.randrange(len(data) + 1)] or b"R"


def remove(data: bytes, draws: random.Random) -> bytes:
    first = _place(data, draws)
    return data[:first] + data[first + draws.choice((1, 2, 4, 8, 24, 400)) :] or b"R"


def duplicate(data: bytes, draws: random.Random) -> bytes:
    first = _place(data, draws)
    return data[: first + draws.choice((1, 4, 8, 24, 400, 4000))] + data[first:]


def insert_chunk(data: bytes, sound: SeedSound, seeds: Sequence[SeedSound], draws: random.Random) -> bytes:
    names = (b"fmt ", b"data", b"fact", b"COMM", b"SSND", b"desc", b"pakt", b"OggS", b"LIST")
    places = [found for name in names if (found := data.find(name)) > 0]
    at = draws.choice(places) if places and draws.random() < 0.8 else _place(data, draws)
    return data[:at] + draws.choice(HOSTILE_CHUNKS) + data[at:]


def set_size(data: bytes, sound: SeedSound, seeds: Sequence[SeedSound], draws: random.Random) -> bytes:
    """An extreme number of 32 bits, mostly after a chunk's name, where sizes are."""
    names = (
        b"RIFF",
        b"data",
        b"fmt ",
        b"LIST",
        b"fact",
        b"FORM",
        b"SSND",
        b"COMM",
        b"desc",
        b"ds64",
        b".snd",
        b"mdat",
        b"stsz",
    )
    places = [found + 4 for name in names if (found := data.find(name)) >= 0]
    at = draws.choice(places) if places and draws.random() < 0.7 else _place(data, draws) & ~1
    order = draws.choice("<>")
    return _replace(data, at, struct.pack(f"{order}I", draws.choice(EXTREMES_32)))


def set_rate(data: bytes, sound: SeedSound, seeds: Sequence[SeedSound], draws: random.Random) -> bytes:
    """Another sample rate, or one with a flipped bit, where the header has it."""
    for order in draws.sample("<>", 2):
        at = data.find(struct.pack(f"{order}I", sound.sample_rate), 0, HEADER_BYTES)
        if at >= 0:
            flipped = sound.sample_rate ^ (1 << draws.randrange(32))
            return _replace(data, at, struct.pack(f"{order}I", draws.choice((flipped, *EXTREME_RATES))))
    return set_number(data, draws)


def set_number(data: bytes, draws: random.Random) -> bytes:
    """An extreme number of 16 bits, as channels and bits per sample are."""
    at = _place(data, draws) & ~1
    return _replace(data, at, struct.pack(draws.choice("<>") + "H", draws.choice(EXTREMES_16)))


def concatenate(data: bytes, sound: SeedSound, seeds: Sequence[SeedSound], draws: random.Random) -> bytes:
    return data + (sound if draws.random() < 0.5 else draws.choice(seeds)).data


def swap_header(data: bytes, sound: SeedSound, seeds: Sequence[SeedSound], draws: random.Random) -> bytes:
    length = draws.choice((4, 8, 12, 16, 44, 60))
    return draws.choice(seeds).data[:length] + data[length:]


def zero(data: bytes, draws: random.Random) -> bytes:
    """A stretch of one byte, as a bad disk or an aborted download leaves it."""
    first = _place(data, draws)
    length = draws.choice((1, 4, 16, 512, len(data)))
    return _replace(data, first, draws.choice((b"\0", b"\xff", b"\x80")) * length)


BYTE_KINDS = (flip_bits, truncate, remove, duplicate, set_number, zero)
SOUND_KINDS = (insert_chunk, set_size, set_rate, concatenate, swap_header)


def _place(data: bytes, draws: random.Random) -> int:
    """An index into the data, four times in five in its header."""
    end = min(HEADER_BYTES, len(data)) if draws.random() < 0.8 else len(data)
    return draws.randrange(max(1, end))


def _replace(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new[: max(0, len(data) - at)] + data[at + len(new) :]
