"""A real browser without a screen: Chromium, driven by chromedriver over WebDriver (W3C).

In: addresses. Out: what the page says and measures, and pictures of it. Rule: a profile of its own that goes with it,
and no talk with anybody but the pages that a test opens.
"""

import base64
import http.client
import json
from collections.abc import Sequence
from pathlib import Path

from tests.services.process import Service, ServiceError, free_port

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PHONE, DESK = (390, 844), (1280, 900)
"""Width and height of a phone's screen, and of a window on a desk, in CSS pixels."""


class Browser(Service):
    """Chromium with one window."""

    def __init__(self, *, size: tuple[int, int] = PHONE, directory: Path | None = None) -> None:
        super().__init__("chromedriver", directory=directory)
        self._port = free_port()
        self._size = size
        self._session = ""

    def command(self) -> Sequence[str]:
        """Return the command that serves WebDriver."""
        return ["chromedriver", f"--port={self._port}", "--allowed-ips=127.0.0.1"]

    def is_ready(self) -> bool:
        """Ask the driver."""
        try:
            return bool(json.loads(self._call("GET", "/status"))["value"]["ready"])
        except OSError:
            return False

    def start(self) -> None:
        """Start the driver, then the browser, with the page area of a phone."""
        super().start()
        width, height = self._size
        options = {
            "args": [*FLAGS, f"--user-data-dir={self.directory / 'profile'}"],
            "mobileEmulation": {"deviceMetrics": {"width": width, "height": height, "pixelRatio": 2, "touch": True}},
        }
        answer = self._call("POST", "/session", {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}})
        self._session = f"/session/{json.loads(answer)['value']['sessionId']}"

    def stop(self) -> None:
        """End the browser, then the driver."""
        self._leave_session()
        super().stop()

    def open(self, url: str) -> None:
        """Load a page, and wait until it is there."""
        self._ask("POST", "/url", {"url": url})

    def prefer(self, scheme: str) -> None:
        """Let pages know that the reader prefers this colour scheme: "light" or "dark"."""
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        self._ask("POST", "/goog/cdp/execute", {"cmd": "Emulation.setEmulatedMedia", "params": media})

    def evaluate(self, expression: str) -> object:
        """Give the value of a JavaScript expression in the page."""
        return self._ask("POST", "/execute/sync", {"script": f"return {expression}", "args": []})

    def text(self) -> str:
        """Give what a reader sees."""
        return str(self.evaluate("document.body.innerText"))

    def picture(self, file: Path) -> None:
        """Save a picture (PNG) of the window."""
        file.write_bytes(base64.b64decode(str(self._ask("GET", "/screenshot"))))

    def _leave_session(self) -> None:
        session, self._session = self._session, ""
        if session and self.is_running:
            self._call("DELETE", session)

    def _ask(self, method: str, path: str, body: dict[str, object] | None = None) -> object:
        return json.loads(self._call(method, f"{self._session}{path}", body))["value"]

    def _call(self, method: str, path: str, body: dict[str, object] | None = None) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            said = answer.read()
        finally:
            connection.close()
        if answer.status != http.client.OK:
            raise ServiceError(f"{self.name} refused {method} {path}: {said.decode(errors='replace')[:500]}")
        return said
