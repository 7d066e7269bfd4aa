"""The user's configuration file: what it may hold, and reading it.  Imports no Textual and no engine."""

from sda_tui.configuration.colours import use_colours as use_colours
from sda_tui.configuration.fields import Configuration as Configuration
from sda_tui.configuration.location import CONFIG_VARIABLE as CONFIG_VARIABLE
from sda_tui.configuration.location import configuration_path as configuration_path
from sda_tui.configuration.reading import Fault as Fault
from sda_tui.configuration.reading import Read as Read
from sda_tui.configuration.reading import read_configuration as read_configuration
