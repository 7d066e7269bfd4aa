"""`sda-tui doctor`: what it finds on this machine, and what it makes of others."""

import json
import threading
from pathlib import Path

import pytest

from core.config import DeviceStatus, EngineStatus
from core.events import DeviceInfo
from sda_tui.checkup import GROUPS, Finding, Verdict, computing, groups
from sda_tui.checkup.finding import within
from sda_tui.checkup.terminal import find_colours, find_copies, find_encoding, find_multiplexer
from sda_tui.headless.doctor import doctor_command


@pytest.mark.slow
def test_this_machine_is_found_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    assert doctor_command(folder / "runs", as_json=True) == 0
    document = json.loads(capsys.readouterr().out)
    findings = {(each["group"], each["name"]): each for each in document["findings"]}
    assert {each["group"] for each in document["findings"]} == set(GROUPS)
    assert all(each["found"] for each in document["findings"])
    assert all(each["advice"] for each in document["findings"] if each["verdict"] != "ok")
    import torch

    assert torch.__version__ in findings["Computing", "PyTorch"]["found"]
    assert f"{torch.get_num_threads()} thread" in findings["Computing", "CPU"]["found"]
    assert findings["Disk", "runs"]["found"] == f"{folder}/runs, which the first run makes"
    assert document["problems"] == 0
    assert list(folder.iterdir()) == [], "nothing is left behind"


def test_a_problem_is_printed_with_advice_and_ends_with_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    only = {name: GROUPS[name] for name in ("Disk", "Staying alive")}
    monkeypatch.setattr(groups, "GROUPS", only)
    assert doctor_command(Path("/proc/runs"), as_json=False) == 1
    printed = capsys.readouterr().out
    assert "  ✗ problem runs            /proc/runs cannot be written (" in printed
    assert "            → Choose another place with --runs or $SDA_RUNS.\n" in printed
    assert "2 problems, " in printed, "and /proc has no space"


def test_whatever_fails_is_a_problem_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(_: Path) -> list[Finding]:
        raise ValueError("\x1b[31m")

    hang = threading.Event()
    monkeypatch.setattr(groups, "LIMIT_S", 0.05)
    monkeypatch.setattr(groups, "GROUPS", {"A": fail, "B": lambda _: [Finding("x", str(hang.wait()))]})
    found = dict(groups.examine(tmp_path))
    hang.set()
    assert found["A"][0].found == "cannot be examined (ValueError: �[31m)"
    assert found["B"][0].found == "no answer for 0.05 s"
    assert {each.verdict for findings in found.values() for each in findings} == {Verdict.PROBLEM}
    with pytest.raises(ValueError, match="why"):
        within(5, lambda: (_ for _ in ()).throw(ValueError("why")))


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "16 million (TERM=xterm-256color)"),
        ({"TERM": "xterm-256color"}, "256 (TERM=xterm-256color)"),
        ({"TERM": "xterm"}, "16 (TERM=xterm)"),
        ({"TERM": "dumb"}, "none, as TERM is 'dumb'"),
        ({}, "none, as TERM is ''"),
        ({"TERM": "xterm", "NO_COLOR": "1"}, "none, as NO_COLOR is set"),
    ],
)
def test_colours_follow_from_what_the_terminal_says_it_is(environment: dict[str, str], expected: str) -> None:
    assert find_colours(environment).found == expected


def test_the_session_is_told_with_advice_over_ssh_alone() -> None:
    remote = {"SSH_CONNECTION": "1.2.3.4 5 6.7.8.9 22"}
    assert find_multiplexer(Path("/r"), {}) == Finding("session", "on this machine")
    assert find_multiplexer(Path("/r"), {**remote, "TMUX": "/tmp/x"}) == Finding(
        "session", "over SSH, in tmux"
    )
    assert find_multiplexer(Path("/r"), {**remote, "STY": "1.x"}).found == "over SSH, in screen"
    assert "`sda-tui attach --runs /r`" in find_multiplexer(Path("/r"), remote).advice


def test_copying_is_guessed_by_the_name_of_the_terminal() -> None:
    assert find_copies({"TERM": "xterm-kitty"}).verdict is Verdict.OK
    assert find_copies({"TERM_PROGRAM": "Apple_Terminal"}).verdict is Verdict.NOTE
    assert find_copies({"TERM_PROGRAM": "Apple_Terminal", "TMUX": "x"}).found.startswith("through tmux")
    assert find_copies({"STY": "1"}).verdict is Verdict.NOTE
    assert find_copies({"TERM": "xterm"}).found.startswith("not known")


def test_letters_are_right_only_in_utf_8() -> None:
    assert find_encoding({"LANG": "de_DE.UTF-8"}).found == "UTF-8 (de_DE.UTF-8)"
    assert find_encoding({"LC_ALL": "C.utf8@x", "LANG": "C"}).verdict is Verdict.OK
    assert find_encoding({"LANG": "en_US.ISO-8859-1"}).verdict is Verdict.NOTE


def test_a_gpu_that_pytorch_does_not_see_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = DeviceStatus(DeviceInfo("cpu", "CPU, 2 threads", 8 << 30), 4 << 30)
    status = EngineStatus("2.11", "CUDA 13.0", 2, (cpu,), ("The driver is too old.",))
    monkeypatch.setattr(computing, "engine_status", lambda: status)
    monkeypatch.setattr(computing, "_ask_driver", lambda: ("550.1", ["NVIDIA L4"]))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    driver = computing.find_devices()[1]
    assert driver.verdict is Verdict.PROBLEM
    assert driver.found == "550.1 with NVIDIA L4, which PyTorch does not see: The driver is too old."
    assert driver.advice.startswith("Update the driver")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert computing.find_devices()[1].advice == "CUDA_VISIBLE_DEVICES is '': unset it."
    gpu = DeviceStatus(DeviceInfo("cuda:0", "NVIDIA L4", 24 * 10**9), 10**9)
    status = EngineStatus("2.11", "CUDA 13.0", 2, (gpu, cpu))
    _, driver, found, *_ = computing.find_devices()
    assert driver == Finding("GPU driver", "NVIDIA 550.1 with NVIDIA L4")
    assert found.found == "NVIDIA L4, 1.0 GB of 24 GB free"
    assert found.verdict is Verdict.NOTE
