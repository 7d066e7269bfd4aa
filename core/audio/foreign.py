"""Sound that libsndfile cannot decode: what it is by its first bytes, and decoding it through ffmpeg."""

import os
import re
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
from array import array
from collections.abc import Iterator
from pathlib import Path

from core.errors import AudioFileError, UnsupportedFormatError
from core.text import join_remarks

BLOCK_FRAMES = 8192
AU_HEADER = struct.Struct(">4sIIIII")
BEFORE_INPUT = "-nostdin -v error -protocol_whitelist file,pipe -threads 1".split()
AFTER_INPUT = "-map 0:a:0 -vn -sn -dn -c:a pcm_f32be -f au pipe:1".split()
REASON_BYTES = 2000  # of what ffmpeg writes
SIGNATURES = (
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "WMA"),
    (0, b"\x1a\x45\xdf\xa3", "Matroska"),
    (0, b"MAC ", "Monkey's Audio"),
    (0, b"wvpk", "WavPack"),
    (0, b"TTA1", "True Audio"),
    (0, b"tBaK", "TAK"),
    (0, b"MPCK", "Musepack"),
    (0, b"MP+", "Musepack"),
    (0, b"#!AMR", "AMR"),
    (0, b"\x0b\x77", "AC-3"),
    (0, b"\x7f\xfe\x80\x01", "DTS"),
    (0, b"DSD ", "DSF"),
    (0, b"FRM8", "DSDIFF"),
    (0, b".RMF", "RealAudio"),
    (0, b".ra\xfd", "RealAudio"),
    (0, b"ajkg", "Shorten"),
    (0, b"ADIF", "AAC"),
    (0, b"FLV\x01", "Flash Video"),
    (8, b"AVI ", "AVI"),
    (28, b"Speex   ", "Ogg Speex"),
)


def identify(head: bytes) -> str:
    """The name of the format that a file of these first bytes has, if ffmpeg may know it, else empty."""
    if head[4:8] in (b"ftyp", b"moov", b"wide", b"mdat") or head[4:12] == b"free\0\0\0\x08":
        return "QuickTime" if head[8:12] == b"qt  " else "MP4 (AAC or ALAC)"
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return "AAC"
    for position, signature, name in SIGNATURES:
        if head.startswith(signature, position):
            return name
    return ""


class ForeignSound:
    """A file that ffmpeg decodes, read from start to end.  A `Decoder`.

    Raises UnsupportedFormatError if there is no ffmpeg, AudioFileError if it finds no sound in the file.
    """

    encoding = ""
    frames = 0  # unknown until all is decoded
    shortfall = 0.0

    def __init__(self, path: Path, name: str) -> None:
        if (program := shutil.which("ffmpeg")) is None:
            raise UnsupportedFormatError(
                f"it is {name}; install ffmpeg, which then decodes it, or convert it to WAV"
            )
        self.format = name.split(" (")[0]
        self.remark = f"{name}, decoded by ffmpeg"
        self._messages = tempfile.TemporaryFile()  # noqa: SIM115
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (hard, hard))  # else it would have what is left of ours
        self._process = subprocess.Popen(
            [program, *BEFORE_INPUT, "-i", b"file:" + os.fsencode(path.absolute()), *AFTER_INPUT],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._messages,
        )
        assert self._process.stdout is not None
        self._output = self._process.stdout
        header = self._output.read(AU_HEADER.size)
        if len(header) < AU_HEADER.size:
            self._process.wait()
            reason = self._reason()
            self.close()
            raise AudioFileError(f"its {self.format} sound cannot be decoded ({reason}); convert it to WAV")
        _, offset, _, _, self.sample_rate, self.channels = AU_HEADER.unpack(header)
        self._output.read(offset - AU_HEADER.size)

    def blocks(self) -> Iterator[memoryview]:
        frame_bytes = 4 * self.channels
        while data := self._output.read(BLOCK_FRAMES * frame_bytes):
            samples = array("f", data[: len(data) // frame_bytes * frame_bytes])
            if sys.byteorder == "little":
                samples.byteswap()
            yield memoryview(samples).cast("B")
        if reason := self._reason():
            self.remark = join_remarks(self.remark, f"damaged ({reason})")

    def close(self) -> None:
        """End ffmpeg, whether it is done or not."""
        self._process.kill()
        self._process.wait()
        self._output.close()
        self._messages.close()

    def _reason(self) -> str:
        """The last line of ffmpeg's error messages."""
        self._messages.seek(0)
        lines = self._messages.read(REASON_BYTES).decode("utf-8", "replace").strip().splitlines()
        return re.sub(r"^\[[^]]*\] |^file:.*: ", "", lines[-1]).rstrip(".") if lines else ""
