"""How to listen on another machine: what to paste there, and whether a page is open."""

import os
import shlex
import subprocess

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label, Static

from core.errors import SdaError
from core.text import printable
from sda_tui.advice import explain
from sda_tui.keymap import KEYMAP, key_of
from sda_tui.listen.tunnel import is_login, tunnel_line
from sda_tui.listening import Listening
from sda_tui.until_left import LeftOnce, UntilLeft
from sda_tui.widgets.footer import KeyFooter
from sda_tui.widgets.line import Line

COPIED = "Copied, if your terminal takes copies; else select it with the mouse (hold shift)."
OTHER_PORT = "Another sda-tui serves at the usual port {}, so this page has one of its own."


class ListenScreen(LeftOnce, UntilLeft, ModalScreen[None]):
    """Starts the listener page, and stays until a page may sound or it is left."""

    AUTO_FOCUS = ""
    SCOPE = "listen"
    BINDINGS = KEYMAP[SCOPE].bindings()

    def __init__(self, listening: Listening) -> None:
        super().__init__()
        self._listening = listening
        self._problem = ""
        self._ready_before = 0

    def compose(self) -> ComposeResult:
        with Vertical(id="listen"):
            yield Label("Listen on your own computer", id="listen-title")
            yield Static("1  On your computer, in another terminal window (prints nothing, stays open):")
            yield Static(id="tunnel", classes="paste")
            yield Static("2  On your computer, in a browser:")
            yield Static(id="address", classes="paste")
            yield Static(
                "3  In the page, click “Let the terminal play here”. From then on play keys sound there."
            )
            yield Input(id="login", placeholder="user@host, as you write it after ssh")
            yield Static(id="listen-keys")
            yield Line(id="listen-note")
            yield Line(id="pages")
        yield KeyFooter()

    def on_mount(self) -> None:
        self.query_one("#login").display = False
        keys = (
            f"{key_of('listen.tunnel')} copies 1 · {key_of('listen.address')} copies 2 · "
            f"{key_of('listen.edit')} edits the host in 1 · "
            f"{key_of('listen.back')} closes this, the page stays"
        )
        has_browser = self.check_action("open", ())
        self.query_one("#listen-keys", Static).update(
            Text(f"{key_of('listen.open')} opens 2 here · {keys}" if has_browser else keys)
        )
        try:
            self._listening.page.serve()
        except SdaError as error:
            self._problem = explain(error)
        self._ready_before = self._listening.page.ready_pages
        self._show()
        if not self._problem:
            self.action_copy_tunnel()
            if self._listening.page.is_elsewhere:
                usual = self._listening.page.remembered.port
                self.query_one("#listen-note", Line).show(OTHER_PORT.format(usual))

    @property
    def _tunnel(self) -> str:
        return tunnel_line(self._listening.page.serve().port, self._listening.login)

    @property
    def _address(self) -> str:
        return self._listening.page.serve().address

    def _show(self) -> None:
        if not self._problem:
            self.query_one("#tunnel", Static).update(Text(self._tunnel))
            self.query_one("#address", Static).update(Text(self._address))
        self.show_way()

    def show_way(self) -> None:
        """Show whether a page is open; close when one has got ready."""
        page = self._listening.page
        if page.ready_pages > self._ready_before:
            self.dismiss()
            self.notify("The page is ready: play keys sound there.")
            return
        self._ready_before = page.ready_pages
        if self._problem:
            text = f"✗ {self._problem}"
        elif page.ready_pages:
            text = "✓ A page is open, and plays what you play here."
        elif page.pages:
            text = "! A page is open; click “Let the terminal play here” in it."
        else:
            text = "◌ Waiting for the page to be opened…"
        self.query_one("#pages", Line).show(text)

    def _copy(self, text: str) -> None:
        self.app.copy_to_clipboard(text)
        self.query_one("#listen-note", Line).show(COPIED)

    def action_copy_tunnel(self) -> None:
        if not self._problem:
            self._copy(self._tunnel)

    def action_copy_address(self) -> None:
        if not self._problem:
            self._copy(self._address)

    def action_edit(self) -> None:
        """Change how ssh there calls this machine."""
        self.query_one("#listen-note", Line).show("")
        login = self.query_one("#login", Input)
        login.value = self._listening.login
        login.display = True
        login.focus()

    @on(Input.Submitted, "#login")
    def _take_login(self, event: Input.Submitted) -> None:
        login = " ".join(event.value.split())
        if not is_login(login):
            self.query_one("#listen-note", Line).show(
                "✗ Write it as ssh takes it: user@host, or -p 2222 user@host."
            )
            return
        self._listening.login = login
        self.query_one("#login").display = False
        self.set_focus(None)
        self._show()
        self.action_copy_tunnel()

    def action_open(self) -> None:
        """Open the page where `$BROWSER` leads: in an editor's remote terminal, on the user's machine."""
        browser = os.environ.get("BROWSER", "")
        if self._problem or not browser:
            return
        try:
            command = shlex.split(browser.split(os.pathsep)[0])
            address = self._listening.page.serve().new_address()
            words = [word.replace("%s", address) for word in command]
            words += [] if words != command else [address]
            subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            note = f"✗ $BROWSER ({printable(browser)}) cannot be started: {error}."
            self.query_one("#listen-note", Line).show(note)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer a browser only where there is one."""
        return action != "open" or bool(os.environ.get("BROWSER"))

    def action_back(self) -> None:
        if self.query_one("#login").display:
            self.query_one("#listen-note", Line).show("")
            self.query_one("#login").display = False
            self.set_focus(None)
        else:
            self.dismiss()
