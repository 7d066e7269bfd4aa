"""`sda-tui config`: the configuration file, as it is and as it may be."""

import json
import sys

from core.errors import SdaError
from core.text import printable
from sda_tui.configuration.reading import read_configuration
from sda_tui.configuration.writing import as_dict, write_toml
from sda_tui.keymap import commands_by_id
from sda_tui.keymap.rebinding import read_keys


def config_command(only_path: bool, as_json: bool) -> int:
    """Print the path, or every field with its value as TOML or JSON; the status is 1 if the file has faults.

    Faults go to stderr, so that the output can be kept as a file.
    """
    read = read_configuration()
    if read.path is None:
        raise SdaError("There is no home folder for a configuration file; name one by $SDA_CONFIG.")
    path = printable(str(read.path.absolute()))
    if only_path:
        sys.stdout.write(f"{path}\n")
        return 0
    _, key_faults = read_keys(read)
    faults = sorted([*read.faults, *key_faults], key=lambda fault: fault.line or 0)
    commands = {id: command.default_keys for id, command in commands_by_id().items()}
    if as_json:
        document = {
            "path": path,
            "exists": read.exists,
            "fields": as_dict(read.configuration),
            "keys": {id: read.configuration.keys.get(id, keys) for id, keys in commands.items()},
            "faults": [{"line": each.line, "message": each.message} for each in faults],
        }
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
    else:
        is_there = "" if read.exists else " (no such file yet)"
        sys.stdout.write(
            f"# Configuration of sda-tui: {path}{is_there}\n"
            "# What begins with # is not set, and has the value shown.  To set it, take the # away.\n\n"
            f"{write_toml(read.configuration, commands)}"
        )
    sys.stdout.flush()
    sys.stderr.write("".join(f"sda-tui: {fault}\n" for fault in faults))
    return 1 if faults else 0
