"""A real browser, driven over its debugging port: Debian's Chromium, with the autoplay rule of every user."""

import asyncio
import base64
import contextlib
import itertools
import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from tests.conftest import need

PATIENCE_S = 60.0
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Browser:
    """A page in a browser."""

    def __init__(self, connection: WebSocketClientConnection) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)
        self.requests: list[str] = []
        self.problems: list[str] = []  # what the console has of errors and refusals
        self.received_bytes = 0

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        await self._connection.write_message(
            json.dumps({"id": number, "method": method, "params": parameters})
        )
        while True:
            text = await asyncio.wait_for(self._connection.read_message(), PATIENCE_S)
            assert text is not None, "the browser has gone"
            message = json.loads(text)
            if message.get("id") == number:
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result
            self._note(message.get("method"), message.get("params", {}))

    async def evaluate(self, script: str) -> Any:
        """The value of a JavaScript expression, awaited if it is a promise."""
        result = await self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=False
        )
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    async def open(self, address: str) -> None:
        await self.call("Page.navigate", url=address)
        await self.wait_for("document.readyState === 'complete'")

    async def wait_for(self, script: str, what: str = "") -> Any:
        """Wait until an expression is true."""
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s:
            with contextlib.suppress(AssertionError):  # while another page loads
                if value := await self.evaluate(script):
                    return value
            await asyncio.sleep(0.05)
        shown = await self.evaluate("document.body.innerText")
        pytest.fail(f"this did not become true: {what or script}; the page shows: {shown}")

    async def click(self, selector: str) -> None:
        """Click as the mouse does: what a user did is what lets a page sound."""
        box = await self.evaluate(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            "e.scrollIntoView({block: 'center'}); const b = e.getBoundingClientRect();"
            "return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            await self.call(
                "Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1
            )

    async def press(self, key: str) -> None:
        """Press a key: a letter or the name of one, as JavaScript calls it."""
        text = {"Enter": "\r", " ": " "}.get(key, key if len(key) == 1 else "")
        code = {
            "Enter": 13,
            " ": 32,
            "Tab": 9,
            "ArrowLeft": 37,
            "ArrowUp": 38,
            "ArrowRight": 39,
            "ArrowDown": 40,
        }
        number = code.get(key, ord(key[0].upper()))
        await self.call(
            "Input.dispatchKeyEvent", type="keyDown", key=key, text=text, windowsVirtualKeyCode=number
        )
        await self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=number)

    async def resize(self, width: int, height: int) -> None:
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    async def close(self) -> None:
        """Close the page: one that may sound keeps a thread of the browser's busy."""
        with contextlib.suppress(AssertionError):
            await self.call("Page.close")

    async def screenshot(self, path: Path) -> None:
        answer = await self.call("Page.captureScreenshot")
        path.write_bytes(base64.b64decode(answer["data"]))

    def _note(self, method: str | None, given: dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            self.requests.append(given["request"]["url"])
        elif method in ("Network.dataReceived", "Network.webSocketFrameReceived"):
            frame = given.get("response", {}).get("payloadData", "")
            self.received_bytes += given.get("encodedDataLength", 0) or len(frame)
        elif method == "Log.entryAdded" and given["entry"]["level"] == "error":
            self.problems.append(given["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            self.problems.append(str(given["exceptionDetails"]))


class Chromium:
    """Debian's Chromium without a screen, with a profile in `folder`."""

    def __init__(self, folder: Path) -> None:
        need(CHROMIUM is not None, "Chromium")
        self._folder = folder
        self._pages: list[Browser] = []
        self._process = subprocess.Popen(
            [
                str(CHROMIUM),
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--remote-debugging-port=0",
                f"--user-data-dir={folder}",
                "about:blank",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    async def new_page(self, width: int = 1200, height: int = 900) -> Browser:
        """A page whose cookies are its own."""
        root = Browser(await websocket_connect(f"ws://127.0.0.1:{await self._address()}"))
        context = (await root.call("Target.createBrowserContext"))["browserContextId"]
        target = await root.call("Target.createTarget", url="about:blank", browserContextId=context)
        port = (await self._address()).split("/")[0]
        address = f"ws://127.0.0.1:{port}/devtools/page/{target['targetId']}"
        page = Browser(await websocket_connect(address, max_message_size=64 << 20))
        for domain in ("Page", "Runtime", "Network", "Log"):
            await page.call(f"{domain}.enable")
        await page.resize(width, height)
        self._pages.append(page)
        return page

    async def close_pages(self) -> None:
        while self._pages:
            await self._pages.pop().close()

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()

    async def _address(self) -> str:
        """Port and path of the debugging socket, which Chromium writes when it is ready."""
        file, deadline_s = self._folder / "DevToolsActivePort", time.monotonic() + PATIENCE_S
        while not (file.exists() and len(lines := file.read_text().split()) == 2):
            assert time.monotonic() < deadline_s, "Chromium did not start"
            await asyncio.sleep(0.05)
        return "".join(lines)
