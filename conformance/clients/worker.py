"""A Python client as a program of the line protocol (lines.py), for what only a process can do: be killed.

`python -m conformance.clients.worker kafka-python` obeys orders with that client's adapter.  `serve` is for
clients that live in an environment of their own, so nothing here imports a client library.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from conformance.clients.lines import Line, lines_of, records_of
from conformance.clients.looping import Looping, loop
from conformance.clients.verbs import Client, Joining, Member, Reader, Sending


class Worker:
    """One client, its readers and its members by name; a method for each verb."""

    def __init__(self, make: Callable[[str], Client]) -> None:
        self._make = make
        self._client: Client | None = None
        self._readers: dict[str, Reader] = {}
        self._members: dict[str, Member] = {}

    @property
    def client(self) -> Client:
        """The client of the story that is told."""
        assert self._client is not None, "`open` comes first"
        return self._client

    def obey(self, order: Line) -> Any:
        """Do what the order says."""
        return getattr(self, f"do_{order.pop('do')}")(**order)

    def do_open(self, bootstrap: str, timers: Line) -> dict[str, str]:  # noqa: ARG002  # they are verbs.py's own
        """A story begins."""
        self._client = self._make(bootstrap)
        return {need.name: reason for need, reason in self._client.lacks.items()}

    def do_produce(
        self, topic: str, records: list[Line], acks: Any, codec: Any, *, idempotent: bool
    ) -> list[int] | None:
        """Send."""
        return self.client.produce(topic, records_of(records), Sending(acks, codec, idempotent))

    def do_transact(self, topic: str, records: list[Line], transactional_id: str, *, commit: bool) -> None:
        """Send in a transaction."""
        self.client.transact(topic, records_of(records), transactional_id, commit=commit)

    def do_loop(self, **how: Any) -> Line:
        """Run a consume-transform-produce loop."""
        client: Any = self.client
        return asdict(loop(client.looping(Looping(**how)), Looping(**how)))

    def do_open_reader(self, reader: str, committed_only: bool, **where: Any) -> None:  # by name
        """Open a reader."""
        self._readers[reader] = self.client.open_reader(**where, committed_only=committed_only)

    def do_take(self, reader: str, count: int, wait_ms: int) -> list[Line]:  # noqa: ARG002  # the adapters' own
        """Read."""
        return lines_of(self._readers[reader].take(count))

    def do_seek(self, reader: str, partition: int, offset: int) -> None:
        """Move a reader."""
        self._readers[reader].seek(partition, offset)

    def do_pause(self, reader: str, partition: int) -> None:
        """Pause a partition."""
        self._readers[reader].pause(partition)

    def do_resume(self, reader: str, partition: int) -> None:
        """Resume it."""
        self._readers[reader].resume(partition)

    def do_close_reader(self, reader: str) -> None:
        """Close a reader."""
        self._readers.pop(reader).close()

    def do_offset_at(self, **where: Any) -> int | None:
        """Look an offset up."""
        return self.client.offset_at(**where)

    def do_join(self, member: str, **how: Any) -> None:
        """Start a member."""
        self._members[member] = self.client.join(Joining(**how))

    def do_poll(self, member: str, wait_ms: int) -> Line:
        """Poll a member."""
        polled = self._members[member]
        records = lines_of(polled.poll(wait_ms / 1_000))
        owned = sorted(partition for _, partition in polled.assignment())
        return {"records": records, "owned": owned, "rebalances": polled.rebalances}

    def do_commit(self, member: str, offsets: dict[str, int] | None) -> None:
        """Commit."""
        chosen = None if offsets is None else {int(at): offset for at, offset in offsets.items()}
        self._members[member].commit(chosen)

    def do_leave(self, member: str) -> None:
        """Close a member."""
        self._members.pop(member).leave()

    def do_create_topic(self, topic: str, partitions: int) -> None:
        """Create a topic."""
        self.client.create_topic(topic, partitions)

    def do_partition_count(self, topic: str) -> int | None:
        """Describe a topic."""
        return self.client.partition_count(topic)

    def do_add_partitions(self, topic: str, partitions: int) -> None:
        """Raise a topic's number of partitions."""
        self.client.add_partitions(topic, partitions)

    def do_delete_topic(self, topic: str) -> None:
        """Delete a topic."""
        self.client.delete_topic(topic)

    def do_close(self) -> None:
        """The story is over: whoever is left behind goes first."""
        while self._members:
            self._members.popitem()[1].leave()
        while self._readers:
            self._readers.popitem()[1].close()
        self.client.close()


def serve(make: Callable[[str], Client]) -> None:
    """Obey until stdin ends. The client was made by `make` from a bootstrap address."""
    worker = Worker(make)
    # A library that prints must not be taken for an answer: its stdout becomes stderr.
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        for line in sys.stdin:
            try:
                answer: Line = {"ok": worker.obey(json.loads(line))}
            except Exception as failed:  # noqa: BLE001  # it is raised where the order was given
                answer = {"error": f"{type(failed).__name__}: {failed}"}
            print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    from conformance.clients.roster import IN_PROCESS

    serve(IN_PROCESS[sys.argv[1]])
