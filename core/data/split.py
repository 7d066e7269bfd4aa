"""Which sounds train and which validate: by file, never by chunk.  Imports no torch."""

import hashlib
import math
from collections.abc import Sequence

from core.audio.levels import SMALLEST_PEAK
from core.data.report import Excerpt, FileReport, Split

PEAK_INTERVAL_S = 0.25
SILENCE_PEAK = 10 ** (-60 / 20)  # of a file's loudest; in dBFS what is below it may be noise alone
QUIETEST_PEAK = 10 ** (-80 / 20)  # dBFS; below it are the last two of 16 bits
FEWEST_FILES_TO_HOLD_OUT = 5
HELD_OUT_TIME_FRACTION = 0.2
SHORTEST_REMAINDER = 0.25  # of a chunk; a shorter tail gets no chunk of its own, random crops still reach it


def silence_peak(file: FileReport) -> float:
    """Stretches whose peak is below this are silence: 60 dB below the file's loudest, at whatever level."""
    return max(SILENCE_PEAK * file.peak, SMALLEST_PEAK)


def validation_fraction(files: int) -> float:
    """Share of the files to hold out."""
    if files < 10:
        return 0.5
    if files < 50:
        return 0.3
    return 0.2 if files < 200 else 0.1


def chunk_starts(
    file: FileReport, start_s: float, stop_s: float, chunk_duration_s: float
) -> tuple[float, ...]:
    """Where the chunks of a stretch of a file begin, silent ones left out; at least one, in seconds.

    A stretch shorter than a chunk has one, which will be padded.  The last chunk of a longer one ends with
    the stretch and may overlap the chunk before.
    """
    last_start_s = stop_s - chunk_duration_s
    if last_start_s <= start_s:
        return (start_s,)
    whole = math.floor((stop_s - start_s) / chunk_duration_s + 1e-9)
    starts = [start_s + index * chunk_duration_s for index in range(whole)]
    if last_start_s - starts[-1] > SHORTEST_REMAINDER * chunk_duration_s:
        starts.append(last_start_s)
    sounding = [start for start in starts if _peak(file, start, chunk_duration_s) >= silence_peak(file)]
    if sounding:
        return tuple(round(start, 6) for start in sounding)
    loudest_s = max(_interval_starts(start_s, stop_s), key=lambda s: _peak(file, s, PEAK_INTERVAL_S))
    return (round(min(max(loudest_s, start_s), last_start_s), 6),)


def split_files(files: Sequence[FileReport], chunk_duration_s: float, seed: int) -> Split:
    """Divide the usable files between training and validation.

    A file's side follows from its content and the seed, so most files keep theirs when the folder grows; not
    from its level, so that the same sounds are divided alike however loud they are.
    Fewer than five files: the end of each file that is long enough is held out instead, after a gap of one
    chunk, as `note` explains.
    """
    usable = [file for file in files if file.usable]
    if not usable:
        return Split("none", "There is no usable file.", (), ())
    if len(usable) >= FEWEST_FILES_TO_HOLD_OUT:
        held_out = round(len(usable) * validation_fraction(len(usable)))
        return _split_by_file(usable, held_out, chunk_duration_s, seed)
    return _split_by_time(usable, chunk_duration_s, seed)


def _split_by_file(files: Sequence[FileReport], held_out: int, chunk_duration_s: float, seed: int) -> Split:
    def key(file: FileReport) -> tuple[bytes, bytes]:
        shape = f"{seed} {file.duration_s} {file.sample_rate} {file.loudest_frame}"
        texts = shape, f"{seed} {file.content_hash}"
        first, second = (hashlib.blake2b(text.encode()).digest() for text in texts)
        return first, second

    drawn = sorted(files, key=key)
    held_out_paths = {file.path for file in drawn[:held_out]}
    train = [file for file in files if file.path not in held_out_paths]
    validation = [file for file in files if file.path in held_out_paths]
    note = f"{len(validation)} of {len(files)} files are held out for validation."
    return Split(
        "file",
        note,
        tuple(_excerpt(file, 0.0, file.duration_s, chunk_duration_s) for file in train),
        tuple(_excerpt(file, 0.0, file.duration_s, chunk_duration_s) for file in validation),
    )


def _split_by_time(files: Sequence[FileReport], chunk_duration_s: float, seed: int) -> Split:
    train, validation = [], []
    for file in files:
        stop_s = _sounding_s(file)
        held_out_s = max(chunk_duration_s, HELD_OUT_TIME_FRACTION * stop_s)
        train_stop_s = stop_s - held_out_s - chunk_duration_s
        if train_stop_s < chunk_duration_s or _peak(file, 0.0, train_stop_s) < silence_peak(file):
            train.append(_excerpt(file, 0.0, file.duration_s, chunk_duration_s))
            continue
        train.append(_excerpt(file, 0.0, train_stop_s, chunk_duration_s))
        validation.append(_excerpt(file, stop_s - held_out_s, stop_s, chunk_duration_s))
    few = f"Fewer than {FEWEST_FILES_TO_HOLD_OUT} files"
    if validation:
        note = f"{few}: the end of each file that is long enough is held out, after a gap of one chunk."
        return Split("time", note, tuple(train), tuple(validation))
    if len(files) > 1:
        return _split_by_file(files, 1, chunk_duration_s, seed)
    note = (
        f"One file of under {3 * chunk_duration_s:g} s: nothing can be held out, so validation repeats the "
        "training sound and cannot show overfitting. Add files to get a real one."
    )
    return Split("none", note, tuple(train), tuple(train))


def _excerpt(file: FileReport, start_s: float, stop_s: float, chunk_duration_s: float) -> Excerpt:
    return Excerpt(file.path, start_s, stop_s, chunk_starts(file, start_s, stop_s, chunk_duration_s))


def _sounding_s(file: FileReport) -> float:
    """Where the silence at the end of a file begins, if there is any: it is useless for validation."""
    sounding = [index for index, peak in enumerate(file.peaks, 1) if peak >= silence_peak(file)]
    return min(file.duration_s, sounding[-1] * PEAK_INTERVAL_S) if sounding else file.duration_s


def _interval_starts(start_s: float, stop_s: float) -> list[float]:
    first = math.floor(start_s / PEAK_INTERVAL_S)
    last = max(first + 1, math.ceil(stop_s / PEAK_INTERVAL_S))
    return [index * PEAK_INTERVAL_S for index in range(first, last)]


def _peak(file: FileReport, start_s: float, duration_s: float) -> float:
    """Highest absolute sample between two times, to the precision of PEAK_INTERVAL_S."""
    first = math.floor(start_s / PEAK_INTERVAL_S + 1e-9)
    last = max(first + 1, math.ceil((start_s + duration_s) / PEAK_INTERVAL_S - 1e-9))
    return max(file.peaks[first:last], default=0.0)
