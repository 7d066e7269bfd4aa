"""The verdict of every file, on folders as people have them."""

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.audio.reader import Decoders, Samples, SoundReader
from core.data import cache
from core.data.plan import replan
from core.data.report import FileReport, ScanProgress, Verdict
from core.data.scan import WORKERS, scan
from core.errors import Cancelled, DatasetError, SdaError
from core.text import printable
from tests.conftest import scan_folder
from tests.sounds import encode, tone, wav_that_hangs_libsndfile, write_tone


def report_of(path: Path, chunk_duration_s: float = 1.0) -> FileReport:
    """The report on the one file of a folder."""
    (report,) = scan_folder(path.parent, chunk_duration_s).files
    return report


def test_a_good_file_is_used(tmp_path: Path) -> None:
    report = report_of(write_tone(tmp_path / "a.wav", 440.0, 2.5, channels=2, samplerate=44_100))
    assert report.verdict is Verdict.USED
    assert report.usable
    assert report.detail == ""
    assert (report.sample_rate, report.channels, report.format, report.encoding) == (
        44_100,
        2,
        "WAV",
        "PCM_16",
    )
    assert report.duration_s == pytest.approx(2.5)
    assert report.chunks == 3
    assert report.size_bytes == (tmp_path / "a.wav").stat().st_size


def test_a_file_shorter_than_a_chunk_is_padded_and_used(tmp_path: Path) -> None:
    report = report_of(write_tone(tmp_path / "a.wav", 440.0, 0.05))
    assert report.verdict is Verdict.PADDED
    assert report.usable
    assert report.chunks == 1
    assert "under a chunk of 1 s" in report.detail


def test_a_silent_file_is_reported_and_left_out(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(48_000), 48_000)
    report = report_of(tmp_path / "a.wav")
    assert report.verdict is Verdict.MOSTLY_SILENT
    assert not report.usable
    assert "nothing above -80 dB" in report.detail


@pytest.mark.parametrize("channels", [1, 2])
def test_a_constant_is_silent(tmp_path: Path, channels: int) -> None:
    """`sox -n -r 44100 -b 16 s.wav trim 0 5 dcshift 0.005`: a recorder with nothing at its input."""
    offsets = np.array([0.005, -0.3])[:channels]
    soundfile.write(tmp_path / "a.wav", np.tile(offsets, (5 * 44_100, 1)), 44_100)
    report = report_of(tmp_path / "a.wav")
    assert report.verdict is Verdict.MOSTLY_SILENT
    assert not report.usable
    assert report.detail == "nothing above -80 dB but a constant offset; left out"


def test_silence_beside_a_sound_is_found_whatever_its_offset(tmp_path: Path) -> None:
    sound = np.concatenate([0.5 * tone(440.0, 1.0), np.zeros(9 * 48_000)]) + 0.2
    soundfile.write(tmp_path / "a.wav", sound, 48_000)
    report = report_of(tmp_path / "a.wav")
    assert report.verdict is Verdict.MOSTLY_SILENT
    assert report.chunks == 1
    assert "90% is 60 dB below its loudest" in report.detail


def test_a_mostly_silent_file_is_used_where_it_sounds(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.concatenate([tone(440.0, 1.0), np.zeros(9 * 48_000)]), 48_000)
    report = report_of(tmp_path / "a.wav")
    assert report.verdict is Verdict.MOSTLY_SILENT
    assert report.usable
    assert report.chunks == 1
    assert "90% is 60 dB below its loudest" in report.detail


def test_channels_that_cancel_out_are_reported(tmp_path: Path) -> None:
    signal = tone(440.0, 1.0)
    soundfile.write(tmp_path / "a.wav", np.stack([signal, -signal], axis=1), 48_000, subtype="FLOAT")
    report = report_of(tmp_path / "a.wav")
    assert report.verdict is Verdict.MOSTLY_SILENT
    assert "channels cancel out" in report.detail


def test_a_length_of_more_than_is_read_is_never_shown(tmp_path: Path) -> None:
    """Neither before the samples are read nor after: an hour is used of a recording of a night."""
    soundfile.write(tmp_path / "a.wav", np.tile(np.sin(np.arange(100)), 37_000), 1000, subtype="PCM_U8")
    lengths_s = {each.duration_s for each in scan(tmp_path, 1.0) if isinstance(each, FileReport)}
    assert max(lengths_s) == 3600.0


@pytest.mark.parametrize(("gain", "verdict"), [(4.0, Verdict.CLIPPED), (1.0, Verdict.USED)])
def test_clipped_peaks_are_reported_and_the_file_is_used(
    tmp_path: Path, gain: float, verdict: Verdict
) -> None:
    soundfile.write(tmp_path / "a.wav", np.clip(gain * tone(440.0, 1.0), -1, 1), 48_000)
    report = report_of(tmp_path / "a.wav")
    assert report.verdict is verdict
    assert report.usable


def test_peaks_that_reach_full_scale_but_are_not_flat_are_not_clipped(tmp_path: Path) -> None:
    samples = 0.5 * tone(440.0, 1.0)
    samples[::20] = 1.0
    soundfile.write(tmp_path / "a.wav", samples, 48_000)
    assert report_of(tmp_path / "a.wav").verdict is Verdict.USED


def test_the_same_sound_in_another_format_is_a_duplicate(tmp_path: Path) -> None:
    write_tone(tmp_path / "a.wav", 440.0, 1.5)
    soundfile.write(tmp_path / "b.flac", soundfile.read(tmp_path / "a.wav", dtype="int16")[0], 48_000)
    write_tone(tmp_path / "c.wav", 441.0, 1.5)
    (tmp_path / "d.wav").symlink_to(tmp_path / "a.wav")
    files = {file.path: file for file in scan_folder(tmp_path).files}
    assert [file.usable for file in files.values()] == [True, False, True, False]
    assert files["b.flac"].verdict is Verdict.DUPLICATE
    assert "the same sound as a.wav" in files["b.flac"].detail


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_not_finite_make_a_file_unreadable(tmp_path: Path, bad: float) -> None:
    samples = tone(440.0, 1.0)
    samples[7:9] = bad
    soundfile.write(tmp_path / "a.wav", samples, 48_000, subtype="DOUBLE")
    report = report_of(tmp_path / "a.wav")
    assert report.verdict is Verdict.UNREADABLE
    assert "2 samples are infinite or not a number" in report.detail


def test_a_file_that_hangs_its_decoder_is_named_and_the_rest_is_used(sounds: Path) -> None:
    (sounds / "hangs.wav").write_bytes(wav_that_hangs_libsndfile())
    files = {file.path: file for file in scan_folder(sounds).files}
    assert files["hangs.wav"].verdict is Verdict.UNREADABLE
    assert "never ends" in files["hangs.wav"].detail
    assert sum(file.usable for file in files.values()) == 8


def test_a_file_that_vanishes_is_named_and_the_rest_is_used(
    sounds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes between the opening and the look at its size, then between header and samples."""
    real = Decoders.open

    def vanishing(self: Decoders, path: Path) -> SoundReader:
        sound = real(self, path)
        if path.name in ("tone-1.wav", "tone-2.wav"):
            path.unlink()
        return sound

    monkeypatch.setattr(Decoders, "open", vanishing)
    files = {file.path: file for file in scan_folder(sounds).files}
    assert [name for name, file in files.items() if not file.usable] == ["tone-1.wav", "tone-2.wav"]
    assert files["tone-1.wav"].detail == "it is no longer there"


@pytest.mark.parametrize("error", [MemoryError(), ValueError("x"), OverflowError(), RuntimeError("no")])
def test_any_failure_of_one_file_is_its_verdict(
    sounds: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    real = SoundReader.blocks

    def failing(self: SoundReader) -> Iterator[Samples]:
        if self.sample_rate == 44_100:
            raise error
        return real(self)

    write_tone(sounds / "bad.wav", samplerate=44_100)
    monkeypatch.setattr(SoundReader, "blocks", failing)
    files = {file.path: file for file in scan_folder(sounds).files}
    assert [name for name, file in files.items() if not file.usable] == ["bad.wav"]
    assert f"it cannot be examined ({type(error).__name__}" in files["bad.wav"].detail


def test_damaged_rates_and_channels_take_no_memory(tmp_path: Path) -> None:
    """One flipped bit: a rate of gigahertz, and thousands of channels, in 277 kB."""
    data = bytearray(encode(np.zeros(138_000), 48_000, format="WAV"))
    for number, (position, value) in enumerate([(26, 0x40), (27, 0x40), (23, 0x10), (22, 0x80)]):
        damaged = data.copy()
        damaged[position] ^= value
        (tmp_path / f"{number}.wav").write_bytes(damaged)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    files = scan_folder(tmp_path).files
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB
    assert {file.verdict for file in files} == {Verdict.UNREADABLE}


def test_broken_and_foreign_files_get_a_reason_and_the_scan_continues(tmp_path: Path) -> None:
    write_tone(tmp_path / "good.wav")
    write_tone(tmp_path / "half.wav", 300.0, 2.0)
    (tmp_path / "half.wav").write_bytes((tmp_path / "half.wav").read_bytes()[:96_000])
    (tmp_path / "text.wav").write_text("no sound" * 100)
    (tmp_path / "zero.wav").touch()
    soundfile.write(tmp_path / "none.wav", np.zeros(0), 48_000)
    soundfile.write(tmp_path / "one.wav", np.array([0.5]), 48_000)
    (tmp_path / "README.md").write_text("# Sounds")
    report = scan_folder(tmp_path)
    verdicts = {file.path: (file.verdict.value, file.usable) for file in report.files}
    assert verdicts == {
        "README.md": ("unsupported", False),
        "good.wav": ("used", True),
        "half.wav": ("padded", True),
        "none.wav": ("unreadable", False),
        "one.wav": ("padded", True),
        "text.wav": ("unreadable", False),
        "zero.wav": ("unreadable", False),
    }
    details = {file.path: file.detail for file in report.files}
    assert "cut short: 50% of it is missing" in details["half.wav"]
    assert "these formats work" in details["README.md"]
    assert all("\n" not in detail for detail in details.values())


def test_folders_are_searched_through_links_without_loops(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    write_tone(tmp_path / "a" / "b" / "deep.wav")
    (tmp_path / "a" / "b" / "up").symlink_to(tmp_path / "a")
    (tmp_path / "again").symlink_to(tmp_path / "a")
    report = scan_folder(tmp_path)
    assert [file.path for file in report.files] == ["a/b/deep.wav"]


def test_hidden_folders_and_runs_are_left_out_and_reported(tmp_path: Path) -> None:
    write_tone(tmp_path / "a.wav")
    for folder in (tmp_path / ".git", tmp_path / "runs" / "a-001"):
        folder.mkdir(parents=True)
        write_tone(folder / "b.wav")
    (tmp_path / "runs" / "a-001" / "run.json").touch()
    report = scan_folder(tmp_path)
    assert [file.path for file in report.files] == ["a.wav"]
    assert any(".git was left out: it is hidden" in note for note in report.notes)
    assert any("a-001 was left out: it is a run of sda-tui" in note for note in report.notes)


@pytest.mark.parametrize(
    "name", ["Glöckchen 🔔.wav", "太鼓.wav", "[red]x.wav", os.fsdecode(b"latin-\xe9.wav"), "a\nb.wav"]
)
def test_any_name_is_scanned_and_can_be_printed(tmp_path: Path, name: str) -> None:
    write_tone(tmp_path / "plain.wav").rename(tmp_path / name)
    report = report_of(tmp_path / name)
    assert report.usable
    assert (tmp_path / report.path).exists()
    report.printable_path.encode("utf-8")
    assert "\n" not in report.printable_path


def test_a_folder_that_cannot_be_scanned_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"There is no file or folder .*gone"):
        scan_folder(tmp_path / "gone")
    with pytest.raises(DatasetError, match="holds no files; choose a folder with sounds"):
        scan_folder(tmp_path)


def test_a_folder_without_permission_is_reported(
    open_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setattr(cache, "SETTLED_NS", 0)
    sounds = open_path / "sounds"
    sounds.mkdir()
    write_tone(sounds / "good.wav")
    scan_folder(sounds)  # a decoder of this user's may not start in the home of root: all is cached
    (sounds / "closed").mkdir()
    write_tone(sounds / "closed" / "b.wav")
    (sounds / "closed").chmod(0)
    request.getfixturevalue("ordinary_user")
    report = scan_folder(sounds)
    assert any("closed could not be entered (Permission denied)" in note for note in report.notes)
    with pytest.raises(DatasetError, match="no permission to read the folder"):
        scan_folder(sounds / "closed")


def test_a_folder_without_usable_sounds_is_refused_with_counted_reasons(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "b.wav").touch()
    report = scan_folder(tmp_path)
    assert report.split.train == ()
    with pytest.raises(DatasetError, match=r"Nothing in .* can be used \(1 unsupported, 1 unreadable\)"):
        report.require_usable()


def test_results_arrive_during_the_scan(sounds: Path) -> None:
    events = list(scan(sounds, 1.0))
    reports = [event for event in events if isinstance(event, FileReport)]
    assert [report.verdict for report in reports[:8]] == [Verdict.WAITING] * 8
    assert all(report.duration_s > 0 for report in reports[:8])
    progress = [event for event in events if isinstance(event, ScanProgress)]
    assert {event.phase for event in progress} == {"headers", "samples"}
    assert progress[-1].done == progress[-1].total == 8


def test_a_scan_is_cancelled_between_blocks(sounds: Path) -> None:
    """Each worker asks before every quarter second of sound and once per file, and then no more."""
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > 20

    with pytest.raises(Cancelled):
        list(scan(sounds, 1.0, cancelled=cancelled))
    assert asked <= 20 + 2 * WORKERS


@pytest.mark.slow
def test_more_files_are_scanned_than_a_process_may_hold_open(tmp_path: Path) -> None:
    """1024 are usual."""
    original = write_tone(tmp_path / "0.wav", 440.0, 0.05)
    data = bytearray(original.read_bytes())
    for index in range(1, 1500):
        data[1000:1004] = index.to_bytes(4, "little")  # one differing sample each
        (tmp_path / f"{index}.wav").write_bytes(data)
    report = scan_folder(tmp_path)
    assert len(report.usable_files) == 1500
    assert report.suggested_preset == "aggressive"
    assert len(report.split.validation) == 150


def test_another_chunk_duration_reads_no_file_again(tmp_path: Path) -> None:
    write_tone(tmp_path / "a.wav", 440.0, 1.5)
    report = scan_folder(tmp_path)
    (tmp_path / "a.wav").unlink()
    longer = replan(report, 2.0, 0)
    assert longer.files[0].verdict is Verdict.PADDED
    assert replan(longer, 0.25, 0).files[0].chunks == 6
    assert replan(longer, 1.0, 0) == report


def test_printable_keeps_what_a_terminal_can_show() -> None:
    assert printable("Glöckchen 🔔 太鼓") == "Glöckchen 🔔 太鼓"
    assert printable("a\x1b[31mb\nc") == "a�[31mb�c"


@pytest.mark.parametrize("channels", [1, 2])
def test_absurdly_large_samples_are_reported(tmp_path: Path, channels: int) -> None:
    samples = np.full((4800, channels), 0.1)
    samples[100] = 1e30
    soundfile.write(tmp_path / "huge.wav", samples, 48_000, subtype="FLOAT")
    write_tone(tmp_path / "good.wav")
    files = {file.path: file for file in scan_folder(tmp_path).files}
    assert files["good.wav"].usable
    assert (files["huge.wav"].verdict, files["huge.wav"].usable) == (Verdict.UNREADABLE, False)
    assert "samples of up to 1e+30, where 1 is full scale" in files["huge.wav"].detail


def test_infinite_samples_of_both_signs_do_not_warn(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    soundfile.write(tmp_path / "bad.wav", np.array([[np.inf, -np.inf]] * 4800), 48_000, subtype="FLOAT")
    (report,) = scan_folder(tmp_path).files
    assert report.verdict is Verdict.UNREADABLE
    assert not recwarn.list


def test_an_unknown_user_is_reported() -> None:
    with pytest.raises(SdaError, match="There is no user 'nosuchuser'"):
        scan_folder(Path("~nosuchuser/sounds"))
