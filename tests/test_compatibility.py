"""COMPATIBILITY.md says what the handlers do: the table is theirs, and what is not in it is named below it."""

import re
from pathlib import Path

from mockbroker.handlers import HANDLERS
from mockbroker.protocol.apis import Api

TEXT = (Path(__file__).parent.parent / "COMPATIBILITY.md").read_text("utf-8")
ROW = re.compile(r"^\| (\d+) \| (\w+) \| (\d+)-(\d+) \|", re.MULTILINE)


def test_the_table_has_every_handler_with_its_versions_and_nothing_else() -> None:
    listed = [(int(key), name, int(low), int(high)) for key, name, low, high in ROW.findall(TEXT)]

    assert listed == [
        (int(api), api.title, HANDLERS[api].min_version, HANDLERS[api].max_version)
        for api in sorted(HANDLERS)
    ]


def test_what_is_declared_and_not_served_is_named() -> None:
    named = TEXT.partition("Declared and not served yet: ")[2].partition(".\n")[0]

    assert named.split(", ") == [api.title for api in Api if api.declared and api not in HANDLERS]
