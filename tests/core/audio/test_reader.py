"""Decoding, on every format, depth and rate that people have, and on broken files."""

import math
import os
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.audio.reader import Decoders, Samples, decode_mono
from core.audio.worker import LONGEST_READ_S
from core.errors import AudioFileError, Cancelled, UnsupportedFormatError
from tests.sounds import tone, write_tone


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    with Decoders() as decoders:
        yield decoders


Decode = Callable[..., Samples]


@pytest.fixture
def decode(decoders: Decoders) -> Decode:
    def decode(path: Path, sample_rate: int = 48_000) -> Samples:
        with decoders.open(path) as sound:
            return decode_mono(sound, sample_rate)

    return decode


@pytest.mark.parametrize(
    ("name", "options", "tolerance"),
    [
        ("a.wav", {"subtype": "PCM_U8"}, 1e-2),
        ("a.wav", {"subtype": "PCM_16"}, 1e-4),
        ("a.wav", {"subtype": "PCM_24"}, 1e-6),
        ("a.wav", {"subtype": "PCM_32"}, 1e-6),
        ("a.wav", {"subtype": "FLOAT"}, 1e-6),
        ("a.wav", {"subtype": "DOUBLE"}, 1e-6),
        ("a.aiff", {}, 1e-4),
        ("a.flac", {}, 1e-4),
        ("a.au", {}, 1e-4),
        ("a.caf", {}, 1e-4),
        ("a.w64", {}, 1e-4),
        ("a.rf64", {}, 1e-4),
        ("a.ogg", {}, 5e-2),
        ("a.opus", {"format": "OGG", "subtype": "OPUS"}, 5e-2),
        ("a.mp3", {}, 5e-2),
    ],
)
def test_every_format_and_depth_is_decoded(
    decode: Decode, tmp_path: Path, name: str, options: dict[str, str], tolerance: float
) -> None:
    path = write_tone(tmp_path / name, 440.0, 0.5, **options)
    samples = decode(path)
    expected = tone(440.0, 0.5)
    assert samples.dtype == np.float32
    compared = min(len(samples), len(expected))
    assert compared >= 0.99 * len(expected)
    assert np.sqrt(np.mean((samples[:compared] - expected[:compared]) ** 2)) < tolerance


@pytest.mark.parametrize("name", ["a.mp3", "a.ogg", "a.flac"])
def test_blocks_join_without_a_seam(decoders: Decoders, tmp_path: Path, name: str) -> None:
    path = write_tone(tmp_path / name, 440.0, 3.0)
    with decoders.open(path) as sound:
        blocks = np.concatenate([block.copy() for block in sound.blocks()])
    whole, _ = soundfile.read(path, dtype="float32", always_2d=True)
    assert np.array_equal(blocks, whole)


@pytest.mark.parametrize("sample_rate", [8_000, 11_025, 44_100, 48_000, 96_000, 192_000])
def test_any_sample_rate_arrives_at_48_khz_with_its_pitch(
    decode: Decode, tmp_path: Path, sample_rate: int
) -> None:
    path = write_tone(tmp_path / "a.wav", 1000.0, 1.0, samplerate=sample_rate, subtype="FLOAT")
    samples = decode(path)
    assert abs(len(samples) - 48_000) <= 1
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    assert abs(np.argmax(spectrum) * 48_000 / len(samples) - 1000.0) < 3
    assert np.sqrt(np.mean((samples[:40_000] - tone(1000.0, 1.0)[:40_000]) ** 2)) < 5e-3


@pytest.mark.parametrize("channels", range(1, 9))
def test_channels_are_averaged(decode: Decode, tmp_path: Path, channels: int) -> None:
    path = write_tone(tmp_path / "a.wav", 440.0, 0.2, channels=channels, subtype="FLOAT")
    gain = np.mean([1 - 0.05 * channel for channel in range(channels)])
    assert np.allclose(decode(path), gain * tone(440.0, 0.2), atol=1e-6)


def test_one_sample_is_a_sound(decode: Decode, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.array([0.5]), 48_000, subtype="FLOAT")
    assert decode(tmp_path / "a.wav").tolist() == [0.5]


def test_one_hour_of_a_ten_hour_file_is_read(decoders: Decoders, tmp_path: Path) -> None:
    """The file is sparse: a second of sound, and a hole up to ten hours."""
    sample_rate = 8_000
    path = tmp_path / "night.wav"
    soundfile.write(path, tone(440.0, 1.0, sample_rate), sample_rate, subtype="PCM_16")
    data_bytes = 36_000 * sample_rate * 2
    with path.open("r+b") as file:
        file.truncate(44 + data_bytes)
        file.seek(4)
        file.write((36 + data_bytes).to_bytes(4, "little"))
        file.seek(40)
        file.write(data_bytes.to_bytes(4, "little"))
    with decoders.open(path) as sound:
        assert math.isclose(sound.header_duration_s, 36_000)
        blocks = sum(len(block) for block in sound.blocks())
        assert blocks == LONGEST_READ_S * sample_rate
        assert sound.is_longer_than_read
        assert sound.shortfall == 0


@pytest.mark.parametrize("name", ["a.wav", "a.aiff", "a.flac", "a.w64", "a.mp3"])
def test_a_truncated_file_is_read_and_its_shortfall_reported(
    decoders: Decoders, tmp_path: Path, name: str
) -> None:
    path = write_tone(tmp_path / name, 440.0, 2.0)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with decoders.open(path) as sound:
        frames = sum(len(block) for block in sound.blocks())
        assert 0.2 * 96_000 < frames < 0.7 * 96_000
        assert 0.3 < sound.shortfall < 0.8


def test_a_stream_of_unknown_length_is_not_called_cut_short(decoders: Decoders, tmp_path: Path) -> None:
    path = write_tone(tmp_path / "a.wav")
    data = bytearray(path.read_bytes())
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"  # what `ffmpeg -f wav -` writes
    path.write_bytes(data)
    with decoders.open(path) as sound:
        frames = sum(len(block) for block in sound.blocks())
        assert frames == 48_000
        assert sound.shortfall == 0


@pytest.mark.parametrize(
    ("name", "content", "error", "expected"),
    [
        ("text.wav", b"this is no sound at all" * 50, AudioFileError, "no WAV sound in it"),
        ("empty.wav", b"", AudioFileError, "0 bytes"),
        ("text.mp3", b"this is no sound at all" * 50, AudioFileError, "format not recognised"),
        ("notes.txt", b"this is no sound at all" * 50, UnsupportedFormatError, "these formats work: WAV"),
        ("headerless.raw", bytes(500), UnsupportedFormatError, "no sound"),
    ],
)
def test_what_is_no_sound_is_refused_in_one_line(
    decode: Decode, tmp_path: Path, name: str, content: bytes, error: type[Exception], expected: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(error) as raised:
        decode(path)
    assert expected in str(raised.value)
    assert "\n" not in str(raised.value)


def test_dangling_links_and_pipes_are_refused_unopened(decode: Decode, tmp_path: Path) -> None:
    link = tmp_path / "link.wav"
    link.symlink_to(tmp_path / "gone.wav")
    with pytest.raises(AudioFileError, match="link to a file that does not exist"):
        decode(link)
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(UnsupportedFormatError, match="not a regular file"):
        decode(tmp_path / "pipe.wav")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_refused(decode: Decode, tmp_path: Path, bad: float) -> None:
    samples = tone(440.0, 0.5)
    samples[100] = bad
    soundfile.write(tmp_path / "a.wav", samples, 48_000, subtype="FLOAT")
    with pytest.raises(AudioFileError, match="infinite, not a number or absurdly large"):
        decode(tmp_path / "a.wav")


def test_a_name_in_any_script_or_none_is_opened(decode: Decode, tmp_path: Path) -> None:
    for name in ("Glöckchen 🔔.wav", "太鼓.wav", "[bold]x[bold].wav", os.fsdecode(b"latin-\xe9.wav")):
        path = tmp_path / name
        write_tone(tmp_path / "plain.wav").rename(path)
        assert len(decode(path)) == 48_000


def test_decoding_is_cancelled_between_blocks(tmp_path: Path) -> None:
    path = write_tone(tmp_path / "a.wav", 440.0, 10.0)
    is_cancelled = False
    with Decoders(lambda: is_cancelled) as decoders, decoders.open(path) as sound:
        blocks = sound.blocks()
        next(blocks)
        is_cancelled = True
        with pytest.raises(Cancelled):
            deque(blocks)
