"""What a ghost says of itself when it joins: protocols that the other members speak, with its subscription.

Any name will do, for a real leader may have chosen any assignor; the bytes beneath it are those of consumers, in a
version that the others write, too.  Reads what there is, and sends nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockbroker.core.groups.consumer_protocol import (
    Subscription,
    TopicPartitions,
    parse_subscription,
    write_subscription,
)
from mockbroker.core.usage import UsageError
from mockbroker.ghosts.assignors import ASSIGNORS, COOPERATIVE_STICKY
from mockbroker.ghosts.sticky_data import write_sticky_data
from mockbroker.protocol.messages.groups import JoinGroupProtocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mockbroker.core.groups.classic import ClassicGroup
    from mockbroker.ghosts.assignors import Place

# The version in which a ghost writes where it has nobody to be like: owned partitions are in it (KIP-429), and
# for the assignor that compares generations these, too (KIP-792).
VERSION, COOPERATIVE_VERSION = 1, 3
VERSION_MAX = 3

STICKY = "sticky"


def names_to_offer(
    group: ClassicGroup | None, mine: str, assignor: str | None, before: Sequence[str]
) -> list[str]:
    """The protocols to offer to a group: what all others speak, and everything we know to one without members.

    `mine` is the ghost's own member id; `before` is what it has offered until now, which stays right while
    somebody else speaks it.  Raises UsageError for an assignor that could not work.
    """
    others = {} if group is None else {id: m for id, m in group.members.items() if id != mine}
    if not others:
        if assignor is not None and assignor not in ASSIGNORS:
            raise UsageError(
                f"assignor={assignor!r}: in a group without other members a ghost leads, and it can compute "
                f"{', '.join(ASSIGNORS)} only"
            )
        return [assignor] if assignor is not None else list(before or ASSIGNORS)
    if group is not None and not group.is_consumer:
        raise UsageError(
            f"group {group.id!r} is one of {group.protocol_type!r} members, and a ghost is a consumer"
        )
    spoken = [name for name, _ in next(iter(others.values())).protocols]
    common = [n for n in spoken if all(n in [name for name, _ in m.protocols] for m in others.values())]
    if assignor is None:
        kept = [name for name in before if name in common]
        return kept or common
    if assignor not in common:
        raise UsageError(f"assignor={assignor!r}: the members of the group speak {', '.join(common)}")
    return [assignor]


def offer(
    names: Sequence[str],
    group: ClassicGroup | None,
    topics: Sequence[str],
    owned: Mapping[str, list[int]],
    previous: Sequence[Place],
    generation: int,
) -> list[JoinGroupProtocol]:
    """The protocols of a JoinGroup.  `previous` is what the member had last, which eager members tell "sticky"."""
    return [
        JoinGroupProtocol(
            name=name,
            metadata=write_subscription(
                Subscription(
                    topics=list(topics),
                    user_data=write_sticky_data(previous, generation) if name == STICKY else None,
                    owned_partitions=[TopicPartitions(topic=t, partitions=list(i)) for t, i in owned.items()],
                    generation_id=generation,
                ),
                _version(name, group),
            ),
        )
        for name in names
    ]


def _version(name: str, group: ClassicGroup | None) -> int:
    """One that every other member can read; who writes a version reads it."""
    seen = [] if group is None else [m.metadata(name) for m in group.members.values()]
    versions = [int.from_bytes(data[:2], "big") for data in seen if _readable(data)]
    least = VERSION if name == COOPERATIVE_STICKY else 0
    if not versions:
        return COOPERATIVE_VERSION if name == COOPERATIVE_STICKY else VERSION
    return max(least, min(*versions, VERSION_MAX))


def _readable(data: bytes) -> bool:
    try:
        parse_subscription(data)
    except ValueError:
        return False
    return True
