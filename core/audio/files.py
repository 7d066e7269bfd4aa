"""Sound files: what is inside, their samples in blocks, mono at one sample rate, and writing WAV."""

import io
import os
import re
import stat
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from core.atomic import write_atomically
from core.errors import AudioFileError, Cancelled, UnsupportedFormatError

Samples = npt.NDArray[np.float32]

FORMATS = "WAV, AIFF, FLAC, OGG Vorbis and Opus, MP3, CAF, W64, RF64, AU"
SOUND_SUFFIXES = frozenset(
    ".wav .wave .aif .aiff .aifc .flac .ogg .oga .opus .mp3 .caf .w64 .rf64 .au .snd .voc .sd2 .iff .svx "
    ".paf .nist .sph .ircam .sf .mat .pvf .xi .htk .sds .avr .wve .mpc".split()
)
FOREIGN_SOUND_SUFFIXES = frozenset(".m4a .mp4 .aac .wma .alac .ape .wv .mka .webm .amr .ac3 .dsf".split())
LONGEST_READ_S = 3600.0  # of one file: bounds the memory and time that a stray recording of a night can take
LOWEST_SAMPLE_RATE = 1000
BLOCK_FRAMES = 8192  # short: when a cut file ends inside a block, libsndfile returns nothing of that block
LOUDEST_PEAK = 1e6  # full scale is 1; beyond this a file of floats is damaged, and its power overflows
PEAK_OF_WRITTEN_FILES = 10 ** (-1 / 20)  # -1 dBFS leaves room for the converter's interpolation

_STATED_SIZE = re.compile(r"(?:data|SSND|Data Size|riff|Riff size)\s*:\s*(\d+) \(should be (\d+)\)")
_UNKNOWN_SIZE = 0x7FFF_0000  # writers that stream put 2**31 or 2**32 here; such a file is not cut short


class _ForwardFile(soundfile.SoundFile):  # type: ignore[misc]
    """A file that is never asked to seek.

    python-soundfile seeks after each read of a seekable file, to where it is already.  That resets
    libsndfile's MP3 decoder, which then loses the bits that the next frame depends on: sound read in blocks
    has a burst at each of their edges.  It also hides samples beyond a length that the header understates.
    """

    def seekable(self) -> bool:
        return False


class SoundReader:
    """An open sound file, read in blocks from start to end.

    Headers are not trusted: they state lengths that a cut file does not have.  After the blocks are read,
    `shortfall` is the missing share of the stated length (0 to 1) and `frames_read` the length that was read.

    Raises UnsupportedFormatError for what is no sound, AudioFileError for a sound that cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.frames_read = 0
        self.shortfall = 0.0
        self._file = _open(path)
        self.sample_rate: int = self._file.samplerate
        self.channels: int = self._file.channels
        self.format: str = self._file.format
        self.encoding: str = self._file.subtype
        self.header_frames: int = max(0, self._file.frames)
        if self.sample_rate < LOWEST_SAMPLE_RATE:
            self._file.close()
            raise AudioFileError(
                f"its sample rate of {self.sample_rate} Hz is too low; render it at 8000 Hz or more"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def header_duration_s(self) -> float:
        return self.header_frames / self.sample_rate

    @property
    def duration_s(self) -> float:
        return self.frames_read / self.sample_rate

    @property
    def is_longer_than_read(self) -> bool:
        """Whether the file continues after the longest stretch that is read."""
        return self.header_duration_s > LONGEST_READ_S and self.duration_s >= LONGEST_READ_S

    def blocks(
        self, cancelled: Callable[[], bool], block_frames: int = BLOCK_FRAMES
    ) -> Iterator[npt.NDArray[np.float32]]:
        """Blocks of float32 samples [frames, channels], full scale ±1.  Raises Cancelled."""
        limit = int(LONGEST_READ_S * self.sample_rate)
        while self.frames_read < limit:
            if cancelled():
                raise Cancelled
            try:
                wanted = min(block_frames, limit - self.frames_read)
                block = self._file.read(wanted, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                if self.frames_read == 0:
                    raise AudioFileError(f"its samples cannot be decoded ({_reason(error)})") from error
                break
            if len(block) == 0:
                break
            self.frames_read += len(block)
            yield block
        self.shortfall = self._shortfall()

    def _shortfall(self) -> float:
        if self.is_longer_than_read:
            return 0.0
        for stated, present in _STATED_SIZE.findall(self._file.extra_info):
            if int(present) < int(stated) < _UNKNOWN_SIZE:
                return 1 - float(present) / float(stated)
        return max(0.0, 1 - self.frames_read / max(1, self.header_frames))


def decode_mono(path: Path, sample_rate: int, cancelled: Callable[[], bool]) -> Samples:
    """The whole file as mono float32 [samples] at `sample_rate` Hz; channels are averaged.

    Resampled with soxr's HQ recipe, in blocks so that it can be cancelled.  Raises AudioFileError, Cancelled.
    """
    with SoundReader(path) as sound:
        resampler = soxr.ResampleStream(sound.sample_rate, sample_rate, 1, dtype="float32", quality="HQ")
        parts = []
        for block in sound.blocks(cancelled):
            mono = mix_to_mono(block)
            parts.append(mono if sound.sample_rate == sample_rate else resampler.resample_chunk(mono))
        if sound.sample_rate != sample_rate:
            parts.append(resampler.resample_chunk(np.zeros(0, np.float32), last=True))
    samples = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    if not np.isfinite(samples).all() or np.abs(samples).max(initial=0.0) > LOUDEST_PEAK:
        raise AudioFileError(
            "it holds samples that are infinite, not a number or absurdly large; render it again"
        )
    return samples


def mix_to_mono(block: Samples) -> Samples:
    """The mean of the channels of [frames, channels]."""
    mono: Samples = np.ascontiguousarray(block.T).mean(
        axis=0
    )  # numpy averages contiguous channels far faster
    return mono


def write_wav(path: Path, samples: Samples, sample_rate: int) -> None:
    """Write mono float samples as PCM-16 with the peak at -1 dBFS; silence stays silence.  Atomic.

    Raises ValueError for non-finite samples and OSError as the file system does.
    """
    if not np.isfinite(samples).all():
        raise ValueError("samples to write must be finite")
    peak = float(np.abs(samples).max(initial=0.0))
    scaled = samples * (PEAK_OF_WRITTEN_FILES / peak) if peak > 1e-6 else samples
    buffer = io.BytesIO()
    soundfile.write(buffer, scaled, sample_rate, format="WAV", subtype="PCM_16")
    write_atomically(path, buffer.getvalue())


def _open(path: Path) -> _ForwardFile:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
            raise UnsupportedFormatError("it is not a regular file")
        path.open("rb").close()
    except FileNotFoundError:
        what = "it is a link to a file that does not exist" if path.is_symlink() else "it is no longer there"
        raise AudioFileError(what) from None
    except PermissionError:
        raise AudioFileError("you have no permission to read it; chmod it or leave it out") from None
    except OSError as error:
        raise AudioFileError(f"it cannot be opened ({error.strerror})") from None
    suffix = path.suffix.lower()
    if status.st_size == 0 and suffix in SOUND_SUFFIXES:
        raise AudioFileError("it is empty (0 bytes); export it again")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _ForwardFile(os.fsencode(path))
    except (soundfile.LibsndfileError, TypeError) as error:
        if suffix in SOUND_SUFFIXES:
            name = suffix[1:].upper()
            raise AudioFileError(
                f"there is no {name} sound in it, or a damaged one ({_reason(error)}); export it again"
            ) from error
        if suffix in FOREIGN_SOUND_SUFFIXES:
            name = suffix[1:].upper()
            raise UnsupportedFormatError(
                f"{name} is not supported; convert it to one of {FORMATS}"
            ) from error
        raise UnsupportedFormatError(f"no sound; these formats work: {FORMATS}") from error


def _reason(error: Exception) -> str:
    """libsndfile's message without the path, for example "format not recognised"."""
    if not isinstance(error, soundfile.LibsndfileError):
        return "headerless"
    text = str(error.error_string).removeprefix("Error : ").rstrip(".")
    if "does not exist" in text:  # libsndfile's answer when its MP3 decoder finds no frame
        return "format not recognised"
    return text[:1].lower() + text[1:]
