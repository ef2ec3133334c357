"""Apps under test: a worker that consumes and commits, a sender that produces without a pause.

Each is a thread around one real client, and writes down what it was told: that is what tests hold the
brokers to.  A client that raises what no app expects fails the test that stops it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from tests.scenarios.clients import Acks, Consumer, Got, Library, Membership, Refused

BATCH = 20
STOP_S = 30
COMMIT_TRIES = 5


class App:
    """A thread that runs until it is stopped; what it raised is raised by `stop`."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._guarded, name=type(self).__name__)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def ask_to_stop(self) -> None:
        """Let it close its client and end, in its own time."""
        self._stopping.set()

    def stop(self) -> None:
        """Let it end, and wait until it has.  Twice is fine."""
        self.ask_to_stop()
        self._thread.join(STOP_S)
        assert not self._thread.is_alive(), f"{self._thread.name} does not end"
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _guarded(self) -> None:
        try:
            self.run()
        except BaseException as failure:  # noqa: BLE001 - it is raised where the test stops the app
            self._failure = failure

    def run(self) -> None:
        """What it does; looks at `_stopping`."""
        raise AssertionError("every app does something")


class Worker(App):
    """Consumes, and commits each batch once it has it."""

    def __init__(self, library: Library, how: Membership) -> None:
        super().__init__()
        self._library = library
        self._consumer: Consumer | None = None
        self.how = how
        self.received: list[Got] = []
        # The highest offset per partition that it tried to commit, and that was acknowledged.
        self.tried: dict[int, int] = {}
        self.acknowledged: dict[int, int] = {}

    def run(self) -> None:
        consumer = self._consumer = self._library(self.how)
        try:
            while not self._stopping.is_set():
                got = consumer.poll()
                if not got:
                    continue
                self.received += got
                offsets = {record.partition: record.offset + 1 for record in got}
                _raise_to(self.tried, offsets)
                if self._committed(consumer, offsets):
                    _raise_to(self.acknowledged, offsets)
        finally:
            consumer.close()

    def _committed(self, consumer: Consumer, offsets: dict[int, int]) -> bool:
        """Commit, again if it was refused: a coordinator may have died, and nobody else will commit these.

        After a rebalance every try is refused, and whoever owns the partitions now reads the records again.
        """
        for _ in range(COMMIT_TRIES):
            try:
                consumer.commit(offsets)
            except Refused:
                continue
            return True
        return False

    def ask_to_stop(self) -> None:
        super().ask_to_stop()
        if self._consumer is not None:
            self._consumer.interrupt()

    @property
    def values(self) -> list[bytes]:
        """The values that it was given, in order."""
        return [record.value for record in self.received]


def _raise_to(known: dict[int, int], offsets: dict[int, int]) -> None:
    for partition, offset in offsets.items():
        known[partition] = max(offset, known.get(partition, 0))


class Sender(App):
    """Sends numbered values to one partition, batch after batch."""

    def __init__(
        self, library: Library, bootstrap: str, topic: str, *, partition: int = 0, acks: Acks = "all"
    ) -> None:
        super().__init__()
        self._library = library
        self._bootstrap = bootstrap
        self._topic = topic
        self._partition = partition
        self._acks = acks
        self.sent: list[bytes] = []
        self.acknowledged: list[bytes] = []

    def run(self) -> None:
        # What a client sends again because it heard nothing must not be there twice.
        producer = self._library.Producer(self._bootstrap, self._acks, idempotent=self._acks == "all")
        try:
            while not self._stopping.is_set():
                values = [f"v-{len(self.sent) + n:06}".encode() for n in range(BATCH)]
                self.sent += values
                self.acknowledged += producer.send(self._topic, self._partition, values)
        finally:
            producer.close()


@contextmanager
def workers(library: Library, *hows: Membership) -> Iterator[list[Worker]]:
    """Several workers, stopped together: one after the other they would rebalance at each good-bye."""
    apps = [Worker(library, how) for how in hows]
    for app in apps:
        app.__enter__()
    try:
        yield apps
    finally:
        for app in apps:
            app.ask_to_stop()
        for app in apps:
            app.stop()


def send(
    library: Library,
    bootstrap: str,
    topic: str,
    *values: bytes,
    acks: Acks = "all",
    partition: int = 0,
    idempotent: bool = False,
) -> list[bytes]:
    """Produce some values with a client of its own, and give those that were acknowledged."""
    producer = library.Producer(bootstrap, acks, idempotent=idempotent)
    try:
        return producer.send(topic, partition, values)
    finally:
        producer.close()
