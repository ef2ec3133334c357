"""How the demo talks: coloured and with a line that moves on a terminal, plain lines elsewhere.

Knows nothing of brokers.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import TextIO

_STYLES = {"title": "1", "good": "32", "bad": "31;1", "hand": "33", "quiet": "2"}

# Where nothing can move, the state of things is told this often instead.
PLAIN_STATUS_S = 5.0


class Teller:
    """Writes an account while things happen; may be used from several threads."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out if out is not None else sys.stdout
        self._moves = self._out.isatty()
        self._colours = self._moves and "NO_COLOR" not in os.environ
        self._lock = threading.Lock()
        self._start = time.monotonic()
        self._status = ""
        self._plain_due = 0.0

    def styled(self, style: str, text: str) -> str:
        """Text in a style, where there are colours."""
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self._colours else text

    def chapter(self, title: str) -> None:
        """Begin a chapter."""
        self._line("")
        self._line(self.styled("title", title))

    def say(self, text: str, style: str | None = None) -> None:
        """One thing that happened, and when."""
        at = self.styled("quiet", f"{time.monotonic() - self._start:6.1f} s")
        self._line(f"{at}  {self.styled(style, text) if style else text}")

    def plain(self, text: str) -> None:
        """A line of a table."""
        self._line(text)

    def status(self, text: str) -> None:
        """How things stand: a line that moves, or a plain one now and then."""
        with self._lock:
            self._status = text
            if self._moves:
                self._out.write(f"\r\x1b[2K{text}")
                self._out.flush()
            elif time.monotonic() >= self._plain_due:
                self._plain_due = time.monotonic() + PLAIN_STATUS_S
                self._out.write(f"{time.monotonic() - self._start:6.1f} s  {text}\n")
                self._out.flush()

    def done(self) -> None:
        """Take the moving line away."""
        self._status = ""
        self._line(None)

    def _line(self, text: str | None) -> None:
        with self._lock:
            if self._moves:
                self._out.write("\r\x1b[2K")
            if text is not None:
                self._out.write(f"{text}\n")
            if self._moves and self._status:
                self._out.write(self._status)
            self._out.flush()
