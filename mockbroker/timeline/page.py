"""The whole history as one HTML page that needs nothing but itself.

Everything that a client said is data: it is put into the page as JSON in which no markup can begin, and the
page's script shows it as text only.  The page forbids every script but its own, and every request.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from importlib.resources import files
from typing import Any

from mockbroker.timeline import plain
from mockbroker.timeline.evidence import Evidence
from mockbroker.timeline.report import all_diagnoses

# The newest events only: a page with more than this is slow to make and to open, and JSON lines have more.
EVENTS_MAX = 5_000


def html(evidence: Evidence, title: str = "mockbroker history") -> str:
    """The page."""
    style, script = _asset("page.css"), _asset("page.js")
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            "<title>mockbroker history</title>",
            f"<style>{style}</style></head><body>",
            '<div id="app"></div><noscript>This page shows its data with a script.</noscript>',
            f'<script type="application/json" id="data">{_json(_data(evidence, title))}</script>',
            f"<script>{script}</script>",
            "</body></html>",
            "",
        )
    )


def _data(evidence: Evidence, title: str) -> dict[str, Any]:
    newest = list(evidence.events)[-EVENTS_MAX:]
    return {
        "title": title,
        "left_out": len(evidence.events) - len(newest) + evidence.dropped,
        "diagnoses": [{"text": str(one), "events": one.events} for one in all_diagnoses(evidence)],
        "events": [plain.plain_event(event, evidence.names, evidence.started_us) for event in newest],
    }


def _json(data: Any) -> str:
    """JSON that may stand between two tags: no tag, no comment and no entity can begin in it."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _hash(text: str) -> str:
    """How a policy names the one script that it allows."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _asset(name: str) -> str:
    return files("mockbroker.timeline").joinpath(name).read_text("utf-8")
