"""What is scrolled of the settings, which stays at what has the focus."""

from textual.containers import VerticalScroll


class SettingsScroll(VerticalScroll, can_focus=False):
    """Keeps what has the focus in view when the terminal gets another size."""

    def on_resize(self) -> None:
        focused = self.screen.focused
        if focused is not None and self in focused.ancestors:
            self.call_after_refresh(focused.scroll_visible, animate=False)
