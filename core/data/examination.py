"""The verdict of one file: by its header, then by its samples.  Imports no torch."""

import dataclasses
import logging
from collections.abc import Callable
from pathlib import Path

from core.audio.reader import LOUDEST_PEAK, Decoders, SoundReader
from core.audio.worker import LONGEST_READ_S
from core.data.cache import ReportCache
from core.data.measurement import Measurement
from core.data.report import FileReport, Verdict
from core.data.split import QUIETEST_PEAK, SILENCE_PEAK, silence_peak
from core.errors import AudioFileError, Cancelled, DecodingError, UnsupportedFormatError
from core.text import join_remarks, printable

logger = logging.getLogger(__name__)

MOSTLY = 0.5  # of a file's stretches that count as silence make it "mostly silent"
CLIPPED_SHARE = 1e-3  # of all samples repeat their neighbour near full scale
REPORTED_SHORTFALL = 0.02
LEAST_RANGE_DB = 20.0  # above its own noise, of a quiet file; white noise itself has 12 to 15


class Examiner:
    """Reads the files of a folder and judges them.  Whatever goes wrong with a file is its verdict.

    What the cache has of a file that has not changed is not read again.  Raises Cancelled.
    """

    def __init__(self, folder: Path, decoders: Decoders, cache: ReportCache) -> None:
        self._folder = folder
        self._decoders = decoders
        self._cache = cache

    def read_header(self, path: str) -> FileReport:
        """The report of a file by its header, or the whole report if it is in the cache."""
        if (before := self._cache.get(path)) is not None:
            return before
        return self._judged(FileReport(path, Verdict.WAITING, ""), self._describe)

    def read_samples(self, report: FileReport) -> FileReport:
        """The report of a file by its samples."""
        return self._judged(report, self._measure)

    def _judged(self, report: FileReport, examine: Callable[[FileReport], FileReport]) -> FileReport:
        try:
            return examine(report)
        except UnsupportedFormatError as error:
            return dataclasses.replace(report, verdict=Verdict.UNSUPPORTED, detail=str(error))
        except AudioFileError as error:
            return dataclasses.replace(report, verdict=Verdict.UNREADABLE, detail=str(error))
        except (Cancelled, DecodingError):
            raise
        except Exception as error:  # one file must not cost the others their verdicts
            logger.exception("%s could not be examined", printable(report.path))
            reason = f"it cannot be examined ({type(error).__name__}: {error})"
            return dataclasses.replace(report, verdict=Verdict.UNREADABLE, detail=reason)

    def _describe(self, report: FileReport) -> FileReport:
        status = (self._folder / report.path).stat()
        with self._decoders.open(self._folder / report.path) as sound:
            return dataclasses.replace(
                report,
                size_bytes=status.st_size,
                modified_ns=status.st_mtime_ns,
                duration_s=min(sound.header_duration_s, LONGEST_READ_S),
                sample_rate=sound.sample_rate,
                channels=sound.channels,
                format=sound.format,
                encoding=sound.encoding,
            )

    def _measure(self, report: FileReport) -> FileReport:
        identity = self._cache.identity(report.path)
        with self._decoders.open(self._folder / report.path) as sound:
            report = _judge(report, sound, Measurement(sound))
        if sound.shortfall == 0:  # else it may be a failure to read on
            self._cache.put(identity, report)
        return report


def _judge(report: FileReport, sound: SoundReader, found: Measurement) -> FileReport:
    def verdict(verdict: Verdict, *details: str, usable: bool = True) -> FileReport:
        remark = join_remarks(*details, sound.remark)
        return dataclasses.replace(report, verdict=verdict, detail=remark, remark=remark, usable=usable)

    report = dataclasses.replace(report, duration_s=sound.duration_s, content_hash=found.content_hash)
    if sound.frames_read == 0:
        return verdict(Verdict.UNREADABLE, "it holds no samples; export it again", usable=False)
    if found.non_finite_samples:
        bad = f"{found.non_finite_samples} samples are infinite or not a number; render it again"
        return verdict(Verdict.UNREADABLE, bad, usable=False)
    if found.absolute_peak > LOUDEST_PEAK:
        bad = f"samples of up to {found.absolute_peak:.2g}, where 1 is full scale; render it again"
        return verdict(Verdict.UNREADABLE, bad, usable=False)
    peaks = found.peaks
    report = dataclasses.replace(
        report, peaks=peaks, loudest_frame=found.loudest_frame, loudness_lufs=found.loudness_lufs
    )
    limits = _limits(sound)
    if cause := _cause_of_silence(found, report.peak):
        return verdict(Verdict.MOSTLY_SILENT, f"{cause}; left out", limits, usable=False)
    silent = sum(peak < silence_peak(report) for peak in peaks) / len(peaks)
    if silent > MOSTLY:
        most = f"{silent:.0%} is 60 dB below its loudest; the rest is used"
        return verdict(Verdict.MOSTLY_SILENT, most, limits)
    if found.clipped_share > CLIPPED_SHARE:
        clipped = f"{found.clipped_share:.2%} of samples cut off at full scale; used as it is"
        return verdict(Verdict.CLIPPED, clipped, limits)
    return verdict(Verdict.USED, limits)


def _cause_of_silence(found: Measurement, peak: float) -> str:
    """Why there is nothing to hear in a file of this peak; empty if there is."""
    if peak >= SILENCE_PEAK:
        return ""
    if found.channel_peak >= SILENCE_PEAK:
        return "its channels cancel out when mixed to mono; invert one of them"
    if peak < QUIETEST_PEAK and found.absolute_peak >= SILENCE_PEAK:
        return "nothing above -80 dB but a constant offset"
    if peak < QUIETEST_PEAK:
        return "nothing above -80 dB"
    if found.range_over_noise_db < LEAST_RANGE_DB:
        return "nothing above its own noise, which is below -60 dB"
    return ""


def _limits(sound: SoundReader) -> str:
    """A message if less of the file is used than the user may expect, else empty."""
    if sound.is_longer_than_read:
        hours = sound.header_duration_s / 3600
        length = f"{hours:.1f} h long" if hours > 1 else "longer than an hour"
        return f"{length}: only the first hour is used; cut it into shorter files to use more"
    if sound.shortfall > REPORTED_SHORTFALL:
        return f"cut short: {sound.shortfall:.0%} of it is missing; the rest is used; export it again"
    return ""
