"""How brokers die in a story: now, or in the moment in which it hurts.

mockbroker's die in the very step that brings the moment, so the same requests are lost each time.  A real
Kafka's are killed as soon as a question about the moment is answered with yes, which is a little later.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, Protocol

from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]  # public, not re-exported

from conformance.clients.verbs import DEADLINE_S, Fatal
from mockbroker.waiting import Condition, Lookout

if TYPE_CHECKING:
    from conformance.against_kafka.launch import KafkaCluster
    from mockbroker import Cluster

# In the stories of a coordinator's death while members join, two do.
JOINED = 2
# Between two questions to a real Kafka: less than it takes it to do anything of note.
PAUSE_S = 0.005
# Between two questions whether everybody has caught up, which takes seconds.
BREATH_S = 0.1


class Deaths(Protocol):
    """What may befall the brokers of a target."""

    # When a broker died in this story, in monotonic seconds; None if none has.
    died_at: float | None

    def crash_coordinator(self, group: str) -> None:
        """Kill the broker that coordinates the group."""

    def crash_coordinator_when(self, group: str, moment: Fatal) -> None:
        """Kill it as soon as the moment comes."""

    def crash_leader_when(self, topic: str, end_offset: int) -> None:
        """Kill the leader of partition 0 as soon as it has so many records."""

    def await_crash(self) -> None:
        """Return when what was ordered has happened."""

    def mend(self) -> None:
        """Restart whoever died: the next story finds everybody well."""


class MockbrokerDeaths:
    """Crashes between two steps of the brokers, always the same two."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._lookout: Lookout[bool] | None = None
        self._crashed = threading.Event()
        self.died_at: float | None = None

    def crash_coordinator(self, group: str) -> None:
        self.died_at = time.monotonic()
        self.cluster.coordinator_of(group).crash()

    def crash_coordinator_when(self, group: str, moment: Fatal) -> None:
        def come() -> bool:
            seen = self.cluster.group(group).snapshot()
            if moment == "committing":
                return bool(seen.committed)
            return seen.state == "CompletingRebalance" and len(seen.members) == JOINED

        self._crash_when(self.cluster.coordinator_of(group).id, come, f"{group} {moment}")

    def crash_leader_when(self, topic: str, end_offset: int) -> None:
        def come() -> bool:
            return self.cluster.topic(topic).end_offset(0) >= end_offset

        self._crash_when(self.cluster.leader_of(topic, 0).id, come, f"{end_offset} records in {topic}")

    def _crash_when(self, broker: int, come: Callable[[], bool], moment: str) -> None:
        def look() -> bool | None:
            if not come():
                return None
            self.died_at = time.monotonic()
            self.cluster.world.crash(broker)
            return True

        condition = Condition(moment, look, lambda: "not yet")
        self._lookout = Lookout(self.cluster.world, condition, self._crashed.set)
        self.cluster.do(self._lookout.begin)

    def await_crash(self) -> None:
        assert self._lookout is not None, "a crash is awaited after it was ordered"
        assert self._crashed.wait(DEADLINE_S), "the moment to die never came"
        assert self._lookout.result()

    def mend(self) -> None:
        """Nothing: the next story has a cluster of its own."""


class KafkaDeaths:
    """SIGKILL for the nodes of a cluster that was started here."""

    def __init__(self, cluster: KafkaCluster) -> None:
        self.cluster = cluster
        # Whoever kills brokers need not be told on stderr that they are gone.
        self._admin = AdminClient({"bootstrap.servers": cluster.bootstrap, "log_level": 0})
        self._thread = ThreadPoolExecutor(1)
        self._crash: Future[None] | None = None
        self._called_off = threading.Event()
        self._dead: list[int] = []
        self.died_at: float | None = None

    def crash_coordinator(self, group: str) -> None:
        coordinator = self._describe(group).coordinator
        assert coordinator is not None
        self._kill(coordinator.id)

    def crash_coordinator_when(self, group: str, moment: Fatal) -> None:
        def come() -> bool:
            if moment == "committing":
                every = [ConsumerGroupTopicPartitions(group)]
                (asked,) = self._admin.list_consumer_group_offsets(every).values()
                return any(at.offset >= 0 for at in asked.result().topic_partitions)
            # The state between joining and stable is too short to be seen from outside.
            return len(self._describe(group).members or ()) >= JOINED

        coordinator = self._describe(group).coordinator
        assert coordinator is not None
        self._kill_when(coordinator.id, come)

    def crash_leader_when(self, topic: str, end_offset: int) -> None:
        def come() -> bool:
            latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # confluent's, without annotations
            (asked,) = self._admin.list_offsets({TopicPartition(topic, 0): latest}).values()
            return bool(asked.result().offset >= end_offset)

        self._kill_when(self._admin.list_topics(topic).topics[topic].partitions[0].leader, come)

    def _describe(self, group: str) -> Any:
        (asked,) = self._admin.describe_consumer_groups([group]).values()
        return asked.result()

    def _kill_when(self, node: int, come: Callable[[], bool]) -> None:
        def watch() -> None:
            deadline = time.monotonic() + DEADLINE_S
            while not come():
                assert time.monotonic() < deadline, "the moment to die never came"
                if self._called_off.wait(PAUSE_S):
                    return
            self._kill(node)

        self._called_off.clear()
        self._crash = self._thread.submit(watch)

    def _kill(self, node: int) -> None:
        self._dead.append(node)
        self.died_at = time.monotonic()
        self.cluster.crash(node)

    def await_crash(self) -> None:
        assert self._crash is not None, "a crash is awaited after it was ordered"
        self._crash.result(DEADLINE_S)

    def mend(self) -> None:
        self._call_off()
        self.died_at = None
        while self._dead:
            self.cluster.restart(self._dead.pop())
        # A node that serves has not caught up yet. If the next story took one more from the partitions that
        # still miss it, and the one after that a third, they would have nobody left to lead them.
        deadline = time.monotonic() + DEADLINE_S
        while behind := self._behind():
            assert time.monotonic() < deadline, f"{behind} still miss replicas after {DEADLINE_S} s"
            time.sleep(BREATH_S)

    def _call_off(self) -> None:
        """A story that failed before its moment came leaves a death behind that would befall the next one."""
        self._called_off.set()
        crash, self._crash = self._crash, None
        if crash is not None:
            wait([crash], DEADLINE_S)

    def _behind(self) -> list[str]:
        """The partitions whose in-sync replicas are not all of their replicas."""
        topics = self._admin.list_topics(timeout=DEADLINE_S).topics
        return [
            f"{name}-{number}"
            for name, topic in topics.items()
            for number, partition in topic.partitions.items()
            if set(partition.isrs) != set(partition.replicas)
        ]
