"""A consumer group of a real Kafka, as far as its coordinator tells strangers: classic groups, and what they commit.

What only somebody inside the brokers can know, such as who has fetched, skips the test.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mockbroker.core.groups.consumer_protocol import parse_assignment, parse_subscription
from mockbroker.core.groups.views import MemberView
from mockbroker.external.reading import LATEST, offset_of
from mockbroker.external.wire import refuse
from mockbroker.handles.group_snapshot import Assignment, GroupSnapshot
from mockbroker.handles.groups import STABLE, Group
from mockbroker.handles.records import TopicPartition
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.groups import DeleteGroupsRequest, DescribeGroupsRequest
from mockbroker.protocol.messages.offsets import OffsetFetchRequest
from mockbroker.waiting import Condition

if TYPE_CHECKING:
    from mockbroker.external.cluster import ExternalCluster

# The number of a generation, which a real coordinator tells to its members only.
UNTOLD = -1


class ExternalGroup:
    """A group by id, whether it exists yet or not."""

    def __init__(self, cluster: ExternalCluster, group_id: str) -> None:
        self._at = cluster
        self.id = group_id

    def __repr__(self) -> str:
        return f"<Group {self.id} of {self._at.bootstrap}>"

    def __getattr__(self, name: str) -> Any:
        self._at.only_mockbroker("group(...)", Group, name)

    def _ask(self, request: Any) -> Any:
        return self._at.wire.ask(request, self._at.wire.coordinator(self.id))

    def _described(self) -> Any:
        (found,) = self._ask(DescribeGroupsRequest(groups=[self.id])).groups
        refuse(found.error_code)
        return found

    def snapshot(self) -> GroupSnapshot:
        """See `Group.snapshot`; its generation is -1, for a real coordinator tells it to members only."""
        return self._at.patiently(self._snapshot)

    def _snapshot(self) -> GroupSnapshot:
        found = self._described()
        members = tuple(_member(one) for one in found.members)
        return GroupSnapshot(found.group_state, UNTOLD, members, Assignment(members), self._committed())

    @property
    def state(self) -> str:
        """See `Group.state`."""
        return self.snapshot().state

    @property
    def members(self) -> tuple[MemberView, ...]:
        """See `Group.members`."""
        return self.snapshot().members

    @property
    def assignment(self) -> Assignment:
        """See `Group.assignment`."""
        return self.snapshot().assignment

    @property
    def committed(self) -> dict[TopicPartition, int]:
        """See `Group.committed`."""
        return self._at.patiently(self._committed)

    def _committed(self) -> dict[TopicPartition, int]:
        answer = self._ask(OffsetFetchRequest(group_id=self.id, topics=None))
        refuse(answer.error_code)
        return {
            TopicPartition(topic.name, one.partition_index): one.committed_offset
            for topic in answer.topics
            for one in topic.partitions
            if one.committed_offset >= 0
        }

    @property
    def lag(self) -> dict[TopicPartition, int]:
        """See `Group.lag`."""
        return {
            place: offset_of(self._at.wire, *place, LATEST) - offset
            for place, offset in self.committed.items()
        }

    def wait_stable(
        self,
        members: int | None = None,
        *,
        newer_than: int | None = None,
        timeout: float | str | None = None,
    ) -> GroupSnapshot:
        """See `Group.wait_stable`; a real coordinator has no generations to tell."""
        if newer_than is not None:
            self._at.skip(
                "wait_stable(newer_than=...) wants generations, which a real one tells its members only"
            )

        def look() -> GroupSnapshot | None:
            found = self._snapshot()
            return found if found.state == STABLE and members in (None, len(found.members)) else None

        count = "" if members is None else f" with {members} members"
        return self._at.wait(Condition(f"group {self.id} to be stable{count}", look, self._stands), timeout)

    def wait_committed(
        self, topic: str, offsets: Mapping[int, int], *, timeout: float | str | None = None
    ) -> Mapping[TopicPartition, int]:
        """See `Group.wait_committed`."""

        def look() -> Mapping[TopicPartition, int] | None:
            found = self._committed()
            there = all(
                found.get(TopicPartition(topic, index), -1) >= least for index, least in offsets.items()
            )
            return found if there else None

        def now() -> str:
            found = {place.partition: at for place, at in self.committed.items() if place.topic == topic}
            return f"{found or 'nothing'} is committed; {self._stands()}"

        return self._at.wait(
            Condition(f"group {self.id} to commit {dict(offsets)} of {topic}", look, now), timeout
        )

    def _stands(self) -> str:
        found = self.snapshot()
        names = ", ".join(f"{one.client_id} ({one.id})" for one in found.members) or "nobody"
        return f"group {self.id} is {found.state}, members: {names}"

    def forget(self) -> None:
        """Delete it, as far as it is empty: the test is over."""
        try:
            self._ask(DeleteGroupsRequest(groups_names=[self.id]))
        except KafkaError as refused:
            if refused.code is not ErrorCode.COORDINATOR_NOT_AVAILABLE:
                raise


def _member(one: Any) -> MemberView:
    return MemberView(
        id=one.member_id,
        instance_id=one.group_instance_id,
        client_id=one.client_id,
        host=one.client_host.lstrip("/"),
        subscription=_read(lambda: tuple(parse_subscription(bytes(one.member_metadata)).topics)),
        assignment=_read(lambda: parse_assignment(bytes(one.member_assignment))),
    )


def _read(parse: Any) -> Any:
    """What consumers write into their groups; None where others have written something else."""
    try:
        return parse()
    except ValueError:
        return None
