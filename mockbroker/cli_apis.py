"""`mockbroker apis`: which APIs this release answers, in which versions, and how like Kafka.

Printed from the handlers themselves, so that it cannot promise what they do not keep; `--json` for machines.
COMPATIBILITY.md has its table from the same rows.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from mockbroker.handlers import HANDLERS
from mockbroker.protocol.apis import Api


class Status(StrEnum):
    """How like Kafka an API is answered."""

    # As Kafka does, in everything that is known of it.
    FAITHFUL = "faithful"
    # As Kafka does, but for what the note says.
    SIMPLIFIED = "simplified"
    # Not advertised: a request closes the connection.
    REFUSED = "refused"


@dataclass(frozen=True)
class Row:
    """What there is to say of one API. `advertised_from` is what clients are told, which may be less true."""

    api: Api
    status: Status
    min_version: int | None = None
    max_version: int | None = None
    advertised_from: int | None = None
    note: str = ""

    @property
    def versions(self) -> str:
        """The served versions, "3-13", or a dash where there are none."""
        return "-" if self.min_version is None else f"{self.min_version}-{self.max_version}"


def rows() -> list[Row]:
    """Every API by its key: those that are served, and then those that clients of Kafka might ask for in vain."""
    served = []
    for api, handler in sorted(HANDLERS.items()):
        status = Status.SIMPLIFIED if handler.simplified else Status.FAITHFUL
        versions = handler.min_version, handler.max_version, handler.advertised_from
        served.append(Row(api, status, *versions, handler.simplified))
    return served + [Row(api, Status.REFUSED) for api in Api if api.declared and api not in HANDLERS]


def main(arguments: Sequence[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="mockbroker apis",
        description="List the Kafka APIs with the versions that are served, and how like Kafka.",
        allow_abbrev=False,
    )
    parser.add_argument("--json", action="store_true", help="one JSON object per line instead of a table")
    as_json = parser.parse_args(arguments).json
    for row in rows():
        sys.stdout.write((_json(row) if as_json else _line(row)) + "\n")
    return 0


def _line(row: Row) -> str:
    return f"{int(row.api):3}  {row.api.title:37} {row.versions:6} {row.status:11} {row.note}".rstrip()


def _json(row: Row) -> str:
    return json.dumps(
        {
            "key": int(row.api),
            "name": row.api.title,
            "min_version": row.min_version,
            "max_version": row.max_version,
            "status": row.status,
            "note": row.note,
        }
    )
