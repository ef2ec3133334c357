"""A log of the wire: whatever passes between clients and brokers, as lines in a file or on standard error.

Written as it happens and flushed line by line, so that the last line of a run that hangs is what it hangs at.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from mockbroker.core.usage import UsageError
from mockbroker.timeline.reading import Names
from mockbroker.timeline.wire import asked_line, happened_line

if TYPE_CHECKING:
    from mockbroker.core.event import Begun, Event
    from mockbroker.core.image import Image
    from mockbroker.core.world import World


log = logging.getLogger("mockbroker.wire")


class WireLog:
    """Listens to a history and writes it down, to a file or, without one, to standard error."""

    def __init__(self, world: World, file: TextIO | None) -> None:
        self._world = world
        self._file = file
        self._image: Image | None = None
        self._names = Names()

    def asked(self, begun: Begun) -> None:
        """A request has come."""
        self._write(asked_line(begun, self._known(), self._world.history.started_us))

    def happened(self, event: Event) -> None:
        """Something is in the history."""
        self._write(happened_line(event, self._known(), self._world.history.started_us))

    def _known(self) -> Names:
        """The names of topics, looked up anew when something about topics has changed."""
        image = self._world.controller.image
        if image is not self._image:
            self._image = image
            self._names = Names({topic.id: name for name, topic in image.topics.items()})
        return self._names

    def _write(self, line: str) -> None:
        # Standard error is looked up each time: a test that captures it has another one.
        out = sys.stderr if self._file is None else self._file
        try:
            out.write(f"{line}\n")
            out.flush()
        except (OSError, ValueError) as failed:
            # A full disk, or an output that somebody has closed, is no trouble of the client that is answered.
            log.warning("the log of the wire ends here: %s", failed)
            self._stop()

    def _stop(self) -> None:
        """Let nobody tell it anything more; the list is another one, for somebody may be walking the old."""
        history = self._world.history
        history.listeners = [listener for listener in history.listeners if listener is not self]

    def close(self) -> None:
        """Listen no more."""
        self._stop()
        if self._file is not None:
            self._file.close()


def log_wire(world: World, target: bool | str | Path) -> WireLog | None:
    """Begin a log, where one is wanted: at the end of a file, or on standard error for True."""
    if target is False or target == "":
        return None
    file: TextIO | None = None
    if target is not True:
        try:
            file = Path(target).open("a", encoding="utf-8")  # noqa: SIM115 - open as long as the cluster is
        except OSError as failed:
            raise UsageError(f"log_wire={str(target)!r} cannot be written: {failed.strerror}") from failed
    wire = WireLog(world, file)
    world.history.listeners = [*world.history.listeners, wire]
    return wire
