"""How many colours the terminal is taken to have."""

import os

from sda_tui.configuration.fields import AUTO

TEXTUAL_VARIABLE = "TEXTUAL_COLOR_SYSTEM"  # read when Textual is imported
SYSTEMS = {"16": "standard", "256": "256", "all": "truecolor"}


def use_colours(colours: str) -> None:
    """Have Textual and Rich use so many colours, unless that is `auto`; before Textual is imported.

    A configuration is set on purpose, so it goes before $NO_COLOR, as https://no-color.org has it.
    """
    if colours == AUTO:
        return
    if colours == "none":
        os.environ["NO_COLOR"] = "1"
        return
    os.environ.pop("NO_COLOR", None)
    os.environ[TEXTUAL_VARIABLE] = SYSTEMS[colours]
