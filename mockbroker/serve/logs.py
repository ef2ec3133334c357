"""How `mockbroker serve` speaks to standard error: lines for people, or one JSON object per event.

Everything in the package speaks through `logging`, under the name `mockbroker`; here its form is chosen.
"""

from __future__ import annotations

import json
import logging
import sys

_TEXT = "%(asctime)s.%(msecs)03d %(levelname)-7s %(message)s"


class JsonLines(logging.Formatter):
    """One JSON object per line, with what a log collector wants to sort by."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the event as JSON."""
        event = {
            "time": f"{self.formatTime(record, '%Y-%m-%dT%H:%M:%S')}.{int(record.msecs):03d}",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            event["exception"] = self.formatException(record.exc_info)
        return json.dumps(event)


def speak(form: str, level: str) -> None:
    """Send the package's log to standard error from now on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else logging.Formatter(_TEXT, "%H:%M:%S"))
    logger = logging.getLogger("mockbroker")
    logger.addHandler(handler)
    logger.setLevel(level.upper())
    logger.propagate = False
