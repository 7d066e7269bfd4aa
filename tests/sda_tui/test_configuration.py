"""The configuration file: what is read, what is said of faults, and what `sda-tui config` prints."""

import json
import os
import tomllib
from dataclasses import fields
from pathlib import Path

import platformdirs
import pytest

from sda_tui.cli import main
from sda_tui.configuration.colours import use_colours
from sda_tui.configuration.fields import Configuration, declared_fields
from sda_tui.configuration.lines import find_line
from sda_tui.configuration.location import configuration_path
from sda_tui.configuration.reading import Read, read_configuration
from sda_tui.configuration.writing import write_toml
from sda_tui.keymap import commands_by_id
from sda_tui.keymap.rebinding import read_keys

EVERYTHING = """\
theme = "light"
colours = "256"
mouse = false
runs = "~/runs"
device = "cuda:1"
preset = "aggressive"
charts = { smoothing = 0, panels = ["loss", "KL"] }
[listening]
port = 8765
[when_done]
bell = true
terminal = true
command = 'say "done"'
[keys]
"dashboard.save" = ["f5", "ctrl+s"]
runs.view = "f2, v"
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config.toml"
    monkeypatch.setenv("SDA_CONFIG", str(path))
    return path


def read(text: str | bytes, tmp_path: Path) -> Read:
    path = tmp_path / "config.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_configuration(path)


def faults(text: str | bytes, tmp_path: Path) -> list[str]:
    return list(map(str, read(text, tmp_path).faults))


def test_every_field_can_be_set(tmp_path: Path) -> None:
    found = read(EVERYTHING, tmp_path)
    assert found.faults == ()
    default = Configuration()
    assert all(found.configuration.get(path) != default.get(path) for path in declared_fields())
    assert found.configuration.keys == {"dashboard.save": ("f5", "ctrl+s"), "runs.view": ("f2", "v")}
    assert found.configuration.charts.panels == ("loss", "KL")


def test_what_is_printed_is_read_again_as_it_was(tmp_path: Path) -> None:
    commands = {id: command.default_keys for id, command in commands_by_id().items()}
    for text in ("", EVERYTHING):
        before = read(text, tmp_path).configuration
        assert read(write_toml(before, commands), tmp_path) == read_again(before, tmp_path)
        assert read(write_toml(before, commands), tmp_path).configuration == before


def read_again(configuration: Configuration, tmp_path: Path) -> Read:
    path = tmp_path / "config.toml"
    return Read(configuration, path, exists=True, text=path.read_text())


def test_every_line_that_is_not_set_is_right_when_its_mark_is_taken_away(tmp_path: Path) -> None:
    commands = {id: command.default_keys for id, command in commands_by_id().items()}
    lines = write_toml(Configuration(), commands).splitlines()
    set_lines = [line.removeprefix("# ") if " = " in line and "`" not in line else line for line in lines]
    found = read("\n".join(line for line in set_lines if not line.startswith("# ")), tmp_path)
    assert found.faults == ()
    assert found.configuration.keys == commands
    assert read_keys(found)[1] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '# theme\ntheme = "drak"',
            'config.toml line 2: theme = "drak" cannot be used: it is "auto", "dark",',
        ),
        ('theme = "drak"', '"16-colours" (did you mean dark?). "auto" is used.'),
        ("mouse = 1", "line 1: mouse = 1 cannot be used: it is true or false. true is used."),
        (
            "[charts]\n\nsmoothing = 100",
            "line 3: charts.smoothing = 100 cannot be used: it is a whole number",
        ),
        ("charts.smoothing = true", "line 1: charts.smoothing = true cannot be used"),
        ("[charts]\npanels = [\n1]", "line 2: charts.panels = [1] cannot be used: it is a list of texts."),
        ("runs = 'a\\b'\nthem = 1", "line 2: there is no field them (did you mean theme?). It is ignored."),
        ("[chart]\nx = 1", "line 1: there is no table chart (did you mean charts?). It is ignored."),
        ("charts = 3", "line 1: charts is a table; write [charts] above its fields."),
        ("keys = 3", "line 1: keys is a table; write [keys] above the keys."),
        ("[keys]\nrunsview = 3", "line 2: the key of runsview is a text or a list of texts, not 3."),
        ("[keys]\n'a.b' = []", "line 2: the key of a.b is a text or a list of texts, not []."),
        ("x = 1\ntheme = drak", "config.toml line 2: no valid TOML: invalid value."),
        ("x = 1\nx = 2", "no valid TOML: cannot overwrite a value"),
        (b"a = 1\nb = '\xff'", "config.toml line 2: it is not UTF-8 text. Nothing in the file is used"),
        ("#" * (1 << 18), "config.toml: it is longer than 128 kB."),
        ("x = " + "[" * 5000, "config.toml: it is nested too deeply."),
        ('theme = "\\u001b[31m"', 'theme = "�[31m" cannot be used'),
    ],
)
def test_a_fault_is_told_with_its_line(text: str | bytes, said: str, tmp_path: Path) -> None:
    (fault, *_) = faults(text, tmp_path)
    assert said in fault


def test_a_fault_spoils_only_its_own_field(tmp_path: Path) -> None:
    found = read('device = "cpu"\ntheme = 3\n[charts]\nsmoothing = 5', tmp_path)
    assert len(found.faults) == 1
    assert (found.configuration.device, found.configuration.charts.smoothing) == ("cpu", 5)
    assert found.configuration.theme == "auto"


def test_a_line_is_found_wherever_the_value_is_written() -> None:
    text = 'a = """\nkey = 1\n"""\n# key = 1\n[t]\nlist = [\n  "key",\n]\nu.key = 2\n[other]\nkey = 3\n'
    tomllib.loads(text)
    assert find_line(text, ["t", "u", "key"]) == 9
    assert find_line(text, ["other", "key"]) == 11
    assert find_line(text, ["t", "list"]) == 6
    assert find_line(text, ["t", "gone"]) is None
    assert find_line("key = [\n" * 5000, ["key"]) is None


def test_the_file_is_where_platformdirs_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SDA_CONFIG", raising=False)
    for value in ("/somewhere/else", ""):
        monkeypatch.setenv("XDG_CONFIG_HOME", value)
        assert configuration_path() == platformdirs.user_config_path("sda-tui") / "config.toml"


def test_no_file_is_no_fault_unless_the_variable_names_it(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [str(each) for each in read_configuration().faults] == [
        "config.toml: there is no such file, but $SDA_CONFIG names it. Defaults are used."
    ]
    config.mkdir()
    assert "it cannot be read" in str(read_configuration().faults[0])
    monkeypatch.delenv("SDA_CONFIG")
    assert read_configuration() == Read(path=configuration_path())


def test_the_command_prints_a_file_and_faults_apart(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text('theme = "drak"\ndevice = "cpu"\n[keys]\nruns.vew = "x"\n')
    assert main(["config"]) == 1
    out, err = capsys.readouterr()
    assert tomllib.loads(out) == {"device": "cpu", "charts": {}, "listening": {}, "when_done": {}} | {
        "keys": {"runs.vew": "x"}
    }
    assert err.splitlines()[1] == (
        "sda-tui: config.toml line 4: there is no command runs.vew (did you mean runs.view?). It is ignored."
    )
    assert main(["config", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert [each["line"] for each in document["faults"]] == [1, 4]
    assert {each["name"] for each in document["fields"]} == set(declared_fields())
    assert main(["config", "--path"]) == 0
    assert capsys.readouterr().out == f"{config}\n"
    config.write_text("")
    assert main(["config"]) == 0


def test_a_command_tells_faults_and_uses_the_rest(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SDA_RUNS", "")
    config.write_text(f'theme = 3\nruns = "{tmp_path}/mine"\n')
    assert main(["runs"]) == 0
    out, err = capsys.readouterr()
    assert f"No runs in {tmp_path}/mine yet." in " ".join(out.split())
    assert err.startswith("sda-tui: config.toml line 1: theme = 3 cannot be used")
    assert main(["runs", "--runs", str(tmp_path / "other")]) == 0
    assert "other yet." in " ".join(capsys.readouterr().out.split())


def test_colours_are_those_of_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("NO_COLOR", "TEXTUAL_COLOR_SYSTEM"):
        monkeypatch.setenv(variable, "before")
    use_colours("auto")
    assert os.environ["NO_COLOR"] == os.environ["TEXTUAL_COLOR_SYSTEM"] == "before"
    use_colours("16")
    assert "NO_COLOR" not in os.environ
    assert os.environ["TEXTUAL_COLOR_SYSTEM"] == "standard"
    use_colours("none")
    assert os.environ["NO_COLOR"] == "1"


def test_every_field_has_a_sentence_and_an_acceptable_default() -> None:
    declared = declared_fields()
    assert len(declared) > len(fields(Configuration))
    for each in declared.values():
        assert each.help.endswith("."), each.path
        assert each.accepts(each.default), each.path
