"""The APIs: what is served how well, how many answers were compared, and what is refused."""

from __future__ import annotations

from collections import Counter

from conformance.report.evidence import JUDGE, kafka_ranges
from conformance.report.markdown import ranges, section, table
from mockbroker.cli_apis import Row, Status, rows
from mockbroker.protocol.apis import Api

# Before the list of what is refused: tests/test_compatibility.py looks for it.
REFUSED = "Declared and not served yet: "
MEANING = f"""\
*Faithful*: the answers are those of Kafka {JUDGE}, field by field, and nothing of the API is left out.
*Simplified*: the same, but for what the last column says. The fifth column counts the compared answers that are
equal, and names the versions in which they were asked; generated conversations come on top of that."""
UNKNOWN = """\
An API or a version that is not in this table is not advertised. A request for it closes the connection, as Kafka does
for what it does not know, and the log names the API, the version and the client. (ApiVersions is answered in any
version.)"""


def apis(equal: Counter[tuple[Api, int]]) -> str:
    """The section about APIs."""
    every = rows()
    served = [row for row in every if row.status is not Status.REFUSED]
    head = (">key", "API", "versions", "status", "equal answers", "what differs")
    refused = ", ".join(row.api.title for row in every if row.status is Status.REFUSED)
    return section(
        "APIs",
        MEANING,
        table(head, [_cells(row, equal) for row in served]),
        _beside_kafka(served),
        UNKNOWN,
        f"{REFUSED}{refused}.",
    )


def _cells(row: Row, equal: Counter[tuple[Api, int]]) -> tuple[object, ...]:
    return int(row.api), row.api.title, row.versions, row.status, evidence_for(row.api, equal), row.note


def evidence_for(api: Api, equal: Counter[tuple[Api, int]]) -> str:
    """How many answers agreed, and in which versions they were asked."""
    asked = {version: number for (each, version), number in equal.items() if each is api}
    return f"{sum(asked.values()):,} in {ranges(asked)}" if asked else "none yet"


def _beside_kafka(served: list[Row]) -> str:
    """Whether Kafka advertises the same versions."""
    theirs = kafka_ranges()
    other = [
        f"{row.api.title} ({theirs.get(int(row.api), 'nothing')} there)"
        for row in served
        if theirs.get(int(row.api)) != f"{row.advertised_from}-{row.max_version}"
    ]
    wider = [
        f"{row.api.title} is advertised from {row.advertised_from} on, as Kafka does, and older versions "
        "than the served ones close the connection."
        for row in served
        if row.advertised_from != row.min_version
    ]
    said = f"Kafka {JUDGE} advertises the same versions"
    return " ".join([f"{said}, but for {', '.join(other)}." if other else f"{said} of each.", *wider])
