"""A folder of sounds as no musician would name them, with loops, FIFOs, sockets and devices among them."""

import contextlib
import os
from pathlib import Path

from tests.sounds import write_tone

NAMES = (
    "\x1b]0;PWNED\x07",
    "\x1b[31mPWNED",
    "\x9b31mPWNED",
    "line\nbreak",
    "carriage\rreturn",
    "tab\tbed",
    "bell\x07",
    "del\x7f",
    "[bold red]markup",
    "[x]",
    "[link=file:etc]",
    "{braces}",
    "%s%n",
    "$(touch PWNED)",
    "`touch PWNED`",
    "; touch PWNED",
    "quote'quote",
    'quote"quote',
    "back\\slash",
    "-rf",
    "--json",
    "~",
    "~root",
    " leading",
    "trailing ",
    "..dots..",
    "*",
    "?",
    "#hash",
    "\u202eright to left",
    "\u2066isolate",
    "\u2028separator",
    "\u200bzero width",
    "\ufeffbom",
    "e\u0301 NFD",
    "\u00e9 NFC",
    "\u212b compatibility",
    "\U0001f941 drum",
    "\U000e0001 tag",
    "\ufffe noncharacter",
    "漢字",
    "אבג",
    "\udcff bytes",
    "\udc80\udc9b31m",
    "con",
    "nul.wav",
    "a" * 240,
    "漢" * 80,
    "=1+1",
    "&amp;<b>",
    "\x01\x02\x03",
    "\x85nel",
    "run.json",
    "events.jsonl",
    "http:example",
    "Ω≈ç√",
)


def make_hostile_dataset(folder: Path) -> Path:
    folder.mkdir()
    for index, name in enumerate(NAMES):
        temporary = write_tone(folder / "tone.wav", 110.0 + index, 0.3)
        with contextlib.suppress(OSError):  # a file system may refuse a name
            temporary.rename(folder / f"{name}.wav")
    odd = folder / "odd\x1b[31m"
    odd.mkdir()
    (odd / "loop").symlink_to(folder, target_is_directory=True)
    (odd / "self.wav").symlink_to(odd / "self.wav")
    (odd / "dangling.wav").symlink_to("/nowhere/at/all.wav")
    (odd / "zero.wav").symlink_to("/dev/zero")
    (odd / "random.wav").symlink_to("/dev/urandom")
    (odd / "memory.wav").symlink_to("/proc/self/mem")
    (odd / "folder.wav").mkdir()
    os.mkfifo(odd / "fifo.wav")
    with (odd / "sparse.wav").open("wb") as file:
        file.truncate(10**11)
    deep = odd
    for _ in range(30):
        deep = deep / "deep"
    deep.mkdir(parents=True)
    write_tone(deep / "tone.wav", 99.0, 0.3)
    return folder
