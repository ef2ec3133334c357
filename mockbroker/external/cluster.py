"""What the fixtures hand out when the tests run against a real Kafka: a cluster that nobody can look into.

Offers what a real broker can do.  Whoever asks for more gets his test skipped, with the reason: faults, time, ghosts
and verdicts are mockbroker's own.  Leaves behind nothing that a test has made through it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NoReturn, Self, TypeVar

import pytest

from mockbroker.cluster import Cluster
from mockbroker.external.groups import ExternalGroup
from mockbroker.external.topics import ExternalTopic, delete_request
from mockbroker.external.wire import Address, Wire
from mockbroker.handles.client_configs import ClientConfigs
from mockbroker.handles.verdicts import Verdicts
from mockbroker.options import ClusterOptions, duration_ms
from mockbroker.protocol.errors import KafkaError
from mockbroker.waiting import Condition, WaitTimeout

T = TypeVar("T")

# Real clusters take their time: three seconds before a group's first rebalance alone.
WAIT = "30s"
# How often a real broker is asked whether something has come about.
ASKS_APART_S = 0.05

# Arguments of `Cluster` that mean nothing here, or are seen to; all others change what only mockbroker can be.
_HARMLESS = {"seed", "wait", "history", "log_wire", "strict_faults", "drain", "topics", "brokers"}


class ExternalCluster:
    """A real Kafka behind the face of a `Cluster`."""

    def __init__(self, bootstrap: str, *, wait: float | str = WAIT, **given: Any) -> None:
        self._given = given
        self._options = ClusterOptions.of(**given)
        self.wire = Wire(bootstrap)
        self.bootstrap = bootstrap
        self._wait = wait
        # What to clean up, and what was there before and is none of ours.
        self.made: list[str] = []
        self._groups: dict[str, None] = {}
        self._spoken_of: dict[str, None] = {}
        self._topics_before: set[str] = set()
        self._groups_before: set[str] = set()

    def start(self) -> None:
        """See what is there, whether it will do, and make the topics to begin with."""
        metadata = self.wire.metadata()
        self._topics_before = {topic.name for topic in metadata.topics}
        self._groups_before = self.wire.groups()
        self._check(len(metadata.brokers))
        self._make_topics()

    def _check(self, brokers: int) -> None:
        for name, value in self._given.items():
            if name not in _HARMLESS:
                self.skip(f"{name}={value!r} is for clusters of mockbroker's own")
        wanted = len(self._options.node_ids)
        if "brokers" in self._given and wanted > brokers:
            self.skip(f"the test wants {wanted} brokers, and there are {brokers}")

    def _make_topics(self) -> None:
        for name, partitions in self._options.first_topics.items():
            self.topic(name).create(partitions)

    # -- what it cannot do ------------------------------------------------------------------------

    def skip(self, why: str) -> NoReturn:
        """Skip the test that runs: it is not for a real Kafka."""
        pytest.skip(f"not on the real Kafka at {self.bootstrap}: {why}")

    def only_mockbroker(self, whose: str, ours: type[Any], name: str) -> NoReturn:
        """Somebody has asked for what is not here: skip, if mockbroker has it; else it is misspelled."""
        if name.startswith("_") or not hasattr(ours, name):
            raise AttributeError(f"{whose} has no {name!r}")
        self.skip(f"{whose}.{name} is something that only mockbroker can do")

    def __getattr__(self, name: str) -> Any:
        self.only_mockbroker("cluster", Cluster, name)

    def __repr__(self) -> str:
        return f"<the Kafka at {self.bootstrap}>"

    # -- what it can do ---------------------------------------------------------------------------

    @property
    def config(self) -> ClientConfigs:
        """See `Cluster.config`."""
        return ClientConfigs(lambda: self.bootstrap)

    def topic(self, name: str) -> ExternalTopic:
        """See `Cluster.topic`."""
        self._spoken_of[name] = None
        return ExternalTopic(self, name)

    def group(self, group_id: str) -> ExternalGroup:
        """See `Cluster.group`."""
        self._groups[group_id] = None
        return ExternalGroup(self, group_id)

    def assert_committed(
        self, group: str, topic: str, *, total: int, timeout: float | str | None = None
    ) -> None:
        """See `Cluster.assert_committed`."""
        of = self.group(group)

        def found() -> dict[int, int]:
            return {place.partition: at for place, at in of.committed.items() if place.topic == topic}

        def look() -> dict[int, int] | None:
            now = found()
            return now if sum(now.values()) >= total else None

        wanted = f"group {group} to commit {total} records of {topic}"
        committed = self.wait(
            Condition(wanted, look, lambda: f"{found() or 'nothing'} by partition"), timeout
        )
        Verdicts.exactly(group, topic, total, committed)

    def wait(self, condition: Condition[T], timeout: float | str | None = None) -> T:
        """Ask until a condition is fulfilled; raises WaitTimeout."""
        timeout_s = duration_ms(self._wait if timeout is None else timeout) / 1_000
        end = time.monotonic() + timeout_s
        while True:
            value = self._asked(condition)
            if value is not None:
                return value
            if time.monotonic() >= end:
                raise WaitTimeout(
                    f"waited {timeout_s:g} s for {condition.wanted}; instead: {condition.now()}"
                )
            time.sleep(ASKS_APART_S)

    def _asked(self, condition: Condition[T]) -> T | None:
        try:
            return condition.look()
        except KafkaError as refused:
            if refused.code.retriable:
                return None
            raise
        except OSError:
            return None

    def patiently(self, ask: Callable[[], T]) -> T:
        """Ask until brokers that must sort themselves out have done so."""
        box = list[T]()

        def look() -> list[T] | None:
            box.append(ask())
            return box

        return self.wait(Condition("an answer", look, lambda: "the brokers are not ready"))[-1]

    def controller_address(self) -> Address:
        """Where topics are made: any broker does, and with an old Kafka only the controller."""
        metadata = self.wire.metadata()
        (address,) = [
            (broker.host, broker.port)
            for broker in metadata.brokers
            if broker.node_id == metadata.controller_id
        ]
        return address

    def now_ms(self) -> int:
        """The time that records bear."""
        return time.time_ns() // 1_000_000

    # -- the end ----------------------------------------------------------------------------------

    def delete_topics(self, names: list[str]) -> None:
        """Delete topics, and wait until no broker tells of them."""
        if not names:
            return
        self.wire.ask(delete_request(names), self.controller_address())

        def gone() -> bool | None:
            left = {topic.name for topic in self.wire.metadata().topics}
            return not left.intersection(names) or None

        self.wait(Condition(f"{names} to be deleted", gone, lambda: "they are still there"))

    def reset(self) -> None:
        """See `Cluster.reset`: deletes what the test has made, and nothing that was there before."""
        self._clean()
        self._make_topics()

    def _clean(self) -> None:
        for group_id in self._groups.keys() & self.wire.groups() - self._groups_before:
            self.patiently(ExternalGroup(self, group_id).forget)
        there = {topic.name for topic in self.wire.metadata().topics}
        ours = {*self.made, *(name for name in self._spoken_of if name not in self._topics_before)}
        self.delete_topics(sorted(ours & there))
        self.made, self._groups, self._spoken_of = [], {}, {}

    def close(self) -> None:
        """Leave it as it was."""
        try:
            self._clean()
        finally:
            self.wire.close()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.wire.close()  # a test that is skipped, too, leaves nothing open
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
