"""What the terminal can show, and whether training outlives it."""

import configparser
import getpass
import locale
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from core.text import printable
from sda_tui.advice import command
from sda_tui.checkup.finding import Finding, Verdict
from sda_tui.multiplexer import is_remote, multiplexer

SMALLEST = 60, 18  # columns and lines that the dashboard needs
COLOURS = {"truecolor": "16 million", "256": "256", "standard": "16", "windows": "16"}
PROGRAM_LIMIT_S = 5.0
LOGIND = "/etc/systemd/logind.conf"
# Terminals that take copies by OSC 52 unless that was turned off, by what they set.
TAKES_COPIES = {
    "TERM_PROGRAM": ("iTerm.app", "WezTerm", "vscode", "ghostty", "rio", "mintty"),
    "TERM": ("xterm-kitty", "xterm-ghostty", "alacritty", "foot", "wezterm", "rio", "contour"),
}
TAKES_NO_COPIES = {"TERM_PROGRAM": ("Apple_Terminal",)}


def find_terminal(root: Path, environment: Mapping[str, str] = os.environ) -> list[Finding]:
    return [
        _find_size(),
        find_colours(environment),
        find_encoding(environment),
        find_multiplexer(root, environment),
        find_copies(environment),
    ]


def _find_size() -> Finding:
    stream = next((each for each in (sys.stderr, sys.stdout, sys.stdin) if each.isatty()), None)
    if stream is None:
        advice = f"The app needs one; {command('train', '--help')} says how to train without."
        return Finding("terminal", "none: input and output are redirected", Verdict.NOTE, advice)
    columns, lines = os.get_terminal_size(stream.fileno())
    found = f"{columns} columns, {lines} lines"
    if columns < SMALLEST[0] or lines < SMALLEST[1]:
        advice = f"The dashboard shows all that matters from {SMALLEST[0]} × {SMALLEST[1]} on: enlarge it."
        return Finding("terminal", found, Verdict.NOTE, advice)
    return Finding("terminal", found)


def find_colours(environment: Mapping[str, str]) -> Finding:
    """How many colours there are, by the same rules as the app's."""
    from rich.console import Console

    term = printable(environment.get("TERM", ""))
    if environment.get("NO_COLOR"):
        return Finding("colours", "none, as NO_COLOR is set")
    if term in ("", "dumb", "unknown"):
        advice = "Set TERM to what the terminal is: `export TERM=xterm-256color` suits most."
        return Finding("colours", f"none, as TERM is '{term}'", Verdict.NOTE, advice)
    system = Console(force_terminal=True, _environ=environment).color_system
    found = f"{COLOURS.get(system or '', 'none')} (TERM={term})"
    if system == "truecolor":
        return Finding("colours", found)
    advice = (
        "If your terminal has true colour, `export COLORTERM=truecolor` says so; SSH does not pass it on."
    )
    return Finding("colours", found, Verdict.NOTE, advice)


def find_encoding(environment: Mapping[str, str]) -> Finding:
    named = next((environment[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environment.get(name)), "")
    encoding = locale.getencoding() if environment is os.environ else named.partition(".")[2]
    if encoding.replace("-", "").lower().partition("@")[0] == "utf8":
        return Finding("letters", f"UTF-8 ({printable(named) or 'by default'})")
    advice = "Curves and signs are drawn with letters of UTF-8: `export LANG=C.UTF-8`."
    return Finding("letters", f"not UTF-8 (LANG={printable(named)})", Verdict.NOTE, advice)


def find_multiplexer(root: Path, environment: Mapping[str, str]) -> Finding:
    """Where the terminal is, and what becomes of it when the connection is lost."""
    where = "over SSH" if is_remote(environment) else "on this machine"
    name = multiplexer(environment)
    if name:
        return Finding("session", f"{where}, in {name}")
    if not is_remote(environment):
        return Finding("session", where)
    advice = (
        f"Training outlives the connection, and {command('attach', '--runs', root)} shows it again; in tmux "
        "(`tmux new -A -s sda`) the screen stays too."
    )
    return Finding("session", f"{where}, without tmux", Verdict.NOTE, advice)


def find_copies(environment: Mapping[str, str]) -> Finding:
    """Whether the terminal takes what is copied (OSC 52): a guess, as none says so."""
    if multiplexer(environment) == "tmux":
        return Finding("copying", "through tmux; `set -g set-clipboard on` lets it pass to the terminal")
    if multiplexer(environment) == "screen":
        advice = "Mark what is to be copied with the mouse (in most terminals with Shift held)."
        return Finding("copying", "screen does not pass it on (OSC 52)", Verdict.NOTE, advice)
    if environment.get("WT_SESSION") or environment.get("KITTY_WINDOW_ID") or _has(environment, TAKES_COPIES):
        return Finding("copying", "this terminal takes it (OSC 52)")
    if _has(environment, TAKES_NO_COPIES):
        advice = (
            "Mark it with the mouse, with fn or Option held, or use another terminal: iTerm2, for example."
        )
        return Finding("copying", "this terminal does not take it (OSC 52)", Verdict.NOTE, advice)
    return Finding("copying", "not known whether this terminal takes it (OSC 52); most do")


def _has(environment: Mapping[str, str], values: Mapping[str, tuple[str, ...]]) -> bool:
    return any(environment.get(name, "").startswith(each) for name, all in values.items() for each in all)


def find_login(environment: Mapping[str, str] = os.environ) -> list[Finding]:
    """Whether what this user started ends as the user logs out."""
    if not Path("/run/systemd/system").is_dir():
        return [Finding("after logout", "programs keep running: systemd does not manage logins here")]
    kills = _kills_user_processes()
    if not kills:
        said = "programs keep running" if kills is False else "programs most likely keep running"
        return [Finding("after logout", said)]
    if not is_remote(environment):
        return [Finding("after logout", "systemd ends all programs of a user (KillUserProcesses)")]
    advice = (
        "Before a long run: `loginctl enable-linger`, then `systemd-run --user --scope tmux`, and start "
        "sda-tui in there."
    )
    if _lingers() and _is_in_own_scope():
        return [Finding("after logout", "this session keeps running: its user lingers, and it has a scope")]
    found = "systemd ends all programs of a user, training too (KillUserProcesses)"
    return [Finding("after logout", found, Verdict.PROBLEM, advice)]


def _kills_user_processes() -> bool | None:
    """The setting as logind has it, else as its files say; None if neither can be read."""
    manager = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")
    said = _output("busctl", "get-property", *manager, "KillUserProcesses")
    if said in ("b true", "b false"):
        return said == "b true"
    folders = [Path(f"{base}/systemd/logind.conf.d") for base in ("/usr/lib", "/run", "/etc")]
    files = [Path(LOGIND), *(file for folder in folders for file in sorted(folder.glob("*.conf")))]
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    try:
        if not parser.read(files):
            return None
        return parser.getboolean("Login", "KillUserProcesses", fallback=False)
    except (configparser.Error, OSError, ValueError):
        return None


def _lingers() -> bool:
    return _output("loginctl", "show-user", getpass.getuser(), "--property=Linger", "--value") == "yes"


def _is_in_own_scope() -> bool:
    """Whether this process is below the user's service manager, not in the session that a logout ends."""
    try:
        return f"user@{os.getuid()}.service" in Path("/proc/self/cgroup").read_text()
    except OSError:
        return False


def _output(*command: str) -> str:
    """What a program prints; empty if it fails."""
    try:
        done = subprocess.run(
            command, capture_output=True, check=True, timeout=PROGRAM_LIMIT_S, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode(errors="replace").strip()
