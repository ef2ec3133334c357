"""Which clients were forgotten: those that are still connected when everything that used a cluster is over.

A client of theirs goes on asking in some thread, slows down whatever comes next, and holds up the end of the run.
One line tells of all connections of one client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mockbroker.core.event import CONNECTED
from mockbroker.evidence import clients_of
from mockbroker.timeline.places import listed
from mockbroker.timeline.reading import clean

if TYPE_CHECKING:
    from mockbroker.controls import ClusterControls
    from mockbroker.timeline.evidence import Client


def leaks_of(cluster: ClusterControls[Any, Any, Any]) -> list[str]:
    """The clients that a closed cluster had to break off from, one a line, in the order in which they came."""
    history = cluster.world.history
    by_client = dict[tuple[str, str], list["Client"]]()
    for one in clients_of(cluster.server):
        by_client.setdefault((one.client_id, one.software), []).append(one)
    opened_us = {e.connection: e.at_us for e in history.events if e.kind == CONNECTED} if by_client else {}
    return [_told(clients, opened_us, history.started_us) for clients in by_client.values()]


def _told(clients: list[Client], opened_us: dict[int, int], started_us: int) -> str:
    first = clients[0]
    several = len(clients) > 1
    whose = f"client.id={clean(first.client_id)}" if first.client_id else "without a client.id"
    software = f", software={clean(first.software)}" if first.software else ""
    brokers = sorted({one.broker for one in clients})
    where = f"broker{'s' if len(brokers) > 1 else ''} {listed(map(str, brokers))}"
    at_us = min((opened_us[one.connection] for one in clients if one.connection in opened_us), default=None)
    when = (
        ""
        if at_us is None
        else f", {'first ' if several else ''}opened t+{(at_us - started_us) / 1_000:.0f} ms"
    )
    return (
        f"{len(clients)} connection{'s' if several else ''} still open: {whose}{software}{when}, to {where}"
    )
