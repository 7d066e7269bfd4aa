"""Versions of the program and of what it is made of."""

import importlib.metadata
import platform
import shutil
import subprocess

from core.text import one_line, printable
from sda_tui.advice import command
from sda_tui.checkup.finding import Finding, Verdict
from sda_tui.configuration.reading import read_configuration
from sda_tui.keymap.rebinding import read_keys
from sda_tui.look import show_path

PACKAGES = ("sda-tui", "torch", "torchaudio", "textual", "soundfile", "sounddevice", "numpy")
NO_FFMPEG = (
    "Only M4A, AAC, WMA, WebM and the like need it: `sudo apt install ffmpeg`, or `brew install ffmpeg`."
)
PROGRAM_LIMIT_S = 10.0


def find_software() -> list[Finding]:
    python = Finding("Python", f"{platform.python_version()} on {platform.platform(terse=True)}")
    return [python, *map(_find_package, PACKAGES), _find_libsndfile(), _find_ffmpeg(), _find_configuration()]


def _find_package(name: str) -> Finding:
    try:
        return Finding(name, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, "not installed", Verdict.PROBLEM, "Install sda-tui again: README has how.")


def _find_libsndfile() -> Finding:
    try:
        import soundfile
    except (ImportError, OSError) as error:
        advice = "Install the Python package soundfile again, or libsndfile: `sudo apt install libsndfile1`."
        return Finding("libsndfile", f"cannot be used ({one_line(str(error))})", Verdict.PROBLEM, advice)
    formats = soundfile.available_formats()
    lacking = [name for name in ("WAV", "AIFF", "FLAC", "OGG", "MP3") if name not in formats]
    if lacking:
        advice = "A newer libsndfile reads them; files of these formats are left out."
        found = f"{soundfile.__libsndfile_version__}, without {', '.join(lacking)}"
        return Finding("libsndfile", found, Verdict.NOTE, advice)
    return Finding("libsndfile", soundfile.__libsndfile_version__)


def _find_ffmpeg() -> Finding:
    path = shutil.which("ffmpeg")
    if path is None:
        return Finding("ffmpeg", "not installed", Verdict.NOTE, NO_FFMPEG)
    try:
        said = subprocess.run(
            [path, "-version"],
            capture_output=True,
            check=True,
            timeout=PROGRAM_LIMIT_S,
            stdin=subprocess.DEVNULL,
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        return Finding("ffmpeg", f"does not run ({one_line(str(error))})", Verdict.NOTE, NO_FFMPEG)
    words = printable(said.decode(errors="replace").partition("\n")[0]).split()
    return Finding("ffmpeg", words[2] if len(words) > 2 else show_path(path))


def _find_configuration() -> Finding:
    read = read_configuration()
    _, key_faults = read_keys(read)
    faults = [*read.faults, *key_faults]
    if faults:
        said = f"{faults[0]}{f' {len(faults) - 1} more.' if len(faults) > 1 else ''}"
        return Finding("configuration", said, Verdict.PROBLEM, f"{command('config')} lists all of it.")
    if not read.exists or read.path is None:
        return Finding("configuration", "none: all is at its default")
    return Finding("configuration", show_path(read.path))
