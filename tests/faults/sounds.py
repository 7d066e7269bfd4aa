"""Small whole sound files in many formats, for mutation: by libsndfile, and by ffmpeg where there is one."""

import io
import shutil
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from tests.sounds import tone

# name, libsndfile's format and subtype, sample rate, channels
WRITTEN = (
    ("u8.wav", "WAV", "PCM_U8", 8_000, 1),
    ("16.wav", "WAV", "PCM_16", 22_050, 2),
    ("24.wav", "WAV", "PCM_24", 44_100, 1),
    ("float.wav", "WAV", "FLOAT", 16_000, 1),
    ("extensible.wav", "WAVEX", "PCM_16", 16_000, 4),
    ("ms-adpcm.wav", "WAV", "MS_ADPCM", 22_050, 1),
    ("ima-adpcm.wav", "WAV", "IMA_ADPCM", 22_050, 2),
    ("gsm.wav", "WAV", "GSM610", 8_000, 1),
    ("ulaw.wav", "WAV", "ULAW", 8_000, 1),
    ("16.aiff", "AIFF", "PCM_16", 22_050, 2),
    ("float.aiff", "AIFF", "FLOAT", 16_000, 1),
    ("16.flac", "FLAC", "PCM_16", 44_100, 2),
    ("24.flac", "FLAC", "PCM_24", 22_050, 1),
    ("vorbis.ogg", "OGG", "VORBIS", 44_100, 2),
    ("opus.opus", "OGG", "OPUS", 48_000, 1),
    ("layer3.mp3", "MP3", "MPEG_LAYER_III", 44_100, 1),
    ("16.caf", "CAF", "PCM_16", 22_050, 1),
    ("alac.caf", "CAF", "ALAC_16", 44_100, 2),
    ("16.au", "AU", "PCM_16", 22_050, 1),
    ("ulaw.au", "AU", "ULAW", 8_000, 1),
    ("16.w64", "W64", "PCM_16", 22_050, 2),
    ("16.rf64", "RF64", "PCM_16", 22_050, 1),
    ("8.sds", "SDS", "PCM_S8", 22_050, 1),
    ("8.voc", "VOC", "PCM_U8", 16_000, 1),
    ("8.iff", "SVX", "PCM_S8", 8_000, 1),
    ("16.paf", "PAF", "PCM_16", 22_050, 1),
    ("16.nist", "NIST", "PCM_16", 16_000, 1),
    ("16.ircam", "IRCAM", "PCM_16", 22_050, 1),
    ("16.mat", "MAT5", "PCM_16", 22_050, 1),
    ("16.pvf", "PVF", "PCM_16", 22_050, 1),
    ("16.htk", "HTK", "PCM_16", 16_000, 1),
    ("8.xi", "XI", "DPCM_8", 44_100, 1),
    ("16.avr", "AVR", "PCM_16", 22_050, 1),
)
BY_FFMPEG = (
    ("xing.mp3", "-c:a libmp3lame -q:a 4 -f mp3", True),
    ("no-xing.mp3", "-c:a libmp3lame -q:a 4 -write_xing 0 -f mp3", True),
    ("streamed.flac", "-f flac", False),
    ("streamed.wav", "-f wav", False),
    ("aac.m4a", "-c:a aac -f mp4", True),
    ("adts.aac", "-c:a aac -f adts", False),
    ("wma2.wma", "-c:a wmav2 -f asf", True),
    ("wavpack.wv", "-c:a wavpack -f wv", True),
)
FFMPEG_LIMIT_S = 60


@dataclass(frozen=True)
class SeedSound:
    name: str
    data: bytes
    sample_rate: int
    channels: int


def seed_sounds(folder: Path) -> list[SeedSound]:
    """One of each kind that this machine can make; `folder` is for temporary files."""
    return [*_written(), *_crafted(), *_by_ffmpeg(folder)]


def _written() -> Iterator[SeedSound]:
    for name, kind, subtype, sample_rate, channels in WRITTEN:
        buffer = io.BytesIO()
        samples = np.stack([tone(330.0, 0.5, sample_rate)] * channels, axis=1)
        try:
            soundfile.write(buffer, samples, sample_rate, format=kind, subtype=subtype)
        except soundfile.LibsndfileError:  # this build has no such encoder
            continue
        yield SeedSound(name, buffer.getvalue(), sample_rate, channels)


def _crafted() -> Iterator[SeedSound]:
    """What no encoder writes willingly."""
    samples = tone(440.0, 0.5, 16_000).astype("<f4")
    samples[100:110] = [np.nan, np.inf, -np.inf, 1e30, -1e30, 1e-42, 0, 1, -1, np.nan]
    yield SeedSound(
        "nan.wav",
        riff(b"fmt " + chunk(_format(3, 1, 16_000, 32)), b"data" + chunk(samples.tobytes())),
        16_000,
        1,
    )
    ordinary = (tone(440.0, 0.5, 16_000) * 32_000).astype("<i2").tobytes()
    pcm = b"fmt " + chunk(_format(1, 1, 16_000, 16))
    hostile_list = b"LIST" + chunk(b"INFOINAM" + struct.pack("<I", 0xFFFFFFF8) + b"name")
    yield SeedSound("list.wav", riff(pcm, hostile_list, b"data" + chunk(ordinary)), 16_000, 1)
    loops = b"smpl" + chunk(bytes(28) + struct.pack("<II", 3, 0) + bytes(72))
    extension = b"bext" + chunk(bytes(602))
    yield SeedSound("chunks.wav", riff(pcm, extension, loops, b"data" + chunk(ordinary)), 16_000, 1)
    yield SeedSound("lost-power.wav", riff(pcm, b"data" + struct.pack("<I", 0) + ordinary), 16_000, 1)
    yield SeedSound(
        "id3-before.wav",
        b"ID3\x03\0\0\0\0\0\x0a" + bytes(10) + riff(pcm, b"data" + chunk(ordinary)),
        16_000,
        1,
    )


def _format(tag: int, channels: int, sample_rate: int, bits: int) -> bytes:
    frame = channels * bits // 8
    return struct.pack("<HHIIHH", tag, channels, sample_rate, sample_rate * frame, frame, bits)


def chunk(content: bytes) -> bytes:
    """The length of a RIFF chunk and its content, padded."""
    return struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def riff(*chunks: bytes) -> bytes:
    return b"RIFF" + chunk(b"WAVE" + b"".join(chunks))


def _by_ffmpeg(folder: Path) -> Iterator[SeedSound]:
    if shutil.which("ffmpeg") is None:
        return
    source = folder / "source.wav"
    soundfile.write(source, tone(330.0, 0.5, 44_100), 44_100)
    for name, options, needs_file in BY_FFMPEG:
        target = folder / name
        words = ["ffmpeg", "-v", "error", "-y", "-i", str(source), "-bitexact", *options.split()]
        done = subprocess.run(
            [*words, str(target) if needs_file else "-"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=FFMPEG_LIMIT_S,
            check=False,
        )
        if done.returncode == 0:
            yield SeedSound(name, target.read_bytes() if needs_file else done.stdout, 44_100, 1)
            target.unlink(missing_ok=True)
    source.unlink()
