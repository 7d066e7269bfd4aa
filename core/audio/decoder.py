"""Decoding one sound file, with libsndfile or ffmpeg, from start to end.  Imports no numpy.

What is here runs in a process of its own (core.audio.worker), as decoders hang and crash on damaged files.
"""

import contextlib
import io
import os
import stat
import struct
from collections.abc import Callable, Iterator
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Protocol

import soundfile

from core.audio import chunks, streams
from core.audio.foreign import ForeignSound, identify
from core.audio.parts import Data, Part, PartFile, skip_tags
from core.errors import AudioFileError, UnsupportedFormatError

FORMATS = "WAV, AIFF, FLAC, OGG Vorbis and Opus, MP3, CAF, W64, RF64, AU"
SOUND_SUFFIXES = frozenset(
    ".wav .wave .aif .aiff .aifc .flac .ogg .oga .opus .mp3 .caf .w64 .rf64 .au .snd .voc .sd2 .iff .svx "
    ".paf .nist .sph .ircam .sf .mat .pvf .xi .htk .sds .avr .wve .mpc .vox .gsm".split()
)
SAMPLE_RATES_HZ = range(1000, 1_000_001)
MOST_CHANNELS = 64
BLOCK_FRAMES = 8192  # short: when a cut file ends inside a block, libsndfile returns nothing of that block
LONGEST_BLOCK_BYTES = BLOCK_FRAMES * MOST_CHANNELS * 4
MOST_FRAMES = 1 << 62  # libsndfile's answer for an unknown length is above
HEAD_BYTES = 64


class Decoder(Protocol):
    """An open sound file.  `frames` is its length by the header, 0 if unknown.

    `shortfall`, the missing share of the file (0 to 1), and `remark` are complete when all of it is read.
    """

    sample_rate: int
    channels: int
    format: str
    encoding: str
    frames: int
    shortfall: float
    remark: str

    def blocks(self) -> Iterator[memoryview]:
        """Blocks of float32 samples, channels interleaved; each is valid until the next.

        Raises AudioFileError if there are none.
        """
        ...

    def close(self) -> None: ...


def open_sound(path: Path) -> Decoder:
    """Open a file.  Raises UnsupportedFormatError for what is no sound, AudioFileError for a bad one."""
    with open_regular(path) as file:
        if name := identify(_head(file)):
            decoder: Decoder = ForeignSound(path, name)
        else:
            decoder = SndfileSound(file, path)
    try:
        check_header(decoder)
    except AudioFileError:
        decoder.close()
        raise
    return decoder


def open_regular(path: Path) -> io.FileIO:
    """Open a file to read.  Raises AudioFileError if that is impossible or would wait for ever."""
    try:
        if stat.S_ISREG(path.stat().st_mode):
            file = io.FileIO(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return file
            file.close()
    except FileNotFoundError:
        what = "it is a link to a file that does not exist" if path.is_symlink() else "it is no longer there"
        raise AudioFileError(what) from None
    except PermissionError:
        raise AudioFileError("you have no permission to read it; chmod it or leave it out") from None
    except OSError as error:
        raise AudioFileError(f"it cannot be opened ({error.strerror})") from None
    raise UnsupportedFormatError("it is not a regular file")


def check_header(sound: Decoder) -> None:
    """Raise AudioFileError if a header says what no sound is like: it would cost memory without a bound."""
    if sound.sample_rate not in SAMPLE_RATES_HZ:
        raise AudioFileError(
            f"its sample rate of {sound.sample_rate} Hz is not between 1 kHz and 1 MHz; export it again"
        )
    if not 1 <= sound.channels <= MOST_CHANNELS:
        raise AudioFileError(
            f"it has {sound.channels} channels, and at most {MOST_CHANNELS} are read; export it again"
        )


class _SequentialFile(soundfile.SoundFile):  # type: ignore[misc]
    """A file that is never asked to seek.

    python-soundfile seeks after each read of a seekable file, to where it is already.  That resets
    libsndfile's MP3 decoder, which then loses the bits that the next frame depends on: sound read in blocks
    has a burst at each of their edges.  It also hides samples beyond a length that the header understates.
    """

    def seekable(self) -> bool:
        return False

    @property
    def stated_frames(self) -> int:
        """The length by the header or an estimate, 0 if unknown."""
        return self.frames if 0 < self.frames < MOST_FRAMES else 0


class SndfileSound:
    """A file that libsndfile decodes.  A `Decoder`."""

    remark = ""
    shortfall = 0.0

    def __init__(self, file: io.FileIO, path: Path) -> None:
        self._descriptor = os.dup(file.fileno())
        self._whole = Part(0, os.fstat(self._descriptor).st_size)
        self._parts = self._find(chunks.find_parts)
        self._part = self._parts[0] if self._parts else self._whole
        suffix = path.suffix.lower()
        try:
            # An SD2 has its header in another file, which libsndfile finds by the name.
            self._file = _SequentialFile(os.fsencode(path)) if suffix == ".sd2" else self._open(self._part)
        except soundfile.LibsndfileError as error:
            os.close(self._descriptor)
            raise _refusal(suffix, self._whole.end, error) from error
        self.sample_rate: int = self._file.samplerate
        self.channels: int = self._file.channels
        self.format: str = self._file.format
        self.encoding: str = self._file.subtype
        self.frames = self._file.stated_frames

    def blocks(self) -> Iterator[memoryview]:
        read = missing = 0
        if not self._parts and (find := streams.FORMATS.get(self.format)):
            self._parts = self._find(find)  # reads all of the file
        for number, part in enumerate(self._parts or [self._whole]):
            if not self._move_to(part):
                self.remark = f"only the first {number} of {len(self._parts)} sounds joined in it can be used"
                break
            part_frames = 0
            try:
                for block in self._read():
                    part_frames += len(block) // (4 * self.channels)
                    yield block
            except soundfile.LibsndfileError as error:
                if read + part_frames == 0:
                    raise AudioFileError(f"its samples cannot be decoded ({_reason(error)})") from error
                if not self._file.stated_frames:  # else the missing share says so
                    self.remark = f"damaged after {(read + part_frames) / self.sample_rate:.1f} s"
            read += part_frames
            missing += self._missing_frames(part, part_frames)
        self.shortfall = missing / max(1, missing + read)

    def close(self) -> None:
        self._file.close()
        os.close(self._descriptor)

    def _find(self, find: Callable[[Data, int], list[Part]]) -> list[Part]:
        damaged = (OSError, ValueError, struct.error)
        with contextlib.suppress(*damaged), mmap(self._descriptor, 0, access=ACCESS_READ) as data:
            return find(data, skip_tags(data))
        return []

    def _open(self, part: Part) -> _SequentialFile:
        if part.is_like(self._whole):
            # Without its name: from that libsndfile would conclude that a text named .au or .vox is sound
            # without a header.
            return _SequentialFile(os.dup(self._descriptor))
        return _SequentialFile(PartFile(self._descriptor, part))

    def _move_to(self, part: Part) -> bool:
        """Open the next part.  False if it has not the sample rate and channels of those before it."""
        if part == self._part:
            return True
        try:
            file = self._open(part)
        except soundfile.LibsndfileError:
            return False
        self._file.close()
        self._file, self._part = file, part
        return (file.samplerate, file.channels) == (self.sample_rate, self.channels)

    def _read(self) -> Iterator[memoryview]:
        buffer = bytearray(BLOCK_FRAMES * self.channels * 4)
        while frames := self._file.buffer_read_into(buffer, "float32"):
            yield memoryview(buffer)[: frames * self.channels * 4]

    def _missing_frames(self, part: Part, read: int) -> int:
        """How much longer this part should be, by a header that can be relied on."""
        if self.format in chunks.FORMATS:
            return round(read * max(0, part.stated_bytes / max(1, part.present_bytes) - 1))
        return max(0, self._file.stated_frames - read) if part.has_length else 0


def _head(file: io.FileIO) -> bytes:
    """The first bytes after any tags."""
    if os.fstat(file.fileno()).st_size == 0:
        return b""
    with mmap(file.fileno(), 0, access=ACCESS_READ) as data:
        start = skip_tags(data)
        return data[start : start + HEAD_BYTES]


def _refusal(suffix: str, size_bytes: int, error: soundfile.LibsndfileError) -> AudioFileError:
    if suffix not in SOUND_SUFFIXES:
        return UnsupportedFormatError(f"no sound; these formats work: {FORMATS}")
    if size_bytes == 0:
        return AudioFileError("it is empty (0 bytes); export it again")
    name = suffix[1:].upper()
    return AudioFileError(
        f"there is no {name} sound in it, or a damaged one ({_reason(error)}); export it again"
    )


def _reason(error: soundfile.LibsndfileError) -> str:
    """libsndfile's message without the path, for example "format not recognised"."""
    text = str(error.error_string).removeprefix("Error : ").rstrip(".")
    if "does not exist" in text:  # libsndfile's answer when its MP3 decoder finds no frame
        return "format not recognised"
    return text[:1].lower() + text[1:]
