"""What makes a ghost a leader: the members' subscriptions read, and an assignment computed for all of them.

Reads what every consumer writes, and answers in the layout that every consumer reads.  Who must be asked how many
partitions a topic has is not known here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockbroker.core.groups.consumer_protocol import parse_subscription, write_assignment
from mockbroker.core.usage import UsageError
from mockbroker.ghosts.assignors import ASSIGNORS, Candidate
from mockbroker.ghosts.offering import STICKY
from mockbroker.ghosts.sticky_data import read_sticky_data
from mockbroker.protocol.messages.groups import SyncGroupAssignment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mockbroker.protocol.messages.groups import JoinGroupMember
    from mockbroker.protocol.messages.metadata import MetadataResponse

# Every client reads the oldest layout, and all versions of it are the same.
ASSIGNMENT_VERSION = 0


def candidates(protocol: str, members: Sequence[JoinGroupMember]) -> list[Candidate]:
    """The members as an assignor wants them.

    Raises UsageError for a protocol that we cannot compute, or a member that cannot be understood.
    """
    if protocol not in ASSIGNORS:
        raise UsageError(
            f"it was made the leader and cannot compute the assignor {protocol!r}, only {', '.join(ASSIGNORS)}: "
            "let a real member lead, or have the members speak one of these"
        )
    try:
        return [_candidate(protocol, member) for member in members]
    except ValueError as wrong:
        raise UsageError(f"it was made the leader and cannot read a subscription: {wrong}") from wrong


def _candidate(protocol: str, member: JoinGroupMember) -> Candidate:
    said = parse_subscription(bytes(member.metadata))
    owned = [(part.topic, index) for part in said.owned_partitions for index in part.partitions]
    generation = said.generation_id
    if protocol == STICKY:
        owned, generation = read_sticky_data(bytes(said.user_data or b""))
    return Candidate(member.member_id, list(said.topics), member.group_instance_id, owned, generation)


def partitions_in(response: MetadataResponse) -> dict[str, int]:
    """How many partitions each topic has of which an answer tells."""
    return {
        topic.name: len(topic.partitions) for topic in response.topics if topic.name and not topic.error_code
    }


def computed(
    protocol: str, members: Sequence[Candidate], counts: Mapping[str, int]
) -> list[SyncGroupAssignment]:
    """The assignments of a SyncGroup."""
    shares = ASSIGNORS[protocol](members, counts)
    return [
        SyncGroupAssignment(member_id=id, assignment=write_assignment(_by_topic(share), ASSIGNMENT_VERSION))
        for id, share in shares.items()
    ]


def _by_topic(places: Sequence[tuple[str, int]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for topic, index in places:
        found.setdefault(topic, []).append(index)
    return found
