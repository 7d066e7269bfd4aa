"""The parts of a sound file: where each stream of sound in it lies, with what to correct in its header."""

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from mmap import mmap

Data = mmap | bytes

TAG_BYTES = 128  # an ID3v1 tag, for which MP3 decoders look at the end of the file
OVERSTATED = 1000  # times the real length: more than any bit rate can be above another


@dataclass(frozen=True)
class Part:
    """The bytes from `start` to `end` of a file that make one stream of sound.

    `corrections` are bytes to serve instead of the file's, by their position in the file.  `stated_bytes` is
    the size of the samples by the header and `present_bytes` how many there are, both 0 where the header says
    nothing that can be relied on.  `has_length`: a decoder that takes the length from the header or from the
    size of the part is right to do so.
    """

    start: int
    end: int
    corrections: Mapping[int, bytes] = field(default_factory=dict)
    has_length: bool = True
    stated_bytes: int = 0
    present_bytes: int = 0

    def is_like(self, whole: "Part") -> bool:
        """Whether a decoder that gets the whole file reads this part rightly."""
        bounds = (self.start, self.end) == (whole.start, whole.end)
        return bounds and self.has_length and not self.corrections


class PartFile(io.RawIOBase):
    """A part of an open file, as a file of its own.

    Where the part has no length, its size is far overstated: libsndfile stops reading an MP3 where it expects
    its end, by the size and the bit rate of the first frame, perhaps too early; the bytes end in any case.
    """

    def __init__(self, descriptor: int, part: Part) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._part = part
        self._position = 0
        self._size = (part.end - part.start) * (1 if part.has_length else OVERSTATED)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        first = self._part.start + self._position
        data = bytearray(os.pread(self._descriptor, min(len(buffer), max(0, self._part.end - first)), first))
        for position, correct in self._part.corrections.items():
            begin, stop = max(position, first), min(position + len(correct), first + len(data))
            if begin < stop:
                data[begin - first : stop - first] = correct[begin - position : stop - position]
        if not data and self._size - TAG_BYTES <= self._position < self._size and not self._part.has_length:
            data = bytearray(min(len(buffer), self._size - self._position))  # no tag
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        return self._position


def skip_tags(data: Data) -> int:
    """Where the ID3v2 tags at the start of a file end."""
    position = 0
    while data[position : position + 3] == b"ID3":
        header = data[position : position + 10]
        if len(header) < 10 or max(header[6:]) > 127:
            break
        size = header[6] << 21 | header[7] << 14 | header[8] << 7 | header[9]
        position += 10 + size + (10 if header[5] & 0x10 else 0)
    return min(position, len(data))
