"""COMPATIBILITY.md says what the handlers do, and so does `mockbroker apis`: both have it from the same rows.

Whether the whole page is up to date is a test beside its generator, in conformance/report.
"""

import re
from pathlib import Path

import pytest

from mockbroker import cli_apis
from mockbroker.cli_apis import Status, rows
from mockbroker.handlers import HANDLERS
from mockbroker.protocol.apis import Api

TEXT = (Path(__file__).parent.parent / "COMPATIBILITY.md").read_text("utf-8")
ROW = re.compile(r"^\| (\d+) \| (\w+) \| (\d+-\d+) \| (\w+) \| [^|]+ \| ([^|]*?) ?\|$", re.MULTILINE)
SERVED = [row for row in rows() if row.status is not Status.REFUSED]
REFUSED = [row for row in rows() if row.status is Status.REFUSED]


def test_the_table_has_every_handler_with_what_is_known_of_it_and_nothing_else() -> None:
    assert ROW.findall(TEXT) == [
        (str(int(row.api)), row.api.title, row.versions, row.status, row.note) for row in SERVED
    ]


def test_what_is_declared_and_not_served_is_named() -> None:
    named = TEXT.partition("Declared and not served yet: ")[2].partition(".\n")[0]

    assert named.split(", ") == [row.api.title for row in REFUSED]


def test_every_handler_has_a_row_with_its_versions() -> None:
    assert {row.api: (row.min_version, row.max_version) for row in SERVED} == {
        api: (handler.min_version, handler.max_version) for api, handler in HANDLERS.items()
    }


def test_an_api_is_faithful_simplified_with_a_note_or_refused() -> None:
    assert all(bool(row.note) == (row.status is Status.SIMPLIFIED) for row in rows())
    assert [row.api for row in REFUSED] == [api for api in Api if api.declared and api not in HANDLERS]
    assert {row.api: row.versions for row in REFUSED}[Api.SASL_HANDSHAKE] == "-"


def test_the_command_prints_every_row_with_its_note(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli_apis.main([]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(rows())
    (produce,) = (line for line in lines if line.split()[1] == "Produce")
    assert produce.split()[:4] == ["0", "Produce", "3-13", "simplified"]
    assert produce.endswith(HANDLERS[Api.PRODUCE].simplified)


def test_the_readme_leads_to_the_page() -> None:
    assert "[COMPATIBILITY.md](COMPATIBILITY.md)" in (Path(__file__).parent.parent / "README.md").read_text(
        "utf-8"
    )
