"""Opening and decoding one file, in this process: what its header says, and what is there."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.audio.decoder import open_regular, open_sound
from core.errors import AudioFileError, UnsupportedFormatError
from tests.sounds import encode, mp3_without_length, tone, write_tone

RATE = 44_100
SIGNAL = tone(440.0, 1.0, RATE)


class Result:
    """What is decoded of a file, and what is said of it."""

    def __init__(self, path: Path, data: bytes) -> None:
        path.write_bytes(data)
        sound = open_sound(path)
        blocks = [bytes(block) for block in sound.blocks()]
        self.samples = np.frombuffer(b"".join(blocks), np.float32).reshape(-1, sound.channels)
        self.frames = len(self.samples)
        self.stated_frames = sound.frames
        self.shortfall = sound.shortfall
        self.remark = sound.remark
        sound.close()

    @property
    def is_without_remark(self) -> bool:
        return self.shortfall == 0 and not self.remark


def put(data: bytes, position: int, value: bytes) -> bytes:
    return data[:position] + value + data[position + len(value) :]


@pytest.mark.parametrize(
    "size", [0, 2_000_000_000, 0x7F000000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFDB]
)
@pytest.mark.parametrize("is_in_riff", [True, False])
def test_wav_with_a_placeholder_for_its_size_is_read_to_its_end(
    tmp_path: Path, size: int, is_in_riff: bool
) -> None:
    data = put(encode(SIGNAL, format="WAV"), 40, struct.pack("<I", size))
    if is_in_riff:
        data = put(data, 4, struct.pack("<I", size))
    found = Result(tmp_path / "a.wav", data)
    assert found.frames == RATE
    assert found.is_without_remark


def _aiff(data: bytes, ssnd: int) -> bytes:
    data = put(put(data, 4, bytes(4)), data.find(b"COMM") + 10, bytes(4))
    return put(data, data.find(b"SSND") + 4, struct.pack(">I", ssnd))


@pytest.mark.parametrize(
    ("name", "unfinished"),
    [
        ("AIFF", lambda data: _aiff(data, 0)),
        ("AIFF", lambda data: _aiff(data, 8)),
        ("CAF", lambda data: put(data, data.find(b"data") + 4, struct.pack(">q", 0))),
        ("CAF", lambda data: put(data, data.find(b"data") + 4, struct.pack(">q", 4))),
        ("CAF", lambda data: put(data, data.find(b"data") + 4, struct.pack(">q", -1))),
        ("W64", lambda data: put(data, data.find(b"data") + 16, struct.pack("<q", 0))),
        ("W64", lambda data: put(data, data.find(b"data") + 16, struct.pack("<q", 24))),
        ("AU", lambda data: put(data, 8, struct.pack(">i", 0))),
        ("AU", lambda data: put(data, 8, struct.pack(">i", -1))),
        ("RF64", lambda data: put(data, data.find(b"ds64") + 16, struct.pack("<q", 0))),
    ],
)
def test_recording_that_was_never_finished_is_read_to_its_end(
    tmp_path: Path, name: str, unfinished: Callable[[bytes], bytes]
) -> None:
    whole = encode(SIGNAL, format=name)
    found = Result(tmp_path / f"a.{name.lower()}", unfinished(whole))
    assert found.frames == RATE
    assert np.allclose(found.samples[:, 0], SIGNAL, atol=1e-3)
    assert found.is_without_remark


def test_wav_without_samples_has_none_though_chunks_follow(tmp_path: Path) -> None:
    data = encode(np.zeros(0), format="WAV")[:44] + b"LIST\x0c\0\0\0INFOICMT\0\0\0\0"
    assert Result(tmp_path / "a.wav", put(data, 40, bytes(4))).frames == 0


@pytest.mark.parametrize("name", ["AIFF", "CAF", "W64", "AU", "WAV"])
def test_half_a_file_lacks_half(tmp_path: Path, name: str) -> None:
    whole = encode(SIGNAL, format=name)
    found = Result(tmp_path / f"a.{name.lower()}", whole[: len(whole) - RATE])
    assert found.frames == pytest.approx(RATE / 2, abs=8192)
    assert found.shortfall == pytest.approx(0.5, abs=0.01)


def test_all_of_an_mp3_without_a_length_is_decoded(tmp_path: Path) -> None:
    data = mp3_without_length()
    found = Result(tmp_path / "a.mp3", data)
    assert found.stated_frames > 1.5 * found.frames or found.stated_frames < 0.7 * found.frames
    assert found.frames == pytest.approx(4 * RATE, abs=4000)
    assert found.is_without_remark


def test_flac_of_unknown_length_is_decoded_without_a_remark(tmp_path: Path) -> None:
    data = encode(SIGNAL, format="FLAC")
    data = put(data, 21, bytes([data[21] & 0xF0]) + bytes(20))  # the count of samples, and their MD5
    found = Result(tmp_path / "a.flac", data)
    assert found.frames == RATE
    assert found.stated_frames == 0
    assert found.is_without_remark


@pytest.mark.parametrize("name", ["OGG", "MP3", "FLAC", "WAV", "AIFF"])
def test_joined_files_are_decoded_one_after_the_other(tmp_path: Path, name: str) -> None:
    other = tone(700.0, 0.5, RATE)
    parts = [encode(signal, format=name) for signal in (SIGNAL, other, SIGNAL)]
    found = Result(tmp_path / f"a.{name.lower()}", b"".join(parts))
    assert found.frames == 2 * len(SIGNAL) + len(other)
    alone = [Result(tmp_path / "b", part).samples for part in parts]
    assert np.array_equal(found.samples, np.concatenate(alone))
    assert found.is_without_remark


def test_mp3_with_and_without_a_length_are_joined(tmp_path: Path) -> None:
    counted = encode(SIGNAL, format="MP3")
    for data in (counted + mp3_without_length(), mp3_without_length() + counted):
        assert Result(tmp_path / "a.mp3", data).frames == pytest.approx(5 * RATE, abs=4000)


@pytest.mark.parametrize("name", ["OGG", "MP3", "FLAC", "WAV"])
def test_joined_files_that_are_unlike_are_reported(tmp_path: Path, name: str) -> None:
    data = encode(SIGNAL, format=name) + encode(tone(440.0, 1.0, 48_000), 48_000, format=name)
    found = Result(tmp_path / f"a.{name.lower()}", data)
    assert found.frames == RATE
    assert found.remark == "only the first 1 of 2 sounds joined in it can be used"


@pytest.mark.parametrize("name", ["notes.au", "notes.snd", "notes.vox", "notes.gsm", "notes.raw"])
@pytest.mark.parametrize("text", [b"A list of takes.\n" * 40, b"x", bytes(range(256)) * 8])
def test_text_is_no_sound_whatever_its_name(tmp_path: Path, name: str, text: bytes) -> None:
    (tmp_path / name).write_bytes(text)
    with pytest.raises(AudioFileError, match=r"no (AU|SND|VOX|GSM)? ?sound"):
        open_sound(tmp_path / name)


@pytest.mark.parametrize("rate", [1, 999, 1_000_001, 0x40000000 + RATE, 0x7FFFFFFF])
def test_sample_rate_of_no_recorder_is_refused_by_name(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(put(encode(SIGNAL, format="WAV"), 24, struct.pack("<I", rate)))
    with pytest.raises(AudioFileError, match=f"sample rate of {rate} Hz is not between 1 kHz and 1 MHz"):
        open_sound(path)


def test_more_than_64_channels_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(encode(np.zeros((10, 65)), format="WAV"))
    with pytest.raises(AudioFileError, match="65 channels, and at most 64"):
        open_sound(path)
    path.write_bytes(encode(np.full((10, 64), 0.5), format="WAV"))
    assert open_sound(path).channels == 64


def test_file_that_is_gone_is_reported(tmp_path: Path) -> None:
    with pytest.raises(AudioFileError, match="no longer there"):
        open_sound(tmp_path / "gone.wav")


def test_pipe_is_refused_without_being_opened(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedFormatError, match="not a regular file"):
        open_regular(Path("/dev/zero"))


def test_what_held_holds(tmp_path: Path) -> None:
    """Tags before a WAV, ADPCM, 24 bits in AIFF, little-endian AIFC."""
    tag = b"ID3\x03\0\0\0\0\x01\x00" + bytes(128)
    assert Result(tmp_path / "a.wav", tag + encode(SIGNAL, format="WAV")).frames == RATE
    for options in (
        {"format": "WAV", "subtype": "IMA_ADPCM"},
        {"format": "WAV", "subtype": "MS_ADPCM"},
        {"format": "AIFF", "subtype": "PCM_24"},
        {"format": "AIFF", "endian": "LITTLE"},
        {"format": "WAVEX", "subtype": "PCM_24"},
    ):
        found = Result(tmp_path / "a", encode(SIGNAL, **options))
        assert found.frames == pytest.approx(RATE, abs=2048)
        assert found.is_without_remark, options


def test_a_file_without_permission_is_refused(open_path: Path, request: pytest.FixtureRequest) -> None:
    path = write_tone(open_path / "secret.wav")
    path.chmod(0)
    request.getfixturevalue("ordinary_user")
    with pytest.raises(AudioFileError, match="you have no permission to read it"):
        open_regular(path)


def test_reading_agrees_with_libsndfile_on_a_plain_file(tmp_path: Path) -> None:
    path = write_tone(tmp_path / "a.flac", channels=2)
    expected, _ = soundfile.read(path, dtype="float32")
    assert np.array_equal(Result(path, path.read_bytes()).samples, expected)
