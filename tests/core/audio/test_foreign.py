"""Formats of telephones and Windows: decoded by ffmpeg where there is one, named where there is none."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from core.audio.reader import Decoders
from core.errors import AudioFileError, UnsupportedFormatError
from tests.conftest import need
from tests.sounds import write_tone

MP4_HEAD = b"\0\0\0 ftypM4A \0\0\0\0M4A mp42isom\0\0\0\0" + bytes(500)
HEADS = {
    "MP4": MP4_HEAD,
    "WMA": bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(500),
    "AAC": b"\xff\xf1\x50\x80\x02\x1f\xfc" + bytes(500),
    "Matroska": b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01" + bytes(500),
    "WavPack": b"wvpk" + bytes(500),
}


@pytest.fixture
def without_ffmpeg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))


@pytest.fixture
def ffmpeg() -> str:
    program = shutil.which("ffmpeg")
    need(program is not None, "ffmpeg")
    assert program is not None
    return program


def converted(program: str, folder: Path, name: str) -> Path:
    source = write_tone(folder / "source.wav", 440.0, 2.0, samplerate=44_100, channels=2)
    subprocess.run(
        [program, "-v", "error", "-i", source, folder / name], check=True, stdin=subprocess.DEVNULL
    )
    return folder / name


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("suffix", [".wav", ".m4a", ".bin"])
def test_foreign_format_is_named_where_there_is_no_ffmpeg(
    tmp_path: Path, name: str, suffix: str, without_ffmpeg: None
) -> None:
    path = tmp_path / f"take{suffix}"
    path.write_bytes(HEADS[name])
    with Decoders() as decoders, pytest.raises(UnsupportedFormatError) as raised:
        decoders.open(path)
    assert str(raised.value).startswith(f"it is {name}")
    assert "install ffmpeg" in str(raised.value)
    assert "convert it to WAV" in str(raised.value)


@pytest.mark.parametrize(
    ("name", "called"),
    [("a.m4a", "MP4 (AAC or ALAC)"), ("a.aac", "AAC"), ("a.wma", "WMA"), ("a.webm", "Matroska")],
)
def test_foreign_format_is_decoded_by_ffmpeg(tmp_path: Path, ffmpeg: str, name: str, called: str) -> None:
    path = converted(ffmpeg, tmp_path, name)
    path = path.rename(tmp_path / "-i concat:it's named.wav")
    with Decoders() as decoders, decoders.open(path) as sound:
        samples = np.concatenate(list(sound.blocks()))
    assert sound.channels == 2
    assert sound.duration_s == pytest.approx(2.0, abs=0.1)
    assert sound.remark == f"{called}, decoded by ffmpeg"
    spectrum = np.abs(np.fft.rfft(samples[:, 0]))
    assert np.argmax(spectrum) / sound.duration_s == pytest.approx(440.0, abs=1.0)


def test_damaged_foreign_file_is_refused(tmp_path: Path, ffmpeg: str) -> None:
    path = tmp_path / "a.m4a"
    path.write_bytes(MP4_HEAD)
    with Decoders() as decoders, pytest.raises(AudioFileError, match="its MP4 sound cannot be decoded"):
        decoders.open(path)
