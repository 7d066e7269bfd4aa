"""Run directories as they come from elsewhere: damaged, lying, and with parts that lead out of them."""

import json
import os
import random
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.mutations import damage

MARK = "PWNED"
# Texts that a terminal, a markup parser or a path must not take for its own.
HOSTILE_TEXTS = (
    f"\x1b]0;{MARK}\x07",
    f"\x1b[2J\x1b[31m{MARK}",
    f"\x9b31m{MARK}",
    f"\u202e{MARK}\u2028\u2066",
    f"[bold red]{MARK}[/]",
    "[/x]",
    "\x00",
    "\ud800\udfff",
    "/etc/passwd",
    "/dev/zero",
    "../../outside",
    "a" * 1_000_000,
    "\r\n\v\f\x85",
    "",
)
RAW_VALUES = (  # JSON as no encoder writes it
    "null",
    "true",
    "-1",
    "0",
    "0.5",
    "1e308",
    "-1e308",
    "1e400",
    "NaN",
    "-Infinity",
    "9" * 400,
    "-" + "9" * 5000,
    "[]",
    "{}",
    "[" * 990 + "]" * 990,
    '{"a":' * 990 + "1" + "}" * 990,
    "[" * 100_000,
    "[1,2,3]",
    '{"a":1}',
    "33658000000000",
)
KEPT_LINES = ("epoch", "state", "preview", "warning", "checkpoint", "step")
PARTS = (
    "run.json",
    "events.jsonl",
    "checkpoints",
    "previews",
    "generated",
    "requests",
    "requests/save",
    "requests/cancel",
    "run.log",
    "lock",
    "clip.wav",
    "checkpoints/*",
    "checkpoints/best.pt",
    "previews/*",
)
SPARSE_BYTES = 100 * 10**9
YEAR_33658_S = 10**12
NAMES = (
    f"\x1b]0;{MARK}\x07",
    f"[bold red]{MARK}",
    f"\u202e{MARK}",
    "[x]",
    "-rf",
    "line\nbreak",
    "$(touch canary)",
    "\udcff\udcfe",
    "~",
    "a b'c\"d",
)


@dataclass(frozen=True)
class RunMutant:
    """A run directory below `runs`, how it was made, and what lies outside that its parts lead to."""

    path: Path
    recipe: str


def make_mutant(base: Path, runs: Path, outside: Path, number: int, draws: random.Random) -> RunMutant:
    """Copy a run to `runs` and change one to three things; `outside/NUMBER` takes what links lead to."""
    name = f"{number:06}-{base.name}"
    if draws.random() < 0.08:
        name += draws.choice(NAMES)
    path = runs / name
    shutil.copytree(base, path)
    away = outside / f"{number:06}"
    away.mkdir()
    done = []
    for _ in range(draws.choices((1, 2, 3), (7, 2, 1))[0]):
        kind = draws.choices(tuple(KINDS), tuple(KINDS.values()))[0]
        done.append(f"{kind.__name__} {kind(path, away, draws)}".strip())
    return RunMutant(path, f"{number:06}-{base.name}: {', '.join(done)}")


def json_value(path: Path, away: Path, draws: random.Random) -> str:
    """A value somewhere in run.json or in a line of the log."""
    if draws.random() < 0.5:
        file = path / "run.json"
        return _rewrite(file, lambda data: _change_json(data, draws))
    return _rewrite(path / "events.jsonl", lambda data: _change_line(data, draws))


def bytes_of_a_file(path: Path, away: Path, draws: random.Random) -> str:
    names = ("run.json", "events.jsonl", "events.jsonl", "checkpoints/*", "previews/*", "lock", "run.log")
    file = _pick(path, draws.choice(names), draws)
    return _rewrite(file, lambda data: damage(data or b"\0", draws)[1])


def lines_of_the_log(path: Path, away: Path, draws: random.Random) -> str:
    """Lines repeated, gone, out of order, without end, or of nothing that is text."""
    file = path / "events.jsonl"

    def change(data: bytes) -> bytes:
        lines = data.splitlines(keepends=True)
        match draws.randrange(7):
            case 0:
                draws.shuffle(lines)
            case 1:
                lines *= 20
            case 2:
                lines = lines[: draws.randrange(len(lines) + 1)]
            case 3:
                lines.insert(draws.randrange(len(lines) + 1), draws.randbytes(200) + b"\n")
            case 4:
                lines.append(b'{"event":"epoch","x":"' + b"A" * 5_000_000)
            case 5:
                lines.append(b"\0" * 100_000)
            case 6:
                lines = lines[draws.randrange(len(lines)) :]
        return b"".join(lines)

    return _rewrite(file, change)


def link(path: Path, away: Path, draws: random.Random) -> str:
    """A part that is a link: to itself moved outside, to another file or folder there, or to nothing."""
    name = draws.choice(PARTS)
    part = _pick(path, name, draws)
    target = away / f"{len(list(away.iterdir()))}-{part.name}"
    kind = draws.choice(
        ("moved", "moved", "moved", "file", "folder", "dangling", "loop", "/dev/zero", "/dev/full")
    )
    if kind == "moved" and not part.exists():
        kind = draws.choice(("file", "folder"))
    match kind:
        case "moved":
            shutil.move(part, target)
        case "file":
            target.write_bytes(b"somebody else's\n")
        case "folder":
            target.mkdir()
            for each in ("save", "cancel", "best.pt", "step-000000001.pt", ".best.pt.1.tmp", "mine.wav"):
                (target / each).write_bytes(b"somebody else's\n")
        case "loop":
            target = part
        case "/dev/zero" | "/dev/full":
            target = Path(kind)
    _make_way(part)
    part.symlink_to(target, target_is_directory=target.is_dir() if target != part else False)
    return f"{part.relative_to(path)} to {kind}"


def special_file(path: Path, away: Path, draws: random.Random) -> str:
    """A part that is a FIFO, a socket, a folder, a file, empty, or of 100 GB that hold nothing."""
    part = _pick(path, draws.choice(PARTS), draws)
    kind = draws.choice(
        ("FIFO", "FIFO", "socket", "folder", "file", "empty", "sparse", "sparse", "gone", "forbidden")
    )
    _make_way(part)
    match kind:
        case "FIFO":
            os.mkfifo(part)
        case "socket":
            _make_socket(part)
        case "folder":
            part.mkdir()
        case "file":
            part.write_bytes(b"\xff\xfe not what it should be")
        case "empty":
            part.touch()
        case "sparse":
            with part.open("wb") as file:
                file.truncate(SPARSE_BYTES)
        case "forbidden":
            part.mkdir()
            part.chmod(0)
    return f"{part.relative_to(path)} {kind}"


def odd_time(path: Path, away: Path, draws: random.Random) -> str:
    part = _pick(path, draws.choice(("events.jsonl", "run.json")), draws)
    time_s = draws.choice((YEAR_33658_S, -(10**9), 0, 2**31, 2**33))
    if os.path.lexists(part):
        os.utime(part, (time_s, time_s), follow_symlinks=False)
    return f"{part.name} {time_s}"


def strange_files(path: Path, away: Path, draws: random.Random) -> str:
    """Names where checkpoints and previews lie, as nothing of ours would write them."""
    folder = path / draws.choice(("checkpoints", "previews", "requests"))
    if os.path.lexists(folder) and not folder.is_dir():
        return ""
    folder.mkdir(exist_ok=True)
    for name in draws.sample(
        (
            f"step-{'9' * 30}.pt",
            "step-999999999.pt",
            "step--1.pt",
            f"{MARK}\x1b[31m.pt",
            ".best.pt.999999.tmp",
            "step-000000001.pt.damaged",
            f"epoch-9999-sample-{MARK}\n.wav",
        ),
        3,
    ):
        (folder / name).write_bytes(draws.randbytes(50))
    return folder.name


Kind = Callable[[Path, Path, random.Random], str]
KINDS: dict[Kind, int] = {
    json_value: 40,
    bytes_of_a_file: 10,
    lines_of_the_log: 8,
    link: 22,
    special_file: 14,
    odd_time: 3,
    strange_files: 3,
}


def _pick(path: Path, name: str, draws: random.Random) -> Path:
    """The part of this name; of several, one."""
    if not name.endswith("*"):
        return path / name
    folder = path / name.removesuffix("/*")
    found = sorted(folder.iterdir()) if folder.is_dir() and not folder.is_symlink() else []
    return draws.choice(found) if found else folder / "nothing"


def _rewrite(file: Path, change: Callable[[bytes], bytes]) -> str:
    """Change a file's content, unless something else is in its place already."""
    if file.is_symlink() or not file.is_file() or file.stat().st_size == SPARSE_BYTES:
        return ""
    file.write_bytes(change(file.read_bytes()))
    return file.name


def _make_way(part: Path) -> None:
    """Remove what is there, and whatever is in the place of the folder around it."""
    if part.parent.is_symlink() or not part.parent.is_dir():
        part.parent.unlink(missing_ok=True)
    part.parent.mkdir(exist_ok=True)
    if part.is_dir() and not part.is_symlink():
        shutil.rmtree(part)
    else:
        part.unlink(missing_ok=True)


def _make_socket(part: Path) -> None:
    """Bound by its name alone, as a socket's path may be no longer than 107 bytes."""
    before = os.open(".", os.O_RDONLY)
    try:
        os.chdir(part.parent)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(part.name)
    finally:
        os.fchdir(before)
        os.close(before)


def _change_line(data: bytes, draws: random.Random) -> bytes:
    """Change a line of one kind, mostly near the end, where all readers look."""
    lines = data.splitlines(keepends=True)
    kind = f'{{"event":"{draws.choice(KEPT_LINES)}"'.encode()
    of_kind = [index for index, line in enumerate(lines) if line.startswith(kind)] or list(range(len(lines)))
    if not of_kind:
        return data
    index = of_kind[-1] if draws.random() < 0.6 else draws.choice(of_kind)
    lines[index] = _change_json(lines[index], draws) + b"\n"
    return b"".join(lines)


def _change_json(data: bytes, draws: random.Random) -> bytes:
    try:
        record = json.loads(data)
    except (ValueError, RecursionError):
        return data
    holders = [holder for holder in _holders(record) if holder]
    if not holders:
        return data
    holder = draws.choice(holders)
    key: Any = draws.choice(list(holder)) if isinstance(holder, dict) else draws.randrange(len(holder))
    hole = "a value to put here"
    new = ""
    match draws.randrange(8):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[draws.choice(HOSTILE_TEXTS)] = holder.pop(key)
        case 2 if isinstance(holder, dict):
            holder["unforeseen"] = draws.choice(HOSTILE_TEXTS)
        case 3 if isinstance(holder[key], int | float):
            holder[key] = holder[key] * draws.choice((-1, 0, 2, 0.5, 10**6, 10**12))
        case 4 | 5:
            holder[key] = draws.choice(HOSTILE_TEXTS)
        case _:
            holder[key], new = hole, draws.choice(RAW_VALUES)
    text = json.dumps(record, separators=(",", ":"))
    return text.replace(json.dumps(hole), new).encode()


def _holders(value: Any) -> Iterator[dict[str, Any] | list[Any]]:
    """Every object and list of a JSON document."""
    if isinstance(value, dict | list):
        yield value
        for each in value.values() if isinstance(value, dict) else value:
            yield from _holders(each)
