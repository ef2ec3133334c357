"""The page: whole in itself, closed to everything else, and deaf to what clients put into their names."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from mockbroker.timeline.page import html
from tests.timeline.evidence import Telling
from tests.timeline.test_sentences import batch, produced, to_produce

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<!--<script>",
    "]]>&lt;&amp;\u2028\u2029\x00",
    "'\"><svg/onload=alert(1)>",
]


class Tags(HTMLParser):
    """What a browser would make of a page: its tags, and what is in its scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.styles: list[str] = []
        self.policy = ""
        self._open = ""
        self._attributes: dict[str, str | None] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._open, self._attributes = tag, dict(attrs)
        if self._attributes.get("http-equiv") == "Content-Security-Policy":
            self.policy = self._attributes["content"] or ""

    def handle_data(self, data: str) -> None:
        if self._open == "script":
            self.scripts.append((self._attributes, data))
        elif self._open == "style":
            self.styles.append(data)
        self._open = ""


def page_of(name: str) -> Tags:
    telling = Telling()
    request = to_produce(batch(1), acks=1, transactional_id=name)
    telling.said(name, request, produced())
    telling.history.act(f"append {name}", topic=name, partition=0, offset=0)
    return Tags(html(telling.evidence(), title=name))


@pytest.mark.parametrize("name", HOSTILE)
def test_what_a_client_says_is_data_and_stays_data(name: str) -> None:
    page, harmless = page_of(name), page_of("app")
    assert page.tags == harmless.tags
    (attributes, data), (_, script) = page.scripts
    assert attributes == {"type": "application/json", "id": "data"}
    assert script == harmless.scripts[1][1]
    assert not re.search(r"[<>&]", data)
    assert json.loads(data)["events"][0]["client_id"] == name


def test_the_page_allows_its_own_script_and_style_and_nothing_else() -> None:
    page = page_of("app")
    script, style = page.scripts[1][1], page.styles[0]

    def named(text: str) -> str:
        return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"

    assert page.policy == (
        f"default-src 'none'; style-src {named(style)}; script-src {named(script)}; "
        "base-uri 'none'; form-action 'none'"
    )


def test_the_page_asks_nobody_for_anything_and_makes_no_markup_of_text() -> None:
    page = page_of("app")
    script, style = page.scripts[1][1], page.styles[0]
    assert {"link", "img", "iframe", "base"}.isdisjoint(page.tags)
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|eval|fetch\(|XMLHttp|import\(", script
    )
    assert not re.search(r"url\(|@import|https?:", style + script)


def test_the_page_has_the_diagnoses_and_says_what_it_leaves_out() -> None:
    telling = Telling()
    telling.history.limit = 1
    telling.history.act("one")
    telling.history.act("two")
    page = Tags(html(telling.evidence(dropped=1)))
    data = json.loads(page.scripts[0][1])
    assert (data["left_out"], [event["text"] for event in data["events"]]) == (1, ["two"])
