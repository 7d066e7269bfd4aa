"""A second start on a folder decodes nothing again, and never trusts what may have changed."""

import os
import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from core.audio.reader import Decoders, Samples, SoundReader
from core.data import cache, loading
from core.data.cache import cache_folder, cache_size, trim_cache
from core.data.loading import LoadedSounds, load_sounds
from core.data.report import Excerpt, FileReport, ScanReport, Verdict
from core.data.scan import scan
from core.data.store import SampleBuffer
from core.errors import Cancelled
from sda_tui import format as fmt
from tests.conftest import Command, scan_folder
from tests.sounds import tone, write_tone

RATE = 48_000


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own, that trusts files as young as these."""
    monkeypatch.setenv("SDA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "SETTLED_NS", 0)
    return tmp_path / "cache"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the sound files that are opened from here on."""
    names: list[str] = []
    real = Decoders.open

    def record(self: Decoders, path: Path) -> SoundReader:
        names.append(path.name)
        return real(self, path)

    monkeypatch.setattr(Decoders, "open", record)
    return names


def load(folder: Path, report: ScanReport, sample_rate: int = RATE, cancelled: bool = False) -> LoadedSounds:
    cpu, buffer = torch.device("cpu"), SampleBuffer()
    return load_sounds(
        folder, report.split, sample_rate, sample_rate, cpu, buffer, lambda: cancelled, lambda *_: None
    )


def all_chunks(sounds: LoadedSounds) -> torch.Tensor:
    return torch.cat([store.chunks(torch.arange(len(store))) for store in (sounds.train, sounds.validation)])


def start(folder: Path) -> tuple[ScanReport, torch.Tensor]:
    report = scan_folder(folder)
    return report, all_chunks(load(folder, report))


def test_a_second_start_opens_no_file_and_gives_the_same(sounds: Path, opened: list[str]) -> None:
    write_tone(sounds / "long.flac", 440.0, 2.5, samplerate=44_100, channels=2)
    soundfile.write(sounds / "quiet.wav", np.concatenate([tone(440.0, 1.0), np.zeros(9 * RATE)]), RATE)
    shutil.copy(sounds / "tone-0.wav", sounds / "copy.wav")
    first = start(sounds)
    assert opened
    opened.clear()
    second = start(sounds)
    assert opened == []
    assert second[0] == first[0]
    assert torch.equal(second[1], first[1])
    assert scan_folder(sounds, chunk_duration_s=0.25).chunks > first[0].chunks
    assert opened == []


def test_only_new_files_are_decoded(sounds: Path, opened: list[str]) -> None:
    start(sounds)
    opened.clear()
    write_tone(sounds / "new.wav", 333.0, 1.0)
    report, chunks = start(sounds)
    assert set(opened) == {"new.wav"}
    assert len(report.usable_files) == len(chunks) == 9


def test_scans_of_parts_of_a_folder_keep_what_each_other_found(sounds: Path, opened: list[str]) -> None:
    scan_folder(sounds)
    first, second = ([sounds / f"tone-{index}.wav" for index in pair] for pair in ((0, 1), (2, 3)))
    opened.clear()
    for chosen in (first, second, first, sounds):
        list(scan(chosen, 1.0))
    assert opened == []
    (sounds / "tone-7.wav").unlink()
    list(scan(first, 1.0))
    assert "tone-7.wav" not in next((cache_folder() / "folders").iterdir()).read_text(errors="replace")


def test_a_changed_file_of_the_same_size_and_time_is_decoded_again(sounds: Path) -> None:
    before = start(sounds)
    path = sounds / "tone-3.wav"
    status = path.stat()
    write_tone(path, 1234.5, 1.0)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)
    report, chunks = start(sounds)
    hashes = [{file.path: file.content_hash for file in each.files} for each in (before[0], report)]
    assert {name for name in hashes[0] if hashes[0][name] != hashes[1][name]} == {"tone-3.wav"}
    known = {chunk.numpy().tobytes() for chunk in before[1]}
    (changed,) = [chunk for chunk in chunks if chunk.numpy().tobytes() not in known]
    assert np.allclose(changed, tone(1234.5, 1.0), atol=1e-3)


def test_a_file_that_changes_while_it_is_read_is_not_cached(
    sounds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = cache.ReportCache.put

    def put(self: cache.ReportCache, identity: str, report: object) -> None:
        write_tone(sounds / "tone-0.wav", 999.0, 1.0)
        real(self, identity, report)  # type: ignore[arg-type]

    monkeypatch.setattr(cache.ReportCache, "put", put)
    scan_folder(sounds)
    known = cache.ReportCache(sounds)
    assert known.get("tone-0.wav") is None


def test_a_file_that_changed_since_the_scan_is_not_cached(sounds: Path, opened: list[str]) -> None:
    report = scan_folder(sounds)
    original = (sounds / "tone-0.wav").read_bytes()
    write_tone(sounds / "tone-0.wav", 999.0, 1.0)
    load(sounds, report)
    (sounds / "tone-0.wav").write_bytes(original)
    report = scan_folder(sounds)
    opened.clear()
    chunks = all_chunks(load(sounds, report))
    assert opened == ["tone-0.wav"]
    assert any(np.allclose(chunk, tone(110.0, 1.0), atol=1e-3) for chunk in chunks)


def test_a_partly_decoded_file_is_not_cached(
    sounds: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    report = scan_folder(sounds)
    with monkeypatch.context() as patch:
        real = loading.mono_blocks

        def half(sound: SoundReader, sample_rate: int) -> Iterator[Samples]:
            yield from islice(real(sound, sample_rate), 3)

        patch.setattr(loading, "mono_blocks", half)
        load(sounds, report)
    opened.clear()
    chunks = all_chunks(load(sounds, report))
    assert len(opened) == 8
    assert chunks[:, RATE // 2 :].abs().amax(1).min() > 0.1
    cut = (sounds / "tone-1.wav").read_bytes()
    (sounds / "tone-1.wav").write_bytes(cut[: len(cut) // 2])
    scan_folder(sounds)
    opened.clear()
    scan_folder(sounds)
    assert set(opened) == {"tone-1.wav"}


def test_a_file_system_without_a_time_of_changes_is_not_trusted(sounds: Path) -> None:
    scan_folder(sounds)
    known = cache.ReportCache(sounds)
    assert known.identity("tone-0.wav")
    second = 10**9
    status = os.stat_result(range(10), {"st_mtime_ns": 7 * second, "st_ctime_ns": 7 * second})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "stat", lambda _: status)
        assert known.identity("tone-0.wav") == ""


def test_a_load_from_the_cache_can_be_cancelled(sounds: Path) -> None:
    report, _ = start(sounds)
    with pytest.raises(Cancelled):
        load(sounds, report, cancelled=True)


def test_a_file_that_changed_just_now_is_not_cached(
    sounds: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "SETTLED_NS", 3600 * 10**9)
    start(sounds)
    opened.clear()
    start(sounds)
    assert len(set(opened)) == 8


@pytest.mark.parametrize("at", [0, 5, 11, 12, -1])  # checksum, scale, samples
def test_a_damaged_cache_is_ignored(sounds: Path, own_cache: Path, opened: list[str], at: int) -> None:
    first = start(sounds)
    for path in own_cache.rglob("*"):
        if path.is_file():
            data = bytearray(path.read_bytes())
            data[at] ^= 0xFF
            path.write_bytes(data)
    opened.clear()
    second = start(sounds)
    assert len(set(opened)) == 8
    assert second[0] == first[0]
    assert torch.equal(second[1], first[1])


@pytest.mark.parametrize("left", [b"", b"[]", b'{"tone-0.wav": ["1", {"path": 3}]}', b"\xff\x00"])
def test_an_invalid_index_is_ignored(sounds: Path, left: bytes) -> None:
    first = scan_folder(sounds)
    (index,) = (cache_folder() / "folders").iterdir()
    cache.write_with_checksum(index, left)  # behind a checksum that is right
    assert scan_folder(sounds) == first


def test_a_moved_folder_is_recognised_by_content(sounds: Path, tmp_path: Path, opened: list[str]) -> None:
    first = start(sounds)
    sounds.rename(tmp_path / "elsewhere")
    report = scan_folder(tmp_path / "elsewhere")
    opened.clear()
    assert torch.equal(all_chunks(load(tmp_path / "elsewhere", report)), first[1])
    assert opened == []
    load(tmp_path / "elsewhere", report, sample_rate=44_100)
    assert len(opened) == 8


def test_unusable_files_are_read_again(sounds: Path, opened: list[str]) -> None:
    (sounds / "broken.wav").write_bytes(b"RIFF")
    (sounds / "notes.txt").write_text("no sound")
    scan_folder(sounds)
    opened.clear()
    verdicts = {file.path: file.verdict for file in scan_folder(sounds).files}
    assert set(opened) == {"broken.wav", "notes.txt"}
    assert verdicts["broken.wav"] is Verdict.UNREADABLE


def test_scan_and_load_work_without_a_writable_cache(
    sounds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = start(sounds)
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SDA_CACHE", str(tmp_path / "file"))
    second = start(sounds)
    assert second[0] == first[0]
    assert torch.equal(second[1], first[1])


def test_an_inaccessible_cache_folder_does_no_harm(
    sounds: Path, open_path: Path, monkeypatch: pytest.MonkeyPatch, ordinary_user: None
) -> None:
    closed = open_path / "closed"
    monkeypatch.setenv("SDA_CACHE", str(closed / "cache"))
    os.seteuid(os.getuid())
    closed.mkdir(mode=0o700)
    os.seteuid(65_534 if os.getuid() == 0 else os.getuid())
    if os.getuid() != 0:
        closed.chmod(0)
    reports, samples = cache.ReportCache(sounds), cache.SampleCache()
    report, excerpt = FileReport("tone-0.wav", Verdict.USED, ""), Excerpt("tone-0.wav", 0.0, 1.0, (0.0,))
    reports.put(reports.identity("tone-0.wav"), report)
    reports.write()
    samples.put("0" * 32, RATE, excerpt, np.zeros(RATE, np.int16), 1.0)
    trim_cache()
    assert reports.get("tone-0.wav") is samples.get("0" * 32, RATE, excerpt) is None
    assert cache_size() == 0
    if os.getuid() != 0:
        closed.chmod(0o700)


def test_the_cache_leaves_a_reserve_on_the_disk(sounds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "RESERVE_BYTES", 1 << 60)
    start(sounds)
    assert not (cache_folder() / "samples").exists() or not list((cache_folder() / "samples").glob("*/*"))


def test_the_least_recently_used_entries_are_deleted_first(sounds: Path, opened: list[str]) -> None:
    report, _ = start(sounds)
    kept = sorted((cache_folder() / "samples").glob("*/*"))
    assert len(kept) == 8
    for age, path in enumerate(kept):
        os.utime(path, (1e9 - age, 1e9 - age))
    trim_cache(cache_size() - 3 * kept[0].stat().st_size)
    assert sorted((cache_folder() / "samples").glob("*/*")) == kept[:5]
    opened.clear()
    load(sounds, report)
    assert len(opened) == 3


def test_a_dataset_beyond_the_limit_is_cached_in_part(sounds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "LIMIT_BYTES", 2 * 4 * 2 * RATE)  # twice four sounds of a second
    for _ in range(3):
        start(sounds)
    assert 3 <= len(list((cache_folder() / "samples").glob("*/*"))) <= 5  # which of them, threads decide
    assert cache_size() < cache.LIMIT_BYTES


def test_the_cache_command_shows_its_size_and_clears_it(
    sda_tui: Command, sounds: Path, own_cache: Path
) -> None:
    start(sounds)
    mine = own_cache / "decoded" / "1-kit" / "samples" / "ab" / "kick.wav"
    mine.parent.mkdir(parents=True)
    write_tone(mine, 60.0, 0.5)
    shown = sda_tui("cache").stdout
    assert shown.startswith(f"{fmt.size(cache_size())} of decoded sounds in")
    assert "at most 8.0 GB" in shown.replace("\n", " ")
    size = fmt.size(cache_size())
    assert sda_tui("cache", "--clear").stdout.startswith(f"Deleted {size} of decoded sounds")
    assert cache_size() == 0
    assert mine.exists()
