"""The process that decodes: a damaged file may hang it, crash it or take its memory, and nothing else.

It gets requests on a socket and answers with messages, each of which ends with one byte that says what it is.
It ends with the socket, also while a decoder hangs: a thread waits for that.  Imports no numpy, so that it
starts in an eighth of a second.
"""

import contextlib
import json
import os
import resource
import signal
import threading
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue

from core.audio.decoder import Decoder, open_sound
from core.errors import AudioFileError, UnsupportedFormatError

READY, HEADER, BLOCK, END, UNSUPPORTED, UNREADABLE = b"R", b"H", b"B", b"E", b"U", b"X"
READ = b""  # a request for the samples of the file that is open; any other is the path of one to open
LONGEST_READ_S = 3600.0  # of one file: bounds the memory and time that a stray recording of a night can take
CPU_LIMIT_S = 4  # of one block; the system keeps it, whatever a decoder does
MEMORY_LIMIT_BYTES = 1 << 30  # more than any sound needs: a decoder that wants it follows a damaged header

Message = tuple[bytes, bytes | memoryview]


def serve(descriptor: int) -> None:
    """Answer requests until the other end closes the connection."""
    connection = Connection(descriptor)
    requests: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_receive, args=(connection, requests), daemon=True).start()
    _limit(resource.RLIMIT_DATA, MEMORY_LIMIT_BYTES)
    _limit(resource.RLIMIT_CORE, 0)
    with contextlib.suppress(OSError):  # the program has ended meanwhile, or was killed
        connection.send_bytes(READY)
        for kind, message in _answers(iter(requests.get, None)):
            connection.send_bytes(bytes(message) + kind)


def _receive(connection: Connection, requests: "SimpleQueue[bytes]") -> None:
    with contextlib.suppress(EOFError, OSError):
        while True:
            requests.put(connection.recv_bytes())
    os.killpg(0, signal.SIGKILL)  # the session of this process, in which ffmpeg may be too


def _answers(requests: Iterable[bytes]) -> Iterator[Message]:
    sound: Decoder | None = None
    for request in requests:
        _limit_cpu_time()
        try:
            if request == READ:
                assert sound is not None
                yield from _read(sound)
            else:
                if sound is not None:
                    sound.close()
                    sound = None
                sound = open_sound(Path(os.fsdecode(request)))
                yield HEADER, _describe(sound)
        except AudioFileError as error:
            kind = UNSUPPORTED if isinstance(error, UnsupportedFormatError) else UNREADABLE
            yield kind, str(error).encode()
        except Exception as error:  # of one file, whatever it is
            yield UNREADABLE, f"it cannot be decoded ({type(error).__name__}: {error})".encode()


def _read(sound: Decoder) -> Iterator[Message]:
    """The samples, at most those of LONGEST_READ_S, and what is known of the whole then."""
    frame_bytes = 4 * sound.channels
    room = int(LONGEST_READ_S * sound.sample_rate) * frame_bytes
    is_longer = False
    for block in sound.blocks():
        _limit_cpu_time()
        if is_longer := len(block) > room:
            block = block[:room]
        if block:
            yield BLOCK, block
        room -= len(block)
        if is_longer:
            break
    result = {"shortfall": sound.shortfall, "remark": sound.remark, "is_longer": is_longer}
    yield END, json.dumps(result).encode()


def _describe(sound: Decoder) -> bytes:
    names = ("sample_rate", "channels", "format", "encoding", "frames")
    return json.dumps({name: getattr(sound, name) for name in names}).encode()


def _limit_cpu_time() -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + 1 + CPU_LIMIT_S)


def _limit(what: int, limit: int) -> None:
    """Set a limit of this process, or the lowest there may be."""
    _, hard = resource.getrlimit(what)
    resource.setrlimit(what, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))
