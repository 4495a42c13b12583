"""Headless Chromium, where it is installed: opens a page, acts in it, hears what it asks and complains of.

It is spoken to over the DevTools protocol, which needs no more than a WebSocket.
"""

import asyncio
import os
import shutil
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-headless-shell")
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--remote-debugging-port=0",
)  # fmt: skip
LOOK_SECONDS = 0.05


class Browser:
    """One page: `asked` are the addresses that it requested, `complaints` what stands in its log."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self._socket = socket
        self._numbers = count(1)

    async def open(self, url: str) -> None:
        """Begin to load a page."""
        for domain in ("Network", "Log", "Runtime", "Page"):
            await self._call(f"{domain}.enable")
        await self._call("Page.navigate", url=url)

    async def run(self, script: str) -> Any:
        """What an expression is worth in the page."""
        answer = await self._call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def wait_for(self, script: str, seconds: float = 20) -> Any:
        """What an expression is worth once it is true."""
        async with asyncio.timeout(seconds):
            while not (value := await self.run(script)):  # noqa: ASYNC110 - it is in another process
                await asyncio.sleep(LOOK_SECONDS)
        return value

    async def click(self, selector: str) -> None:
        """Click an element, once it is there."""
        await self.wait_for(f"document.querySelector({selector!r}) !== null")
        await self.run(f"document.querySelector({selector!r}).click()")

    async def write(self, selector: str, text: str) -> None:
        """Type into a field, once it is there; as the keyboard does, so that the page's code hears of it."""
        await self.wait_for(f"document.querySelector({selector!r}) !== null")
        await self.run(f"document.querySelector({selector!r}).focus()")
        await self._call("Input.insertText", text=text)

    async def _call(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": params})
        while True:
            message = await self._socket.receive_json()
            if message.get("id") == number:
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result
            self._hear(message.get("method"), message.get("params", {}))

    def _hear(self, method: str | None, params: dict[str, Any]) -> None:
        match method:
            case "Network.requestWillBeSent":
                self.asked.append(params["request"]["url"])
            case "Log.entryAdded":
                self.complaints.append(params["entry"]["text"])
            case "Runtime.exceptionThrown":
                self.complaints.append(str(params["exceptionDetails"]))


@asynccontextmanager
async def browse(folder: Path) -> AsyncIterator[Browser]:
    """A browser with nothing in its memory; `folder` is for its files."""
    assert CHROMIUM is not None
    profile = folder / "profile"
    process = await asyncio.create_subprocess_exec(
        CHROMIUM, *OPTIONS, f"--user-data-dir={profile}", "about:blank", stdout=DEVNULL, stderr=DEVNULL
    )
    try:
        async with aiohttp.ClientSession() as session:
            url = await _page_of(session, profile / "DevToolsActivePort")
            async with session.ws_connect(url, max_msg_size=0) as socket:
                yield Browser(socket)
    finally:
        process.kill()
        await process.wait()


async def _page_of(session: aiohttp.ClientSession, written: Path) -> str:
    """The address of the page's socket; the browser writes its port into a file when it is ready."""
    async with asyncio.timeout(20):
        while not (port := _port_in(written)):  # noqa: ASYNC110 - it is in another process
            await asyncio.sleep(LOOK_SECONDS)
    async with session.get(f"http://127.0.0.1:{port}/json/list") as response:
        pages = await response.json()
    url: str = next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page")
    return url


def _port_in(written: Path) -> str | None:
    port, mark, _ = (written.read_text() if written.exists() else "").partition("\n")
    return port if mark else None
