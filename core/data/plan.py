"""What a scan means for training: chunks, duplicates, split, preset.  Reads no file, imports no torch."""

import dataclasses
from collections.abc import Collection, Iterable, Iterator

from core.config import suggest_preset
from core.data.leveling import loud_files_note
from core.data.report import FileReport, ScanReport, Verdict
from core.data.split import chunk_starts, split_files
from core.text import join_remarks, printable


def plan(
    folder: str,
    sources: tuple[str, ...],
    files: tuple[FileReport, ...],
    chunk_duration_s: float,
    seed: int,
    notes: tuple[str, ...] = (),
) -> ScanReport:
    """The report of a scan whose files have their final verdicts."""
    preset, reason = suggest_preset(sum(file.usable for file in files))
    split = split_files(files, chunk_duration_s, seed)
    if (loud := loud_files_note(files)) and loud not in notes:
        notes = (*notes, loud)
    return ScanReport(folder, sources, chunk_duration_s, files, split, preset, reason, notes)


def replan(report: ScanReport, chunk_duration_s: float, seed: int) -> ScanReport:
    """The same scan seen through another chunk duration or seed; nothing is read again."""
    files = tuple(with_chunks(file, chunk_duration_s) for file in report.files)
    return plan(report.folder, report.sources, files, chunk_duration_s, seed, report.notes)


def leave_out(report: ScanReport, paths: Collection[str], seed: int) -> ScanReport:
    """The same scan without some of its usable files; copies of their sounds stay out too."""
    files = tuple(_left_out(file) if file.usable and file.path in paths else file for file in report.files)
    notes = tuple(note for note in report.notes if note != loud_files_note(report.files))
    return plan(report.folder, report.sources, files, report.chunk_duration_s, seed, notes)


def with_chunks(file: FileReport, chunk_duration_s: float) -> FileReport:
    """Count the file's chunks, and mark it `padded` where it is otherwise good but shorter than one."""
    if not file.usable:
        return file
    chunks = len(chunk_starts(file, 0.0, file.duration_s, chunk_duration_s))
    verdict, detail = file.verdict, file.remark
    if verdict is Verdict.PADDED:
        verdict = Verdict.USED
    if file.duration_s < chunk_duration_s:
        detail = join_remarks(f"under a chunk of {chunk_duration_s:g} s; padded", detail)
        if verdict is Verdict.USED:
            verdict = Verdict.PADDED
    return dataclasses.replace(file, chunks=chunks, verdict=verdict, detail=detail)


def _left_out(file: FileReport) -> FileReport:
    return dataclasses.replace(
        file,
        verdict=Verdict.LEFT_OUT,
        detail=join_remarks("left out by you", file.detail),
        usable=False,
        chunks=0,
    )


def find_duplicates(files: Iterable[FileReport]) -> Iterator[FileReport]:
    """Usable files whose samples equal those of an earlier one, marked and taken out of use."""
    originals: dict[str, str] = {}
    for file in files:
        if not file.usable:
            continue
        original = originals.setdefault(file.content_hash, file.path)
        if original != file.path:
            detail = f"the same sound as {printable(original)}; left out"
            yield dataclasses.replace(file, verdict=Verdict.DUPLICATE, detail=detail, usable=False, chunks=0)
