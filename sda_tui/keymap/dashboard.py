"""Keys on the dashboard."""

from sda_tui.keymap.command import Command, Scope
from sda_tui.keymap.ending import ending_commands
from sda_tui.keymap.listening import listening_commands


def _pane(number: int, name: str, what: str) -> Command:
    return Command(
        f"dashboard.{name}", f"{number}", f"pane('{name}')", name.capitalize(), f"Show {what}.", False
    )


DASHBOARD = Scope(
    "Dashboard",
    (
        Command(
            "dashboard.cancel",
            "c",
            "cancel",
            "Cancel",
            "Stop training; the state is saved at this very step.",
        ),
        Command("dashboard.save", "s", "save", "Save", "Save a checkpoint now; it is kept."),
        *ending_commands("dashboard"),
        Command("dashboard.previous", "up", "cursor_up", "Previous", "Choose the preview above.", False),
        Command("dashboard.next", "down", "cursor_down", "Next", "Choose the preview below.", False),
        Command("dashboard.play", "right,enter,space", "play", "Play", "Play the chosen preview."),
        Command("dashboard.stop", "left", "stop", "Stop", "Stop playing.", False),
        Command(
            "dashboard.compare",
            "a",
            "compare",
            "A/B",
            "Play the original after the reconstruction, the training sound after the sample, and back.",
        ),
        Command(
            "dashboard.older",
            "b",
            "earlier",
            "Older",
            "Play the same preview of the epoch before; again: further back.",
            False,
        ),
        Command(
            "dashboard.next-pane", "tab", "next_pane(1)", "Panes", "Show the next pane; 1 to 5 choose one."
        ),
        Command(
            "dashboard.previous-pane",
            "shift+tab",
            "next_pane(-1)",
            "Previous pane",
            "Show the pane before.",
            False,
        ),
        _pane(1, "overview", "charts, numbers and previews, as far as there is room"),
        _pane(2, "charts", "the charts alone, as large as the terminal"),
        _pane(3, "previews", "the previews alone"),
        _pane(4, "figures", "every number of the run"),
        _pane(5, "messages", "all warnings in full, and what happened"),
        Command(
            "dashboard.rougher",
            "left_square_bracket",
            "smooth(-1)",
            "Rougher",
            "Smooth the curves less.",
            False,
        ),
        Command(
            "dashboard.smoother",
            "right_square_bracket",
            "smooth(1)",
            "Smoother",
            "Smooth the curves more.",
            False,
        ),
        Command("dashboard.zoom-in", "plus,equals_sign", "zoom(1)", "Zoom in", "Enlarge the charts.", False),
        Command(
            "dashboard.zoom-out",
            "minus",
            "zoom(-1)",
            "Zoom out",
            "Show more of the run in the charts.",
            False,
        ),
        Command(
            "dashboard.warnings", "w", "pane('messages')", "Warnings", "Show all warnings in full.", False
        ),
        Command("dashboard.explain", "i", "explain", "Explain", "What a figure means, and what is good."),
        Command(
            "dashboard.evolve",
            "e",
            "evolve",
            "Evolve",
            "Play the chosen preview of all epochs, one after the other; any key stops.",
        ),
        Command("dashboard.star", "asterisk", "star", "Star", "Star the chosen preview, or not.", False),
        Command(
            "dashboard.filter",
            "f",
            "filter",
            "Filter",
            "List all previews, those of the clip, the new sounds, or the starred ones.",
            False,
        ),
        Command("dashboard.epoch", "j", "epoch", "Jump", "Go to the previews nearest to an epoch.", False),
        Command("dashboard.best", "B", "best", "Best", "Go to the previews of the best epoch.", False),
        *listening_commands("dashboard", in_footer=True),
        Command(
            "dashboard.copy",
            "y",
            "copy",
            "Copy",
            "Copy the scp line that brings the chosen preview to your own computer.",
            False,
        ),
        Command("dashboard.order", "o", "order", "Order", "Show the newest previews first, or last.", False),
        Command(
            "dashboard.go-back",
            "g",
            "go_back",
            "Go back",
            "Continue from an earlier checkpoint, the best one for example, in a new run or in this one.",
            False,
        ),
        Command(
            "dashboard.sounds",
            "m",
            "sounds",
            "Make sounds",
            "Make sounds with the best model so far, while training continues.",
        ),
        Command("dashboard.back", "escape", "back", "Back", "Leave the dashboard; training continues."),
    ),
)

CHARTS = Scope(
    "Charts, alone on the dashboard",
    (
        Command("charts.previous", "up", "select(-1)", "Previous", "Choose the chart before.", False),
        Command("charts.next", "down", "select(1)", "Next", "Choose the next chart.", False),
        Command("charts.left", "left", "crosshair(-1)", "Crosshair", "Read values further left.", False),
        Command("charts.right", "right", "crosshair(1)", "Crosshair", "Read values further right.", False),
        Command(
            "charts.far-left", "shift+left", "crosshair(-10)", "Far left", "The same, ten columns.", False
        ),
        Command(
            "charts.far-right", "shift+right", "crosshair(10)", "Far right", "The same, ten columns.", False
        ),
        Command("charts.whole", "0", "whole", "Whole run", "Show the whole run, without the crosshair."),
        Command("charts.x-axis", "x", "x_axis", "X axis", "Draw by step, by epoch or by time."),
        Command("charts.y-axis", "y", "y_axis", "Log", "Draw on a logarithmic axis where all is above zero."),
        Command(
            "charts.earlier", "less_than_sign,comma", "pan(-1)", "Earlier", "Show an earlier part.", False
        ),
        Command(
            "charts.later", "greater_than_sign,full_stop", "pan(1)", "Later", "Show a later part.", False
        ),
        Command("charts.blocks", "d", "blocks", "Dots", "Draw with blocks instead of braille dots.", False),
        Command("charts.choose", "v", "choose", "Choose", "Choose which charts there are, and their order."),
    ),
)

CHOOSE_CHARTS = Scope(
    "Which charts",
    (
        Command("choose-charts.toggle", "space,enter", "show", "Show", "Show the chart, or not."),
        Command("choose-charts.up", "shift+up,K", "move(-1)", "Move up", "Show it earlier."),
        Command("choose-charts.down", "shift+down,J", "move(1)", "Move down", "Show it later."),
        Command("choose-charts.reset", "0", "reset", "Reset", "All charts, in the order they come in."),
        Command("choose-charts.back", "escape,v", "back", "Done", "Back; the choice is remembered."),
    ),
)

EXPLAIN = Scope(
    "What figures mean", (Command("explain.back", "escape,i", "back", "Close", "Back to the dashboard."),)
)
